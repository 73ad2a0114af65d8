"""`TaskSupervisor`: supervises tasks, so that all of them are stopped when the program stops.

When not to use it: for servers, which have a state and clients, use `DynamicSupervisor`.

Source:
    Elixir's ``Task.Supervisor``.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable
from typing import Any, TypeVar, TypeVarTuple, overload

from beamish import child_spec
from beamish._runtime import names
from beamish._server.base import behaviour
from beamish._server.methods import call
from beamish._supervision.many import DynamicSupervisorSpec, ManyChildren
from beamish._task.answer import TaskRef, caller
from beamish._task.function import FunctionProcess, ResultListener, check_function, name_of, spawn
from beamish._task.stream import OnTimeout, Starter, stream
from beamish.child_spec import ChildSpec, Restart, Shutdown
from beamish.dynamic_supervisor import DynamicSupervisor
from beamish.errors import ExitError, MaxChildrenError
from beamish.pid import Dest, Name, Pid
from beamish.results import Exited, Ok
from beamish.task import Task, own

__all__ = ["TaskSupervisor"]

E = TypeVar("E")
Ts = TypeVarTuple("Ts")

_SHUTDOWN = 5.0


def _spec(
    fn: Callable[..., Any], args: tuple[Any, ...], restart: Restart, shutdown: Shutdown
) -> ChildSpec:
    check_function(fn)
    return ChildSpec(name_of(fn), Task.start_link, (fn, *args), restart=restart, shutdown=shutdown)


def _server(supervisor: Dest) -> "TaskSupervisor":
    process = names.process_of(supervisor)
    process.runtime.check_loop()
    server = getattr(process, "server", None)
    if not isinstance(server, TaskSupervisor):
        raise TypeError(f"{supervisor!r} ({process.class_name()}) is not a TaskSupervisor")
    return server


def _starter(supervisor: Dest, shutdown: Shutdown) -> Starter:
    child_spec.check_shutdown(shutdown)

    def start(
        fn: Callable[..., Any], args: tuple[Any, ...], slot: ResultListener
    ) -> FunctionProcess:
        return _server(supervisor)._start_task(fn, args, shutdown, slot)

    return start


def _async(
    supervisor: Dest,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    shutdown: Shutdown,
    *,
    linked: bool,
) -> Task[Any]:
    def start(ref: TaskRef) -> FunctionProcess:
        return _server(supervisor)._start_task(fn, args, shutdown, ref)

    return own(caller(), fn, start, linked=linked)


@behaviour
class TaskSupervisor(ManyChildren):
    """A supervisor of tasks; its functions take the supervisor's name or pid first.

    Tasks start at once, without a message to the supervisor, even while it is busy or suspended:
    `async_`, `async_nolink` and the streams are plain functions.
    """

    # -- Starting the supervisor

    @classmethod
    async def start_link(
        cls,
        *,
        name: Name | None = None,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
    ) -> Pid:
        """Start a task supervisor, linked to the calling process.

        Args:
            name: Its local name or via name.
            max_children: Maximum number of tasks; ``None`` sets no limit.
            max_restarts: Maximum number of restarts within ``max_seconds``, of all tasks together;
                tasks are temporary by default and then never restarted.
            max_seconds: The length of that window, in seconds.

        Raises:
            ValueError: An option is invalid.
            AlreadyStartedError: The name is taken.

        Source:
            ``Task.Supervisor.start_link/1``.
        """
        return await super().start_link(
            name=name,
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )

    @classmethod
    def child_spec(  # type: ignore[override] # its own options only
        cls,
        *,
        name: Name | None = None,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        id: Any = None,  # noqa: A002 - the field of ChildSpec
    ) -> ChildSpec:
        """Return how another supervisor starts this one; see `start_link` for the arguments."""
        return super().child_spec(
            name=name,
            id=id,
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
        )

    @staticmethod
    def spec(
        *, max_children: int | None = None, max_restarts: int = 3, max_seconds: float = 5.0
    ) -> DynamicSupervisorSpec:
        """Check the options of a task supervisor; see `start_link`."""
        return DynamicSupervisor.spec(
            max_children=max_children, max_restarts=max_restarts, max_seconds=max_seconds
        )

    # -- Starting tasks

    @staticmethod
    async def start_child(
        supervisor: Dest,
        fn: Callable[..., Any],
        *args: Any,
        restart: Restart = "temporary",
        shutdown: Shutdown = _SHUTDOWN,
    ) -> Pid:
        """Start a task whose result is ignored; only the supervisor is linked with it.

        Args:
            supervisor: Pid or name of the supervisor.
            fn: A function, plain or async.
            args: The arguments of ``fn``, also at each restart.
            restart: ``"temporary"``: never; ``"transient"``: when it fails; or ``"permanent"``.
            shutdown: Seconds that it has to exit, ``"brutal_kill"``, or ``None`` for no limit.

        Raises:
            MaxChildrenError: ``max_children`` tasks are running.

        Source:
            ``Task.Supervisor.start_child/3`` and ``/5``.
        """
        return await TaskSupervisor._start_child(supervisor, _spec(fn, args, restart, shutdown))

    @call(timeout=None)
    def _start_child(self, spec: ChildSpec) -> Pid:
        return self._add(spec)

    def _start_task(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        shutdown: Shutdown,
        listener: ResultListener,
    ) -> FunctionProcess:
        """Start a task that is never restarted, without a message to the supervisor.

        A plain function cannot wait for a reply. The task is a child at once, not when a message
        is handled: so it counts towards ``max_children``, and the exit of the supervisor, for any
        reason, stops it.
        """
        if self._me is None or self._me.phase != "running":
            raise ExitError("shutdown", self.pid)
        name = name_of(fn)
        limit = self._options.max_children
        if limit is not None and self._taken() >= limit:
            raise MaxChildrenError(limit, f"task {name}")
        spec = _spec(fn, args, "temporary", shutdown)
        task = spawn(fn, args, self.pid, listener)
        self._adopt(task.pid, spec)
        return task

    @overload
    @staticmethod
    def async_(
        supervisor: Dest,
        fn: Callable[[*Ts], Coroutine[Any, Any, E]],
        *args: *Ts,
        shutdown: Shutdown = ...,
    ) -> Task[E]: ...
    @overload
    @staticmethod
    def async_(
        supervisor: Dest, fn: Callable[[*Ts], E], *args: *Ts, shutdown: Shutdown = ...
    ) -> Task[E]: ...
    @staticmethod
    def async_(
        supervisor: Dest, fn: Callable[[*Ts], Any], *args: *Ts, shutdown: Shutdown = _SHUTDOWN
    ) -> Task[Any]:
        """Start a supervised task whose result the caller awaits; it is also linked to the caller.

        Args:
            supervisor: Pid or name of the supervisor.
            fn: A function, plain or async.
            args: The arguments of ``fn``.
            shutdown: Seconds that it has to exit when the supervisor stops, ``"brutal_kill"``, or
                ``None`` for no limit.

        Raises:
            MaxChildrenError: ``max_children`` tasks are running.
            NoProcessError: There is no such supervisor, or this code runs in no process.

        Source:
            ``Task.Supervisor.async/3`` and ``/5``.
        """
        return _async(supervisor, fn, args, shutdown, linked=True)

    @overload
    @staticmethod
    def async_nolink(
        supervisor: Dest,
        fn: Callable[[*Ts], Coroutine[Any, Any, E]],
        *args: *Ts,
        shutdown: Shutdown = ...,
    ) -> Task[E]: ...
    @overload
    @staticmethod
    def async_nolink(
        supervisor: Dest, fn: Callable[[*Ts], E], *args: *Ts, shutdown: Shutdown = ...
    ) -> Task[E]: ...
    @staticmethod
    def async_nolink(
        supervisor: Dest, fn: Callable[[*Ts], Any], *args: *Ts, shutdown: Shutdown = _SHUTDOWN
    ) -> Task[Any]:
        """Start a task as `async_` does, but without the link: the caller survives its failure.

        Recommended in servers: a task that fails becomes a `Down` in ``handle_info``.

        Source:
            ``Task.Supervisor.async_nolink/3`` and ``/5``.
        """
        return _async(supervisor, fn, args, shutdown, linked=False)

    @staticmethod
    def async_stream(
        supervisor: Dest,
        elements: Iterable[E] | AsyncIterable[E],
        fn: Callable[[E], Any],
        *,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = 5.0,
        on_timeout: OnTimeout = "exit",
        shutdown: Shutdown = _SHUTDOWN,
    ) -> AsyncGenerator[Ok[Any] | Exited, None]:
        """Return a stream as `Task.async_stream` does; its tasks are children of the supervisor.

        Raises:
            MaxChildrenError: While iterating: there are too many tasks; the tasks of the stream
                are killed. Set a lower ``max_concurrency``.

        Source:
            ``Task.Supervisor.async_stream/4`` and ``/6``.
        """
        return stream(
            _starter(supervisor, shutdown),
            elements,
            fn,
            linked=True,
            max_concurrency=max_concurrency,
            ordered=ordered,
            timeout=timeout,
            on_timeout=on_timeout,
        )

    @staticmethod
    def async_stream_nolink(
        supervisor: Dest,
        elements: Iterable[E] | AsyncIterable[E],
        fn: Callable[[E], Any],
        *,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = 5.0,
        on_timeout: OnTimeout = "exit",
        shutdown: Shutdown = _SHUTDOWN,
    ) -> AsyncGenerator[Ok[Any] | Exited, None]:
        """Return a stream as `async_stream` does, without links to its tasks.

        A task that fails is an `Exited` in the stream.

        Source:
            ``Task.Supervisor.async_stream_nolink/4`` and ``/6``. Differs: the tasks also stop when
            the iterating process dies; in Elixir they continue.
        """
        return stream(
            _starter(supervisor, shutdown),
            elements,
            fn,
            linked=False,
            max_concurrency=max_concurrency,
            ordered=ordered,
            timeout=timeout,
            on_timeout=on_timeout,
        )

    # -- Inspection

    @staticmethod
    async def children(supervisor: Dest) -> list[Pid]:
        """Return the running tasks, without those that are being restarted.

        Source:
            ``Task.Supervisor.children/1``.
        """
        found = await TaskSupervisor.which_children(supervisor)
        return [child.pid for child in found if child.pid is not None]
