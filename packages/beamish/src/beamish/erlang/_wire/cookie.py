"""`Cookie`: the secret that the nodes of a cluster share."""

import hashlib
import hmac
from pathlib import Path

MAX_COOKIE_CHARACTERS = 255
"""Maximum length: for Erlang, a cookie is an atom."""


class Cookie:
    """The secret that the nodes of a cluster share; never shown in logs.

    A node with the cookie can run any code on the other Erlang nodes, so it is a password.

    Args:
        secret: The secret.

    Raises:
        ValueError: It is empty or too long.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        if not isinstance(secret, str):
            raise TypeError(f"a cookie must be a string; got a {type(secret).__name__}")
        if not 0 < len(secret) <= MAX_COOKIE_CHARACTERS:
            raise ValueError(
                f"a cookie must have 1 to {MAX_COOKIE_CHARACTERS} characters; got {len(secret)}"
            )
        self._secret = secret

    @classmethod
    def from_file(cls, path: str | Path = "~/.erlang.cookie") -> "Cookie":
        """Read the cookie from a file, by default the one of Erlang.

        Raises:
            PermissionError: Other users can read the file.
            OSError: It cannot be read.
        """
        file = Path(path).expanduser()
        if file.stat().st_mode & 0o077:
            raise PermissionError(f"{file} must be readable only by its owner: chmod 400 {file}")
        return cls(file.read_text().strip())

    def __repr__(self) -> str:
        return "Cookie(...)"

    def digest(self, challenge: int) -> bytes:
        """Return the answer to a challenge, which proves the knowledge of the cookie."""
        answer = self._secret.encode() + str(challenge).encode()
        return hashlib.md5(answer, usedforsecurity=False).digest()  # the protocol has only MD5

    def verifies(self, digest: bytes, challenge: int) -> bool:
        """Return whether ``digest`` answers ``challenge``."""
        return hmac.compare_digest(digest, self.digest(challenge))
