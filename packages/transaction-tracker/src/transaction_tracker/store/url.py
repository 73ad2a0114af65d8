"""The URL of a database: a file, or a server's address, which contains a secret."""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from transaction_tracker.domain.sharding import Shard
from transaction_tracker.net.url import is_plain_authority
from transaction_tracker.store.errors import DatabaseUrlError

MEMORY = ":memory:"

_EXPECTED = (
    "a database must be a file, ':memory:', 'sqlite:///FILE' or 'postgresql://USER:PASSWORD@HOST/"
    "NAME', with @ : / in the password written as %40 %3A %2F; got "
)
_DRIVER = "postgresql+psycopg"
_SCHEMES = {
    "sqlite": "sqlite",
    "postgres": _DRIVER,
    "postgresql": _DRIVER,
    _DRIVER: _DRIVER,
}
# Host and port after user and password, as SQLAlchemy reads them: a password can contain / ? #.
_AUTHORITY = re.compile(r"[^:/]+://(?:[^:/]*(?::[^@]*)?@)?([^/?]*)")
_SECRETS = ("password", "sslpassword", "oauth_client_secret")


class DatabaseUrl:
    """The URL of a database. Never prints a password.

    Args:
        url: URL that SQLAlchemy connects to.
        shard: The shard whose schema all connections use. Default: the schema of the database role.

    Attributes:
        path: The file of an SQLite database; ``None`` for memory and for PostgreSQL.
        shard: The shard, if it is a database of one.
    """

    __slots__ = ("_url", "path", "shard")

    def __init__(self, url: URL, shard: Shard | None = None) -> None:
        self._url = url
        self.shard: Shard | None = shard
        in_file = not self.is_postgresql and url.database not in (None, "", MEMORY)
        self.path: Path | None = Path(url.database or "") if in_file else None

    @classmethod
    def of(cls, value: "str | Path | DatabaseUrl") -> "DatabaseUrl":
        """Convert a file name, ``":memory:"`` or a URL.

        Raises:
            DatabaseUrlError: The text is none of these.
        """
        if isinstance(value, DatabaseUrl):
            return value
        text = str(value)
        if not text:
            raise DatabaseUrlError(_EXPECTED + "nothing")
        if isinstance(value, Path) or "://" not in text:
            return cls(URL.create("sqlite", database=text))
        return cls(_parsed(text))

    def of_shard(self, shard: Shard) -> "DatabaseUrl":
        """Return the URL of the schema of a shard in this database.

        Raises:
            DatabaseUrlError: The database is not PostgreSQL.
        """
        if not self.is_postgresql:
            raise DatabaseUrlError(
                "a shard requires a PostgreSQL database, postgresql://USER:PASSWORD@HOST/NAME, got "
                f"{self}"
            )
        given = self._url.query.get("options", "")
        options = [given] if isinstance(given, str) else [*given]
        # As an option of the connection: it holds before the first statement, for each connection.
        options.append(f"-csearch_path={shard.schema}")
        text = " ".join(filter(None, options))
        return DatabaseUrl(self._url.update_query_dict({"options": text}), shard)

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is on a PostgreSQL server."""
        return self._url.drivername == _DRIVER

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords in the URL, the longest first, to redact them in texts."""
        found = [self._url.password]
        for name in _SECRETS:
            value = self._url.query.get(name)  # a tuple if the name is repeated
            found += [value] if isinstance(value, str) else value or ()
        return tuple(sorted(filter(None, found), key=len, reverse=True))

    def reveal(self) -> URL:
        """Return the URL with its password; only for connecting."""
        return self._url

    def describe(self, error: DBAPIError) -> str:
        """Return a driver's error message without the secrets of the URL and without rows."""
        original: Any = error.orig
        diagnosis = getattr(original, "diag", None)
        # The other lines of a PostgreSQL error contain the row.
        text = getattr(diagnosis, "message_primary", None) or str(original)
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return " ".join(text.split())

    def __str__(self) -> str:
        if not self.is_postgresql:
            return str(self.path or MEMORY)
        host = self._url.host or self._url.query.get("host", "local socket")
        port = f":{self._url.port}" if self._url.port else ""
        schema = f" schema {self.shard.schema}" if self.shard else ""
        return f"postgresql://{host}{port}/{self._url.database or ''}{schema}"

    def __repr__(self) -> str:
        return f"DatabaseUrl({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DatabaseUrl):
            return False
        return (self._url, self.shard) == (other._url, other.shard)

    def __hash__(self) -> int:
        return hash(self._url)


def _parsed(text: str) -> URL:
    scheme = text.partition("://")[0]
    if scheme not in _SCHEMES:
        raise DatabaseUrlError(f"{_EXPECTED}the scheme {scheme[:20]!r}")
    try:
        url = make_url(text).set(drivername=_SCHEMES[scheme])
    except (ArgumentError, ValueError):
        url = None
    if url is None or _is_odd(url) or not _has_plain_authority(text):
        # Omit the cause and all parts: in an invalid URL, any part can contain the password.
        raise DatabaseUrlError(_EXPECTED + "an invalid URL")
    return url


def _has_plain_authority(text: str) -> bool:
    match = _AUTHORITY.match(text)
    return match is not None and (not match[1] or is_plain_authority(match[1]))


def _is_odd(url: URL) -> bool:
    if url.drivername == "sqlite":
        return any((url.host, url.username, url.port, url.query))
    host, name = url.host or "", url.database or ""
    if not 0 <= (url.port or 0) < 2**16:
        return True
    return any(mark in host + name for mark in "@:/ ") and not _is_ipv6(host)


def _is_ipv6(host: str) -> bool:
    return bool(host) and set(host.lower()) <= set("0123456789abcdef:.%")
