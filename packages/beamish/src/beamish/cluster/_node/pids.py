"""The pids of processes on other members of the cluster."""

from typing import Any

from beamish._runtime import remote
from beamish.cluster._node import members
from beamish.cluster._node.identity import Identity
from beamish.pid import Pid


class ClusterPid(remote.RemotePid):
    """The pid of a process of another member, or of the name of one.

    A member has at most one object for each, so that ``is`` works as for local pids.
    """

    __slots__ = ("_member", "identity")

    def __init__(self, member: members.Member, identity: Identity) -> None:
        self._member = member
        self.identity: Identity = identity
        super().__init__(member.runtime, None)

    def _representative(self) -> Any:
        return self._member.represent(self)

    def __repr__(self) -> str:
        home, registry, key, serial, epoch = self.identity
        if serial == 0:
            return f"#PID<{home}.{registry}.{key}>"
        return f"#PID<{home}.{epoch}.{serial}>"


def restore(identity: tuple[Any, ...]) -> Pid:
    """Return the pid of an identity that came from another member."""
    return members.current().pid(Identity(*identity))
