"""`GenServer`: a process that keeps state and handles one message at a time.

When not to use it: to group functions, or to hold data that never changes. A class or a module
does that without a mailbox in between.

Source:
    Elixir's ``GenServer`` and Erlang's ``gen_server``.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, ParamSpec, overload

from beamish import _checks
from beamish._server import requests, start
from beamish._server.base import Server, spec_of
from beamish._server.methods import CALL_TIMEOUT, CallMethod, CastMethod, call, cast
from beamish._server.requests import From
from beamish._server.spelling import warn_of_typos
from beamish._server.table import Options, Table
from beamish.child_spec import ChildSpec, Restart
from beamish.pid import Dest, Name, Pid
from beamish.results import Ok, check_fail_alone

__all__ = ["From", "GenServer", "call", "cast"]

P = ParamSpec("P")

_log = logging.getLogger("beamish")


class _AnyClass:
    """No server takes this as its only argument.

    mypy knows the arguments of a class by its name, but not those of a variable of type
    ``type[Server]``: it accepts that as a callable with any arguments, such as this one.
    """


class GenServer(Server):
    """A server: subclass it, keep the state in attributes, and define what clients may ask.

    Every method that is named as a callback may be ``def`` or ``async def`` (but ``__init__``);
    a server never runs two at once. A server may be a `dataclasses.dataclass` (also ``frozen`` and
    with ``slots``), whose fields are its arguments.

    Inherited class keywords:
        restart: How a supervisor restarts it: ``"permanent"``, ``"transient"``, ``"temporary"``.
        shutdown: Seconds it may take to terminate, ``"brutal_kill"``, or ``None`` for ever.
        trap_exit: Whether exit signals reach ``handle_info`` as `Exit` messages.

    Source:
        Elixir's ``GenServer``.
    """

    __slots__ = ()

    def __init_subclass__(
        cls,
        *,
        restart: Restart | None = None,
        shutdown: Any = ...,
        trap_exit: bool | None = None,
        **kwargs: Any,
    ) -> None:
        warn_of_typos(cls, stacklevel=2)
        _keep_clients(cls)
        super().__init_subclass__(restart=restart, shutdown=shutdown, trap_exit=trap_exit, **kwargs)

    # -- Callbacks
    #
    # Any | None: subclasses return what they like, sync or async, and type checkers accept
    # `return super().handle_info(message)` in them, which they refuse for Any alone.

    def init(self) -> Any | None:
        """Finish the start, after ``__init__``; the starter waits for it.

        Returns:
            ``None``, `Continue`, `Timeout`, `Hibernate`, `IGNORE` or `Stop`.
        """

    def handle_call(self, request: Any, from_: From) -> Any:
        """Answer a request of ``GenServer.call``.

        Returns:
            The reply, `Reply`, `Fail`, `NoReply` or `Stop`.
        """
        raise TypeError(
            f"{type(self).__qualname__} got the call {request!r} but defines no handle_call"
        )

    def handle_cast(self, request: Any) -> Any | None:
        """Handle a request of ``GenServer.cast``.

        Returns:
            ``None``, `Continue`, `Timeout`, `Hibernate` or `Stop`.
        """
        raise TypeError(
            f"{type(self).__qualname__} got the cast {request!r} but defines no handle_cast"
        )

    def handle_info(self, message: Any) -> Any | None:
        """Handle any other message; this default logs it and goes on.

        Returns:
            ``None``, `Continue`, `Timeout`, `Hibernate` or `Stop`.
        """
        shown = requests.safe_repr(message)
        _log.error("%s %r got the unexpected message %s", type(self).__qualname__, self.pid, shown)
        return None

    def handle_continue(self, arg: Any) -> Any | None:
        """Go on after a callback that returned ``Continue(arg)``, before any queued message.

        Returns:
            ``None``, `Continue`, `Timeout`, `Hibernate` or `Stop`.
        """
        raise TypeError(
            f"{type(self).__qualname__} returned Continue({arg!r}) but defines no handle_continue"
        )

    def terminate(self, reason: Any) -> Any | None:
        """Clean up before the end.

        Runs on `Stop`, on ``stop()``, when a callback raised, and on the exit signal of the
        parent; never on ``"kill"`` nor on the untrapped exit signal of another process.
        """

    def format_status(self, status: dict[str, Any]) -> Any:
        """Return ``status`` as it may be seen in crash logs and by `debug.get_status`.

        Args:
            status: ``state`` (the attributes), ``reason`` and ``why`` (``"terminate"`` or
                ``"status"``). The place to hide secrets.
        """
        return status

    # -- Starting
    #
    # The overloads let type checkers find arguments that ``__init__`` does not take. They cannot
    # add ``name`` to the parameters of ``__init__``, so a call with it is not checked further.

    @overload
    @classmethod
    async def start_link(cls: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> Pid: ...
    @overload
    @classmethod
    async def start_link(
        cls, *args: Any, name: Name | None, timeout: float | None = ..., **kwargs: Any
    ) -> Pid: ...
    @overload
    @classmethod
    async def start_link(cls, *args: Any, timeout: float | None, **kwargs: Any) -> Pid: ...
    @overload
    @classmethod
    async def start_link(cls: Callable[[_AnyClass], Any], *args: Any, **kwargs: Any) -> Pid: ...
    @classmethod
    async def start_link(cls: Any, *args: Any, **kwargs: Any) -> Pid:
        """Start the server, linked to the calling process, and return once ``init`` is done.

        Classes may define a ``start_link`` or ``start`` of their own, with their own parameters;
        type checkers want ``# type: ignore[override]`` on such a ``start_link``.

        Args:
            args: For ``__init__``.
            kwargs: ``name``, a local name (a string) or a `Via`; ``timeout``, the seconds that
                ``init`` may take (``None``, as if left out, waits for ever); all others are for
                ``__init__``.

        Raises:
            AlreadyStartedError: The name is taken, by the process in ``pid``.
            IgnoredError: ``init`` returned `IGNORE`.
            StartError: ``__init__`` or ``init`` failed, or took too long (reason ``"timeout"``).
            NoProcessError: This code runs in no process that could be linked.

        Source:
            ``GenServer.start_link/3``.
        """
        return await start.start(cls._beamish, args, kwargs, linked=True)

    @overload
    @classmethod
    def child_spec(cls: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> ChildSpec: ...
    @overload
    @classmethod
    def child_spec(cls, *args: Any, name: Name | None, **kwargs: Any) -> ChildSpec: ...
    @overload
    @classmethod
    def child_spec(cls: Callable[[_AnyClass], Any], *args: Any, **kwargs: Any) -> ChildSpec: ...
    @classmethod
    def child_spec(cls: Any, *args: Any, name: Any = None, **kwargs: Any) -> ChildSpec:
        """Say how a supervisor starts this server with these arguments.

        Raises:
            TypeError: ``__init__`` does not take these arguments, or ``name`` is no name.

        Source:
            The ``child_spec/1`` that ``use GenServer`` defines. Its id is the name, if there is
            one, else the class.
        """
        return spec_of(cls, args, kwargs, name)

    # -- For clients

    @staticmethod
    async def call(dest: Dest, request: Any, timeout: float | None = CALL_TIMEOUT) -> Any:
        """Ask the server at ``dest``, and wait for what its ``handle_call`` replies.

        Args:
            dest: Pid, name or via name.
            request: Anything.
            timeout: Seconds to wait; ``None`` waits for ever.

        Raises:
            NoProcessError: There is no such process.
            CallTimeoutError: No reply came in time; a late one will be dropped.
            CallingSelfError: A server calls itself from its own callback.
            ExitError: The server exited before it replied.
            Exception: The error of the `Fail` with which the server replied.

        Source:
            ``GenServer.call/3``.
        """
        _checks.timeout(timeout)
        return await requests.call(dest, "handle_call", (request,), None, timeout)

    @staticmethod
    def cast(dest: Dest, request: Any) -> None:
        """Send ``request`` to ``handle_cast``; a dead or unknown ``dest`` drops it.

        Source:
            ``GenServer.cast/2``.
        """
        requests.cast(dest, "handle_cast", (request,), None)

    @staticmethod
    def reply(from_: From, value: Any) -> None:
        """Answer a call whose callback returned `NoReply`; only the first answer counts.

        Args:
            from_: The call, as the callback got it.
            value: The reply, or a `Fail` whose error is raised in the caller.

        Source:
            ``GenServer.reply/2``.
        """
        if not isinstance(from_, From):
            raise TypeError(f"reply needs the From that the callback was given; got {from_!r}")
        check_fail_alone(value)
        from_.answer(value)

    @staticmethod
    async def multi_call(
        dests: Iterable[Dest], request: Any, timeout: float | None = CALL_TIMEOUT
    ) -> tuple[list[tuple[Dest, Any]], list[tuple[Dest, Exception]]]:
        """Ask many servers at once.

        Returns:
            The replies and the failures, each beside its destination, in the order of ``dests``.

        Source:
            ``GenServer.multi_call/4``, whose nodes are our destinations.
        """
        _checks.timeout(timeout)
        asked = list(dests)
        answers = await asyncio.gather(*(_ask(dest, request, timeout) for dest in asked))
        pairs = list(zip(asked, answers, strict=True))
        replies = [(dest, answer.value) for dest, answer in pairs if isinstance(answer, Ok)]
        failures = [(dest, answer) for dest, answer in pairs if isinstance(answer, Exception)]
        return replies, failures


async def _ask(dest: Dest, request: Any, timeout: float | None) -> Ok[Any] | Exception:
    try:
        return Ok(await GenServer.call(dest, request, timeout))
    except Exception as error:  # of this one; the others may answer
        return error


def _keep_clients(cls: Any) -> None:
    """Let a plain method that overrides a ``@call`` or ``@cast`` one have a client, too."""
    for name, value in list(vars(cls).items()):
        if isinstance(value, CallMethod | CastMethod) and name in vars(GenServer):
            kind = "call" if isinstance(value, CallMethod) else "cast"
            raise TypeError(f"{cls.__qualname__}.{name} is a callback, and cannot be a @{kind}")
        if not isinstance(value, FunctionType):
            continue
        overridden = next((vars(c)[name] for c in cls.__mro__[1:] if name in vars(c)), None)
        if isinstance(overridden, CallMethod):
            _wrap(cls, name, CallMethod(value, overridden.default_timeout))
        elif isinstance(overridden, CastMethod):
            _wrap(cls, name, CastMethod(value))


def _wrap(cls: type, name: str, method: Any) -> None:
    setattr(cls, name, method)
    method.__set_name__(cls, name)


GenServer._beamish = Table(GenServer, Options(), base=GenServer, prefix="")
