"""Loops in slices: the event loop runs other tasks between two slices."""

import asyncio
from collections.abc import Sequence

import pytest

from transaction_tracker import slices
from transaction_tracker.slices import Slices, Steps, run_at_once, run_in_slices

SLICE = 3


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MAX_SLICE_ITEMS", SLICE)


class Passes:
    """Counts the passes of the event loop while it is open."""

    def __enter__(self) -> "Passes":
        self.count = -1
        self._tick()
        return self

    def __exit__(self, *_: object) -> None:
        self._next.cancel()

    def _tick(self) -> None:
        self.count += 1
        self._next = asyncio.get_running_loop().call_soon(self._tick)


def doubled(numbers: Sequence[int]) -> Steps[list[int]]:
    """Double numbers in slices."""
    found = []
    for part in slices.slices(numbers):
        found += [2 * number for number in part]
        yield
    return found


@pytest.mark.parametrize(("items", "passes"), [(0, 0), (1, 0), (SLICE, 0), (SLICE + 1, 1), (9, 2)])
async def test_event_loop_runs_between_two_slices(items: int, passes: int) -> None:
    handled: list[int] = []

    with Passes() as seen:
        async for part in Slices(range(items)):
            handled += [len(part)]

    assert sum(handled) == items
    assert max(handled, default=0) <= SLICE
    assert seen.count == passes


async def test_event_loop_runs_between_two_steps() -> None:
    with Passes() as seen:
        assert await run_in_slices(doubled(range(7))) == [0, 2, 4, 6, 8, 10, 12]

    assert seen.count == 3


def test_steps_can_run_at_once() -> None:
    assert run_at_once(doubled(range(7))) == [0, 2, 4, 6, 8, 10, 12]


async def test_cancelled_steps_stop() -> None:
    task = asyncio.create_task(run_in_slices(doubled(range(1_000_000))))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
