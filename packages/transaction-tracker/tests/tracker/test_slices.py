"""A block of many tracked transactions never holds the event loop for long."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from beamish import debug, process, telemetry
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication, slices
from transaction_tracker.follower.evidence import Evidence
from transaction_tracker.follower.records import Records
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.store import STORE
from transaction_tracker.tracker import FOLLOWER, via
from txtrack_devnode import Chain, DevelopmentNode

from .support import PATIENCE, caught_up, eventually, history, reach, submit

SLICE = 10
# More than MANY_HITS, so that all receipts of the block come in one response.
HITS = 12 * SLICE
FEW = 4 * SLICE
# What happens to each transaction of a block, from its receipt to the new state of its tracker.
WORK = (
    (decode, "_hash_of"),
    (decode, "_slot"),
    (decode, "receipt"),
    (Evidence, "describe"),
    (Evidence, "_is_mined_elsewhere"),
    (Records, "_decide_by_tracker"),
    (Records, "_note"),
    (Records, "_handle_event"),
    (TransactionTracker, "settle"),
)
EVENTS = (
    ("transaction_tracker", "transition"),
    ("transaction_tracker", "transaction", "detected"),
)


Place = tuple[Any, str]
Action = Callable[[], object]
# One loop before the block is stored, two after it.
PLACES: tuple[Place, ...] = (
    (Records, "_decide_by_tracker"),
    (TransactionTracker, "settle"),
    (Records, "_note"),
)


class Watch:
    """Counts how often each function is called between two passes of the event loop.

    Attributes:
        most: The most calls of each function between two passes.
    """

    def __init__(self) -> None:
        self.most: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()

    def counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, with its calls counted."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.count(name)
            return function(*args, **kwargs)

        return call

    def count(self, name: str) -> None:
        """Count one call."""
        self._calls[name] += 1
        self.most[name] = max(self.most[name], self._calls[name])

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count while the ``with`` block runs."""
        self.most.clear()
        self._tick()
        try:
            yield
        finally:
            self._next.cancel()

    def _tick(self) -> None:
        self._calls.clear()
        self._next = asyncio.get_running_loop().call_soon(self._tick)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    watch = Watch()
    for owner, name in WORK:
        is_static = isinstance(vars(owner).get(name), staticmethod)
        counted = watch.counted(name, getattr(owner, name))
        monkeypatch.setattr(owner, name, staticmethod(counted) if is_static else counted)
    monkeypatch.setattr(slices, "MAX_SLICE_ITEMS", SLICE)
    telemetry.attach_many("slices", EVENTS, lambda event, *_: watch.count(event[-1]))
    yield watch
    telemetry.detach("slices")


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=2, gas_limit=HITS * 21_000)) as running:
        yield running


async def tracked(node: DevelopmentNode, number: int = FEW) -> list[str]:
    """Track transactions that wait for one block."""
    keys = [submit(node).hash for _ in range(number)]
    await TransactionTracker.start_many([TransactionTracker.registration(key) for key in keys])
    await asyncio.gather(*(reach(key, "pending") for key in keys))
    return keys


@pytest.fixture
def between_slices(monkeypatch: pytest.MonkeyPatch) -> Callable[[Place, Action], None]:
    """Returns a function that schedules an action for the middle of a loop over a block."""
    monkeypatch.setattr(slices, "MAX_SLICE_ITEMS", SLICE)

    def schedule(place: Place, action: Action) -> None:
        owner, name = place
        is_static, function = isinstance(vars(owner)[name], staticmethod), getattr(owner, name)
        calls = count()

        def call(*args: Any, **kwargs: Any) -> Any:
            if next(calls) == FEW // 2:
                asyncio.get_running_loop().call_soon(action)
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, staticmethod(call) if is_static else call)

    return schedule


async def all_are(app: TransactionTrackerApplication, keys: list[str], state: str) -> None:
    """Wait until all transactions are stored in a state, and check that each got there once."""
    states = app.sources[0].open_transactions

    def reached() -> bool:
        return all((found := states.get(key)) is not None and found.state == state for key in keys)

    await eventually(reached)
    assert [await history(key) for key in keys] == [["pending", state]] * len(keys)
    # The trackers have the stored states too.
    await eventually(lambda: all(TransactionTracker.lookup(key) is not None for key in keys))
    assert {(await TransactionTracker.status(key)).state for key in keys} == {state}


