"""What `Supervisor` and `DynamicSupervisor` share: how they start, and what anybody may ask."""

from typing import Any, ClassVar

from beamish._server.start import ServerStart
from beamish._supervision.errors import ask
from beamish._supervision.specs import check_spec_options, own_server
from beamish.child_spec import ChildSpec
from beamish.gen_server import GenServer
from beamish.pid import Dest, Name, Pid
from beamish.results import ChildInfo, Counts


class ModuleBased:
    """A kind of supervisor, plain or with an ``init`` of its own.

    A plain kind defines ``_server`` and ``init``; a subclass of it gets a server class that bears
    its name.
    """

    _server: ClassVar[type[Any]]
    _spec_options: ClassVar[dict[str, Any]] = {"shutdown": None}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()
        cls._spec_options = cls._spec_options | check_spec_options(cls, options)
        if "_server" not in vars(cls):
            cls._server = own_server(cls, cls._server)

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Return the options, as ``spec`` does; to be defined by module-based supervisors.

        May be async, and may return `IGNORE`.
        """
        raise NotImplementedError

    @classmethod
    def _has_own_init(cls) -> bool:
        """Say whether this is a module-based supervisor."""
        where: Any = next(parent for parent in cls.__mro__ if "init" in vars(parent))
        return "_beamish_owner" in vars(where._server)

    @classmethod
    def _arguments(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        # The options of a plain supervisor are checked here, where they are given.
        if not cls._has_own_init():
            args, kwargs = (cls().init(*args, **kwargs),), {}
        return cls, args, kwargs

    @classmethod
    async def start_link(cls, *args: Any, name: Name | None = None, **kwargs: Any) -> Pid:
        """Start a supervisor, linked to the calling process.

        Args:
            args: What ``spec`` takes; of a module-based supervisor, what its ``init`` takes.
            name: Its local name or via name.
            kwargs: As ``args``.

        Raises:
            StartError: A child failed to start: those before it have been stopped again, in
                reverse order; the message says which.
            AlreadyStartedError: The name is taken.
            ValueError: A bad option.

        Source:
            ``Supervisor.start_link/2`` and ``/3``, ``DynamicSupervisor.start_link/1`` and ``/3``.
        """
        pid: Pid = await cls._server.start_link(*cls._arguments(args, kwargs), name=name)
        return pid

    @classmethod
    def child_spec(
        cls,
        *args: Any,
        name: Name | None = None,
        id: Any = None,  # noqa: A002 - the field of ChildSpec
        **kwargs: Any,
    ) -> ChildSpec:
        """Say how another supervisor starts this one; see ``start_link`` for the arguments.

        Its id is ``id``, else the name, else the class.
        """
        arguments = cls._arguments(args, kwargs)
        chosen = id if id is not None else cls if name is None else name
        start = ServerStart(cls._server, name)
        return ChildSpec(chosen, start, arguments, type="supervisor", **cls._spec_options)

    @classmethod
    async def which_children(cls, supervisor: Dest) -> list[ChildInfo]:
        """List the children: in start order; those that are being restarted included.

        Source:
            ``Supervisor.which_children/1``.
        """
        children: list[ChildInfo] = await ask(supervisor, cls._server.which_children)
        return children

    @classmethod
    async def count_children(cls, supervisor: Dest) -> Counts:
        """Count the children, those that are being restarted included.

        Source:
            ``Supervisor.count_children/1``.
        """
        counts: Counts = await ask(supervisor, cls._server.count_children)
        return counts

    @staticmethod
    async def stop(supervisor: Dest, reason: Any = "normal", timeout: float | None = None) -> None:
        """Stop a supervisor; its children stop first.

        Source:
            ``Supervisor.stop/3``.
        """
        await GenServer.stop(supervisor, reason, timeout)
