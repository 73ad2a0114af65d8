"""Which member of a cluster runs in this event loop."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from beamish._runtime.runtime import Runtime
from beamish.child_spec import ChildSpec
from beamish.cluster._node.identity import Identity
from beamish.cluster._store.protocol import Name
from beamish.errors import NoProcessError
from beamish.pid import Pid


class Host(Protocol):
    """The part of a host that pids and names need."""

    epoch: int

    @property
    def is_leaving(self) -> bool:
        """Whether it stops its children because it leaves its shard."""
        ...

    def find(self, identity: Identity) -> Pid | None:
        """Return the live local process of this identity, or ``None``."""

    def child_dropped(self, spec: ChildSpec, why: Any) -> None:
        """Store that a child has ended for good, or was given up for ``why``."""

    def handed_over(self, states: Mapping[Name, bytes]) -> None:
        """Keep what children hand over until it is stored."""

    def send_to_program(self, program: str, payload: tuple[Any, ...]) -> None:
        """Send ``payload`` to a program, if it is connected."""


class Member(Protocol):
    """What the rest of this folder knows of a `Node`, which imports it.

    Attributes:
        cluster: The name of the cluster.
        shards: The number of shards.
        home: The shard of the host, or the id of the program.
        runtime: The runtime of its event loop.
        host: The host of a shard, if one runs here.
    """

    cluster: str
    shards: int
    home: int | str
    runtime: Runtime
    host: Host | None

    def identity(self, pid: Pid) -> Identity:
        """Return the identity of a pid, which can then be used on other members."""
        ...

    def pid(self, identity: Identity) -> Pid:
        """Return the pid of an identity."""
        ...

    def link(self, shard: int) -> Any:
        """Return the `Link` to a shard."""

    def represent(self, pid: Any) -> Any:
        """Return what takes the signals for a pid."""

    async def query(self, shard: int, question: str, *arguments: Any) -> Any:
        """Ask a host."""

    async def declare(self, kind: str, name: str, options: dict[str, Any]) -> None:
        """Store that the hosts must run a registry or supervisor."""


_members: dict[asyncio.AbstractEventLoop, Member] = {}


def enter(loop: asyncio.AbstractEventLoop, member: Member) -> Callable[[], None]:
    """Make ``member`` the member of ``loop``; return a function that undoes it.

    Raises:
        RuntimeError: The event loop has a member already.
    """
    for closed in [known for known in _members if known.is_closed()]:
        del _members[closed]
    if loop in _members:
        raise RuntimeError(
            f"this event loop is a member of the cluster {_members[loop].cluster!r} already; "
            "leave it first"
        )
    _members[loop] = member

    def leave() -> None:
        _members.pop(loop, None)

    return leave


def current() -> Member:
    """Return the member that runs in this event loop.

    Raises:
        NoProcessError: None does.
    """
    loop = asyncio._get_running_loop()
    member = None if loop is None else _members.get(loop)
    if member is None:
        raise NoProcessError(
            advice="this event loop is not a member of a cluster; put the code into "
            "`async with Cluster.join(name, store=...):`"
        )
    return member
