"""``txtrack demo``: its flags. What it plays is tested beside the demo itself."""

import pytest

from transaction_tracker.cli import main


@pytest.mark.parametrize("count", ["3", "10001"])
def test_bad_input_ends_with_status_2(capsys: pytest.CaptureFixture[str], count: str) -> None:
    status = main(["demo", "--transactions", count])

    err = capsys.readouterr().err
    assert status == 2
    assert "--transactions" in err
    assert "Traceback" not in err


def test_help_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["demo", "--help"])

    text = capsys.readouterr().out
    words = (
        "until Ctrl-C or SIGTERM",
        "--fast",
        "--transactions",
        "Exit status",
        "1 if one did not",
    )
    assert status == 0
    assert [word for word in words if word not in text] == []
