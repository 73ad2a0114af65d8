"""What type checkers know of ``process``. Checked by mypy."""

from typing import Any, assert_type

from beamish import Pid, Ref, Via, process


async def work(first: int, second: str) -> None:
    return None


async def processes(pid: Pid, via: Via) -> None:
    assert_type(process.current(), Pid)
    assert_type(process.spawn(work, 1, "x"), Pid)
    assert_type(process.spawn_link(work, 1, "x"), Pid)
    assert_type(process.spawn_monitor(work, 1, "x"), tuple[Pid, Ref])
    assert_type(await process.receive(), Any)
    assert_type(await process.receive(timeout=1.0, match=lambda message: True), Any)
    assert_type(process.monitor(via), Ref)
    assert_type(process.send_after(pid, "message", 1.0), Ref)
    assert_type(process.flag(trap_exit=True), bool)
    assert_type(process.whereis("name"), Pid | None)
    assert_type(process.is_alive(pid), bool)
    async with process.attach() as attached:
        assert_type(attached, Pid)


def timers(ref: Ref) -> None:
    assert_type(process.cancel_timer(ref), float | None)
    assert_type(process.read_timer(ref), float | None)


def information(pid: Pid) -> None:
    info = process.info(pid)
    assert info is not None
    assert_type(info.message_queue_len, int)
    assert_type(info.trap_exit, bool)
    assert_type(info.parent, Pid | None)


def wrong_types(pid: Pid) -> None:
    process.send(42, "message")  # type: ignore[arg-type]
    process.register(pid, 42)  # type: ignore[arg-type]
    process.send_after(pid, "message", "soon")  # type: ignore[arg-type]
