"""`Task`: a process that computes one result for the process that started it.

When not to use it: for coroutines that fail and are cancelled together; use ``asyncio.TaskGroup``.
Use a task for work that needs a monitor, crash reports or a supervisor, or that a server awaits.

Source:
    Elixir's ``Task``.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, TypeVarTuple, overload

from beamish import _checks, process
from beamish._runtime.context import current_pid
from beamish._runtime.process import Process
from beamish._task.answer import TaskRef, caller, wait
from beamish._task.ending import end
from beamish._task.function import FunctionProcess, ResultListener, check_function, name_of, spawn
from beamish._task.stream import OnTimeout, stream
from beamish.child_spec import ChildSpec
from beamish.errors import CallTimeoutError, ExitError, NoProcessError
from beamish.pid import Pid, Ref
from beamish.results import Exited, Ok

__all__ = ["Task"]

T = TypeVar("T")
E = TypeVar("E")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True, repr=False)
class Task(Generic[T]):
    """A task, for the process that owns it.

    Only the owner can ask for the result: with `await_`, `yield_`, `shutdown` or `ignore`. A
    server that must not wait receives messages in ``handle_info`` instead: the tuple
    ``(task.ref, value)``, then ``Down(task.ref, task.pid, "normal")``; only the `Down` when the
    task fails. After the tuple, ``process.demonitor(task.ref, flush=True)`` drops the `Down`.

    Args:
        pid: The process of the task; ``None`` for a `completed` task.
        ref: The owner's monitor of the task.
        owner: The process that started the task.
        function: The name of the function that the task runs.

    Source:
        Elixir's ``%Task{}``.
    """

    pid: Pid | None
    ref: Ref
    owner: Pid
    function: str

    def __repr__(self) -> str:
        return f"Task({self.function}, {self.pid!r})"

    # -- Starting

    @overload
    @staticmethod
    def async_(fn: Callable[[*Ts], Coroutine[Any, Any, E]], *args: *Ts) -> "Task[E]": ...
    @overload
    @staticmethod
    def async_(fn: Callable[[*Ts], E], *args: *Ts) -> "Task[E]": ...
    @staticmethod
    def async_(fn: Callable[[*Ts], Any], *args: *Ts) -> "Task[Any]":
        """Start a task that the caller awaits; it is linked to the caller.

        A task that fails ends its owner, as a failing function call would, and a task ends when
        its owner fails.

        Args:
            fn: An async function. A plain function runs in the new process too, and blocks the
                event loop while it computes.
            args: The arguments of ``fn``.

        Raises:
            NoProcessError: This code does not run in a process.
            TypeError: ``fn`` is not a function, or is async and does not accept ``args``.

        Source:
            ``Task.async/1`` and ``/3``.
        """
        me = caller()
        return own(me, fn, lambda ref: spawn(fn, args, me.pid, ref), linked=True)

    @staticmethod
    async def start_link(fn: Callable[..., Any], *args: Any) -> Pid:
        """Start a task without a result, linked to the calling process.

        Source:
            ``Task.start_link/1`` and ``/3``.
        """
        me = caller()
        pid = spawn(fn, args, me.pid).pid
        me.link(pid)
        return pid

    @staticmethod
    async def start(fn: Callable[..., Any], *args: Any) -> Pid:
        """Start a task without a result and without a link.

        When not to use it: for most tasks; `TaskSupervisor.start_child` also supervises them.

        Source:
            ``Task.start/1`` and ``/3``.
        """
        return spawn(fn, args, current_pid.get()).pid

    @staticmethod
    def child_spec(
        fn: Callable[..., Any],
        *args: Any,
        id: Any = None,  # noqa: A002 - the field of ChildSpec
    ) -> ChildSpec:
        """Return the child specification of a task that runs ``fn`` and is not restarted.

        Source:
            ``Task.child_spec/1``. For other restarts, ``.replace(restart="transient")``.
        """
        check_function(fn)
        chosen = Task if id is None else id
        return ChildSpec(chosen, Task.start_link, (fn, *args), restart="temporary")

    @staticmethod
    async def completed(value: E) -> "Task[E]":
        """Return a task that has the result ``value`` and no process.

        Source:
            ``Task.completed/1``.
        """
        ref = TaskRef(caller().pid, None)
        ref.complete(value)
        return Task(None, ref, ref.owner, "completed")

    # -- Results

    async def await_(self, timeout: float | None = 5.0) -> T:
        """Wait for the result and return it; a task can be awaited once.

        Args:
            timeout: Seconds to wait; ``None`` waits without a limit.

        Raises:
            ExitError: The task exited without a result; ``reason`` is its exit reason.
            CallTimeoutError: The task did not return in time. It continues, but its late result
                is dropped; `shutdown` ends it.
            ValueError: The calling process is not the owner.

        Source:
            ``Task.await/2``. Differs: raises where Elixir exits the caller.
        """
        ref = _own_ref(self, "awaited")
        _checks.timeout(timeout)
        tried = ref.is_open
        await wait((ref,), timeout)
        match ref.take():
            case Ok(value):
                return value  # type: ignore[no-any-return]
            case Exited(reason):
                raise ExitError(reason, self.pid)
            case None:
                raise self._no_answer(timeout if tried else 0.0)

    @staticmethod
    async def await_many(tasks: "Iterable[Task[E]]", timeout: float | None = 5.0) -> list[E]:
        """Wait for all results and return them in the order of ``tasks``.

        Args:
            tasks: Tasks of the calling process.
            timeout: Seconds to wait for all of them together.

        Raises:
            ExitError: A task exited without a result. The other tasks continue, and their results
                are dropped.
            CallTimeoutError: Not all tasks returned in time.

        Source:
            ``Task.await_many/2``.
        """
        asked = list(tasks)
        refs = {task: _own_ref(task, "awaited") for task in asked}
        _checks.timeout(timeout)
        await wait(refs.values(), timeout, first_exit=True)
        failed = _failure(refs, timeout)
        answers = {task: ref.take() for task, ref in refs.items()}
        if failed is not None:
            for ref in refs.values():
                ref.close()
            raise failed
        return [answers[task].value for task in asked]  # type: ignore[union-attr]

    async def yield_(self, timeout: float | None = 5.0) -> Ok[T] | Exited | None:
        """Wait for the result for some time; after ``None``, it can be called again.

        Args:
            timeout: Seconds to wait; 0 returns at once.

        Returns:
            ``Ok(value)``, ``Exited(reason)``, or ``None`` if the task still runs.

        Source:
            ``Task.yield/2``.
        """
        ref = _own_ref(self, "asked")
        _checks.timeout(timeout)
        await wait((ref,), timeout)
        return ref.take()

    @staticmethod
    async def yield_many(
        tasks: "Iterable[Task[E]]", timeout: float | None = 5.0
    ) -> "list[tuple[Task[E], Ok[E] | Exited | None]]":
        """Wait for the results of many tasks for some time; return each task with its result.

        Source:
            ``Task.yield_many/2``.
        """
        asked = list(tasks)
        refs = {task: _own_ref(task, "asked") for task in asked}
        _checks.timeout(timeout)
        await wait(refs.values(), timeout)
        answers = {task: ref.take() for task, ref in refs.items()}
        return [(task, answers[task]) for task in asked]

    async def shutdown(
        self, timeout: float | Literal["brutal_kill"] | None = 5.0
    ) -> Ok[T] | Exited | None:
        """Unlink the task and end it.

        Args:
            timeout: Seconds that the task has to end after the exit signal ``"shutdown"``, before
                it is killed; ``"brutal_kill"`` kills it at once.

        Returns:
            ``Ok(value)`` if the task returned before it ended; ``Exited(reason)`` if it exited for
            another reason, did not end in time (``"killed"``), or its result was taken before
            (``"noproc"``); otherwise ``None``.

        Source:
            ``Task.shutdown/2``.
        """
        if self.pid is None:
            raise ValueError(f"{self!r} has no process to shut down: it was created by completed()")
        ref = _own_ref(self, "shut down")
        brutal = timeout == "brutal_kill"
        if not brutal:
            _checks.timeout(timeout)
        found = await end(self.pid, ref, None if brutal else timeout, brutal=brutal)  # type: ignore[arg-type]
        answer = ref.take() or found
        ref.close()
        if isinstance(answer, Exited) and _is(answer.reason, "killed" if brutal else "shutdown"):
            return None
        return answer

    async def ignore(self) -> Ok[T] | Exited | None:
        """Unlink the task and let it continue; its result is dropped.

        Returns:
            The current result, as of ``yield_(0)``.

        Source:
            ``Task.ignore/1``.
        """
        ref = _own_ref(self, "ignored")
        if self.pid is not None:
            caller().unlink(self.pid)
        answer = ref.take()
        ref.close()
        return answer

    def _no_answer(self, seconds: float | None) -> ExitError:
        if self.owner._process is None:
            return NoProcessError(self.owner)
        target = None if self.pid is None else self.pid._process
        waiting = 0 if target is None else target.queue_length()
        self.ref.close()  # type: ignore[attr-defined] # a TaskRef
        return CallTimeoutError(self.pid, f"await_ of {self.function}", seconds or 0.0, waiting)

    # -- Streams

    @staticmethod
    def async_stream(
        elements: Iterable[E] | AsyncIterable[E],
        fn: Callable[[E], Any],
        *,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = 5.0,
        on_timeout: OnTimeout = "exit",
    ) -> AsyncGenerator[Ok[Any] | Exited, None]:
        """Run ``fn`` on each element, each in its own task, and iterate over the results.

        The iterating process owns the tasks and is linked with them: it fails when one of them
        fails, unless it traps exits. No task outlives the iteration: when the consumer stops, the
        running tasks are killed. After ``break``, the event loop does this a moment later; at the
        end of ``async with contextlib.aclosing(stream)`` it is done.

        Args:
            elements: The input, sync or async. The next element is taken when its task can start
                and the consumer waits for a result.
            fn: A function of one argument, as in `async_`.
            max_concurrency: Maximum number of running tasks; by default the number of processors,
                which is low for tasks that mostly wait.
            ordered: Whether results come in the order of the elements, which keeps early results
                in memory, or in the order in which tasks end.
            timeout: Seconds that each task has.
            on_timeout: ``"exit"`` raises `CallTimeoutError` when a task takes longer;
                ``"kill_task"`` kills the task and yields ``Exited("timeout")``.

        Returns:
            An async generator of ``Ok(value)`` and ``Exited(reason)``.

        Source:
            ``Task.async_stream/3`` and ``/5``.
        """

        def start(
            fn: Callable[..., Any], args: tuple[Any, ...], slot: ResultListener
        ) -> FunctionProcess:
            return spawn(fn, args, process.current(), slot)

        return stream(
            start,
            elements,
            fn,
            linked=True,
            max_concurrency=max_concurrency,
            ordered=ordered,
            timeout=timeout,
            on_timeout=on_timeout,
        )


def own(
    owner: Process,
    fn: Callable[..., Any],
    start: Callable[[TaskRef], FunctionProcess],
    *,
    linked: bool,
) -> Task[Any]:
    """Start a task that ``owner`` owns."""
    ref = TaskRef(owner.pid, None)
    task = start(ref)
    ref.target = task.pid
    ref.watch(task)
    if linked:
        owner.link(task.pid)
    return Task(task.pid, ref, owner.pid, name_of(fn))


def _own_ref(task: Task[Any], what: str) -> TaskRef:
    """Return the monitor of a task that the calling process owns."""
    if not isinstance(task, Task):
        raise TypeError(f"expected a Task, as returned by async_; got {task!r}")
    me = current_pid.get()
    if me is not task.owner:
        who = "code outside any process" if me is None else repr(me)
        raise ValueError(f"{task!r} must be {what} by its owner {task.owner!r}, not by {who}")
    assert isinstance(task.ref, TaskRef)  # noqa: S101 - only this module creates tasks
    return task.ref


def _failure(refs: dict[Task[Any], TaskRef], timeout: float | None) -> ExitError | None:
    for task, ref in refs.items():
        if isinstance(ref.answer, Exited):
            return ExitError(ref.answer.reason, task.pid)
    for task, ref in refs.items():
        if ref.answer is None:
            return task._no_answer(timeout)
    return None


def _is(reason: Any, word: str) -> bool:
    # A reason can be any value, whose == can do anything.
    return isinstance(reason, str) and reason == word
