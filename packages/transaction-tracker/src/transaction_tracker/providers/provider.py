"""The process of one RPC endpoint: it probes and checks the endpoint, and ends its requests."""

import logging
from dataclasses import dataclass

from beamish import Continue, ExitError, From, GenServer, NoReply, call, process
from transaction_tracker.awake import loop_time
from transaction_tracker.providers.calls import probe
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.in_flight import NotRunningError
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.sources import SourceError
from transaction_tracker.sources.ethereum.rpc import Identity

logger: logging.Logger = logging.getLogger("transaction_tracker")

# A provider is probed when its last head is older than this many probe intervals. For a block in
# which transactions end, each provider is asked, and shows its head in the same response. An age of
# more than one interval leaves time for such a block, which makes most probes unnecessary.
_MAX_HEAD_AGE_INTERVALS = 1.5
# The same for the followed provider. The follower polls its head, so a probe is needed only if the
# pool is used without a follower.
_MAX_FOLLOWED_HEAD_AGE_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class ProbeDue:
    """Message: probe the provider if its last head is too old."""


@dataclass(frozen=True, slots=True)
class CheckDue:
    """Message: a check has ended, and callers wait for another one."""


class Provider(GenServer):
    """Probe and check one provider, and end the requests to it when this process ends.

    Requests are sent by their callers. Probes and checks run in linked processes, so that a slow
    node does not delay the replies of this one.

    Args:
        endpoint: The provider.
        state: State of the pool.
    """

    def __init__(self, endpoint: RpcEndpoint, state: PoolState) -> None:
        self._endpoint = endpoint
        self._state = state
        self._interval = state.probe_interval
        self._checking = False
        self._probing = False
        self._waiting: list[From] = []
        self._waiting_for_next: list[From] = []

    def init(self) -> Continue:
        """Accept requests, and check the provider while the other processes start."""
        self._endpoint.in_flight.begin(self.pid)
        return Continue(ProbeDue())

    def handle_continue(self, _arg: object) -> None:
        """Check the provider for the first time."""
        self._handle_probe_due()

    def handle_info(self, message: object) -> None:
        """Probe the provider at each interval, unless it has shown its head lately."""
        match message:
            case ProbeDue():
                self._handle_probe_due()
            case CheckDue():
                waiting, self._waiting_for_next = self._waiting_for_next, []
                self._check_for(*waiting)
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """End the requests, which could open the connections again, and close the connections."""
        self._endpoint.in_flight.end()
        await self._endpoint.client.close()

    @call(timeout=None)
    def check(self, is_new: bool = False, *, from_: From) -> NoReply:
        """Check which chain the provider is on; reply with ``None``, or with the error.

        A check that succeeds ends a pause.

        Args:
            is_new: Start a check after this call, and do not join one that is in flight.
        """
        if is_new and self._checking:
            self._waiting_for_next.append(from_)
        else:
            self._check_for(from_)
        return NoReply()

    # -- Probes

    def _handle_probe_due(self) -> None:
        process.send_after(self.pid, ProbeDue(), self._interval)
        endpoint, now = self._endpoint, loop_time()
        if endpoint.standing == "refused" or endpoint.by_hand:
            return
        until = endpoint.health.paused_until
        if until is not None or endpoint.standing == "unchecked":
            if until is None or now >= until:
                self._check_for()
        elif not self._probing and self._needs_probe(now):
            self._probing = True
            process.spawn_link(self._probe)

    def _needs_probe(self, now: float) -> bool:
        head_at = self._endpoint.health.head_at
        is_followed = self._state.active == self._endpoint.name
        intervals = _MAX_FOLLOWED_HEAD_AGE_INTERVALS if is_followed else _MAX_HEAD_AGE_INTERVALS
        if head_at is None or now - head_at >= intervals * self._interval:
            return True
        start = now - _MAX_HEAD_AGE_INTERVALS * self._interval
        return not self._state.can_compare(self._endpoint, start)

    async def _probe(self) -> None:
        await probe(self._state, self._endpoint, self._state.probe_height(loop_time()))
        self._probing = False

    # -- Checks

    def _check_for(self, *waiting: From) -> None:
        self._waiting += waiting
        if not self._checking:
            self._checking = True
            process.spawn_link(self._check)

    async def _check(self) -> None:
        failure: SourceError | None
        try:
            identity = await self._endpoint.measure(2, self._identity)
            failure = self._state.record_identity(self._endpoint, identity)
        except SourceError as error:
            failure = error
        # A caller from here on starts another check: the height can have changed since this one.
        self._checking = False
        waiting, self._waiting = self._waiting, []
        if self._waiting_for_next:
            # Not spawned here: the next check must be linked to the provider's process.
            process.send(self.pid, CheckDue())
        if failure is None:
            self._end_pause()
            await probe(self._state, self._endpoint, self._state.probe_height(loop_time()))
        for from_ in waiting:
            GenServer.reply(from_, failure)

    async def _identity(self) -> Identity:
        """Ask which chain the provider is on, by its block at the anchor height."""
        endpoint = self._endpoint
        while True:
            height = self._state.anchor_height
            identity = await endpoint.in_flight.run(endpoint.client.identity, height)
            if height == self._state.anchor_height:  # it can change during the request
                return identity

    def _end_pause(self) -> None:
        if self._endpoint.health.paused_until is not None:
            logger.info("provider %s answers again", self._endpoint.name)
        self._endpoint.health.end_pause()


async def check_chain(endpoint: RpcEndpoint, *, is_new: bool = False) -> SourceError | None:
    """Check which chain a provider is on; return the error if the check failed.

    Args:
        endpoint: The provider.
        is_new: Send the requests of the check after this call. Otherwise, a check that is in flight
            can be the answer, although its requests were sent before.
    """
    try:
        failure: SourceError | None = await Provider.check(endpoint.process, is_new)
    except ExitError:
        return NotRunningError(f"{endpoint.name}: its process is not running")
    return failure
