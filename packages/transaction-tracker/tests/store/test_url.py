"""Parsing and printing the URL of a database."""

from pathlib import Path

import pytest

from transaction_tracker.store import DatabaseUrl, DatabaseUrlError

PASSWORD = "pa55w0rd!"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("transactions.db", Path("transactions.db")),
        (Path("/var/lib/t.db"), Path("/var/lib/t.db")),
        ("sqlite:///relative.db", Path("relative.db")),
        ("sqlite:////var/lib/t.db", Path("/var/lib/t.db")),
        (":memory:", None),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_file_or_memory_is_parsed(text: str | Path, path: Path | None) -> None:
    url = DatabaseUrl.of(text)

    assert (url.path, url.is_postgresql) == (path, False)
    assert str(url) == str(path or ":memory:")
    assert DatabaseUrl.of(url) is url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgresql://me:{PASSWORD}@host:5433/money", "postgresql://host:5433/money"),
        (f"postgres://me:{PASSWORD}@host/money", "postgresql://host/money"),
        (f"postgresql+psycopg://me:{PASSWORD}@host/money", "postgresql://host/money"),
        (f"postgresql://me:{PASSWORD}@[::1]:5432/money", "postgresql://::1:5432/money"),
        (f"postgresql:///money?host=/run/pg&password={PASSWORD}", "postgresql:///run/pg/money"),
    ],
)
def test_server_url_prints_neither_user_nor_password(text: str, shown: str) -> None:
    url = DatabaseUrl.of(text)

    assert (str(url), repr(url)) == (shown, f"DatabaseUrl('{shown}')")
    assert url.is_postgresql
    assert url.path is None
    assert PASSWORD in (url.reveal().password, url.reveal().query.get("password"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "://",
        f"mysql://me:{PASSWORD}@host/money",
        f"http://{PASSWORD}@host",
        f"postgresql://me:pa@{PASSWORD}@host/money",
        f"postgresql://me:{PASSWORD}@host:port/money",
        f"postgresql://me:{PASSWORD}@host:99999999/money",
        f"postgresql://me@host:{PASSWORD}/money",
        f"postgresql://me:/{PASSWORD}@/@host/money",
        f"postgresql+asyncpg://me:{PASSWORD}@host/money",
        f"sqlite://me:{PASSWORD}@host/money",
        f"sqlite:///money?key={PASSWORD}",
    ],
)
def test_invalid_url_raises_without_repeating_it(text: str) -> None:
    with pytest.raises(DatabaseUrlError, match="a database must be a file, ':memory:'") as caught:
        DatabaseUrl.of(text)

    assert caught.value.__cause__ is None
    assert PASSWORD not in str(caught.value)


def test_equal_urls_are_equal() -> None:
    assert DatabaseUrl.of("a.db") == DatabaseUrl.of(Path("a.db"))
    assert len({DatabaseUrl.of("a.db"), DatabaseUrl.of("sqlite:///a.db")}) == 1
    assert DatabaseUrl.of("a.db") != DatabaseUrl.of("b.db")
