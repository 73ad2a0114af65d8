"""``txtrack config``."""

import json
import tomllib
from pathlib import Path

import pytest

from transaction_tracker.cli import main
from transaction_tracker.follower.address_options import AddressesSection
from transaction_tracker.settings import Configuration, load
from transaction_tracker.sources.ethereum.options import ProfileSection

Captured = pytest.CaptureFixture[str]


def test_output_of_show_is_an_equal_configuration(capsys: Captured, tmp_path: Path) -> None:
    flags = ["--rpc", "http://127.0.0.1:1", "--set", "webhooks.allow_private=['10.0.0.0/8', 'a.b']"]

    assert main(["config", "show", *flags, "--database", 'odd "name".db']) == 0

    (tmp_path / "txtrack.toml").write_text(capsys.readouterr().out)
    again = load()
    assert again.webhooks.allow_private == ("10.0.0.0/8", "a.b")
    assert str(again.database.url) == 'odd "name".db'
    assert [str(one.url) for one in again.providers] == ["http://127.0.0.1:1"]


HTTP = """
[source]
type = "http"
expires_after = "1d"
[http]
name = "bank"
url = "https://bank.example/s3cret/{id}?key=s3cret"
status = "status"
headers = { X-Key = "s3cret" }
words = { settled = "confirmed", "in \\"deep\\" review" = "pending" }
batch = { url = "https://bank.example/s3cret?ids={ids}", items = "all", id = "id" }
"""


def test_output_of_show_with_a_service_over_http_is_equal_without_secrets(
    capsys: Captured, tmp_path: Path
) -> None:
    file = tmp_path / "txtrack.toml"
    file.write_text(HTTP)
    before = load().http

    assert main(["config", "show"]) == 0

    shown = capsys.readouterr().out
    assert "s3cret" not in shown
    assert "[[providers]]" not in shown
    assert "chain_id" not in shown
    file.write_text(shown.replace('X-Key = "…"', 'X-Key = "s3cret"'))
    again = load()
    assert again.http is not None
    assert again.http.model_dump() == before.model_dump()  # type: ignore[union-attr]
    assert again.source.expires_after == 86_400


def test_hidden_header_is_an_invalid_header(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "txtrack.toml").write_text(HTTP)
    main(["config", "show"])
    (tmp_path / "txtrack.toml").write_text(capsys.readouterr().out)

    assert main(["config", "check"]) == 2

    assert "http.headers.X-Key must be names such as" in capsys.readouterr().err


def test_check_prints_the_service_without_secrets(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "txtrack.toml").write_text(HTTP)

    assert main(["config", "check"]) == 0

    said = "Source: bank, polled at https://bank.example/…{id}. Database: transactions.db."
    assert capsys.readouterr().out == f"The configuration is valid. {said}\n"


def test_show_prints_every_option(capsys: Captured) -> None:
    assert main(["config", "show"]) == 0

    lines = capsys.readouterr().out.splitlines()
    known = {line.lstrip("# ").split()[0] for line in lines if line and not line.startswith("[")}
    sections = [info.annotation for info in Configuration.model_fields.values()]
    sections += [ProfileSection, AddressesSection]
    fields = {
        name
        for section in sections
        if hasattr(section, "model_fields")
        for name in section.model_fields  # type: ignore[union-attr]
        if name not in ("profile", "addresses")
    }
    assert known == fields


def test_show_prints_json(capsys: Captured) -> None:
    assert main(["config", "show", "--json", "--port", "81"]) == 0

    assert json.loads(capsys.readouterr().out)["web"]["port"] == 81


def test_secrets_are_hidden(capsys: Captured) -> None:
    secrets = ["--rpc", "https://u:s3cret@host/s3cret", "--database", "postgresql://u:s3cret@h/d"]

    for command in (["show"], ["show", "--json"], ["check"], ["check", "--json"]):
        assert main(["config", *command, *secrets]) == 0

    printed = capsys.readouterr()
    assert "s3cret" not in printed.out + printed.err
    assert "https://host/…" in printed.out
    assert "postgresql://h/d" in printed.out


def test_check_names_every_problem(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "txtrack.toml").write_text("[web]\nport = 70000\nhots = 1\n")

    assert main(["config", "check"]) == 2

    assert capsys.readouterr().err.splitlines() == [
        "txtrack: the configuration is invalid:",
        "  web.port must be a port, 0 to 65535, got 70000 (txtrack.toml line 2)",
        "  web.hots is an unknown option; did you mean host? (txtrack.toml line 3)",
    ]


def test_check_prints_problems_as_json(capsys: Captured) -> None:
    assert main(["config", "check", "--json", "--set", "web.port=x"]) == 2

    assert json.loads(capsys.readouterr().out) == {
        "usable": False,
        "problems": [
            {
                "key": "web.port",
                "message": "must be a port, 0 to 65535, got 'x'",
                "where": "flag --set web.port",
            }
        ],
    }


@pytest.mark.parametrize("text", ["port", "=3", ".port=3", "web.=3"])
def test_set_without_a_key_is_refused(capsys: Captured, text: str) -> None:
    assert main(["config", "check", "--set", text]) == 2

    assert "--set must be KEY=VALUE, such as web.port=8081" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ('"3"', 3), ("2.5", 2.5), ("1m", 60), ("'1m'", 60)],
)
def test_set_parses_toml_values_and_words_without_quotes(
    capsys: Captured, text: str, value: float
) -> None:
    assert main(["config", "show", "--set", f"source.stuck_after={text}"]) == 0

    assert tomllib.loads(capsys.readouterr().out)["source"]["stuck_after"] == value
