"""Commands that work in the databases of all shards."""

import json
from collections.abc import Iterator

import pytest

from transaction_tracker.cli import main
from transaction_tracker.cli.database import in_database
from transaction_tracker.settings import load
from transaction_tracker.store.access import list_tokens, match_token

from ..postgres import Postgres  # noqa: TID252

pytestmark = pytest.mark.postgres

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _configured(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with postgres.database(template="template0") as url:
        monkeypatch.setenv("TXTRACK_DATABASE__URL", url)
        monkeypatch.setenv("TXTRACK_SHARD__COUNT", "3")
        yield


def usable_at(text: str) -> list[bool]:
    """Return for each shard whether it accepts a token."""
    found = [match_token(text, in_database(url, list_tokens)) for url in load().all_databases]
    return [token is not None and token.revoked_at is None for token in found]


@pytest.mark.parametrize("number", ["", "1"])
def test_token_is_valid_at_all_shards(
    number: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("TXTRACK_SHARD__NUMBER", number)
    assert main(["token", "create", "the shop"]) == 0
    text = capsys.readouterr().out.strip()

    assert usable_at(text) == [True] * 3

    assert main(["token", "revoke", text]) == 0
    assert usable_at(text) == [False] * 3
    assert main(["token", "revoke", text]) == 1


def test_all_shards_are_migrated(capsys: Captured) -> None:
    assert main(["migrate", "--check", "--json"]) == 1
    assert main(["migrate"]) == 0
    capsys.readouterr()

    assert main(["migrate", "--check", "--json"]) == 0

    documents = capsys.readouterr().out.replace("}\n{", "}\n\0{").split("\0")
    names = [json.loads(document)["database"].rpartition(" ")[2] for document in documents]
    assert names == ["txtrack_0", "txtrack_1", "txtrack_2"]


def test_service_needs_the_number_of_its_shard(capsys: Captured) -> None:
    assert main(["serve", "--rpc", "http://127.0.0.1:1"]) == 2

    assert "shard.number is required for shard.count = 3: 0 to 2" in capsys.readouterr().err
