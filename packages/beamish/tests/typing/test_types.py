"""The public signatures, as mypy sees them."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

HERE = Path(__file__).parent
WORKSPACE = HERE.parents[3]


@pytest.mark.slow
def test_public_signatures_are_as_pinned() -> None:
    """Each file here pins signatures by ``assert_type`` and by errors that must be found."""
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", str(HERE)],
        cwd=WORKSPACE,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
