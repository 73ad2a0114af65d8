"""What few processes have, so that the others need no room for it."""

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

T = TypeVar("T")


class Extras:
    """The attributes of one process that few processes have; see `Extra`."""

    __slots__ = ("continued", "label", "lineage", "monitors", "start", "timers")

    def __init__(self) -> None:
        self.continued: int = 0
        self.label: Any = None
        self.lineage: Any = None
        self.monitors: Any = None
        self.start: Any = None
        self.timers: Any = None


NO_EXTRAS = Extras()
"""Those of each process that has set none. Shared, so it must not be changed."""


class Extra(property, Generic[T]):
    """An attribute of `Process` that is one of its `Extras`.

    A process gets `Extras` of its own when the first of them is set.
    """

    def __init__(self, name: str) -> None:
        def set_extra(process: Any, value: T) -> None:
            if process.extras is NO_EXTRAS:
                if value is None:
                    return
                process.extras = Extras()
            setattr(process.extras, name, value)

        super().__init__(attrgetter(f"extras.{name}"), set_extra)

    if TYPE_CHECKING:

        def __get__(  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
            self, process: Any, owner: type | None = None
        ) -> T: ...

        def __set__(self, process: Any, value: T) -> None: ...
