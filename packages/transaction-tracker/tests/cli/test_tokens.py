"""``txtrack token``, ``migrate`` and ``prune``: commands that work in the database itself."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from transaction_tracker.cli import main
from transaction_tracker.store.database import Database
from transaction_tracker.store.upgrade import pending_revisions

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TXTRACK_DATABASE__URL", str(tmp_path / "some.db"))
    return tmp_path / "some.db"


@pytest.fixture
def token(database: Path, capsys: Captured) -> Callable[..., tuple[str, dict[str, object]]]:
    def create(*arguments: str) -> tuple[str, dict[str, object]]:
        assert main(["token", "create", *arguments, "--json"]) == 0
        made = json.loads(capsys.readouterr().out)
        return made["token"], made

    return create


def listed(capsys: Captured) -> list[dict[str, object]]:
    assert main(["token", "ls", "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_standard_output_contains_only_the_token(database: Path, capsys: Captured) -> None:
    assert main(["token", "create", "the shop"]) == 0

    printed = capsys.readouterr()
    assert printed.out.startswith("txt_")
    assert len(printed.out.splitlines()) == 1
    assert "it cannot be shown again" in printed.err
    assert printed.out.strip() not in printed.err


def test_created_token_is_listed_without_its_secret(
    token: Callable[..., tuple[str, dict[str, object]]], capsys: Captured
) -> None:
    text, made = token("the shop", "--scope", "read", "--expires-in", "1d")

    (known,) = listed(capsys)
    assert known == {name: value for name, value in made.items() if name != "token"}
    assert known["scopes"] == ["read"]
    assert known["state"] == "accepted"
    assert known["expires_at"] is not None
    assert text.split("_", 2)[2] not in json.dumps(known)


@pytest.mark.parametrize("whole", [True, False])
def test_token_is_revoked_by_its_id_or_its_text(
    token: Callable[..., tuple[str, dict[str, object]]], capsys: Captured, whole: bool
) -> None:
    text, made = token("the shop")

    assert main(["token", "revoke", text if whole else str(made["id"]), "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {"id": made["id"], "revoked": True}
    assert [one["state"] for one in listed(capsys)] == ["revoked"]
    assert main(["token", "revoke", text]) == 1
    assert "txtrack token ls lists the tokens" in capsys.readouterr().err


def test_table_has_a_line_per_token(
    token: Callable[..., tuple[str, dict[str, object]]], capsys: Captured
) -> None:
    token("one")
    token("two")

    assert main(["token", "ls", "--no-header"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[1] for line in lines] == ["one", "two"]


def test_token_is_created_while_a_service_uses_the_database(
    database: Path, token: Callable[..., tuple[str, dict[str, object]]], capsys: Captured
) -> None:
    owner = Database(database).open()
    try:
        token("meanwhile")
    finally:
        owner.close()

    assert [one["label"] for one in listed(capsys)] == ["meanwhile"]


def test_tokens_work_with_both_databases(
    database: Path, database_url: str, capsys: Captured
) -> None:
    owner = Database(database_url).open()
    try:
        assert main(["token", "create", "x", "--database", database_url]) == 0
        text = capsys.readouterr().out.strip()
        assert main(["token", "revoke", text, "--database", database_url]) == 0
        assert main(["prune", "--older-than", "1d", "--database", database_url]) == 0
    finally:
        owner.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create"], "requires an argument"),
        (["create", ""], "label must be 1 to 100 printable characters"),
        (["create", "x", "--scope", "all"], "--scope"),
        (["create", "x", "--expires-in", "soon"], "--expires-in: a time must be seconds"),
        (["create", "x", "--expires-in", "0"], "--expires-in must be over 0"),
    ],
)
def test_bad_input_is_an_error(
    database: Path, capsys: Captured, arguments: list[str], words: str
) -> None:
    assert main(["token", *arguments]) == 2

    assert words in " ".join(capsys.readouterr().err.split())


def test_database_in_memory_is_refused(database: Path, capsys: Captured) -> None:
    assert main(["token", "create", "x", "--database", ":memory:"]) == 1

    assert "cannot use a database in memory" in capsys.readouterr().err


def test_unreachable_database_prints_no_password(capsys: Captured, database: Path) -> None:
    url = "postgresql://me:s3cret@127.0.0.1:1/name"

    assert main(["token", "ls", "--database", url]) == 1

    err = capsys.readouterr().err
    assert "database postgresql://127.0.0.1:1/name" in err
    assert "s3cret" not in err


def test_migrate_creates_the_tables(database: Path, capsys: Captured) -> None:
    assert main(["migrate", "--check"]) == 1
    assert "pending:" in capsys.readouterr().out
    assert not database.exists()

    assert main(["migrate"]) == 0
    assert pending_revisions(database) == []

    assert main(["migrate", "--check", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out.partition("{")[1] + out.partition("{")[2])["pending"] == []


def test_migrate_of_an_up_to_date_database_in_use_does_nothing(
    database: Path, capsys: Captured
) -> None:
    database.with_name("some.db-owner").touch()
    owner = Database(database).open()
    try:
        assert main(["migrate"]) == 0  # there is nothing to do
    finally:
        owner.close()

    assert "up to date" in capsys.readouterr().out


def test_prune_of_an_empty_database_removes_nothing(database: Path, capsys: Captured) -> None:
    assert main(["prune", "--older-than", "90d", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {"transactions": 0, "deliveries": 0}


def test_file_that_is_not_a_database_is_an_error(database: Path, capsys: Captured) -> None:
    database.write_text("this is not a database")
    database.chmod(stat.S_IRUSR)

    assert main(["token", "ls"]) == 1

    assert str(database) in capsys.readouterr().err
    assert database.read_text() == "this is not a database"
