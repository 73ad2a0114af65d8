"""A service whose faults a test chooses, its database and its alerts."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from beamish import Supervisor, process
from transaction_tracker.alerts import ALERTS, AlertBoard, AlertContext, AlertOptions, Alerts, names
from transaction_tracker.alerts.faults import ServiceFacts
from transaction_tracker.domain.alert import ALERT_KINDS, Alert
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint, WebhookSecret
from transaction_tracker.follower.verdict import Verdict
from transaction_tracker.net import AllowList, CheckedClient
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.store import Store, endpoints

PATIENCE = 50.0
SOURCE = "somewhere:1"
WORKS = ServiceFacts(source=SOURCE, verdict=Verdict("ok"))


def provider(name: str, state: str = "active", **facts: Any) -> ProviderStatus:
    """Return the status of a provider."""
    given: dict[str, Any] = dict.fromkeys(ProviderStatus.__slots__) | {
        "errors": {},
        "chain": "same",
        "error_rate": 0.0,
        "requests": 0,
        "by_hand": False,
    }
    return ProviderStatus(**given | {"name": name, "state": state} | facts)


def endpoint(key: str = "ep_1", **facts: Any) -> WebhookEndpoint:
    """Return an endpoint that receives all alerts."""
    given = {"states": None, "secret": WebhookSecret.generate(), "created_at": 0.0}
    return WebhookEndpoint(key, "https://x.example/", **given | {"alerts": ALERT_KINDS} | facts)


@dataclass
class HandClock:
    """A clock that a test advances."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Stand:
    """Running alerts on a running store.

    Attributes:
        clock: Clock of the board.
        board: The alerts.
        view: What the service shows; a test replaces it.
        options: When something is a fault.
        free: Free part of the disk, in percent.
        silent: Whether the database does not answer. Otherwise, time that a test lets pass does not
            count as silence.
    """

    clock: HandClock = field(default_factory=HandClock)
    board: AlertBoard = field(init=False)
    view: ServiceFacts | None = WORKS
    options: AlertOptions = field(default_factory=AlertOptions)
    free: float = 50.0
    silent: bool = False

    def __post_init__(self) -> None:
        self.board = AlertBoard(clock=self.clock)

    def show(self, **facts: Any) -> None:
        """Change what the service shows."""
        self.view = replace(self.view or WORKS, **facts)

    def context(self) -> AlertContext:
        client = CheckedClient(AllowList.of(["127.0.0.1"]))
        return AlertContext(
            board=self.board,
            look=lambda: [] if self.view is None else [self.view],
            options=self.options,
            client=client,
            database=Path("alerts.db"),
        )

    def disk_usage(self, _folder: Path) -> SimpleNamespace:
        """Return the use of the disk, in the place of ``shutil.disk_usage``."""
        return SimpleNamespace(used=100 - self.free, free=self.free)

    async def evaluated(self, seconds: float = 0.0) -> None:
        """Advance the clock, and have the faults evaluated once."""
        self.clock.seconds += seconds
        if not self.silent:
            self.board._answered_at = self.clock.seconds
        self.board._evaluated_at = None
        names.evaluate()
        await until(lambda: self.board._evaluated_at is not None)

    async def read(self) -> None:
        """Have the keeper read the database, and the faults evaluated."""
        # The second answer: the first can be that of a request that was sent before.
        for _ in range(2):
            before, self.board.free_percent = self.board.view, None
            process.send(names.KEEPER, names.SyncAlerts())
            await until(lambda view=before: self.board.view is not view)
            await until(lambda: self.board.free_percent is not None)
        await self.evaluated()

    async def told(self, change: str, kind: str) -> Alert:
        """Wait until an alert has changed, and return it."""
        known: list[Alert] = []

        def found() -> bool:
            known[:] = [
                alert
                for alert in (*self.board.active, *self.board.cleared)
                if (alert.change, alert.kind) == (change, kind)
            ]
            return bool(known)

        await until(found)
        return known[0]


@asynccontextmanager
async def alerting(stand: Stand) -> AsyncIterator[Stand]:
    """Run the alerts of a stand until the end of the block, and load what is stored."""
    async with Supervisor.running([Alerts.child_spec(stand.context(), name=ALERTS)]):
        await until(lambda: stand.board.loaded)
        yield stand


async def receive_alerts(url: str, *kinds: str, **facts: Any) -> WebhookEndpoint:
    """Store an endpoint for alerts, by default of all kinds."""
    wanted: Any = kinds or ALERT_KINDS

    def add(connection: Any) -> WebhookEndpoint:
        secret = WebhookSecret.generate()
        return endpoints.add(connection, url, secret, facts.get("states", ()), wanted)

    return await Store.run(add)


@asynccontextmanager
async def silent_database(stand: Stand) -> AsyncIterator[None]:
    """Block the database's thread, as a disk or a server does that does not answer."""
    answers, blocked = threading.Event(), threading.Event()

    def block(_: object) -> None:
        blocked.set()
        answers.wait()

    running = asyncio.ensure_future(Store.run(block))
    await until(blocked.is_set)
    stand.silent = True
    try:
        yield
    finally:
        stand.silent = False
        answers.set()
        await running


async def until(condition: Callable[[], object]) -> None:
    """Poll until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)
