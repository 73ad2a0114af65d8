"""Tokens and idempotency keys: plain functions on a connection."""

import hashlib
import hmac
import re
import secrets
import time
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, or_, select, update

from transaction_tracker.store.schema.access import idempotency_keys, tokens

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

MAX_LABEL_CHARACTERS = 100
MAX_TOKENS = 1_000
KEY_SECONDS = 24 * 3600.0

_PREFIX = "txt"
_TOKEN = re.compile(r"txt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SECRET_BYTES = 32
# Compared with the secret of an unknown token, so that it takes as long as for a known one.
_UNKNOWN_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token; its secret cannot be recovered from it.

    Attributes:
        id: Its id, also the middle part of the token's text.
        label: Description given when it was created.
        scopes: What its bearer may do; ``admin`` includes all scopes.
        created_at: Unix seconds.
        expires_at: Unix seconds after which it is rejected; ``None`` for never.
        last_used_at: Unix seconds, accurate to some minutes.
        revoked_at: Unix seconds; ``None`` if it is not revoked.
    """

    id: str
    label: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None
    last_used_at: float | None
    revoked_at: float | None
    secret_hash: str = field(repr=False)

    def usable(self, now: float) -> bool:
        """Return whether the token is accepted at ``now`` (Unix seconds)."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: Scope) -> bool:
        """Return whether the token grants ``scope``."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The stored response to a request with an idempotency key.

    Attributes:
        fingerprint: SHA-256 of the request.
        status: HTTP status.
        media_type: Media type of the body.
        body: The body.
    """

    fingerprint: str
    status: int
    media_type: str
    body: bytes


def create_token(
    connection: Connection,
    label: str,
    scopes: Collection[Scope],
    *,
    expires_in: float | None = None,
) -> tuple[str, Token]:
    """Create a token; only this call returns its text.

    Stores the SHA-256 of its secret part. A slow hash, as for passwords, would not add security:
    nobody can try 2^256 random values, however fast each trial is.

    Args:
        connection: The database.
        label: Description, 1 to 100 printable characters.
        scopes: Scopes to grant: some of ``read``, ``write``, ``admin``.
        expires_in: Seconds until it expires. Default: never.

    Returns:
        The token's text, and the stored token.

    Raises:
        ValueError: An argument is invalid, or there are already 1,000 usable tokens.
    """
    now = time.time()
    _check(label, scopes, expires_in)
    if sum(token.usable(now) for token in list_tokens(connection)) >= MAX_TOKENS:
        raise ValueError(f"there are already {MAX_TOKENS:,} usable tokens; revoke unused ones")
    key, secret = secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES)
    token = Token(
        id=key,
        label=label,
        scopes=frozenset(scopes),
        created_at=now,
        expires_at=None if expires_in is None else now + expires_in,
        last_used_at=None,
        revoked_at=None,
        secret_hash=_hash(secret),
    )
    add_token(connection, token)
    return f"{_PREFIX}_{key}_{secret}", token


def add_token(connection: Connection, token: Token) -> None:
    """Store a token that was created for another shard, too."""
    connection.execute(insert(tokens), _row(token))


def list_tokens(connection: Connection) -> list[Token]:
    """Return all tokens, also expired and revoked ones, the oldest first."""
    query = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
    return [_token(row) for row in connection.execute(query)]


def revoke_token(connection: Connection, token: str) -> bool:
    """Revoke a token; return whether it existed and was not revoked.

    Args:
        connection: The database.
        token: Its id.
    """
    usable = tokens.c.id == token, tokens.c.revoked_at.is_(None)
    done = connection.execute(update(tokens).where(*usable).values(revoked_at=time.time()))
    return done.rowcount > 0


def touch_token(connection: Connection, token: str) -> None:
    """Store that a token is used now."""
    connection.execute(update(tokens).where(tokens.c.id == token).values(last_used_at=time.time()))


def has_usable_token(connection: Connection) -> bool:
    """Return whether there is a token that is accepted now."""
    now = time.time()
    lasting = or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now)
    query = select(func.count()).select_from(tokens).where(tokens.c.revoked_at.is_(None), lasting)
    return bool(connection.scalar(query))


def match_token(text: str, known: Sequence[Token]) -> Token | None:
    """Return the token with this text, or ``None``; the time does not depend on the secret."""
    parts = _TOKEN.fullmatch(text)
    key, secret = parts.groups() if parts else ("", "")
    found = next((token for token in known if token.id == key), None)
    right = hmac.compare_digest(
        _hash(secret), _UNKNOWN_HASH if found is None else found.secret_hash
    )
    return found if right else None


def find_answer(connection: Connection, owner: str, key: str) -> StoredResponse | None:
    """Return the response to this key of the last 24 hours, or ``None``."""
    query = select(idempotency_keys).where(
        idempotency_keys.c.owner == owner,
        idempotency_keys.c.key == key,
        ~_forgotten(time.time()),
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return StoredResponse(row.fingerprint, row.status, row.media_type, zlib.decompress(row.body))


def keep_answer(connection: Connection, owner: str, key: str, answer: StoredResponse) -> None:
    """Store a response, and delete responses older than 24 hours."""
    now = time.time()
    connection.execute(delete(idempotency_keys).where(_forgotten(now)))
    row = {
        "owner": owner,
        "key": key,
        "fingerprint": answer.fingerprint,
        "status": answer.status,
        "media_type": answer.media_type,
        "body": zlib.compress(answer.body, level=1),
        "created_at": now,
    }
    connection.execute(insert(idempotency_keys), row)


def _forgotten(now: float) -> ColumnElement[bool]:
    """Select the expired responses: old ones, and those stored while the clock was ahead."""
    created_at = idempotency_keys.c.created_at
    return or_(created_at <= now - KEY_SECONDS, created_at > now + KEY_SECONDS)


def _check(label: str, scopes: Collection[str], expires_in: float | None) -> None:
    if not (0 < len(label) <= MAX_LABEL_CHARACTERS and label.isprintable()):
        raise ValueError(
            f"label must be 1 to {MAX_LABEL_CHARACTERS} printable characters, got {label!r}"
        )
    if not scopes or not set(scopes) <= set(SCOPES):
        raise ValueError(f"scopes must be some of {SCOPES}, got {sorted(scopes)!r}")
    if expires_in is not None and not expires_in > 0:
        raise ValueError(f"expires_in must be over 0 seconds, got {expires_in!r}")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _row(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "label": token.label,
        "secret_hash": token.secret_hash,
        "scopes": " ".join(sorted(token.scopes)),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        label=row.label,
        scopes=frozenset(cast("list[Scope]", row.scopes.split())),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        secret_hash=row.secret_hash,
    )
