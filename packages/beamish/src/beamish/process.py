"""Processes: identity, links, monitors, exit signals, timers and local names.

Everything with a `Pid` is a process: a GenServer, a supervisor, a registry, a spawned coroutine or
an attached asyncio task. All functions except `receive` are plain functions: no other code runs
between two calls.

When not to use it: for code without state that needs no supervision. An asyncio task, or a plain
function, is simpler.

Source:
    Elixir's ``Process`` and the process functions of Erlang's ``erlang`` module.
"""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

from beamish import _checks
from beamish._diagnostics import inspection
from beamish._diagnostics.inspection import ProcessInfo
from beamish._runtime import names
from beamish._runtime.context import current_pid
from beamish._runtime.process import Monitor, Process
from beamish._runtime.runtime import running
from beamish._runtime.tasks import Attachment, SpawnedProcess, TaskProcess
from beamish._runtime.timers import Timer
from beamish.errors import NoProcessError
from beamish.messages import Down
from beamish.pid import Dest, Pid, Ref

__all__ = [
    "ProcessInfo",
    "attach",
    "cancel_timer",
    "current",
    "demonitor",
    "exit",
    "flag",
    "info",
    "is_alive",
    "link",
    "monitor",
    "processes",
    "read_timer",
    "receive",
    "register",
    "registered",
    "send",
    "send_after",
    "set_label",
    "spawn",
    "spawn_link",
    "spawn_monitor",
    "unlink",
    "unregister",
    "whereis",
]


def current() -> Pid:
    """Return the pid of the process that runs this code.

    Valid inside callbacks, spawned and attached coroutines, and the asyncio tasks they create.

    Raises:
        NoProcessError: This code does not run in a process.

    Source:
        Erlang's ``self/0``.
    """
    pid = current_pid.get()
    if pid is None:
        raise NoProcessError(
            advice="this code does not run in a process; start it with process.spawn or "
            "beamish.run, or put it into `async with process.attach():`"
        )
    return pid


def _me() -> Process:
    process = _my_process()
    if not process.runtime.check_loop():
        raise NoProcessError(process.pid)
    return process


def _my_process() -> Process:
    pid = current()
    process: Process | None = pid._process
    if process is None:
        raise NoProcessError(pid)
    return process


def spawn(fn: Callable[..., Awaitable[Any]], *args: Any) -> Pid:
    """Run the async function ``fn`` as a process, which ends when the function returns.

    Args:
        fn: An async function. The exit reason is ``"normal"``, or the exception that it raises.
        args: The arguments of ``fn``.

    Raises:
        TypeError: ``fn`` is not async, or does not accept ``args``.

    Source:
        Elixir's ``Process.spawn/4``.
    """
    return _spawn(fn, args).pid


def spawn_link(fn: Callable[..., Awaitable[Any]], *args: Any) -> Pid:
    """Spawn a process like `spawn`, linked with the current one."""
    me = _me()
    pid = _spawn(fn, args).pid
    me.link(pid)
    return pid


def spawn_monitor(fn: Callable[..., Awaitable[Any]], *args: Any) -> tuple[Pid, Ref]:
    """Spawn a process like `spawn`, and monitor it."""
    me = _me()
    pid = _spawn(fn, args).pid
    return pid, me.monitor(pid)


