"""Faults of a whole exchange: of the connection, of HTTP, of the body."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar

from txtrack_devnode.faults.kind import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFault(Fault):
    """Strikes a request over HTTP, or a message over WebSocket, as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang(ExchangeFault):
    """The node takes the request and gives no answer until the fault is cleared.

    While it is constant, pings and subscriptions get nothing either.
    """

    name: ClassVar[str] = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowAnswer(ExchangeFault):
    """The answer comes ``seconds`` late."""

    name: ClassVar[str] = "slow-answer"
    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Death(ExchangeFault):
    """The node closes all connections and its port, and is back on it after ``seconds``."""

    name: ClassVar[str] = "death"
    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(ExchangeFault):
    """Status 429, over WebSocket error -32005; ``retry_after`` in seconds goes into the header.

    With ``as_date`` the header has the form of a date, which is rounded up to whole seconds.
    """

    name: ClassVar[str] = "rate-limit"
    retry_after: int | None = None
    as_date: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer (RFC 9110, section 10.2.3)."""
        if self.retry_after is None:
            return {}
        if not self.as_date:
            return {"Retry-After": str(self.retry_after)}
        now = datetime.now(UTC)
        moment = now.replace(microsecond=0) + timedelta(
            seconds=self.retry_after + bool(now.microsecond)
        )
        return {"Retry-After": format_datetime(moment, usegmt=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFailure(ExchangeFault):
    """A status of 500 or more, over WebSocket error -32603."""

    name: ClassVar[str] = "server-failure"
    status: int = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class NotJson(ExchangeFault):
    """Status 200 and a page of HTML, as gateways before nodes send."""

    name: ClassVar[str] = "not-json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff(ExchangeFault):
    """The connection closes after a ``share`` of the body; over WebSocket with nothing sent."""

    name: ClassVar[str] = "cut-off"
    share: float = 0.5
