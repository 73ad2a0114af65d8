"""The errors of supervisors."""

from typing import Any

from beamish._diagnostics.brief import brief
from beamish.child_spec import ChildSpec
from beamish.errors import NotFoundError, StartError


def not_found(what: Any, among: int) -> NotFoundError:
    """Return the error that a supervisor has no such child."""
    return NotFoundError(f"no child {brief(what)} among the supervisor's {among} children")


def failed_to_start(spec: ChildSpec, error: StartError) -> Any:
    """Return the exit reason of a supervisor that stops because a child failed to start."""
    return ("shutdown", ("failed_to_start_child", spec.id, error.reason))


def significance_error(spec: ChildSpec) -> ValueError:
    """Return the error that a significant child has no effect without ``auto_shutdown``."""
    return ValueError(
        f"child {spec.id!r} is significant, but auto_shutdown='never' ignores that; set "
        "auto_shutdown to 'any_significant' or 'all_significant'"
    )


def insignificance_error(spec: ChildSpec) -> ValueError:
    """Return the error that children of a dynamic supervisor cannot be significant."""
    return ValueError(
        f"child {brief(spec.id)} must have significant=False under a DynamicSupervisor, which "
        "has no auto_shutdown; start it under a Supervisor, or replace(significant=False)"
    )
