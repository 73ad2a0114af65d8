"""`Changes`: the starts and ends of children on a host, and what the store keeps of them."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from beamish import process
from beamish.child_spec import ChildSpec
from beamish.cluster._host.handoffs import Handoffs
from beamish.cluster._host.sessions import Session
from beamish.cluster._host.supervisor import ShardSupervisor
from beamish.cluster._host.tree import Tree
from beamish.cluster._node import members, wire
from beamish.cluster._node.identity import Identity
from beamish.cluster._store.protocol import Child, Name, Store
from beamish.cluster.nodes import HostPlan, slots_of
from beamish.cluster.registry import ClusterRegistry
from beamish.dynamic_supervisor import DynamicSupervisor
from beamish.errors import (
    AlreadyStartedError,
    BeamishError,
    NoProcessError,
    NotFoundError,
    StartError,
)
from beamish.pid import Pid

_log = logging.getLogger("beamish")

MAX_BATCH = 500
_MAX_REASON_LENGTH = 1_000


class Host(Protocol):
    """The part of a host that is needed here."""

    plan: HostPlan
    epoch: int

    @property
    def is_leaving(self) -> bool:
        """Whether it stops its children."""
        ...

    def find(self, identity: Identity) -> Pid | None:
        """Return the live local process that holds a name."""

    async def fenced(self, newest: bool) -> None:
        """End this program unless its epoch is the newest."""


class Change(NamedTuple):
    """A request to start or terminate a child."""

    session: Session
    number: int
    kind: str
    identity: Identity
    content: Any

    @property
    def name(self) -> Name:
        """The name of the child."""
        return Name(self.identity.registry, self.identity.key)

    def tell(self, kind: str, value: Any) -> None:
        """Send the outcome."""
        self.session.tell(self.number, kind, value)


class Changes:
    """Starts and terminates the children of a host, in batches.

    A child is stored before it starts, and deleted before it is terminated: a host that is lost in
    between leaves a child too many, which its ``init`` can end, never one too few.

    Args:
        host: The host.
        store: The store of the cluster.
        tree: The tree of the host.
        handoffs: The states of children that have moved.
    """

    def __init__(self, host: Host, store: Store, tree: Tree, handoffs: Handoffs) -> None:
        self._host = host
        self._store = store
        self._tree = tree
        self._handoffs = handoffs
        self._to_load: list[Child] | None = None
        self._queue: list[Change] = []
        self._queued = asyncio.Event()
        self._ended: dict[Name, None] = {}
        self._given_up: dict[Name, str] = {}
        self._writing = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()
        self._worker = asyncio.ensure_future(self._work())

    @property
    def is_busy(self) -> bool:
        """Whether it has requests without an outcome."""
        return bool(self._queue or self._running) or self._writing.locked()

    def put(
        self, session: Session, number: int, kind: str, identity: Identity, content: Any
    ) -> None:
        """Queue a request."""
        self._queue.append(Change(session, number, kind, identity, content))
        self._queued.set()

    def dropped(self, spec: ChildSpec, why: Any) -> None:
        """Store later that a child has ended for good, or was given up for ``why``."""
        name = Name(*spec.start.name.name)  # type: ignore[attr-defined] # checked by start_child
        if why is None:
            self._ended[name] = None
        else:
            self._given_up[name] = repr(why)[:_MAX_REASON_LENGTH]

    async def flush(self) -> None:
        """Store the children that have ended for good.

        Raises:
            StoreUnavailableError: The store does not answer; they are stored at the next attempt.
        """
        async with self._writing:
            await self._flush()

    async def _flush(self) -> None:
        shard, epoch = self._host.plan.shard, self._host.epoch
        ended, given_up = list(self._ended), dict(self._given_up)
        if ended:
            await self._host.fenced(await self._store.drop(shard, epoch, ended) is not None)
        if given_up:
            await self._host.fenced(await self._store.give_up(shard, epoch, given_up))
        for name in ended:
            self._ended.pop(name, None)
        for name in given_up:
            self._given_up.pop(name, None)

    # -- Boot

    async def load(self) -> None:
        """Start the tree and the stored children.

        Raises:
            StoreUnavailableError: The store does not answer; call it again for the rest.
        """
        await self._tree.start()
        if self._to_load is None:
            slots = slots_of(self._host.plan.shard, self._host.plan.shards)
            self._to_load = await self._store.children(slots)
        while self._to_load:
            batch = self._to_load[:MAX_BATCH]
            for supervisor in dict.fromkeys(child.supervisor for child in batch):
                await self._tree.ensure("supervisor", supervisor)
            states = await self._handoffs.take(batch)
            # From here on the store is not asked, so that no child of the batch is started twice.
            await asyncio.gather(*(self._load(child, states.get(child.name)) for child in batch))
            del self._to_load[:MAX_BATCH]
        await self._handoffs.forget()

    async def _load(self, child: Child, state: bytes | None) -> None:
        try:
            spec = wire.load(child.spec)
        except Exception as error:  # such as a class that this version no longer has
            _log.error("the child %r cannot be loaded and is given up: %r", child.name, error)
            self._given_up[child.name] = f"cannot be loaded: {error!r}"[:_MAX_REASON_LENGTH]
            return
        await ShardSupervisor.load(child.supervisor, spec, state)

    # -- Requests

    async def _work(self) -> None:
        while True:
            await self._queued.wait()
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            if not self._queue:
                self._queued.clear()
            try:
                async with self._writing:
                    await self._write(batch)
            except (BeamishError, OSError) as error:  # such as a store that does not answer
                for change in batch:
                    change.tell("refused", error)

    async def _write(self, batch: Sequence[Change]) -> None:
        # First: a child that has ended makes its name free for a new one.
        await self._flush()
        starts = [change for change in batch if change.kind == "start"]
        ends = [change for change in batch if change.kind == "terminate"]
        if starts:
            await self._start(starts)
        if ends:
            await self._terminate(ends)

    def _run(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _start(self, changes: Sequence[Change]) -> None:
        first: dict[Name, Change] = {}
        for change in changes:
            if await self._is_declared(change):
                first.setdefault(change.name, change)
        children = [
            Child(name, change.content[0], change.content[1]) for name, change in first.items()
        ]
        plan = self._host.plan
        added = await self._store.add(plan.shard, self._host.epoch, children) if children else set()
        await self._host.fenced(added is not None)
        for change in changes:
            if first.get(change.name) is change and change.name in (added or ()):
                self._run(self._start_child(change))
            elif change.name in first:
                change.tell("refused", self._already_started(change.identity))

    async def _is_declared(self, change: Change) -> bool:
        try:
            await self._tree.ensure("supervisor", change.content[0])
            await self._tree.ensure("registry", change.name.registry)
        except NoProcessError as error:
            change.tell("refused", error)
            return False
        return True

    def _already_started(self, identity: Identity) -> AlreadyStartedError:
        name = Identity(identity.home, identity.registry, identity.key)
        pid = self._host.find(name)
        # Between two processes, the pid is the name: it leads to the next one.
        return AlreadyStartedError(pid or members.current().pid(name), f"child {name.key!r}")

    async def _start_child(self, change: Change) -> None:
        supervisor, data = change.content
        try:
            pid = await DynamicSupervisor.start_child(supervisor, wire.load(data))
        except Exception as error:  # of the child's code, too
            if self._host.is_leaving:
                change.tell("exit", "noconnection")  # it is stored: the next host starts it
                return
            self._ended[change.name] = None
            change.tell("refused", error if isinstance(error, StartError) else StartError(error))
        else:
            change.tell("reply", pid)

    async def _terminate(self, changes: Sequence[Change]) -> None:
        names = [
            change.name
            for change in changes
            if change.identity.is_name or self._host.find(change.identity) is not None
        ]
        dropped = await self._store.drop(self._host.plan.shard, self._host.epoch, names)
        await self._host.fenced(dropped is not None)
        for change in changes:
            if change.name in (dropped or ()) and change.name in names:
                self._run(self._stop_child(change))
            else:
                change.tell("refused", NotFoundError(f"no child has the name {change.name.key!r}"))

    async def _stop_child(self, change: Change) -> None:
        supervisor = change.content
        via = ClusterRegistry.via(*change.name)
        try:
            pid = self._host.find(Identity(change.identity.home, *change.name))
            if pid is None:
                await ShardSupervisor.terminate_named(supervisor, via)
            else:
                await self._stop_running(supervisor, pid)
        except BeamishError as error:
            change.tell("refused", error)
        else:
            change.tell("reply", None)

    async def _stop_running(self, supervisor: str, pid: Pid) -> None:
        try:
            await DynamicSupervisor.terminate_child(supervisor, pid)
        except NotFoundError:  # its start is not complete
            process.exit(pid, "kill")
