"""`GenServer`: a process that keeps state and handles one message at a time.

When not to use it: to group functions, or to hold data that never changes. A class or a module
needs no mailbox.

Source:
    Elixir's ``GenServer`` and Erlang's ``gen_server``.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, ParamSpec, overload

from beamish import _checks, telemetry
from beamish._diagnostics.brief import brief
from beamish._server import requests, start
from beamish._server.base import Server, spec_of
from beamish._server.clients import CALL_TIMEOUT, standard_call
from beamish._server.methods import CallMethod, CastMethod, call, cast
from beamish._server.process import ServerProcess
from beamish._server.requests import From
from beamish._server.spelling import warn_of_typos
from beamish._server.table import CallbackTable, Options
from beamish.child_spec import ChildSpec, Restart
from beamish.pid import Dest, Name, Pid
from beamish.results import Ok, check_fail_alone

__all__ = ["From", "GenServer", "call", "cast"]

P = ParamSpec("P")

_log = logging.getLogger("beamish")


class _AnyClass:
    """A type that no server takes as its only argument.

    For a class given by its name, mypy checks the arguments of ``__init__``. A variable of type
    ``type[Server]`` it accepts as a callable with any arguments; this overload is for those.
    """


class GenServer(Server):
    """A server: subclass it, keep the state in attributes, and define its requests.

    Every callback except ``__init__`` can be ``def`` or ``async def``; a server never runs two
    callbacks at once. A server can be a `dataclasses.dataclass` (also ``frozen`` and with
    ``slots``), whose fields are its arguments.

    Inherited class keywords:
        restart: How a supervisor restarts it: ``"permanent"``, ``"transient"``, ``"temporary"``.
        shutdown: Seconds that it has to terminate, ``"brutal_kill"``, or ``None`` for no limit.
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
    # Any | None: subclasses can return any type, sync or async, and type checkers accept
    # `return super().handle_info(message)` in them, which they reject for Any alone.

    def init(self) -> Any | None:
        """Complete the start after ``__init__``; the starter waits for it.

        On a cluster, a server that defines `handoff` takes what the last process of its name has
        handed over: ``def init(self, *, handoff: bytes | None = None)``.

        Returns:
            ``None``, `Continue`, `Timeout`, `Hibernate`, `IGNORE` or `Stop`.
        """

    def handle_call(self, request: Any, from_: From, /) -> Any:
        """Handle a request of ``GenServer.call``.

        Returns:
            The reply, `Reply`, `Fail`, `NoReply` or `Stop`.
        """
        raise TypeError(
            f"{type(self).__qualname__} got the call {request!r} but defines no handle_call"
        )

    def handle_cast(self, request: Any, /) -> Any | None:
        """Handle a request of ``GenServer.cast``.

        Returns:
            ``None``, `Continue`, `Timeout`, `Hibernate` or `Stop`.
        """
        raise TypeError(
            f"{type(self).__qualname__} got the cast {request!r} but defines no handle_cast"
        )

    def handle_info(self, message: Any, /) -> Any | None:
        """Handle any other message; by default, log it as unexpected.

        Returns:
            ``None``, `Continue`, `Timeout`, `Hibernate` or `Stop`.
        """
        shown = brief(message)
        _log.error("%s %r got the unexpected message %s", type(self).__qualname__, self.pid, shown)
        return None

    def handle_continue(self, arg: Any, /) -> Any | None:
        """Continue after a callback that returned ``Continue(arg)``, before any queued message.

        Returns:
            ``None``, `Continue`, `Timeout`, `Hibernate` or `Stop`.
        """
        raise TypeError(
            f"{type(self).__qualname__} returned Continue({arg!r}) but defines no handle_continue"
        )

    def terminate(self, reason: Any, /) -> Any | None:
        """Clean up before the exit.

        Runs on `Stop`, on ``stop()``, after a callback raised, and on the exit signal of the
        parent; never on ``"kill"`` or on the untrapped exit signal of another process.
        """

    def handoff(self) -> bytes | None:
        """Return the state for the next process of this name, when a cluster moves this one.

        Called in ``Cluster.drain`` and ``Cluster.rebalance`` only, after `terminate` has returned,
        for a process that has a name of a ``ClusterRegistry``. The next ``init`` gets the bytes as
        ``handoff=``; after a crash or the loss of a machine it gets ``None``. A server that
        overrides it must have that parameter in its ``init``. It is a plain ``def``.

        Returns:
            At most 256 KiB; ``None`` hands nothing over.

        Source:
            The state hand-over of Elixir's Horde and Swarm (``:begin_handoff``). Differs: the state
            goes through the cluster's database, and is never given to two processes.
        """
        return None

    def format_status(self, status: dict[str, Any], /) -> Any:
        """Return ``status`` as crash logs and `debug.get_status` must show it.

        Override it to hide secrets.

        Args:
            status: ``state`` (the attributes), ``reason`` and ``why`` (``"terminate"`` or
                ``"status"``).
        """
        return status

    # -- Starting
    #
    # The overloads let type checkers report arguments that ``__init__`` does not take. They
    # cannot add ``name`` to the parameters of ``__init__``, so a call with it is not checked.

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
        """Start the server, linked to the calling process, and return once ``init`` has returned.

        A class can define its own ``start_link`` or ``start`` with other parameters; type
        checkers require ``# type: ignore[override]`` on such a ``start_link``.

        Args:
            args: Passed to ``__init__``.
            kwargs: ``name``, a local name (a string) or a `Via`; ``timeout``, the seconds that
                ``init`` can take (default: ``None``, no limit); all others are passed to
                ``__init__``.

        Raises:
            AlreadyStartedError: The name is taken, by the process in ``pid``.
            IgnoredError: ``init`` returned `IGNORE`.
            StartError: ``__init__`` or ``init`` failed, or took too long (reason ``"timeout"``).
            NoProcessError: This code runs in no process, so there is none to link.

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
        """Return how a supervisor starts this server with these arguments.

        Its id is the name, if there is one, otherwise the class.

        Raises:
            TypeError: ``__init__`` does not take these arguments, or ``name`` is not a valid name.

        Source:
            The ``child_spec/1`` that ``use GenServer`` defines.
        """
        return spec_of(cls, args, kwargs, name)

    # -- For clients

    @staticmethod
    @standard_call
    async def call(dest: Dest, request: Any, timeout: float | None = CALL_TIMEOUT) -> Any:
        """Send ``request`` to ``handle_call`` of the server at ``dest``, and return the reply.

        Args:
            dest: Pid, name or via name.
            request: Any object.
            timeout: Seconds to wait; ``None`` sets no limit.

        Raises:
            NoProcessError: There is no such process.
            CallTimeoutError: No reply within ``timeout``; a late reply is dropped.
            CallingSelfError: A server calls itself from its own callback.
            ExitError: The server exited before it replied.
            Exception: The error of the `Fail` with which the server replied.

        Source:
            ``GenServer.call/3``.
        """

    @staticmethod
    def cast(dest: Dest, request: Any) -> None:
        """Send ``request`` to ``handle_cast``; a dead or unknown ``dest`` drops it.

        Source:
            ``GenServer.cast/2``.
        """
        if dest.__class__ is Pid:
            process = dest._process  # pyright: ignore[reportAttributeAccessIssue]
            if process.__class__ is ServerProcess and not telemetry.observes:
                # `ServerProcess.cast_bare`, written out; ``test_cast_queues_what_cast_bare_queues``
                # compares the two.
                if request.__class__ is tuple:
                    request = (request,)
                if process.mailbox is not None:
                    process.mailbox.append(request)
                else:
                    process.enqueue(request)
            elif process is not None:
                process.cast_bare(request)
        else:
            requests.cast(dest, "handle_cast", (request,), None)

    @staticmethod
    def reply(from_: From, value: Any) -> None:
        """Reply to a call whose callback returned `NoReply`; only the first reply counts.

        Args:
            from_: The ``from_`` argument of the callback.
            value: The reply, or a `Fail` whose error is raised in the caller.

        Source:
            ``GenServer.reply/2``.
        """
        if not isinstance(from_, From):
            raise TypeError(f"reply needs the from_ argument of the callback; got {from_!r}")
        check_fail_alone(value)
        from_.answer(value)

    @staticmethod
    async def multi_call(
        dests: Iterable[Dest], request: Any, timeout: float | None = CALL_TIMEOUT
    ) -> tuple[list[tuple[Dest, Any]], list[tuple[Dest, Exception]]]:
        """Call many servers concurrently.

        Returns:
            The replies and the failures, each with its destination, in the order of ``dests``.

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
    except Exception as error:  # returned: the failure of one server must not stop the others
        return error


def _keep_clients(cls: Any) -> None:
    """Add a client to each plain method that overrides a ``@call`` or ``@cast`` method."""
    for name, value in list(vars(cls).items()):
        if isinstance(value, CallMethod | CastMethod) and name in vars(GenServer):
            kind = "call" if isinstance(value, CallMethod) else "cast"
            raise TypeError(f"{cls.__qualname__}.{name} is a callback and cannot be a @{kind}")
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


GenServer._beamish = CallbackTable(GenServer, Options(), base=GenServer, prefix="")
