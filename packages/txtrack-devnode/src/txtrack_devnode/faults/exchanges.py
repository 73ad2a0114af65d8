"""Faults of a request as a whole: of the connection, of HTTP, of the body."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar

from txtrack_devnode.faults.kind import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFault(Fault):
    """Applies to an HTTP request, or a WebSocket message, as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang(ExchangeFault):
    """The node does not answer a request until the fault is cleared.

    A constant fault also stops pongs and subscriptions.
    """

    name: ClassVar[str] = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowAnswer(ExchangeFault):
    """The response is ``seconds`` late."""

    name: ClassVar[str] = "slow-answer"
    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Death(ExchangeFault):
    """The node aborts all connections and closes its port for ``seconds``."""

    name: ClassVar[str] = "death"
    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(ExchangeFault):
    """Status 429, or error -32005 over WebSocket; ``retry_after`` (seconds) sets the header.

    With ``as_date``, the header is a date, rounded up to a whole second.
    """

    name: ClassVar[str] = "rate-limit"
    retry_after: int | None = None
    as_date: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the response (RFC 9110, section 10.2.3)."""
        if self.retry_after is None:
            return {}
        if not self.as_date:
            return {"Retry-After": str(self.retry_after)}
        now = datetime.now(UTC)
        date = now.replace(microsecond=0) + timedelta(
            seconds=self.retry_after + bool(now.microsecond)
        )
        return {"Retry-After": format_datetime(date, usegmt=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFailure(ExchangeFault):
    """Status 500 or above, or error -32603 over WebSocket."""

    name: ClassVar[str] = "server-failure"
    status: int = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class NotJson(ExchangeFault):
    """Status 200 and an HTML page, as gateways in front of nodes send."""

    name: ClassVar[str] = "not-json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff(ExchangeFault):
    """The connection closes after a ``share`` of the body; over WebSocket before any of it."""

    name: ClassVar[str] = "cut-off"
    share: float = 0.5