async def test_loop_runs_between_slices_of_a_block(
    app: TransactionTrackerApplication, node: DevelopmentNode, watch: Watch
) -> None:
    keys = await tracked(node, HITS)

    with watch.running():
        await node.mine()
        await asyncio.gather(*(reach(key, "mined") for key in keys))
        await debug.get_state(FOLLOWER, timeout=PATIENCE)  # once it has handled the block

    assert set(watch.most) == {name for _, name in WORK} | {event[-1] for event in EVENTS}
    assert {name: most for name, most in watch.most.items() if most > SLICE} == {}


async def test_trackers_have_the_states_of_a_block_once_it_is_the_tip(
    app: TransactionTrackerApplication,
    node: DevelopmentNode,
    between_slices: Callable[[Place, Action], None],
) -> None:
    keys = await tracked(node)
    tips: list[object] = []
    between_slices((TransactionTracker, "settle"), lambda: tips.append(app.tip))

    await node.mine()

    await caught_up(app, node)
    assert {(await TransactionTracker.report(via(key))).state for key in keys} == {"mined"}
    assert tips != [app.tip]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[1])
@pytest.mark.parametrize("name", [FOLLOWER, STORE])
async def test_crash_between_slices_loses_and_doubles_nothing(
    app: TransactionTrackerApplication,
    node: DevelopmentNode,
    between_slices: Callable[[Place, Action], None],
    name: str,
    place: Place,
) -> None:
    keys = await tracked(node)
    before = process.whereis(FOLLOWER)
    between_slices(place, lambda: process.exit(name, "kill"))

    await node.mine()

    # The follower restarts after everything before it, also if the store was killed.
    await eventually(lambda: process.whereis(FOLLOWER) not in (None, before))
    await all_are(app, keys, "mined")


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[1])
async def test_stop_between_slices_loses_and_doubles_nothing(
    settings: Settings,
    node: DevelopmentNode,
    between_slices: Callable[[Place, Action], None],
    place: Place,
) -> None:
    stopping = asyncio.Event()
    async with TransactionTrackerApplication(settings):
        keys = await tracked(node)
        between_slices(place, stopping.set)
        await node.mine()
        await stopping.wait()

    async with TransactionTrackerApplication(settings) as app:
        await all_are(app, keys, "mined")


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[1])
async def test_transaction_untracked_between_slices_stays_untracked(
    app: TransactionTrackerApplication,
    node: DevelopmentNode,
    between_slices: Callable[[Place, Action], None],
    place: Place,
) -> None:
    keys = await tracked(node)
    untracking: list[asyncio.Task[Any]] = []
    between_slices(
        place,
        lambda: untracking.extend(
            asyncio.create_task(TransactionTracker.untrack(key)) for key in (keys[0], keys[-1])
        ),
    )

    await node.mine()

    await all_are(app, keys[1:-1], "mined")
    await asyncio.gather(*untracking)
    for key in (keys[0], keys[-1]):
        states = await history(key)
        assert states in (["pending", "untracked"], ["pending", "mined", "untracked"])
        await eventually(lambda key=key: TransactionTracker.lookup(key) is None)  # type: ignore[misc]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[1])
async def test_transaction_registered_between_slices_of_its_block_is_found(
    app: TransactionTrackerApplication,
    node: DevelopmentNode,
    between_slices: Callable[[Place, Action], None],
    place: Place,
) -> None:
    late = submit(node).hash
    keys = await tracked(node, FEW - 1)
    registering: list[asyncio.Task[Any]] = []
    between_slices(
        place, lambda: registering.append(asyncio.create_task(TransactionTracker.start(late)))
    )

    await node.mine()

    await all_are(app, keys, "mined")
    await asyncio.gather(*registering)
    assert (await reach(late, "mined")).anchor == app.tip


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[1])
async def test_block_replaced_between_slices_is_undone(
    app: TransactionTrackerApplication,
    node: DevelopmentNode,
    between_slices: Callable[[Place, Action], None],
    place: Place,
) -> None:
    keys = await tracked(node)
    between_slices(place, lambda: node.chain.reorg(1, "move"))

    await node.mine()

    await caught_up(app, node)
    await asyncio.gather(*(reach(key, "mined") for key in keys))
    assert {(await TransactionTracker.status(key)).anchor for key in keys} == {app.tip}
