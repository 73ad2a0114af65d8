"""`SupervisorBase`: the start of all supervisors, with options or module-based."""

import inspect
from typing import Any, ClassVar

from beamish._runtime import eager
from beamish._server.base import Server, spec_of
from beamish.child_spec import ChildSpec
from beamish.messages import Exit
from beamish.pid import Name
from beamish.results import IGNORE


class SupervisorBase(Server, trap_exit=True, shutdown=None):
    """A supervisor, plain or module-based.

    Each kind of supervisor defines ``spec``, which checks the options; ``_spec_type``, the class
    of the result of ``spec``; and ``_begin(spec)``, which starts it. A subclass that defines
    ``init`` is a module-based supervisor.
    """

    _spec_type: ClassVar[type[Any]]
    spec: ClassVar[Any]

    def __init_subclass__(cls, **options: Any) -> None:
        for name in options:
            if name not in ("restart", "shutdown"):
                raise TypeError(f"{cls.__qualname__} takes restart and shutdown, not {name!r}")
        super().__init_subclass__(**options)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._arguments: tuple[tuple[Any, ...], dict[str, Any]] = args, kwargs

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Return the options, as ``spec`` does; module-based supervisors define it.

        Runs in the supervisor's process, at each start and restart. Can be async, and can return
        `IGNORE`.
        """
        return self.spec(*args, **kwargs)

    @classmethod
    def _is_module_based(cls) -> bool:
        return cls.init is not SupervisorBase.init

    @classmethod
    def _prepare(
        cls, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        cls._beamish.check_no_init()  # again: a decorator such as `dataclass` can add __init__
        # The options of a plain supervisor are checked here, in the caller.
        return (args, kwargs) if cls._is_module_based() else ((cls.spec(*args, **kwargs),), {})

    def _init(self) -> Any:
        args, kwargs = self._arguments
        del self._arguments
        if self._is_module_based():
            return self._begin_module_based(args, kwargs)
        return self._begin(args[0])

    async def _begin_module_based(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Start with the options that the supervisor's own ``init`` returns."""

        async def init() -> Any:
            found = self.init(*args, **kwargs)
            return await found if inspect.isawaitable(found) else found

        spec = (await eager.in_own_task(init)).result()
        if spec is IGNORE:
            return IGNORE
        if not isinstance(spec, self._spec_type):
            raise TypeError(
                f"{type(self).__qualname__}.init returned {spec!r}; return "
                f"{self._beamish.base.__qualname__}.spec(...) or IGNORE"
            )
        begun = self._begin(spec)
        return await begun if inspect.isawaitable(begun) else begun

    def _begin(self, spec: Any) -> Any:
        raise NotImplementedError

    def _handle_info(self, message: Any) -> None:
        # The exits of children arrive as `ChildExit`. An `Exit` message is of another process,
        # and needs no action.
        if not isinstance(message, Exit):
            super()._handle_info(message)

    @property
    def _me(self) -> Any:
        return self.pid._process

    @classmethod
    def child_spec(
        cls,
        *args: Any,
        name: Name | None = None,
        id: Any = None,  # noqa: A002 - the field of ChildSpec
        **kwargs: Any,
    ) -> ChildSpec:
        """Return how another supervisor starts this one; see ``start_link`` for the arguments.

        Its id is ``id``, if given, otherwise the name, otherwise the class.
        """
        spec = spec_of(cls, args, kwargs, name)
        return spec.replace(id=spec.id if id is None else id, type="supervisor")
