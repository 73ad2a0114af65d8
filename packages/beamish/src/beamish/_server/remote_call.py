"""`RemoteCall`: a call of this program to a process outside this event loop."""

from typing import Any

from beamish._server.requests import From
from beamish.errors import NoProcessError
from beamish.pid import Dest


class RemoteCall(From):
    """A call whose server is not in this event loop.

    Args:
        process: What stands behind the pid of the server.
        dest: The called destination, for errors.
    """

    __slots__ = ()

    def __init__(self, process: Any, dest: Dest) -> None:
        super().__init__(process, dest)

    def ended(self, reason: Any) -> None:
        """Raise in the caller that the called process has ended."""
        if isinstance(reason, str) and reason == "noproc":
            self.fail_with(NoProcessError(self._dest))
        else:
            self.fail(reason)
