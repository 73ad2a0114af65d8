"""A pool of providers of one chain: one is followed, the others are on standby."""

import asyncio
import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from beamish import ChildSpec, Pid, Supervisor, Task, Via
from transaction_tracker.domain import BlockRef, KeptChain
from transaction_tracker.providers.broken_results import replace_broken_results
from transaction_tracker.providers.calls import ask, results_or_errors
from transaction_tracker.providers.chain_check import ChainCheck
from transaction_tracker.providers.clients import ClientFactory, ethereum_client
from transaction_tracker.providers.dissent import DissentQuery, dissent
from transaction_tracker.providers.endpoint import PROVIDERS, RpcEndpoint
from transaction_tracker.providers.hints import HintSender
from transaction_tracker.providers.in_flight import NotRunningError
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.providers.provider import Provider, check_chain
from transaction_tracker.providers.requests import is_read
from transaction_tracker.providers.settings import ProviderSettings, check_pool
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.providers.subscription import HeadSubscription, SubscriptionTimeouts
from transaction_tracker.sources import (
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.ethereum.rpc import (
    ChainId,
    Dissent,
    Identity,
    NodeResults,
    Request,
)

MAX_LAG = 3
PROBE_SECONDS = 10.0
# Processes of providers rarely crash. If one does, it must not soon stop the tree above.
_MAX_RESTARTS = 10
_MAX_SECONDS = 10.0
# Errors after which another provider can succeed.
_RETRY_ELSEWHERE = (TransportError, ServerError, RateLimitedError, MalformedError)

logger: logging.Logger = logging.getLogger("transaction_tracker")


class Pool:
    """Sends requests to the providers of one chain: an ``Rpc``.

    One provider is followed as long as it does well. Another one is followed instead when it is
    paused, is more than ``max_lag`` blocks behind other providers of its chain, is behind without
    advancing for 30 s, or when most providers hold another chain. The follower sees the
    difference as a reorganisation.

    When no provider is usable, all of them are checked at once, and one that passes the check is
    followed. Providers that are paused by hand are not checked.

    Args:
        settings: The providers, in order of preference.
        chain_id: Chain that they must be on; ``None`` takes that of the majority.
        max_lag: Blocks that the followed provider can be behind while another one is not.
        probe_interval: Seconds between probes of the providers on standby.
        hints: Receiver of a ``HeadHint`` when a provider announces a new head.
        timeouts: Timeouts of the subscriptions to new heads.
        create: Returns the client of a node. Default: one of an Ethereum node.
        source: Name of the source among several, for the names of processes and providers.

    Raises:
        ValueError: There is no provider, or an argument is invalid; the message says which.
    """

    def __init__(
        self,
        settings: Sequence[ProviderSettings],
        *,
        chain_id: ChainId | None = None,
        max_lag: int = MAX_LAG,
        probe_interval: float = PROBE_SECONDS,
        hints: Pid | str | Via | None = None,
        timeouts: SubscriptionTimeouts | None = None,
        create: ClientFactory = ethereum_client,
        source: str | None = None,
    ) -> None:
        check_pool(settings, chain_id, max_lag, probe_interval)
        endpoints = [
            RpcEndpoint(provider, position, create, source)
            for position, provider in enumerate(settings, start=1)
        ]
        self._name = PROVIDERS if source is None else f"{PROVIDERS}.{source}"
        self._timeouts = replace(timeouts or SubscriptionTimeouts())
        self._state = PoolState(endpoints, chain_id, max_lag, probe_interval)
        self._chain_check = ChainCheck(self._state)
        self._hints = HintSender(hints)
        self.set_block_time(self._timeouts.block_time)

    def __str__(self) -> str:
        return str(self._state)

    def __repr__(self) -> str:
        return f"Pool({str(self)!r}, active={self._state.active!r})"

    def set_block_time(self, block_time: float) -> None:
        """Set the expected seconds between blocks, for lag and for subscriptions to heads."""
        self._timeouts.block_time = block_time
        self._state.head_window = max(self._state.probe_interval, 2 * block_time)

    def child_spec(self) -> ChildSpec:
        """Return the child spec of the supervisor of all processes of the pool.

        A crash restarts one process only: it says nothing about the other providers.
        """
        return Supervisor.child_spec(
            self._children(),
            strategy="one_for_one",
            max_restarts=_MAX_RESTARTS,
            max_seconds=_MAX_SECONDS,
            name=self._name,
        )

    # -- Requests

    @property
    def requests(self) -> int:
        """Number of HTTP requests sent so far, to all providers."""
        return sum(endpoint.client.requests for endpoint in self._state.endpoints)

    @property
    def calls_per_request(self) -> int:
        """Number of calls that one request to the followed provider can have now."""
        sizes = {
            endpoint.name: endpoint.client.calls_per_request for endpoint in self._state.endpoints
        }
        return sizes.get(self._state.active or "", min(sizes.values()))

    @property
    def is_compared(self) -> bool:
        """Whether more than one provider is configured."""
        return len(self._state.endpoints) > 1

    @property
    def addresses(self) -> Mapping[str, str]:
        """The host and the port of each provider, by its name."""
        return {
            endpoint.name: endpoint.settings.url.authority for endpoint in self._state.endpoints
        }

    async def identity(
        self, at: int | None = None, *, expected: BlockRef | None = None
    ) -> Identity:
        """Check which chain each provider is on, and that it is the same chain.

        At the first start, the majority decides which chain that is. A provider on another chain
        is refused from then on. A provider that does not respond is checked again later.

        Args:
            at: Height of the block by which the chain is recognised, from now on. ``None`` keeps
                the height, or finds one at the first check.
            expected: The block at that height, if known. A provider that has another one there is
                refused, even if it is the first provider.

        Raises:
            WrongChainError: All usable providers are on another chain, or two chains have equally
                many providers.
            SourceError: No provider of the right chain responds.
        """
        return await self._chain_check.identity(at, expected=expected)

    async def call(self, method: str, *params: object) -> Any:
        """Call one method at the followed provider; retry a read at one other provider.

        Raises:
            SourceError: There is no result; the class says why.
        """
        (result,) = await self._ask([Request(method, params)])
        if isinstance(result, SourceError):
            raise result
        return result

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Call many methods at the followed provider; retry reads at one other provider.

        Calls whose result is a server error or cannot be read are sent to the other providers in
        turn.

        Returns:
            For each call its result, or the ``SourceError`` of this call alone.

        Raises:
            SourceError: The whole batch failed.
        """
        return await self._ask(requests) if requests else []

    async def batch_without_failover(self, requests: Sequence[Request]) -> NodeResults:
        """Call many methods at the followed provider only."""
        followed = await self._followed()
        results = await results_or_errors(self._state, followed, requests)
        return NodeResults(followed.name, dict(zip(requests, results, strict=True)))

    async def seek(self, method: str, *params: object) -> Any:
        """Call one method at each healthy provider in turn until a result is not ``null``.

        The followed provider comes first.

        Raises:
            SourceError: Every provider failed.
        """
        failure: SourceError | None = None
        unknown = False
        for endpoint in await self._usable_in_order():
            try:
                result = (await ask(self._state, endpoint, [Request(method, params)]))[0]
            except SourceError as error:
                result = error
            if isinstance(result, SourceError) and not isinstance(result, NotYetError):
                failure = result
            elif result is None or isinstance(result, NotYetError):
                unknown = True
            else:
                return result
        if failure is not None and not unknown:
            raise failure
        return None

    async def everywhere(self, requests: Sequence[Request]) -> list[list[Any]]:
        """Call many methods at every healthy provider.

        Returns:
            For each provider the results as of ``batch``, or its error in the place of each.

        Raises:
            SourceError: No provider is healthy.
        """
        endpoints = await self._usable_in_order()
        return list((await self.each({endpoint.name: requests for endpoint in endpoints})).values())

    async def versions(self, request: Request) -> Mapping[str, Any]:
        """Call one method at every healthy provider, if more than one is configured.

        Raises:
            SourceError: No provider is healthy.
        """
        if not self.is_compared:
            return {}
        endpoints = await self._usable_in_order()
        answers = await self.each({endpoint.name: [request] for endpoint in endpoints})
        return {name: answer for name, (answer,) in answers.items()}

    async def each(self, requests: Mapping[str, Sequence[Request]]) -> Mapping[str, list[Any]]:
        """Call methods at the named providers only; see ``Rpc.each``."""
        answers = await asyncio.gather(
            *(
                results_or_errors(self._state, self._state.endpoint(name), own)
                for name, own in requests.items()
            )
        )
        return dict(zip(requests, answers, strict=True))

    def blame(self, node: str, number: int) -> None:
        """Count a block with a wrong parent; a provider that sends several in a row is paused."""
        self._state.endpoint(node).record_wrong_parent(number)

    def left_out(self, node: str, number: int) -> None:
        """Count a block that lacks a transaction; a provider that soon sends more is paused."""
        self._state.endpoint(node).record_incomplete_block(number)

    async def elsewhere(self, requests: Sequence[Request]) -> list[Any]:
        """Call methods at the healthy providers other than the followed one, in turn.

        Returns:
            For each request the first readable result that is not ``null``, or ``None``.
        """
        found: list[Any] = [None] * len(requests)
        tried = {self._state.active or ""}
        while (missing := [at for at, result in enumerate(found) if result is None]) and (
            other := self._state.next_best(tried)
        ):
            tried.add(other.name)
            answers = await results_or_errors(self._state, other, [requests[at] for at in missing])
            for at, answer in zip(missing, answers, strict=True):
                found[at] = None if isinstance(answer, SourceError) else answer
        return found

    async def one_other(self, requests: Sequence[Request]) -> list[Any]:
        """Call methods at one of the other healthy providers; see ``Rpc.one_other``."""
        _followed, *others = await self._usable_in_order()
        if not others:
            return [None] * len(requests)
        # Not in rotation: for one transaction, that could be the same provider each time.
        other = random.choice(others)  # noqa: S311 - not a secret
        answers = await results_or_errors(self._state, other, requests)
        return [None if isinstance(answer, SourceError) else answer for answer in answers]

    # -- Comparison

    def follows(self, chain: KeptChain) -> None:
        """Set the followed chain, after each change of it.

        The views of the providers are compared with it: for the choice of the provider to follow,
        and for ``dissent``.
        """
        self._state.set_chain(chain)

    async def dissent(
        self,
        chain: KeptChain,
        blocks: Collection[BlockRef],
        requests: Sequence[Request] = (),
        known: NodeResults | None = None,
    ) -> Dissent:
        """Find the healthy providers whose chains do not contain some blocks; see ``Rpc.dissent``.

        A provider that showed a block of the followed chain within ``probe_interval`` agrees on
        that block and all below it, and is not asked about them. A provider that answers with a
        rate limit or a refusal is neither against a block nor unanswered.

        Raises:
            SourceError: There are ``requests``, and no provider is healthy.
        """
        if not blocks:
            return Dissent()
        endpoints = await self._usable_in_order() if requests else self._state.usable_endpoints()
        start = asyncio.get_running_loop().time() - self._state.probe_interval
        query = DissentQuery(chain, blocks, start, requests, known or NodeResults(""))
        dismissed = frozenset(
            endpoint.name for endpoint in self._state.endpoints if endpoint.by_hand
        )
        voters = len(self._state.endpoints) - len(dismissed)
        found = await dissent(self._state, endpoints, query)
        return replace(found, dismissed=dismissed, voters=voters)

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        for endpoint in self._state.endpoints:
            await endpoint.client.close()

    # -- Management

    def status(self) -> list[ProviderStatus]:
        """Return the status of each provider, in the configured order."""
        return [self._state.status(endpoint) for endpoint in self._state.endpoints]

    def heads(self) -> list[int]:
        """Return the last head of each healthy provider that has shown one."""
        heads = (endpoint.health.head for endpoint in self._state.usable_endpoints())
        return [head for head in heads if head is not None]

    async def pause(self, name: str) -> ProviderStatus:
        """Pause a provider until it is resumed.

        Raises:
            LookupError: No provider has this name.
        """
        endpoint = self._state.endpoint(name)
        endpoint.by_hand = True
        logger.info("provider %s is paused by hand", name)
        return self._state.status(endpoint)

    async def resume(self, name: str) -> ProviderStatus:
        """End any pause of a provider if a check succeeds; the status shows whether it did.

        Raises:
            LookupError: No provider has this name.
        """
        self._state.endpoint(name).by_hand = False
        return await self.check(name)

    async def check(self, name: str) -> ProviderStatus:
        """Check which chain a provider is on, even if it is refused; return its new status.

        An operator calls this after a repair, so a check that is in flight is not the answer: its
        requests may have been sent before the repair. Another one follows it.

        Raises:
            LookupError: No provider has this name.
        """
        endpoint = self._state.endpoint(name)
        failure = await check_chain(endpoint, is_new=True)
        if isinstance(failure, NotRunningError):
            raise failure
        self._state.elect_chain()
        return self._state.status(endpoint)

    async def find_problems(self) -> dict[str, str]:
        """Check all providers now; return what is wrong with those that fail, by their names."""
        found: dict[str, str] = {}
        for endpoint in self._state.endpoints:
            failure = await check_chain(endpoint, is_new=True)
            if failure is not None:
                found[endpoint.name] = str(failure)
        self._state.elect_chain()
        return found

    # -- Choice

    def _children(self) -> list[ChildSpec]:
        specs = []
        for endpoint in self._state.endpoints:
            specs.append(Provider.child_spec(endpoint, self._state, name=endpoint.process))
            url = endpoint.settings.ws_url
            if url is not None:
                subscription = HeadSubscription(
                    endpoint, url, self._state, self._hints, self._timeouts
                )
                spec = Task.child_spec(subscription.run, id=f"{endpoint.process}.Heads")
                specs.append(spec.replace(restart="permanent"))
        return specs

    async def _ask(self, requests: Sequence[Request]) -> list[Any]:
        first = await self._followed()
        asked = {first.name}
        try:
            results = await ask(self._state, first, requests)
        except _RETRY_ELSEWHERE as error:
            other = self._state.next_best(asked) if all(map(is_read, requests)) else None
            if other is None:
                raise
            logger.debug("asking %s instead of %s: %s", other.name, first.name, error)
            first, results = other, await ask(self._state, other, requests)
        return await replace_broken_results(self._state, asked, first, requests, results)

    async def _followed(self) -> RpcEndpoint:
        if self._state.reference is None:
            await self.identity()
        followed = self._state.choose_active()
        if followed is None:
            await self.identity()
            followed = self._state.choose_active()
        if followed is None:
            raise TransportError(f"{self}: no usable provider")
        return followed

    async def _usable_in_order(self) -> list[RpcEndpoint]:
        """Return the usable providers, the followed one first."""
        followed = await self._followed()
        usable = self._state.usable_endpoints()
        return [followed, *(endpoint for endpoint in usable if endpoint is not followed)]
