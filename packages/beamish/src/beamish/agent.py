"""`Agent`: a process that keeps a value, which functions read and change one at a time.

When not to use it: if callers should not depend on the form of the state, use a `GenServer` with
named requests. For data that only one process uses, an attribute is enough.

Source:
    Elixir's ``Agent``.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

from beamish._server import requests
from beamish._server.base import Server, behaviour
from beamish._server.clients import CALL_TIMEOUT
from beamish._server.methods import cast, checked_call
from beamish.pid import Dest, Name, Pid
from beamish.results import Reply

__all__ = ["Agent"]

T = TypeVar("T")


def _check_function(fn: Any) -> Any:
    """Return ``fn``; raise `TypeError` if it is not a function."""
    if not callable(fn):
        raise TypeError(f"an agent needs a function, as in start_link(lambda: 0); got {fn!r}")
    return fn


def _then(result: Any, use: Callable[[Any], Any]) -> Any:
    """Return ``use(result)``; for an async function, a coroutine that awaits its result first."""
    return _use_awaited(result, use) if inspect.iscoroutine(result) else use(result)


async def _use_awaited(result: Any, use: Callable[[Any], Any]) -> Any:
    return use(await result)


def _reply(value: Any) -> Any:
    # Wrap a value that the server would not take as a plain reply, such as a `Stop`.
    return Reply(value) if value.__class__ in requests.SPECIAL else value


@behaviour
class Agent(Server):
    """A process that keeps a value; the client functions take its pid or name first.

    The functions passed to `get`, `update` and so on take the state, can be ``async def``, and run
    in the agent's process, one at a time: a function that raises crashes the agent, and a slow
    function delays the next ones. They get the state itself, not a copy.

    A subclass can define its own ``start_link``, which its supervisors use, and takes the class
    keywords ``restart`` and ``shutdown``.
    """

    def __init__(self, fn: Callable[..., Any], *args: Any) -> None:
        self.state: Any = None
        self._first: tuple[Callable[..., Any], tuple[Any, ...]] = (fn, args)

    def _init(self) -> Any:
        """Compute the initial state."""
        fn, args = self._first
        del self._first
        return _then(fn(*args), self._set_state)

    @classmethod
    def _prepare(
        cls, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        cls._beamish.check_init(*args, **kwargs)
        _check_function(args[0])
        return args, kwargs

    # -- Requests

    @checked_call(_check_function, timeout=CALL_TIMEOUT)
    def _get(self, fn: Callable[[Any], Any]) -> Any:
        return _then(fn(self.state), _reply)

    @checked_call(_check_function, timeout=CALL_TIMEOUT)
    def _update(self, fn: Callable[[Any], Any]) -> Any:
        return _then(fn(self.state), self._set_state)

    @checked_call(_check_function, timeout=CALL_TIMEOUT)
    def _get_and_update(self, fn: Callable[[Any], Any]) -> Any:
        return _then(fn(self.state), self._reply_and_set_state)

    @cast
    def _change(self, fn: Callable[[Any], Any]) -> Any:
        return _then(fn(self.state), self._set_state)

    def _set_state(self, state: Any) -> None:
        self.state = state

    def _reply_and_set_state(self, pair: Any) -> Any:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(
                f"a function for get_and_update must return (reply, new_state); got {pair!r}"
            )
        reply, self.state = pair
        return _reply(reply)

    # -- Starting

    @classmethod
    async def start_link(
        cls,
        fn: Callable[..., Any],
        *args: Any,
        name: Name | None = None,
        timeout: float | None = None,
    ) -> Pid:
        """Start an agent with the state ``fn(*args)``, linked to the calling process.

        Args:
            fn: A function, plain or async; it runs in the agent's process, at each start and
                restart.
            args: The arguments of ``fn``.
            name: A local name or a `Via`.
            timeout: Seconds that ``fn`` can take; ``None`` sets no limit.

        Raises:
            AlreadyStartedError: The name is taken.
            StartError: ``fn`` raised, or took too long (reason ``"timeout"``).

        Source:
            ``Agent.start_link/2`` and ``/4``.
        """
        return await super().start_link(fn, *args, name=name, timeout=timeout)

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
        return await super().start(fn, *args, name=name, timeout=timeout)

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
            timeout: Seconds to wait; ``None`` sets no limit.

        Raises:
            ExitError: There is no such agent, or it exits before it replies; if ``fn`` raised,
                its exception is the ``__cause__``.

        Source:
            ``Agent.get/3``.
        """
        return await _for(timeout, Agent._get)(agent, fn)

    @staticmethod
    async def update(agent: Dest, fn: Callable[[Any], Any], timeout: float | None = 5.0) -> None:
        """Set the state to ``fn(state)``, and wait for that; see `get` for the arguments.

        Source:
            ``Agent.update/3``.
        """
        await _for(timeout, Agent._update)(agent, fn)

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
        """Set the state, and return a value; ``fn(state)`` returns ``(value, new_state)``.

        Source:
            ``Agent.get_and_update/3``.
        """
        return await _for(timeout, Agent._get_and_update)(agent, fn)

    @staticmethod
    def cast(agent: Dest, fn: Callable[[Any], Any]) -> None:
        """Set the state to ``fn(state)`` without waiting; no effect if the agent is dead.

        Source:
            ``Agent.cast/2``.
        """
        _check_function(fn)
        Agent._change(agent, fn)


def _for(timeout: float | None, client: Any) -> Any:
    """Return the client function with this timeout."""
    return client if timeout == CALL_TIMEOUT else client.timeout(timeout)
