"""Reading the stack of the event loop's thread from the watchdog's thread never ends the program.

Source: CPython's ``_PyFrame_MakeAndSetFrameObject``, which allocates for each frame that is read.
"""

import asyncio
import gc
import sys
from collections.abc import Iterator
from typing import Any
from weakref import ref

import pytest

from beamish import GenServer
from beamish._diagnostics import watchdog


class Idle(GenServer):
    pass


@pytest.fixture
def eager_collector() -> Iterator[None]:
    """Collect garbage in each allocation that can."""
    before = gc.get_threshold()
    gc.set_threshold(1)
    yield
    gc.set_threshold(*before)


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="CPython 3.12 and later collect between instructions"
)
@pytest.mark.usefixtures("eager_collector")
async def test_no_garbage_is_collected_while_another_thread_s_frames_are_read() -> None:
    pid = await Idle.start()
    process: Any = pid._process
    collecting: list[str] = []

    def look(phase: str, _info: dict[str, int]) -> None:
        frame = sys._getframe()
        while phase == "start" and frame.f_back is not None:
            frame = frame.f_back
            collecting.append(frame.f_code.co_name)

    gc.callbacks.append(look)
    try:
        await asyncio.to_thread(watchdog._look, process.runtime, {})
    finally:
        gc.callbacks.remove(look)

    assert collecting  # elsewhere, it is collected as before
    assert "_entered" not in collecting
    assert gc.isenabled()


async def test_a_collector_that_is_off_stays_off() -> None:
    pid = await Idle.start()
    process: Any = pid._process
    gc.disable()
    try:
        await asyncio.to_thread(watchdog._look, process.runtime, {})
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_frame_that_was_read_keeps_no_value_alive() -> None:
    def entered(_process: object) -> bool:
        value = Idle()
        seen = ref(value)
        watchdog._first_argument(sys._getframe())
        del value
        return seen() is None

    assert entered("process")
