"""Several machines, one database, a chain and its users; and the checks at the end."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from ..delivery.receiver import Received, Receiver  # noqa: TID252
from ..kill.records import Checker, Records, repeats  # noqa: TID252
from ..kill.world import World  # noqa: TID252
from .machine import PATIENCE, Machine
from .users import Users

_MAX_PAUSE_SECONDS = 0.1
_MAX_RESPONSE_SECONDS = 0.3
_CHECK_SECONDS = 0.1
# After so many actions, the world waits if the program is further behind than this: on a busy
# machine, it would never be ready. A take-over lasts for hundreds of actions.
_ACTIONS = 10
_MAX_OUTSTANDING = 40
_MAX_BEHIND = 30
# A busy machine needs a while for the deliveries that are left at the end. A worker that sleeps
# until a due time reads the database again after a minute.
_FINISH_SECONDS = 300.0
# Without the rows that the program has locked: each could wait for the other.
_END_DELAYS = """
UPDATE outbox SET due_at = 0 WHERE (endpoint_id, position) IN (
    SELECT endpoint_id, position FROM outbox
    WHERE state = 'pending' AND attempts > 0 AND due_at > 0 FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a story."""

    takeovers: int
    transactions: int
    events: int
    deliveries: int
    repeated: int
    seconds: float


class Story:
    """Machines that take over from each other, while a world goes on.

    Args:
        seed: Seed of the world's actions.
        database: URL of the database.
        count: Number of machines.
        reached: Returns the URL at which a machine reaches the database.
        pace: How fast the world acts, 1.0 as usual. A service that is slower, because its database
            is far away, would never be ready.

    Attributes:
        machines: The machines; none runs at the start.
        world: The chain with its users.
        receiver: The receiver of webhooks.
    """

    def __init__(
        self,
        seed: object,
        database: str,
        count: int = 2,
        reached: Callable[[int], str] | None = None,
        pace: float = 1.0,
    ) -> None:
        self.database = database
        self.world = World(seed)
        self.receiver = Receiver(self._respond)
        self.machines: list[Machine] = []
        self._count = count
        self._reached = reached or (lambda _: database)
        self._pace = pace
        self._chance = random.Random(f"receiver:{seed}")
        self._began = time.monotonic()
        self._acting: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self, *flags: str) -> AsyncIterator[Sequence[Machine]]:
        """Run the nodes, the receiver and the users. At the end, check what is stored and sent."""
        async with AsyncExitStack() as stack:
            for context in (*self.world.nodes, self.receiver):
                await stack.enter_async_context(context)
            nodes = [node.url for node in self.world.nodes]
            for number in range(self._count):
                machine = Machine("abc"[number], self._reached(number), nodes, flags)
                self.machines.append(await stack.enter_async_context(machine))
            self.users = Users(self.world, self.machines)
            stack.callback(self.users.cancel)
            yield self.machines
            await self._finish()

    async def begin(self) -> None:
        """Start the first machine as the owner, then the others as standbys, and the world."""
        first, *others = self.machines
        await first.start()
        self.log(f"the first is ready after {await first.until_ready():.2f} s")
        await self.work()
        for machine in others:
            await machine.start()
            await machine.until_standby()
        self.log("the others stand by")

    async def work(self) -> None:
        """Begin with the deliveries and the actions of the world."""
        # Events from before the endpoint would never be delivered.
        await self.users.add_endpoint(self.receiver.url)
        self._acting = asyncio.create_task(self._act())

    async def owner(self) -> Machine:
        """Wait until one machine is ready, and return it."""
        give_up = time.monotonic() + PATIENCE
        while True:
            for machine in self.machines:
                if await machine.is_ready():
                    return machine
            assert time.monotonic() < give_up, "\n".join(one.tail() for one in self.machines)
            await asyncio.sleep(_CHECK_SECONDS)

    def epoch(self) -> int:
        """Return how often the database was claimed."""
        return int(self._value("SELECT epoch FROM owner"))

    def takeovers(self) -> int:
        """Return how often a program became the owner, by the logs."""
        return sum(len(machine.logged("the service is running")) for machine in self.machines)

    def figures(self) -> Figures:
        """Return the figures after the end."""
        return Figures(
            takeovers=self.takeovers(),
            transactions=len(self._records.rows),
            events=len(self._records.events),
            deliveries=len(self.receiver.received),
            repeated=repeats(one.id for one in self.receiver.received),
            seconds=time.monotonic() - self._began,
        )

    def log(self, text: str) -> None:
        """Print a line, which pytest shows after a failure."""
        print(f"{time.monotonic() - self._began:8.3f} s: {text}")

    async def _act(self) -> None:
        while True:
            for _ in range(_ACTIONS):
                self.world.act(self.users)  # type: ignore[arg-type]
                await asyncio.sleep(self.world.random.uniform(0.0, _MAX_PAUSE_SECONDS) / self._pace)
            while (
                self.users.outstanding > _MAX_OUTSTANDING * self._pace
                or await self._behind() > _MAX_BEHIND * self._pace
            ):
                await asyncio.sleep(_CHECK_SECONDS)

    async def _behind(self) -> int:
        """Return by how many blocks the stored head is below that of the chain."""
        try:
            number = await asyncio.to_thread(self._value, "SELECT max(number) FROM cursors")
        except psycopg.OperationalError:  # the server is restarted
            return 0
        return self.world.chain.head.number - (number or 0)

    async def _respond(self, _: Received) -> int:
        await asyncio.sleep(self._chance.uniform(0.0, _MAX_RESPONSE_SECONDS))
        return 204

    async def _finish(self) -> None:
        """End all faults, wait until all is applied and delivered, and check it."""
        assert self._acting is not None
        assert not self._acting.done(), self._acting.result()
        self._acting.cancel()
        for machine in self.machines:
            if machine.is_frozen:
                machine.thaw()
        self.log("the end begins")
        self.world.finish()
        give_up = time.monotonic() + _FINISH_SECONDS
        await self._until_finished(give_up)
        self.log("all is delivered")
        # The owner last: a standby would take over, and be stopped in the middle of its start.
        owner = await self.owner()
        for machine in self.machines:
            if machine is not owner:
                await machine.stop()
        await owner.stop()
        while not await self._is_finished() and time.monotonic() < give_up:
            # Events of the shutdown are delivered by the next life.
            await owner.start()
            await owner.until_ready()
            await self._until_finished(give_up)
            await owner.stop()
        checker = Checker(self.world, self._records)
        checker.check_database()
        checker.check_states()
        for key, history in checker.histories().items():
            checker.check_history(key, history)
        checker.check_deliveries(self.receiver.received)
        assert not self.users.outstanding, "commands without an end"
        assert not checker.faults, "\n".join(checker.faults)

    async def _until_finished(self, give_up: float) -> None:
        while not await self._is_finished() and time.monotonic() < give_up:
            await asyncio.to_thread(self._end_delays)
            await asyncio.sleep(_CHECK_SECONDS)

    def _value(self, query: LiteralString) -> Any:
        with psycopg.connect(self.database) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]

    def _end_delays(self) -> None:
        """Set the deliveries that failed due now: the next attempt could be hours away."""
        with psycopg.connect(self.database) as connection:
            connection.execute(_END_DELAYS)

    async def _is_finished(self) -> bool:
        self._records = records = await asyncio.to_thread(Records.read, self.database)
        return (
            not self.users.outstanding
            and set(records.deliveries) <= {"delivered"}
            and records.cursor[1] == self.world.chain.head.hash
            and all(
                row.state in self.world.allowed_states(key) for key, row in records.rows.items()
            )
        )
