"""`Agent`: a process that keeps a value, which functions read and change in turn.

When not to use it: when callers should not have to know what the state looks like, a `GenServer`
gives them named requests. For data that only one process uses, an attribute is enough.

Source:
    Elixir's ``Agent``.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar, overload

from beamish import _checks
from beamish._server import requests
from beamish.child_spec import ChildSpec
from beamish.gen_server import GenServer, call, cast
from beamish.pid import Dest, Name, Pid
from beamish.results import Reply

__all__ = ["Agent"]

T = TypeVar("T")


class AgentServer(GenServer):
    """The process of an agent."""

    _beamish_name = "Agent"

    def __init__(self, fn: Callable[..., Any], *args: Any) -> None:
        self.state: Any = None
        self._begin: tuple[Callable[..., Any], tuple[Any, ...]] | None = (fn, args)

    def init(self) -> Any:
        """Compute the first state."""
        assert self._begin is not None  # noqa: S101 - set just before
        fn, args = self._begin
        del self._begin
        return _then(fn(*args), self._become)

    @call
    def get(self, fn: Callable[[Any], Any]) -> Any:
        """Reply with what ``fn`` makes of the state."""
        return _then(fn(self.state), _reply)

    @call
    def update(self, fn: Callable[[Any], Any]) -> Any:
        """Let ``fn`` make the next state."""
        return _then(fn(self.state), self._become)

    @call
    def get_and_update(self, fn: Callable[[Any], Any]) -> Any:
        """Reply with one thing that ``fn`` gives, and let the other be the next state."""
        return _then(fn(self.state), self._reply_and_become)

    @cast
    def change(self, fn: Callable[[Any], Any]) -> Any:
        """Let ``fn`` make the next state; nobody waits for it."""
        return _then(fn(self.state), self._become)

    def _become(self, state: Any) -> None:
        self.state = state

    def _reply_and_become(self, pair: Any) -> Any:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(
                f"a function for get_and_update must return (reply, new_state); got {pair!r}"
            )
        reply, self.state = pair
        return _reply(reply)


def _then(result: Any, use: Callable[[Any], Any]) -> Any:
    """Use ``result`` at once; that of an async function, when it is there."""
    return _awaited(result, use) if inspect.iscoroutine(result) else use(result)


async def _awaited(result: Any, use: Callable[[Any], Any]) -> Any:
    return use(await result)


def _reply(value: Any) -> Any:
    # A value that a callback would mean something special by is wrapped, to be just a value.
    return Reply(value) if value.__class__ in requests.SPECIAL else value


class Agent:
    """Functions on agents, and the base of module-based ones.

    The functions that are given to `get` and the others take the state, may be ``async def``, and
    run in the agent's process, one at a time: one that raises crashes the agent, and while one
    takes its time, the others wait. What is not to be changed there is better copied by them.

    A subclass may have a ``start_link`` of its own, which its supervisors use, and takes the
    class keywords ``restart`` and ``shutdown``.
    """

    _server: ClassVar[type[AgentServer]] = AgentServer

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()
        body = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
        cls._server = type(cls.__name__, (cls._server,), body, **options)

    @classmethod
    async def start_link(
        cls,
        fn: Callable[..., Any],
        *args: Any,
        name: Name | None = None,
        timeout: float | None = None,
    ) -> Pid:
        """Start an agent, linked to the calling process, whose first state ``fn(*args)`` gives.

        Args:
            fn: A function, plain or async; it runs in the agent's process, at each restart again.
            args: What to call it with.
            name: A local name or a `Via`.
            timeout: Seconds that ``fn`` may take; ``None`` waits for ever.

        Raises:
            AlreadyStartedError: The name is taken.
            StartError: ``fn`` raised, or took too long (reason ``"timeout"``).

        Source:
            ``Agent.start_link/2`` and ``/4``.
        """
        _check_function(fn)
        return await cls._server.start_link(fn, *args, name=name, timeout=timeout)

    @classmethod
    async def start(
        cls,
        fn: Callable[..., Any],
        *args: Any,
        name: Name | None = None,
        timeout: float | None = None,
    ) -> Pid:
        """Start an agent without a link; see `start_link`.

        Source:
            ``Agent.start/2`` and ``/4``.
        """
        _check_function(fn)
        return await cls._server.start(fn, *args, name=name, timeout=timeout)

    @classmethod
    def child_spec(cls, *args: Any, name: Name | None = None, **kwargs: Any) -> ChildSpec:
        """Say how a supervisor starts this agent; see `start_link` for the arguments.

        Source:
            ``Agent.child_spec/1``. Its id is the name, if there is one, else the class.
        """
        chosen = cls if name is None else name
        own: Any = cls.start_link
        known: Any = Agent.start_link
        if own.__func__ is known.__func__:
            spec = cls._server.child_spec(*args, name=name, **kwargs)
            _check_function(args[0])
            return spec.replace(id=chosen)
        if name is not None:
            kwargs["name"] = name
        inspect.signature(own).bind(*args, **kwargs)  # a wrong argument is a mistake here
        spec = cls._server.child_spec(_nothing)
        return spec.replace(id=chosen, start=own, args=args, kwargs=kwargs)

    # -- For clients

    @overload
    @staticmethod
    async def get(
        agent: Dest, fn: Callable[[Any], Coroutine[Any, Any, T]], timeout: float | None = ...
    ) -> T: ...
    @overload
    @staticmethod
    async def get(agent: Dest, fn: Callable[[Any], T], timeout: float | None = ...) -> T: ...
    @staticmethod
    async def get(agent: Dest, fn: Callable[[Any], Any], timeout: float | None = 5.0) -> Any:
        """Return ``fn(state)``.

        Args:
            agent: Pid or name of the agent.
            fn: A function, plain or async, which runs in the agent's process.
            timeout: Seconds to wait; ``None`` waits for ever.

        Raises:
            ExitError: There is no such agent, or it exits before it answers; if ``fn`` raised,
                its exception is the ``__cause__``.

        Source:
            ``Agent.get/3``.
        """
        return await _ask(agent, "get", fn, timeout)

    @staticmethod
    async def update(agent: Dest, fn: Callable[[Any], Any], timeout: float | None = 5.0) -> None:
        """Make ``fn(state)`` the next state, and return when it is; see `get` for the arguments.

        Source:
            ``Agent.update/3``.
        """
        await _ask(agent, "update", fn, timeout)

    @overload
    @staticmethod
    async def get_and_update(
        agent: Dest,
        fn: Callable[[Any], Coroutine[Any, Any, tuple[T, Any]]],
        timeout: float | None = ...,
    ) -> T: ...
    @overload
    @staticmethod
    async def get_and_update(
        agent: Dest, fn: Callable[[Any], tuple[T, Any]], timeout: float | None = ...
    ) -> T: ...
    @staticmethod
    async def get_and_update(
        agent: Dest, fn: Callable[[Any], Any], timeout: float | None = 5.0
    ) -> Any:
        """Let ``fn(state)`` give a pair: return the first, and make the second the next state.

        Source:
            ``Agent.get_and_update/3``.
        """
        return await _ask(agent, "get_and_update", fn, timeout)

    @staticmethod
    def cast(agent: Dest, fn: Callable[[Any], Any]) -> None:
        """Have ``fn(state)`` made the next state; an agent that is dead or unknown drops it.

        Source:
            ``Agent.cast/2``.
        """
        _check_function(fn)
        requests.cast(agent, "change", (fn,), None)

    @staticmethod
    async def stop(agent: Dest, reason: Any = "normal", timeout: float | None = None) -> None:
        """Stop the agent, and return when it is dead; see `GenServer.stop`.

        Source:
            ``Agent.stop/3``.
        """
        await GenServer.stop(agent, reason, timeout)


async def _ask(agent: Dest, what: str, fn: Callable[[Any], Any], timeout: float | None) -> Any:
    _check_function(fn)
    _checks.timeout(timeout)
    return await requests.call(agent, what, (fn,), None, timeout)


def _nothing() -> None:
    """Stand for the function of an agent that is started in a way of its own."""


def _check_function(fn: object) -> None:
    if not callable(fn):
        raise TypeError(f"an agent is given functions, as in start_link(lambda: 0); got {fn!r}")
