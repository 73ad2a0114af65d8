"""Reading the stack of the event loop's thread from the watchdog's thread never ends the program.

Source: CPython's ``_PyFrame_MakeAndSetFrameObject``, which allocates for each frame that is read.
"""

import asyncio
import gc
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

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


class Message:
    """Records the functions in which it ends."""

    def __init__(self, ended_in: list[str]) -> None:
        self._ended_in = ended_in

    def __del__(self) -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            self._ended_in.append(frame.f_code.co_name)
            frame = frame.f_back


def test_no_value_ends_while_a_frame_is_read() -> None:
    ended_in: list[str] = []

    def entered(_process: object) -> None:
        message = Message(ended_in)
        _, before = watchdog._read(sys._getframe())
        message = Message(ended_in)
        watchdog._read(sys._getframe())
        del message, before

    entered("process")

    assert ended_in.count("__del__") >= 1
    assert "_read" not in ended_in


def test_locals_survive_a_debugger() -> None:
    def entered(process: str) -> str:
        value = "kept"
        return process + value

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        watchdog._read(frame)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        found = entered("process ")
    finally:
        sys.settrace(before)

    assert found == "process kept"
