"""``txtrack webhook verify``, without any service."""

import json
import time
from pathlib import Path

import pytest

from transaction_tracker.cli import main
from transaction_tracker.delivery import signature
from transaction_tracker.domain.webhook_endpoint import WebhookSecret

SECRET = WebhookSecret.generate()
BODY = b'{"type": "transaction.confirmed"}'


def arguments(
    tmp_path: Path, at: float, *, body: bytes = BODY, secret: WebhookSecret = SECRET
) -> list[str]:
    file = tmp_path / "body.json"
    file.write_bytes(body)
    headers = signature.headers([WebhookSecret.generate(), secret], "0xab:3", at, BODY)
    return [
        *("webhook", "verify", str(file), "--id", headers["webhook-id"]),
        *("--timestamp", headers["webhook-timestamp"]),
        *("--signature", headers["webhook-signature"], "--secret", SECRET.reveal()),
    ]


def test_valid_signature_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(tmp_path, time.time())) == 0
    assert capsys.readouterr().out.startswith("VALID: signed with this secret")


def test_secret_is_read_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TXTRACK_WEBHOOK_SECRET", SECRET.reveal())

    assert main([*arguments(tmp_path, time.time())[:-2], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["signature"] is True


@pytest.mark.parametrize("change", [{"body": BODY + b" "}, {"secret": WebhookSecret.generate()}])
def test_invalid_signature_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object]
) -> None:
    assert main(arguments(tmp_path, time.time(), **change)) == 1  # type: ignore[arg-type]
    assert capsys.readouterr().out.startswith("INVALID: no signature matches.")


def test_old_webhook_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(tmp_path, time.time() - 400)) == 1
    assert "VALID, but sent 40" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (-1, "whsec_s3cret", "--secret: a webhook secret must be"),
        (2, "nowhere.json", "cannot read nowhere.json: No such file"),
        (6, "soon", "--timestamp"),
    ],
)
def test_bad_input_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: int, value: str, words: str
) -> None:
    given = arguments(tmp_path, time.time())
    given[place] = value

    assert main(given) == 2

    err = " ".join(capsys.readouterr().err.split())
    assert words in err
    assert "s3cret" not in err


def test_invalid_timestamp_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = arguments(tmp_path, time.time())
    given[6] = "9" * 30

    assert main(given) == 1
    assert "INVALID" in capsys.readouterr().out
