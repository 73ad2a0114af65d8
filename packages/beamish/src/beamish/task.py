"""`Task`: a process that computes one thing, and hands it to the process that started it.

When not to use it: to run coroutines side by side that fail and are cancelled as one,
``asyncio.TaskGroup`` is enough. A task is for work that is watched, named in crash reports,
supervised, or awaited by a server.

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
from beamish._task.function import FunctionProcess, Listener, check_function, name_of, spawn
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
    """One task, as its owner sees it.

    Its owner, and nobody else, asks for the answer: with `await_`, `yield_`, `shutdown` or
    `ignore`. A server that does not want to wait gets two messages in ``handle_info`` instead:
    the tuple ``(task.ref, value)``, then ``Down(task.ref, task.pid, "normal")``; only the `Down`
    when the task fails. Whoever has got the first need not see the second:
    ``process.demonitor(task.ref, flush=True)``.

    Args:
        pid: The process of the task; ``None`` for one that was `completed` from the start.
        ref: The monitor of the owner on it.
        owner: The process that started it.
        function: The name of what it runs.

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
        """Start a task that the caller is to await; it is linked to the caller.

        So a task that fails takes its owner along, as the function would have done, and a task
        whose owner fails is not left behind.

        Args:
            fn: An async function. A plain one runs in the new process, too, but while it computes
                nothing else does.
            args: What to call it with.

        Raises:
            NoProcessError: This code runs in no process.
            TypeError: ``fn`` is no function, or is async and does not take these arguments.

        Source:
            ``Task.async/1`` and ``/3``.
        """
        me = caller()
        return own(me, fn, lambda ref: spawn(fn, args, me.pid, ref), linked=True)

    @staticmethod
    async def start_link(fn: Callable[..., Any], *args: Any) -> Pid:
        """Start a task whose answer nobody waits for, linked to the calling process.

        Source:
            ``Task.start_link/1`` and ``/3``.
        """
        me = caller()
        pid = spawn(fn, args, me.pid).pid
        me.link(pid)
        return pid

    @staticmethod
    async def start(fn: Callable[..., Any], *args: Any) -> Pid:
        """Start a task whose answer nobody waits for, without a link.

        Source:
            ``Task.start/1`` and ``/3``. ``TaskSupervisor.start_child`` is mostly better.
        """
        return spawn(fn, args, current_pid.get()).pid

    @staticmethod
    def child_spec(
        fn: Callable[..., Any],
        *args: Any,
        id: Any = None,  # noqa: A002 - the field of ChildSpec
    ) -> ChildSpec:
        """Say how a supervisor starts a task that runs ``fn``; it is not restarted.

        Source:
            ``Task.child_spec/1``. For other restarts, ``.replace(restart="transient")``.
        """
        check_function(fn)
        chosen = Task if id is None else id
        return ChildSpec(chosen, Task.start_link, (fn, *args), restart="temporary")

    @staticmethod
    async def completed(value: E) -> "Task[E]":
        """Return a task that needs no process: it has the answer ``value`` already.

        Source:
            ``Task.completed/1``.
        """
        ref = TaskRef(caller().pid, None)
        ref.complete(value)
        return Task(None, ref, ref.owner, "completed")

    # -- Answers

    async def await_(self, timeout: float | None = 5.0) -> T:
        """Wait for the answer, and return it; a task can be awaited once.

        Args:
            timeout: Seconds to wait; ``None`` waits for ever.

        Raises:
            ExitError: The task exited without an answer; ``reason`` says why.
            CallTimeoutError: No answer came in time. The task goes on, but a late answer is
                dropped; `shutdown` would end it.
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
        """Wait for all answers, and return them in the order of ``tasks``.

        Args:
            tasks: Tasks of the calling process.
            timeout: Seconds to wait for all together.

        Raises:
            ExitError: One of them exited without an answer. The others go on, their answers are
                dropped.
            CallTimeoutError: Not all answers came in time.

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
        """Wait for the answer a while; a task that has not answered can be asked again.

        Args:
            timeout: Seconds to wait; 0 only looks.

        Returns:
            ``Ok(value)``, ``Exited(reason)``, or ``None`` if there is no answer yet.

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
        """Wait for the answers of many tasks a while; give each beside its task.

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
            timeout: Seconds that it has to end after the exit signal ``"shutdown"``, before it is
                killed; or ``"brutal_kill"``, to kill it at once.

        Returns:
            ``Ok(value)`` if it answered all the same; ``Exited(reason)`` if it died of something
            else, or too late (``"killed"``), or was asked before (``"noproc"``); else ``None``.

        Source:
            ``Task.shutdown/2``.
        """
        if self.pid is None:
            raise ValueError(f"{self!r} has no process to shut down: it was completed at once")
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
        """Unlink the task and let it go on; its answer will be dropped.

        Returns:
            What `yield_` would give at this moment.

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
        """Run ``fn`` on each element, each in a task of its own, and iterate over the answers.

        The process that iterates owns the tasks and is linked with them: it fails when one of
        them does, unless it traps exits. No task outlives the iteration: when the consumer stops,
        those that still run are killed. ``break`` leaves that to the event loop, a moment later;
        ``async with contextlib.aclosing(stream)`` is sure to have done it at the end of the block.

        Args:
            elements: The input, sync or async. The next element is taken when its task can start
                and the consumer waits for more.
            fn: A function of one argument, as in `async_`.
            max_concurrency: How many tasks run at a time; as many as there are processors, unless
                said otherwise, which is few for tasks that mostly wait.
            ordered: Whether answers come in the order of the elements, for which early ones are
                kept; or as tasks end.
            timeout: Seconds that each task has.
            on_timeout: ``"exit"`` raises `CallTimeoutError` when a task takes longer;
                ``"kill_task"`` kills it and gives ``Exited("timeout")``.

        Returns:
            An async generator of ``Ok(value)`` and ``Exited(reason)``.

        Source:
            ``Task.async_stream/3`` and ``/5``.
        """

        def start(fn: Callable[..., Any], args: tuple[Any, ...], slot: Listener) -> FunctionProcess:
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
    """Start a task and make it that of ``owner``."""
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
        raise TypeError(f"expected a Task, as async_ returns it; got {task!r}")
    me = current_pid.get()
    if me is not task.owner:
        who = "code outside any process" if me is None else repr(me)
        raise ValueError(f"{task!r} must be {what} by its owner {task.owner!r}, not by {who}")
    assert isinstance(task.ref, TaskRef)  # noqa: S101 - tasks are made here only
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
    # Reasons are any values, whose == may do anything.
    return isinstance(reason, str) and reason == word
