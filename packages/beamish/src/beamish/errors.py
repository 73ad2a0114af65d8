"""The exceptions of beamish: one class for each case that a caller handles differently."""

from typing import Any

from beamish.pid import Pid


class BeamishError(Exception):
    """The base class of all exceptions of beamish."""


class ExitError(BeamishError):
    """The called or awaited process exited before it replied.

    Args:
        reason: The exit reason. An exception instance is also the ``__cause__``.
        dest: The pid, name or via name of the process.
    """

    def __init__(self, reason: Any, dest: Any = None) -> None:
        super().__init__(reason, dest)
        self.reason = reason
        self.dest = dest
        if isinstance(reason, BaseException):
            self.__cause__: BaseException | None = reason

    def __str__(self) -> str:
        subject = "the process" if self.dest is None else repr(self.dest)
        return f"{subject} exited: {self.reason!r}"


class NoProcessError(ExitError, LookupError):
    """No process has this pid or name.

    Args:
        dest: The pid, name or via name.
        advice: The whole message, where it says more than ``dest``.
        restarting_in: Seconds until a supervisor's next attempt to restart the process; 0 while
            it starts; ``None`` if no supervisor restarts it.
    """

    def __init__(
        self, dest: Any = None, advice: str = "", restarting_in: float | None = None
    ) -> None:
        super().__init__("noproc", dest)
        self.args: tuple[Any, ...] = (dest, advice, restarting_in)
        self._advice = advice
        self.restarting_in = restarting_in

    def __str__(self) -> str:
        if self._advice:
            return self._advice
        if self.restarting_in is not None:
            when = f"next attempt in {self.restarting_in:.2g} s" if self.restarting_in else "now"
            return f"no process {self.dest!r}: restarting, {when}"
        return f"no process {self.dest!r}: it is dead or was never started under this name"


class CallTimeoutError(ExitError, TimeoutError):
    """No reply arrived in time; a late reply is dropped."""

    def __init__(
        self, dest: Any = None, request: str = "", seconds: float = 0.0, waiting: int | None = 0
    ) -> None:
        super().__init__("timeout", dest)
        self.args: tuple[Any, ...] = (dest, request, seconds, waiting)
        self._request, self._seconds, self._waiting = request, seconds, waiting

    def __str__(self) -> str:
        # Unknown for a process on another node.
        queue = "" if self._waiting is None else f"; it has {self._waiting} messages waiting"
        return (
            f"no reply from {self.dest!r} to {self._request} within {self._seconds:g} s{queue}. "
            "A late reply will be dropped."
        )


class CallingSelfError(ExitError):
    """A process called or stopped itself, and would have waited for its own reply."""

    def __init__(self, dest: Any = None) -> None:
        super().__init__("calling_self", dest)
        self.args: tuple[Any, ...] = (dest,)

    def __str__(self) -> str:
        return (
            f"{self.dest!r} called itself from its own callback and would never get a reply; "
            "call the method on self instead, or return Stop to end the process"
        )


def _exception_in(reason: Any) -> BaseException | None:
    """Return the exception in a reason such as ``("failed_to_start_child", id, error)``."""
    while isinstance(reason, tuple) and reason:
        reason = reason[-1]
    return reason if isinstance(reason, BaseException) else None


class StartError(BeamishError):
    """A process could not be started.

    Args:
        reason: The exit reason. An exception that ``init`` raised is also the ``__cause__``.
        what: The name of the process or child, for the message.
    """

    def __init__(self, reason: Any, what: str = "the process") -> None:
        super().__init__(reason, what)
        self.reason = reason
        self._what = what
        self.__cause__: BaseException | None = _exception_in(reason)

    def __str__(self) -> str:
        match self.reason:
            case ("shutdown", ("failed_to_start_child", child, reason)):
                return f"{self._what} did not start: its child {child!r} failed: {reason!r}"
            case _:
                return f"{self._what} did not start: {self.reason!r}"


class AlreadyStartedError(StartError):
    """The name is taken by the process ``pid``."""

    def __init__(self, pid: Pid, what: str = "the process") -> None:
        super().__init__("already_started", what)
        self.args: tuple[Any, ...] = (pid, what)
        self.pid = pid

    def __str__(self) -> str:
        return f"{self._what} is already started, as {self.pid!r}"


class IgnoredError(StartError):
    """``init`` returned ``IGNORE``, so no process was started; this is not an error."""

    def __init__(self, what: str = "the process") -> None:
        super().__init__("ignore", what)
        self.args: tuple[Any, ...] = (what,)

    def __str__(self) -> str:
        return f"{self._what} chose not to start: its init returned IGNORE"


class MaxChildrenError(StartError):
    """The supervisor already has ``max_children`` children."""

    def __init__(self, max_children: int, what: str = "the child") -> None:
        super().__init__("max_children", what)
        self.args: tuple[Any, ...] = (max_children, what)
        self.max_children = max_children

    def __str__(self) -> str:
        return (
            f"{self._what} was not started: its supervisor has all of its max_children="
            f"{self.max_children} children; end one first or raise the limit"
        )


class AlreadyPresentError(StartError):
    """The supervisor has a child specification with this id, whose process is stopped."""

    def __init__(self, id: Any) -> None:  # noqa: A002 - the name of the field of ChildSpec
        super().__init__("already_present", repr(id))
        self.args: tuple[Any, ...] = (id,)
        self.id = id

    def __str__(self) -> str:
        return (
            f"the supervisor already has a stopped child with the id {self.id!r}; "
            "use restart_child to start it, or delete_child first"
        )


class NotFoundError(BeamishError, LookupError):
    """The supervisor has no child with this pid or id."""


class AlreadyRegisteredError(BeamishError):
    """The unique key or local name is taken by the process ``pid``.

    ``pid`` is ``None`` if a name service refuses a name for which it finds no process.
    """

    def __init__(self, key: Any, pid: Pid | None) -> None:
        super().__init__(key, pid)
        self.key = key
        self.pid = pid

    def __str__(self) -> str:
        return f"{self.key!r} is already registered, by {self.pid!r}"
