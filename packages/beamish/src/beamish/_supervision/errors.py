"""The errors of supervisors, and how clients get them."""

from typing import Any, NoReturn

from beamish._server.requests import safe_repr
from beamish.child_spec import ChildSpec
from beamish.errors import NotFoundError, StartError


class Refused:
    """The reply of a supervisor that does not do what it was asked; the client raises it."""

    __slots__ = ("_error",)

    def __init__(self, error: Exception) -> None:
        self._error: Exception | None = error

    def because(self, *kinds: type[Exception]) -> bool:
        """Say whether it is an error of one of these kinds."""
        return isinstance(self._error, kinds)

    def raise_error(self) -> NoReturn:
        """Raise it, and keep neither it nor its traceback."""
        error, self._error = self._error, None
        assert error is not None  # noqa: S101 - it is raised once
        try:
            raise error
        finally:
            del error  # else it, its traceback and this frame would hold one another


async def ask(supervisor: Any, method: Any, *args: Any) -> Any:
    """Call a supervisor without a time limit, and raise what it refuses."""
    reply = await method(supervisor, *args)
    if reply.__class__ is Refused:
        reply.raise_error()
    return reply


def not_found(what: Any, among: int) -> NotFoundError:
    """Say that a supervisor has no such child."""
    return NotFoundError(f"no child {safe_repr(what)} among the supervisor's {among} children")


def failed_to_start(spec: ChildSpec, error: StartError) -> Any:
    """Return the reason for which a supervisor stops whose child did not start."""
    return ("shutdown", ("failed_to_start_child", spec.id, error.reason))


def significance_error(spec: ChildSpec) -> ValueError:
    """Say that nothing would follow from a child's significance."""
    return ValueError(
        f"child {spec.id!r} is significant, but auto_shutdown='never' ignores that; set "
        "auto_shutdown to 'any_significant' or 'all_significant'"
    )


def insignificance_error(spec: ChildSpec) -> ValueError:
    """Return the error that children of a dynamic supervisor cannot be significant."""
    return ValueError(
        f"child {safe_repr(spec.id)} must have significant=False under a DynamicSupervisor, which "
        "has no auto_shutdown; start it under a Supervisor, or replace(significant=False)"
    )
