"""A story: a program that is killed repeatedly while the world continues, and its checks."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any

from ..delivery.receiver import Received, Receiver  # noqa: TID252
from .moments import Kind, Moment
from .operating import Command, Operator
from .records import Checker, Records, repeats
from .world import CONFIRMATIONS, World

# A busy machine needs a minute for the hundreds of deliveries that are left at the end.
TIMEOUT_SECONDS = 400.0
# Additional time for moments that are counted: the occurrence may come late, or not at all.
_COUNTED_SECONDS = 0.15
_MAX_PAUSE_SECONDS = 0.016
_MAX_RESPONSE_SECONDS = 0.01
_CHECK_SECONDS = 0.05
_ACTS_BETWEEN_LIVES = (0, 0, 0, 1, 5, 20)
_REFUSED_SHARE = 0.02
_TYPICAL_BOOT_SECONDS = 0.2

Restart = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a story."""

    kills: int
    before_ready: int
    outages: int
    transactions: int
    events: int
    deliveries: int
    repeated: int
    repeated_calls: int
    failures: int
    deposits: int
    seconds: float


class Story:
    """A program, its database, a chain that it follows, and a receiver of its webhooks.

    Args:
        seed: Seed of all actions and of the moments of the kills, as far as clocks allow.
        folder: Folder of all files.
        database: Path or URL of the program's database.
        refuses: Whether the receiver refuses some webhooks once, which are retried much later.
        restart: Restarts the database server, if there is one.

    Attributes:
        lines: The log of the story.
    """

    def __init__(
        self,
        seed: object,
        folder: Path,
        database: str,
        *,
        refuses: bool = False,
        restart: Restart | None = None,
    ) -> None:
        self._seed = seed
        self.world = World(seed)
        self.receiver = Receiver(self._respond)
        self.lines: list[str] = []
        self._database = database
        self._restart = restart
        self._event_log = folder / "events.txt"
        self._options: dict[str, Any] = {
            "database": database,
            "event_log": str(self._event_log),
            "confirmations": CONFIRMATIONS,
        }
        self._operator = Operator(folder, self._options, self._done, self._failed)
        self._chance = random.Random(f"moments:{seed}")
        self._receiver_chance = random.Random(f"receiver:{seed}")
        self._started = time.monotonic()
        self._acts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._refuses = refuses
        self._moment: Moment | None = None
        self._left = 0
        self._boot_seconds = _TYPICAL_BOOT_SECONDS
        self._before_ready = self._outages = 0

    def __repr__(self) -> str:
        return f"Story({self._seed!r})"

    async def run(self, kinds: Sequence[Kind | None]) -> Figures:
        """Run a life for each kind of moment, finish the story, and check the result.

        Args:
            kinds: Kind of the moment at which each life ends; ``None`` chooses a random kind.
        """
        moments = [Moment.of(kind or Moment.any_kind(self._chance), self._chance) for kind in kinds]
        self._event_log.touch()
        async with AsyncExitStack() as stack:
            for context in (*self.world.nodes, self.receiver, self._operator):
                await stack.enter_async_context(context)
            self._options["nodes"] = [node.url for node in self.world.nodes]
            await self._run_lives(moments)
            await self._finish()
        return self._figures(len(moments))

    async def _run_lives(self, moments: Sequence[Moment]) -> None:
        # The endpoint comes first: it must get every event.
        self._operator.send("deliver", self.receiver.url)
        world = asyncio.create_task(self._run_world())
        try:
            for moment in moments:
                await self._run_life(moment)
                # The world also continues between two lives.
                for _ in range(self._chance.choice(_ACTS_BETWEEN_LIVES)):
                    self._act()
        finally:
            world.cancel()
            await asyncio.wait([world])
        assert world.cancelled(), world.exception()

    async def _run_world(self) -> None:
        """Act in the world without end, whether the program runs or not."""
        while True:
            self._act()
            await asyncio.sleep(self.world.random.uniform(0.0, _MAX_PAUSE_SECONDS))

    @property
    def errors(self) -> str:
        """The program's log: empty, except for errors of a database server that was restarted."""
        return self._operator.errors

    def _act(self) -> None:
        if self._operator.acknowledged:
            self._acts[self.world.act(self._operator)] += 1

    # -- A life

    async def _run_life(self, moment: Moment) -> None:
        self._moment, self._left = moment, moment.count
        acts, failures = self._acts.copy(), self._failures.copy()
        await self._operator.start(moment.kill_options)
        await self._wait(moment)
        early = self._operator.has_ended
        self._operator.kill()
        status = await self._operator.wait_for_end()
        happened = f"{dict(self._acts - acts)} {dict(self._failures - failures)}"
        reached = "reached" if early or not moment.is_counted else "not reached"
        self._log(f"life {self._operator.life} ended with {status}; {moment} {reached}; {happened}")
        assert status == -SIGKILL, f"the program ended by itself:\n{self._operator.errors}"

    async def _wait(self, moment: Moment) -> None:
        """Wait until the moment, or until the life ends."""
        started = time.monotonic()
        if moment.kind == "born":
            await self._operator.wait(moment.share * self._boot_seconds)
            self._before_ready += not self._operator.ready.is_set()
            return
        if not await self._operator.wait_until_ready():
            self._before_ready += 1
            return
        self._boot_seconds = time.monotonic() - started
        if moment.kind == "outage":
            await self._outage()
        await self._operator.wait(moment.seconds + _COUNTED_SECONDS * moment.is_counted)

    async def _outage(self) -> None:
        """Restart the database server; the program must recover by itself."""
        assert self._restart is not None
        await self._restart()
        self._log("the database server was restarted")
        self._outages += 1
        await self._operator.execute("deliver", self.receiver.url)

    def _occurred(self, kind: Kind) -> None:
        """Count an occurrence; end the life if its moment is reached."""
        if self._moment is not None and self._moment.kind == kind:
            self._left -= 1
            if self._left == 0:
                self._operator.kill()

    async def _respond(self, received: Received) -> int:
        """Respond to a webhook after a short random time."""
        self._occurred("delivery")
        await asyncio.sleep(self._receiver_chance.uniform(0.0, _MAX_RESPONSE_SECONDS))
        seconds = self._receiver_chance.uniform(0.0, _MAX_RESPONSE_SECONDS / 2)
        asyncio.get_running_loop().call_later(seconds, self._occurred, "delivered")
        refuses = self._refuses and self._receiver_chance.random() < _REFUSED_SHARE
        if refuses and received.id not in self._refused:
            self._refused.add(received.id)
            return 503
        return 204

    def _done(self, command: Command, result: Any) -> None:
        self.world.record_result(self._operator, command, result)
        self._occurred("acknowledged")

    def _failed(self, _command: Command, error: str) -> None:
        self._failures[error] += 1

    # -- The end

    async def _finish(self) -> None:
        """End all faults, run the program until all events are delivered, and check the result."""
        self._moment = None
        self.world.watch_rest(self._operator)
        self.world.finish()
        give_up = time.monotonic() + TIMEOUT_SECONDS
        while not await self._is_finished() and time.monotonic() < give_up:
            # Events of the shutdown are delivered by the next life.
            await self._run_last_life(give_up)
        self._records = await asyncio.to_thread(Records.read, self._database)
        checker = Checker(self.world, self._records)
        faults = checker.check_all(self.receiver.received, self._event_log)
        assert not faults, "\n".join(faults)

    async def _run_last_life(self, give_up: float) -> None:
        await self._operator.start()
        assert await self._operator.wait_until_ready(), (
            f"it does not start:\n{self._operator.errors}"
        )
        while not await self._is_finished() and time.monotonic() < give_up:
            await asyncio.sleep(_CHECK_SECONDS)
        status = await self._operator.stop()
        self._log(f"life {self._operator.life} ended by a shutdown")
        assert status == 0, f"the shutdown of the program failed:\n{self._operator.errors}"

    async def _is_finished(self) -> bool:
        if self._operator.outstanding:
            return False
        records = await asyncio.to_thread(Records.read, self._database)
        called = set(self._event_log_lines())
        return (
            set(records.deliveries) <= {"delivered"}
            and records.cursor[1] == self.world.chain.head.hash
            and all(
                row.state in self.world.allowed_states(key) for key, row in records.rows.items()
            )
            and called.issuperset(records.ids)
            and all(row.search is None for row in records.addresses)
        )

    def _event_log_lines(self) -> list[str]:
        return self._event_log.read_text().splitlines()

    def _figures(self, kills: int) -> Figures:
        received = [delivery.id for delivery in self.receiver.received]
        return Figures(
            kills=kills,
            before_ready=self._before_ready,
            outages=self._outages,
            transactions=len(self._records.rows),
            events=len(self._records.events),
            deliveries=len(received),
            repeated=repeats(received),
            repeated_calls=repeats(self._event_log_lines()),
            failures=self._failures.total(),
            deposits=sum(row.deposits is not None for row in self._records.rows.values()),
            seconds=time.monotonic() - self._started,
        )

    def _log(self, line: str) -> None:
        self.lines.append(f"{time.monotonic() - self._started:8.3f} s: {line}")
