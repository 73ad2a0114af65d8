"""`ShardHost`: the host of one shard, which is one program with one event loop.

The life of a host: it claims its shard, waits until the lease of the host before it is over, starts
the tree and the stored children, and then answers its members. It renews its lease every third of
it. When the store says that its epoch is not the newest any longer, it ends at once: another host
owns the shard.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from beamish._diagnostics.system import StopRequest
from beamish._runtime import runtime as runtimes
from beamish._server.process import ServerProcess
from beamish.child_spec import ChildSpec
from beamish.cluster._host.changes import Changes
from beamish.cluster._host.handoffs import Handoffs
from beamish.cluster._host.lease import LeasedRuntime
from beamish.cluster._host.sessions import HostFrom, Session, Sessions
from beamish.cluster._host.tree import Tree
from beamish.cluster._node import wire
from beamish.cluster._node.identity import Identity
from beamish.cluster._node.node import Node, deliver
from beamish.cluster._node.port import Events, Item, Port
from beamish.cluster._store.protocol import Name, Store
from beamish.cluster.errors import StoreUnavailableError
from beamish.cluster.nodes import HostPlan
from beamish.dynamic_supervisor import DynamicSupervisor
from beamish.errors import NoProcessError
from beamish.pid import Pid
from beamish.registry import Registry

_log = logging.getLogger("beamish")

POLL_SECONDS = 20.0
_LEAVING_POLL_SECONDS = 0.02
LEASE_SHARE = 0.9
"""The share of a lease in which a host acts: the rest allows for clocks of different speed."""
_RETRY_SECONDS = 0.2
_QUIET_SECONDS = 1.0  # how long each step of leaving waits for the members
_HAND_OVER_SECONDS = 10.0  # how long it tries to store the states of its children
_END_SECONDS = 3.0  # then the host ends by itself


class ShardHost:
    """The host of one shard.

    Args:
        plan: The shard and its cluster.
        store: The store of the cluster.
        connect: Returns the port of another shard.
        end: Ends this program at once; called with the reason.
        address: Where it runs, for people.
        node: The id of its node.
    """

    def __init__(
        self,
        plan: HostPlan,
        store: Store,
        connect: Callable[[int], Port],
        end: Callable[[str], None],
        address: str = "",
        node: str = "",
    ) -> None:
        loop = asyncio.get_running_loop()
        self.plan = plan
        self.epoch: int = 0
        self.runtime: LeasedRuntime = LeasedRuntime(loop)
        runtimes.adopt(self.runtime)
        self._store = store
        self._connect = connect
        self._end = end
        self._place = address, node
        self._sessions = Sessions()
        self._leaving = False
        self._tasks: list[asyncio.Task[None]] = []
        self._booted = asyncio.ensure_future(self._boot())
        self._booted.add_done_callback(self._boot_ended)

    # -- Boot and lease

    def _boot_ended(self, boot: asyncio.Future[None]) -> None:
        if not boot.cancelled() and boot.exception() is not None:
            self.lose(f"it did not start: {boot.exception()!r}")

    async def _boot(self) -> None:
        plan, loop = self.plan, self.runtime.loop
        claim, began = None, 0.0
        while claim is None:
            began = loop.time()
            with self._store_can_fail("claim"):
                claim = await self._store.claim(plan.shard, plan.lease, *self._place)
            if claim is None:
                await asyncio.sleep(_RETRY_SECONDS)
        self.epoch = claim.epoch
        # Until then the host before this one can act.
        await asyncio.sleep(claim.wait)
        self.runtime.renew(began + claim.wait + LEASE_SHARE * plan.lease)
        self._tasks.append(asyncio.ensure_future(self._keep()))
        self._node = Node(
            plan.cluster,
            plan.shards,
            plan.shard,
            f"{plan.shard}.{self.epoch}",
            self.runtime,
            self._connect,
            self._store,
            self,
        )
        self._tree = Tree(self._store, self._tree_ended)
        self._handoffs = Handoffs(self, self._store)
        self._changes = Changes(self, self._store, self._tree, self._handoffs)
        loaded = False
        while not loaded:
            with self._store_can_fail("load"):
                await self._changes.load()
                loaded = True
            if not loaded:
                await asyncio.sleep(_RETRY_SECONDS)
        self._tasks.append(asyncio.ensure_future(self._tidy()))

    def _tree_ended(self, reason: Any) -> None:
        self.lose(f"its supervision tree ended: {reason!r}")

    @contextmanager
    def _store_can_fail(self, what: str) -> Iterator[None]:
        """Log that the store does not answer; the caller tries again."""
        try:
            yield
        except (StoreUnavailableError, TimeoutError) as error:
            plan = self.plan
            _log.warning(
                "shard %d of %s: cannot %s: %s",
                plan.shard,
                plan.cluster,
                what,
                str(error) or "no answer in time",
            )

    async def _keep(self) -> None:
        """Renew the lease."""
        plan, loop = self.plan, self.runtime.loop
        while True:
            await asyncio.sleep(plan.lease / 3)
            began = loop.time()
            with self._store_can_fail("renew its lease"):
                async with asyncio.timeout(plan.lease):
                    newest = await self._store.renew(plan.shard, self.epoch, plan.lease)
                await self.fenced(newest)
                # From the time before the request: the store counts from a later one.
                self.runtime.renew(began + LEASE_SHARE * plan.lease)

    async def _tidy(self) -> None:
        """Delete ended children from the store, and sessions of programs that are gone."""
        while True:
            await asyncio.sleep(self.plan.lease / 3)
            self._sessions.expire(self.runtime.loop.time())
            with self._store_can_fail("delete ended children"):
                await self._changes.flush()

    async def fenced(self, newest: bool) -> None:
        """End this program unless its epoch is ``newest``: no write of an old epoch counts."""
        if not newest:
            await self.lose("another host owns the shard")

    def lose(self, why: str) -> asyncio.Future[NoReturn]:
        """End this program: it cannot own its shard. Await the result, which never comes."""
        plan = self.plan
        _log.error(
            "the host of shard %d of %s (epoch %d) ends: %s",
            plan.shard,
            plan.cluster,
            self.epoch,
            why,
        )
        self.runtime.renew(0.0)
        self._end(why)
        return self.runtime.loop.create_future()

    # -- For `Node` and `ShardSupervisor`

    def find(self, identity: Identity) -> Pid | None:
        """Return the live local process that holds a name, if it is the one of the identity."""
        if not identity.is_name and identity.epoch != self.epoch:
            return None
        try:
            pid = Registry.whereis_name((identity.registry, identity.key))
        except NoProcessError:  # declared after this host has started, so it has no names here
            return None
        if pid is None or pid._process is None or identity.serial not in (0, pid.serial):
            return None
        return pid

    def child_dropped(self, spec: ChildSpec, why: Any) -> None:
        """Store that a child has ended for good, or was given up for ``why``."""
        self._changes.dropped(spec, why)

    def handed_over(self, states: Mapping[Name, bytes]) -> None:
        """Keep what children hand over until it is stored."""
        self._handoffs.add(states)

    def send_to_program(self, program: str, payload: tuple[Any, ...]) -> None:
        """Send ``payload`` to a program, if it is connected."""
        session = self._sessions.of_program(program)
        if session is not None:
            session.tell(0, "program", payload)

    @property
    def is_leaving(self) -> bool:
        """Whether it stops its children, which are then not dropped."""
        return self._leaving

    # -- The requests of members; see `Port`

    async def hello(self, program: str) -> tuple[int, str]:
        """Open a session."""
        await asyncio.shield(self._booted)
        return self.epoch, self._sessions.open(program, self.runtime.loop.time()).id

    def _session(self, id: str) -> Session | None:  # noqa: A002 - the field
        return self._sessions.get(id, self.runtime.loop.time())

    async def messages(self, session: str, items: Sequence[Item]) -> Events | None:
        """Handle messages in order."""
        await self.runtime.leased()
        found = self._session(session)
        if found is None or self._leaving:
            return None
        for item in items:
            try:
                self._handle(found, Item(*item))
            except Exception as error:  # of the content's own code: it must not stop the others
                self._failed(found, Item(*item), error)
        await asyncio.sleep(0)  # many replies are there after one turn of the processes
        return found.take(self._leaving)

    def _failed(self, session: Session, item: Item, error: Exception) -> None:
        if item.kind in ("call", "whereis", "start", "terminate"):
            session.tell(item.number, "refused", error)
        else:
            _log.error("a %s for %r failed: %s", item.kind, item.identity, error)

    def _handle(self, session: Session, item: Item) -> None:
        number, kind, identity, data = item
        identity = Identity(*identity)
        content = wire.load(data)
        if kind in ("start", "terminate"):
            self._changes.put(session, number, kind, identity, content)
            return
        if kind == "demonitor":
            session.unwatch(content)
            return
        pid = self._node.local(identity)
        process = None if pid is None else pid._process
        if kind == "whereis":
            session.tell(number, "reply", pid)
        elif process is None:
            if kind in ("call", "monitor"):
                session.tell(number, "exit" if kind == "call" else "down", "noproc")
        elif kind == "monitor":
            session.watch(number, process)
        elif kind == "call":
            _call(session, number, process, *content)
        elif kind == "stop":
            process.system(StopRequest(content))
        else:
            deliver(process, kind, content)

    async def events(self, session: str, expected: int, quiet: bool) -> Events | None:
        """Return the next events."""
        found = self._session(session)
        if found is None:
            return None
        found.arrived, found.is_quiet = expected, quiet
        await found.wait(_LEAVING_POLL_SECONDS if self._leaving else POLL_SECONDS)
        return found.take(self._leaving) if found.is_open else None

    async def query(self, question: str, arguments: bytes) -> bytes:
        """Return the pickled answer to a question."""
        await asyncio.shield(self._booted)
        answer = getattr(self, f"_answer_{question}")
        return wire.dump(await answer(*wire.load(arguments)))

    async def _answer_info(self) -> dict[str, Any]:
        names = self._tree.names("registry")
        return {
            "epoch": self.epoch,
            "node": self._place[1],
            "names": sum(Registry.count(name) for name in names),
            "state": "moving" if self._leaving else "running",
        }

    async def _answer_count(self, registry: str) -> int:
        return Registry.count(registry) if registry in self._tree.names("registry") else 0

    async def _answer_keys(self, registry: str) -> list[Any]:
        if registry not in self._tree.names("registry"):
            return []
        return [key for key, _, _ in Registry.select(registry, lambda *_: True)]

    async def _answer_children(self, supervisor: str) -> Any:
        await self._tree.ensure("supervisor", supervisor)
        return await DynamicSupervisor.which_children(supervisor)

    async def _answer_counts(self, supervisor: str) -> Any:
        await self._tree.ensure("supervisor", supervisor)
        return await DynamicSupervisor.count_children(supervisor)

    async def leave(self) -> None:
        """Stop the children in order, and give the lease back.

        The host refuses messages from now on; they go to the next host. What has
        arrived is finished first, for at most 1 s.
        """
        await asyncio.shield(self._booted)
        if not self._leaving:
            self._leaving = True
            self._left = asyncio.ensure_future(self._leave())
            # The member that asked can be gone by then, and would never end this program.
            self._left.add_done_callback(
                lambda _: self.runtime.loop.call_later(_END_SECONDS, self._end, "it has left")
            )
        await asyncio.shield(self._left)

    async def _leave(self) -> None:
        for session in self._sessions:
            session.wake()  # so that the members hear of it
        await self._until(lambda: all(session.is_quiet for session in self._sessions))
        await self._until(lambda: not (self.runtime.has_runnable or self._changes.is_busy))
        await self._tree.stop()
        with self._store_can_fail("delete ended children"):
            await self._changes.flush()
        await self._hand_over()
        for task in self._tasks:
            task.cancel()
        self.runtime.renew(0.0)
        with self._store_can_fail("release the lease"):
            await self._store.release(self.plan.shard, self.epoch)
        # Replies in flight are lost with this program: wait until the members say they have them.
        await self._until(lambda: not any(session.has_unread for session in self._sessions))

    async def _hand_over(self) -> None:
        """Store the states of the children, again for some time if the store fails."""
        end = self.runtime.loop.time() + _HAND_OVER_SECONDS
        while not self._handoffs.is_empty and self.runtime.loop.time() < end:
            with self._store_can_fail("store what its children hand over"):
                await self._handoffs.flush()
            if not self._handoffs.is_empty:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, at most `_QUIET_SECONDS`: a member can be cut off."""
        loop = self.runtime.loop
        end = loop.time() + _QUIET_SECONDS
        while not condition() and loop.time() < end:
            await asyncio.sleep(0.005)


def _call(
    session: Session,
    number: int,
    process: Any,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    caller: Pid | None,
) -> None:
    if not isinstance(process, ServerProcess):
        raise TypeError(f"{process.pid!r} ({process.class_name()}) is not a server")
    process.request_from(HostFrom(process, session, number, caller), name, args, kwargs)
