"""One story: a program that is killed again and again while the world goes on, and its end."""

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
from .records import Judge, Records, repeats
from .world import CONFIRMATIONS, World

# A machine that does much else needs a minute for the hundreds of deliveries that are left.
PATIENCE = 400.0
# Who waits for the manieth of something gives up some time after who waits for a clock.
_PATIENT_SECONDS = 0.15
_LONGEST_PAUSE_SECONDS = 0.016
_SLOWEST_ANSWER_SECONDS = 0.01
_LOOK_SECONDS = 0.05
_ACTS_BETWEEN_LIVES = (0, 0, 0, 1, 5, 20)
_REFUSED_SHARE = 0.02
_USUAL_BOOT_SECONDS = 0.2

Restart = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a story came to."""

    kills: int
    before_ready: int
    outages: int
    transactions: int
    events: int
    deliveries: int
    repeated: int
    told_again: int
    failures: int
    seconds: float


class Story:
    """A program, its database, a chain that it follows, a receiver of its webhooks.

    Args:
        seed: Decides what happens, and when a life ends, as far as clocks allow.
        folder: Where files go.
        database: What the program keeps everything in.
        refuses: Whether the receiver refuses some webhooks once, and hears of them much later.
        restart: Starts the database server anew, if there is one.

    Attributes:
        lines: What happened so far, a line each.
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
        self.receiver = Receiver(self._answer)
        self.lines: list[str] = []
        self._database = database
        self._restart = restart
        self._diary = folder / "diary.txt"
        order = {"database": database, "diary": str(self._diary), "confirmations": CONFIRMATIONS}
        self._order: dict[str, Any] = order
        self._operator = Operator(folder, order, self._done, self._failed)
        self._chance = random.Random(f"moments:{seed}")
        self._manners = random.Random(f"manners:{seed}")
        self._began = time.monotonic()
        self._acts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._refuses = refuses
        self._moment: Moment | None = None
        self._left = 0
        self._boot_seconds = _USUAL_BOOT_SECONDS
        self._before_ready = self._outages = 0

    def __repr__(self) -> str:
        return f"Story({self._seed!r})"

    async def run(self, kinds: Sequence[Kind | None]) -> Figures:
        """Live a life for each kind of moment, come to an end, and be judged.

        Args:
            kinds: When each life is to end; ``None`` leaves it to chance.
        """
        moments = [Moment.of(kind or Moment.any_kind(self._chance), self._chance) for kind in kinds]
        self._diary.touch()
        async with AsyncExitStack() as stack:
            for each in (*self.world.nodes, self.receiver, self._operator):
                await stack.enter_async_context(each)
            self._order["nodes"] = [node.url for node in self.world.nodes]
            await self._live_all(moments)
            await self._end()
        return self._figures(len(moments))

    async def _live_all(self, moments: Sequence[Moment]) -> None:
        # Nothing happens before somebody is to hear of it.
        self._operator.tell("deliver", self.receiver.url)
        world = asyncio.create_task(self._go_on())
        try:
            for moment in moments:
                await self._live(moment)
                # Nobody waits for the program to come back.
                for _ in range(self._chance.choice(_ACTS_BETWEEN_LIVES)):
                    self._act()
        finally:
            world.cancel()
            await asyncio.wait([world])
        assert world.cancelled(), world.exception()

    async def _go_on(self) -> None:
        """Let the world go on, whatever becomes of the program."""
        while True:
            self._act()
            await asyncio.sleep(self.world.random.uniform(0.0, _LONGEST_PAUSE_SECONDS))

    @property
    def complaints(self) -> str:
        """What the program has written to its log: nothing, but of a database that went away."""
        return self._operator.errors

    def _act(self) -> None:
        if self._operator.acknowledged:
            self._acts[self.world.act(self._operator)] += 1

    # -- A life

    async def _live(self, moment: Moment) -> None:
        self._moment, self._left = moment, moment.count
        acts, failures = self._acts.copy(), self._failures.copy()
        await self._operator.begin(moment.order)
        await self._wait(moment)
        early = self._operator.over
        self._operator.kill()
        status = await self._operator.end()
        happened = f"{dict(self._acts - acts)} {dict(self._failures - failures)}"
        came = "came" if early or not moment.counts else "did not come"
        self._say(f"life {self._operator.life} ended with {status}; {moment} {came}; {happened}")
        assert status == -SIGKILL, f"the program ended by itself:\n{self._operator.errors}"

    async def _wait(self, moment: Moment) -> None:
        """Come back when it is time, or when the life is over."""
        began = time.monotonic()
        if moment.kind == "born":
            await self._operator.lives(moment.share * self._boot_seconds)
            self._before_ready += not self._operator.ready.is_set()
            return
        if not await self._operator.runs():
            self._before_ready += 1
            return
        self._boot_seconds = time.monotonic() - began
        if moment.kind == "outage":
            await self._outage()
        await self._operator.lives(moment.seconds + _PATIENT_SECONDS * moment.counts)

    async def _outage(self) -> None:
        """Start the database server anew; the program comes back by itself."""
        assert self._restart is not None
        await self._restart()
        self._say("the database server was started anew")
        self._outages += 1
        await self._operator.does("deliver", self.receiver.url)

    def _happened(self, kind: Kind) -> None:
        """End the life if this is what it was to end at."""
        if self._moment is not None and self._moment.kind == kind:
            self._left -= 1
            if self._left == 0:
                self._operator.kill()

    async def _answer(self, received: Received) -> int:
        """Answer a webhook as receivers do: mostly soon."""
        self._happened("delivery")
        await asyncio.sleep(self._manners.uniform(0.0, _SLOWEST_ANSWER_SECONDS))
        seconds = self._manners.uniform(0.0, _SLOWEST_ANSWER_SECONDS / 2)
        asyncio.get_running_loop().call_later(seconds, self._happened, "delivered")
        bad_day = self._refuses and self._manners.random() < _REFUSED_SHARE
        if bad_day and received.id not in self._refused:
            self._refused.add(received.id)
            return 503
        return 204

    def _done(self, command: Command, answer: Any) -> None:
        self.world.done(self._operator, command, answer)
        self._happened("acknowledged")

    def _failed(self, _command: Command, error: str) -> None:
        self._failures[error] += 1

    # -- The end

    async def _end(self) -> None:
        """Let all trouble be over and everybody hear of it; then look at what is left."""
        self._moment = None
        self.world.end(self._operator)
        give_up = time.monotonic() + PATIENCE
        while not await self._is_over() and time.monotonic() < give_up:
            # What happens while it stops is told by the next one.
            await self._live_in_order(give_up)
        self._records = await asyncio.to_thread(Records.read, self._database)
        faults = Judge(self.world, self._records).judge(self.receiver.received, self._diary)
        assert not faults, "\n".join(faults)

    async def _live_in_order(self, give_up: float) -> None:
        await self._operator.begin()
        assert await self._operator.runs(), f"it does not start:\n{self._operator.errors}"
        while not await self._is_over() and time.monotonic() < give_up:
            await asyncio.sleep(_LOOK_SECONDS)
        status = await self._operator.stop()
        self._say(f"life {self._operator.life} ended in order")
        assert status == 0, f"the program did not stop in order:\n{self._operator.errors}"

    async def _is_over(self) -> bool:
        if self._operator.outstanding:
            return False
        records = await asyncio.to_thread(Records.read, self._database)
        told = set(self._told())
        return (
            set(records.deliveries) <= {"delivered"}
            and records.cursor[1] == self.world.chain.head.hash
            and all(row.state in self.world.truth(key) for key, row in records.rows.items())
            and told.issuperset(records.ids)
        )

    def _told(self) -> list[str]:
        return self._diary.read_text().splitlines()

    def _figures(self, kills: int) -> Figures:
        received = [each.id for each in self.receiver.received]
        return Figures(
            kills=kills,
            before_ready=self._before_ready,
            outages=self._outages,
            transactions=len(self._records.rows),
            events=len(self._records.events),
            deliveries=len(received),
            repeated=repeats(received),
            told_again=repeats(self._told()),
            failures=self._failures.total(),
            seconds=time.monotonic() - self._began,
        )

    def _say(self, what: str) -> None:
        self.lines.append(f"{time.monotonic() - self._began:8.3f} s: {what}")
