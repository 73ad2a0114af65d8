"""A webhook endpoint: its fields, limits, defaults and checks."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from yarl import URL

from transaction_tracker.domain.alert import AlertKind
from transaction_tracker.domain.duration import duration
from transaction_tracker.domain.states import STATES, State

# Each endpoint has a process, and can have an open connection at any time.
MAX_ENDPOINTS = 512
ID_PATTERN = "^ep_[0-9a-f]{24}$"

PREFIX = "whsec_"
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
_GENERATED_BYTES = 32
_FOUR = "(?:[A-Za-z0-9+/]{4})"
# The same limits as a regular expression, for the description of the API.
SECRET_PATTERN = (
    f"^{PREFIX}(?:{_FOUR}{{8,20}}(?:[A-Za-z0-9+/]{{2}}==|[A-Za-z0-9+/]{{3}}=)?"
    f"|{_FOUR}{{21}}(?:[A-Za-z0-9+/]{{2}}==)?)$"
)
SECRET_FORM = (
    f"{PREFIX} and {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes in base64. Default: a new random "
    "secret."
)

# How long both secrets sign after a rotation.
DEFAULT_OVERLAP = "1d"
OVERLAP_SECONDS = duration(DEFAULT_OVERLAP)
MAX_OVERLAP_SECONDS = 30 * 86_400.0

DEFAULT_REASON = "by hand"
MAX_REASON_CHARACTERS = 200


class WebhookSecret:
    """The signing secret of an endpoint; never prints.

    Args:
        text: ``whsec_`` and 24 to 64 bytes in base64.

    Raises:
        ValueError: The text is not a valid secret. The message does not repeat it.

    Source:
        Standard Webhooks 1.0, "Signature scheme", symmetric keys.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        size = _size_bytes(text)
        if size is None or not MIN_SECRET_BYTES <= size <= MAX_SECRET_BYTES:
            got = "an invalid value" if size is None else f"{size} bytes"
            # Do not chain the cause: it contains the secret.
            raise ValueError(
                f"a webhook secret must be {PREFIX!r} and {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} "
                f"bytes in base64, got {got}; omit it to generate one"
            ) from None
        self._text = text

    @classmethod
    def generate(cls) -> "WebhookSecret":
        """Return a new secret of 32 random bytes."""
        return cls(PREFIX + base64.b64encode(secrets.token_bytes(_GENERATED_BYTES)).decode())

    def reveal(self) -> str:
        """Return the text, for signing, storing, and showing it to its owner once."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret('{PREFIX}…')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WebhookSecret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def _size_bytes(text: object) -> int | None:
    """Return the number of bytes of a secret; ``None`` if the text is not a valid secret."""
    if not (isinstance(text, str) and text.startswith(PREFIX)):
        return None
    try:
        return len(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except (binascii.Error, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """A webhook endpoint.

    Attributes:
        id: Its id, which never changes.
        url: URL of the receiver. Not printed: some receivers put a key into the path.
        states: The states whose events it receives; ``None`` for all.
        alerts: The kinds of alerts that it receives.
        secret: The signing secret.
        created_at: Unix seconds.
        previous: The signing secret before the last rotation.
        previous_until: Unix seconds until which deliveries are also signed with ``previous``.
        enabled: Whether events are delivered to it.
        disabled_reason: Why it is disabled.
        failing_since: Unix seconds since when every attempt in a row has failed; ``None`` while
            attempts succeed.
    """

    id: str
    url: str = field(repr=False)
    states: tuple[State, ...] | None
    secret: WebhookSecret
    created_at: float
    previous: WebhookSecret | None = None
    previous_until: float | None = None
    enabled: bool = True
    disabled_reason: str | None = None
    failing_since: float | None = None
    alerts: tuple[AlertKind, ...] = ()

    @property
    def host(self) -> str:
        """The host of its URL, which is not secret."""
        return URL(self.url).host or ""

    def valid_secrets(self, now: float) -> tuple[WebhookSecret, ...]:
        """Return the secrets that are valid at ``now`` (Unix seconds), the newest first."""
        if self.previous is None or now >= (self.previous_until or 0.0):
            return (self.secret,)
        return (self.secret, self.previous)


def secret_of(given: str | WebhookSecret | None) -> WebhookSecret:
    """Return the given secret, or a new one for ``None``; raise ``ValueError`` for invalid text."""
    if given is None:
        return WebhookSecret.generate()
    return given if isinstance(given, WebhookSecret) else WebhookSecret(given)


def states_of(
    given: Sequence[str] | None, alerts: Sequence[AlertKind] = ()
) -> tuple[State, ...] | None:
    """Return the states whose events are wanted; ``None`` for all.

    Args:
        given: The states. Only an endpoint that receives alerts can have none.
        alerts: The kinds of alerts that the endpoint receives.

    Raises:
        ValueError: There is no state, or an unknown one.
    """
    if given is None:
        return None
    unknown = sorted(set(given) - set(STATES))
    if unknown or not (given or alerts) or isinstance(given, str):
        invalid = ", ".join(map(repr, unknown)) or repr(given)
        raise ValueError(f"states must be some of {', '.join(STATES)}, got {invalid}")
    return tuple(state for state in STATES if state in given)


def check_overlap(seconds: float) -> None:
    """Raise ``ValueError`` unless both secrets of a rotation can sign for so many seconds."""
    if not 0 <= seconds <= MAX_OVERLAP_SECONDS:
        raise ValueError(f"overlap must be 0 to {MAX_OVERLAP_SECONDS:.0f} seconds, got {seconds!r}")


def check_reason(reason: str) -> None:
    """Raise ``ValueError`` if the reason for disabling an endpoint is too long."""
    if len(reason) > MAX_REASON_CHARACTERS:
        raise ValueError(
            f"reason must have at most {MAX_REASON_CHARACTERS} characters, got {len(reason)}"
        )
