"""The bank's transfers come to the ends that their stories have, whatever the bank does."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "bank_transfers.py"


def test_runs_as_a_program() -> None:
    ran = subprocess.run(
        [sys.executable, "-P", str(EXAMPLE)],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )

    events, _, ends = ran.stdout.partition("\nWhat became of them:\n")
    assert ends.splitlines() == [
        "rent          confirmed",
        "salary        confirmed",
        "car           failed: insufficient funds",
        "wrong-number  reversed: account closed",
        "misspelt      expired",
    ]
    assert "wrong-number  pending -> confirmed" in events
    assert "wrong-number  confirmed -> reversed" in events
    assert "a-key-that-is-never-printed" not in ran.stdout + ran.stderr