def _spawn(fn: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> SpawnedProcess:
    runtime = running()
    coroutine = fn(*args)
    if not inspect.iscoroutine(coroutine):
        raise TypeError(f"a process runs an async function; {fn!r} returned {coroutine!r}")
    process = SpawnedProcess(runtime, current_pid.get(), getattr(fn, "__qualname__", repr(fn)))
    process.run(coroutine)
    return process


def attach() -> AbstractAsyncContextManager[Pid]:
    """Make the current asyncio task a process for the duration of an ``async with`` block.

    An exit signal other than ``"normal"`` cancels the block, which then raises `ExitError`, unless
    exits are trapped. A task that is already a process stays the same process.
    """
    return Attachment()


async def receive(timeout: float | None = None, match: Callable[[Any], bool] | None = None) -> Any:
    """Receive the next message of the current spawned or attached process.

    Args:
        timeout: Seconds to wait; ``None`` waits without a limit, 0 returns at once.
        match: Receive the first message for which ``match`` is true; keep the others queued.

    Raises:
        TimeoutError: No matching message arrived in time.
        NoProcessError: This code does not run in a spawned or attached process.

    Source:
        Erlang's ``receive ... after``.
    """
    _checks.timeout(timeout)
    me = _my_process()
    if not isinstance(me, TaskProcess):
        raise NoProcessError(
            me.pid,
            f"{me.pid!r} is a {me.class_name()}, which receives messages in handle_info; "
            "only spawned and attached processes receive",
        )
    return await me.receive(timeout, match)


def send(dest: Dest, message: Any) -> None:
    """Send ``message`` without waiting; a dead process drops it.

    Raises:
        NoProcessError: ``dest`` is a name that no process holds.

    Source:
        Erlang's ``!``.
    """
    if dest.__class__ is Pid:
        process = dest._process  # pyright: ignore[reportAttributeAccessIssue]
        if process is not None:
            process.deliver(message)
    else:
        pid = names.pid_of(dest)
        if pid is not None:
            pid._process.deliver(message)
        elif not isinstance(dest, Pid):
            raise names.no_process(dest)


def send_after(dest: Dest, message: Any, seconds: float) -> Ref:
    """Send ``message`` in ``seconds`` seconds; the timer is cancelled when ``dest`` dies.

    A name is looked up when the timer fires; if no process holds it, the message is dropped.

    Source:
        Elixir's ``Process.send_after/4``.
    """
    _checks.seconds("seconds", seconds)
    runtime = running()
    if isinstance(dest, Pid):
        process = names.local(dest)
        return Timer(0.0, None) if process is None else process.send_after(message, seconds)
    names.check_name(dest)

    def fire() -> None:
        with suppress(NoProcessError):  # for example a name in an unknown registry
            send(dest, message)

    return runtime.timers.after(seconds, fire)


def cancel_timer(ref: Ref) -> float | None:
    """Cancel a timer; return the seconds it had left, or ``None`` if it has fired."""
    timer = _timer(ref)
    owner = None if timer.owner is None else names.local(timer.owner)
    if owner is not None:
        return owner.cancel_timer(timer)
    return running().timers.cancel(timer)


def read_timer(ref: Ref) -> float | None:
    """Return the seconds that a timer has left, or ``None`` if it has fired."""
    return running().timers.left(_timer(ref))


def _timer(ref: Ref) -> Timer:
    if not isinstance(ref, Timer):
        raise TypeError(f"expected a timer, as returned by send_after; got {ref!r}")
    return ref


def link(pid: Pid) -> None:
    """Link the current process with ``pid``: each receives the exit signal of the other.

    Linking a dead process delivers an exit signal ``"noproc"``.

    Raises:
        BeamishError: ``pid`` lives in another event loop.

    Source:
        Erlang's ``link/1``.
    """
    me = _me()
    names.local(_pid(pid))
    me.link(pid)


def unlink(pid: Pid) -> None:
    """Undo `link`; an exit signal that is already sent no longer arrives."""
    me = _me()
    names.local(_pid(pid))
    me.unlink(pid)


def monitor(dest: Dest) -> Ref:
    """Send one `Down` to the current process when ``dest`` ends.

    Returns:
        The reference in the message. For a dead or unknown process, a `Down` with the reason
        ``"noproc"`` is sent at once, with ``dest`` as its ``pid``.

    Raises:
        BeamishError: ``dest`` lives in another event loop.

    Source:
        Erlang's ``monitor/2``.
    """
    me = _me()
    pid = names.pid_of(dest)
    return me.monitor(dest if pid is None or names.local(pid) is None else pid)


def demonitor(ref: Ref, flush: bool = False) -> None:
    """Undo `monitor`; with ``flush``, also remove a queued `Down`.

    Source:
        Erlang's ``demonitor/2``.
    """
    if not isinstance(ref, Monitor):
        raise TypeError(f"expected a monitor, as returned by process.monitor; got {ref!r}")
    me = _me()
    if ref.owner is me.pid:
        me.demonitor(ref)
        if flush:
            me.discard_messages(lambda message: type(message) is Down and message.ref is ref)


def exit(pid: Dest, reason: Any) -> None:  # noqa: A001 - Erlang's name, used as process.exit
    """Send an exit signal to ``pid``.

    ``"normal"`` is ignored unless a process sends it to itself or traps exits. ``"kill"`` cannot be
    trapped; linked processes receive ``"killed"``. Any other reason ends the process unless it
    traps exits. A signal to a dead process is ignored. To stop a GenServer from its own callback,
    return `Stop`.

    Source:
        Erlang's ``exit/2``.
    """
    target = names.pid_of(pid)
    process = None if target is None else names.local(target)
    if process is None:
        return
    if isinstance(reason, str) and reason == "kill":
        process.kill("killed")
    else:
        process.signal(current_pid.get(), reason)
    process.runtime.deliver_exit_signals()


def flag(*, trap_exit: bool) -> bool:
    """Set whether exit signals arrive as `Exit` messages; return the previous setting.

    Source:
        Erlang's ``process_flag(trap_exit, Boolean)``.
    """
    if not isinstance(trap_exit, bool):
        raise TypeError(f"trap_exit must be True or False; got {trap_exit!r}")
    me = _me()
    before, me.trap_exit = me.trap_exit, trap_exit
    return before


def register(pid: Pid, name: str) -> None:
    """Register ``pid`` under the local ``name``.

    Raises:
        AlreadyRegisteredError: The name is taken.
        NoProcessError: The process is dead.

    Source:
        Erlang's ``register/2``. Differs: a process can have several names.
    """
    process = names.of_this_node(names.local(_pid(pid)), pid)
    if process is None:
        raise NoProcessError(pid)
    names.register_local(process, name)


def unregister(name: str) -> None:
    """Unregister the local ``name``.

    Raises:
        NoProcessError: No process holds it.
    """
    names.unregister_local(running(), name)


def whereis(name: str) -> Pid | None:
    """Return the process that holds the local ``name``."""
    if not isinstance(name, str):
        raise TypeError(f"a local name must be a string; got {name!r}")
    return names.pid_of(name)


def registered() -> list[str]:
    """Return the registered local names."""
    return list(running().names)


def is_alive(pid: Pid) -> bool:
    """Return whether the process is alive.

    False also for a process that an exit signal is ending, and after its event loop was closed.

    Raises:
        TypeError: It lives on another node; monitor it instead.
    """
    return names.of_this_node(names.alive(_pid(pid)), pid) is not None


def processes() -> list[Pid]:
    """Return the processes of this event loop, oldest first."""
    return list(running().processes)


def set_label(label: Any) -> None:
    """Set a label of the current process for logs and `info`; labels need not be unique."""
    _me().label = label


def info(pid: Dest) -> ProcessInfo | None:
    """Return the facts about a process, or ``None`` if it is dead.

    Raises:
        TypeError: It lives on another node.

    Source:
        Erlang's ``process_info/2``.
    """
    found = names.pid_of(pid)
    process = None if found is None else names.of_this_node(names.alive(found), found)
    return None if process is None else inspection.inspect(process)


def _pid(pid: object) -> Pid:
    if not isinstance(pid, Pid):
        raise TypeError(f"expected a Pid; got {pid!r}")
    return pid
