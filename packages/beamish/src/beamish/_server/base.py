"""`Server`: the base of `GenServer` and of the library's own servers."""

import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from beamish import _checks, child_spec
from beamish._diagnostics import system
from beamish._diagnostics.brief import brief
from beamish._runtime import names
from beamish._server import start
from beamish._server.requests import From
from beamish._server.signature import check_init_parameters
from beamish._server.table import CallbackTable, Options
from beamish.child_spec import ChildSpec, Restart
from beamish.pid import Dest, Name, Pid
from beamish.results import Fail

S = TypeVar("S", bound="type[Server]")

_log = logging.getLogger("beamish")


class Server:
    """A process with callbacks that handles one message at a time.

    Users subclass `GenServer`. The library's own servers, such as supervisors, are direct
    subclasses of this class: their callbacks begin with an underscore, and a plain method of a
    subclass never replaces a request. So a subclass of a supervisor can use any public name, also
    ``start_child`` and ``terminate``, without changing the supervisor.
    """

    # No ``__dict__``: a subclass that defines ``__slots__`` needs half the memory.
    __slots__ = ("pid",)

    pid: Pid
    """The server's own pid; already set in ``__init__``."""

    # The only private attribute besides the callbacks below, so that a subclass of `GenServer`
    # can use any other name.
    _beamish: ClassVar[CallbackTable]

    def __init_subclass__(
        cls,
        *,
        restart: Restart | None = None,
        shutdown: Any = ...,
        trap_exit: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        check_init_parameters(cls)
        inherited = cls._beamish
        old = inherited.options
        options = Options(
            restart=old.restart if restart is None else restart,
            shutdown=old.shutdown if shutdown is ... else shutdown,
            trap_exit=old.trap_exit if trap_exit is None else trap_exit,
        )
        cls._beamish = CallbackTable(cls, options, base=inherited.base, prefix=inherited.prefix)

    # -- Callbacks of the library's own servers, like those of `GenServer`

    _init: ClassVar[Callable[..., Any] | None] = None
    _terminate: ClassVar[Callable[..., Any] | None] = None
    # Check the arguments of a start in the caller; return the arguments for __init__.
    _prepare: ClassVar[Callable[..., Any] | None] = None
    # Handle the exit of a child. A server that defines it gets exits of linked processes as
    # system requests instead of messages, and its async callbacks run their first step at once;
    # see `eager.step`.
    _child_exited: ClassVar[Callable[..., Any] | None] = None
    # Return the pids that get an exit signal when the server exits, although they are not linked.
    _dependents: ClassVar[Callable[..., Any] | None] = None

    def _handle_call(self, request: Any, from_: From) -> Any:
        return Fail(TypeError(f"{type(self).__qualname__} takes no such call; got {request!r}"))

    def _handle_cast(self, request: Any) -> Any:
        shown = brief(request)
        _log.error("%s %r got the unexpected cast %s", type(self).__qualname__, self.pid, shown)

    def _handle_info(self, message: Any) -> Any:
        shown = brief(message)
        _log.error("%s %r got the unexpected message %s", type(self).__qualname__, self.pid, shown)

    def _handle_continue(self, arg: Any) -> Any:
        raise TypeError(f"{type(self).__qualname__} never returns Continue; got {arg!r}")

    def _format_status(self, status: dict[str, Any]) -> Any:
        return status

    # -- Starting

    @classmethod
    async def start_link(cls, *args: Any, **kwargs: Any) -> Pid:
        """Start the server, linked to the calling process, and return once it has started.

        Args:
            args: The arguments of this kind of server.
            kwargs: ``name``, a local name (a string) or a `Via`; ``timeout``, the seconds that
                the start can take (``None``, the default, sets no limit); all others are
                arguments of this kind of server.

        Raises:
            AlreadyStartedError: The name is taken, by the process in ``pid``.
            StartError: The server did not start, or took too long (reason ``"timeout"``).
            NoProcessError: This code runs in no process that could be linked.

        Source:
            ``GenServer.start_link/3``.
        """
        return await start.start(cls._beamish, args, kwargs, linked=True)

    @classmethod
    async def start(cls, *args: Any, **kwargs: Any) -> Pid:
        """Start the server without a link: it has no parent.

        See `start_link` for arguments and errors.

        Source:
            ``GenServer.start/3``.
        """
        return await start.start(cls._beamish, args, kwargs, linked=False)

    @classmethod
    def child_spec(cls, *args: Any, name: Name | None = None, **kwargs: Any) -> ChildSpec:
        """Return how a supervisor starts this server; see `start_link` for the arguments.

        Its id is the name, if there is one, otherwise the class.

        Raises:
            TypeError: The server does not take these arguments, or ``name`` is not a valid name.

        Source:
            The ``child_spec/1`` that ``use GenServer`` defines.
        """
        return spec_of(cls, args, kwargs, name)

    # -- For clients

    @staticmethod
    async def stop(dest: Dest, reason: Any = "normal", timeout: float | None = None) -> None:
        """Stop the server at ``dest``, and return when it is dead.

        Raises:
            NoProcessError: It is dead already, or unknown.
            ExitError: It died for another reason than ``reason``.
            CallTimeoutError: It has not stopped in time; it stops once it handles the request.

        Source:
            ``GenServer.stop/3``.
        """
        _checks.timeout(timeout)
        await system.stop(dest, reason, timeout)

    @staticmethod
    def whereis(dest: Dest) -> Pid | None:
        """Return the live process that ``dest`` names, if any.

        Source:
            ``GenServer.whereis/1``.
        """
        pid = names.pid_of(dest)
        return pid if pid is not None and names.alive(pid) is not None else None


def spec_of(
    cls: type[Server], args: tuple[Any, ...], kwargs: dict[str, Any], name: Name | None
) -> ChildSpec:
    """Return the child specification of a server of class ``cls``; see `Server.child_spec`."""
    table = cls._beamish
    if table.own_start_link or table.prepare is None:
        table.check_start(*args, **kwargs)
    else:
        args, kwargs = table.prepare(args, kwargs)
    if name is not None:
        names.check_name(name)
    if table.own_start_link:
        starter: Any = cls.start_link
        kwargs = kwargs if name is None else {**kwargs, "name": name}
    else:
        starter = table.start or start.class_start(table)
    return child_spec.spec_of_server(
        cls if name is None else name,
        starter,
        args,
        kwargs or child_spec.NO_ARGUMENTS,
        table.options.restart,
        table.options.shutdown,
    )


def behaviour(cls: S) -> S:
    """Mark a class of the library as a behaviour, which other classes subclass.

    Supervisors start its subclasses directly (see `ServerStart`), unless a subclass defines its
    own ``start_link``; and a subclass cannot redefine its requests.
    """
    table = cls._beamish
    cls._beamish = CallbackTable(cls, table.options, base=cls, prefix=table.prefix)
    return cls


Server._beamish = CallbackTable(Server, Options(), base=Server, prefix="_")
