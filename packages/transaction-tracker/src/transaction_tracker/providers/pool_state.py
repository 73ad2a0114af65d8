"""State of a pool: its providers, the chain that they must be on, and the followed provider."""

import logging
from collections.abc import Collection, Sequence
from typing import Any

from beamish import GenServer
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.providers import events
from transaction_tracker.providers.choice import (
    FOLLOWED_CHAIN,
    SETTLE_SECONDS,
    Candidate,
    best,
    best_head,
    choose,
    preferred,
)
from transaction_tracker.providers.election import elect, is_decided
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.health import HEAD_WINDOW_SECONDS, error_class
from transaction_tracker.providers.requests import block_part, head_of
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.providers.views import View, group_by_chain
from transaction_tracker.sources import (
    MalformedError,
    NotYetError,
    SourceError,
    WrongChainError,
)
from transaction_tracker.sources.ethereum.classify import is_null_round
from transaction_tracker.sources.ethereum.rpc import ChainId, Identity, Request
from transaction_tracker.sources.ethereum.url import SecretUrl

# Views older than this many probe intervals are not used: the provider may have reorganised since.
_MAX_VIEW_AGE_INTERVALS = 3

logger: logging.Logger = logging.getLogger("transaction_tracker")


class PoolState:
    """State that the pool shares with the processes of its providers.

    Args:
        endpoints: The providers, in the configured order.
        chain_id: Chain id that they must have; ``None`` takes that of the majority.
        max_lag: Blocks that the followed provider can be behind while another one is not.
        probe_interval: Seconds between probes of the providers on standby.
        head_window: Seconds for which the highest head of a provider stands for it.
    """

    def __init__(
        self,
        endpoints: Sequence[RpcEndpoint],
        chain_id: ChainId | None,
        max_lag: int,
        probe_interval: float,
        head_window: float = HEAD_WINDOW_SECONDS,
    ) -> None:
        self.endpoints = endpoints
        self.active: str | None = None
        self.reference: Identity | None = None
        self.anchor_height: int | None = None  # the height at which identities are compared
        self.expected: BlockRef | None = None  # the block there, if the database knows it
        self.chain: KeptChain = KeptChain(keep=1)
        self.probe_interval = probe_interval
        self.head_window = head_window
        self._chain_id = chain_id
        self._max_lag = max_lag
        self._probe_mark: tuple[float, int] | None = None  # when it was set, and the height

    def __str__(self) -> str:
        return ", ".join(str(endpoint.settings.url) for endpoint in self.endpoints)

    def endpoint(self, name: str) -> RpcEndpoint:
        """Return a provider by its name.

        Raises:
            LookupError: No provider has this name.
        """
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        known = ", ".join(endpoint.name for endpoint in self.endpoints)
        raise LookupError(f"unknown provider {name!r}; there are {known}")

    def usable_endpoints(self) -> list[RpcEndpoint]:
        """Return the providers that are usable and whose processes are running."""
        return [
            endpoint
            for endpoint in self.endpoints
            if endpoint.usable and GenServer.whereis(endpoint.process)
        ]

    def choose_active(self) -> RpcEndpoint | None:
        """Choose the provider to follow, and log a switch; return ``None`` if none is usable."""
        usable = self.usable_endpoints()
        if len(usable) == 1:
            return self._follow(usable[0], ())  # whatever its chain and its lag
        candidates = self._candidates(usable)
        settle = min(SETTLE_SECONDS, self.probe_interval)
        name = choose(self.active, candidates, self._max_lag, settle)
        return None if name is None else self._follow(self.endpoint(name), candidates)

    def _follow(self, endpoint: RpcEndpoint, candidates: Sequence[Candidate]) -> RpcEndpoint:
        if self.active is not None and endpoint.name != self.active:
            self._report_switch(self.endpoint(self.active), endpoint.name, candidates)
        self.active = endpoint.name
        return endpoint

    def next_best(self, exclude: Collection[str]) -> RpcEndpoint | None:
        """Return the best other provider; those of the followed chain come first."""
        candidates = self._candidates(self.usable_endpoints())
        name = best(preferred(candidates), self._max_lag, exclude=exclude)
        name = name or best(candidates, self._max_lag, exclude=exclude)
        return None if name is None else self.endpoint(name)

    def set_chain(self, chain: KeptChain) -> None:
        """Store the followed chain after a change, and compare all providers with it."""
        self.chain, now = chain, loop_time()
        for endpoint in self.endpoints:
            endpoint.compare(chain, now)

    def record_head(self, endpoint: RpcEndpoint, height: int, now: float) -> None:
        """Record the height of a provider's head.

        Its lag is measured against the providers that can be on the same chain: between different
        chains, height says nothing.
        """
        others = [
            other
            for other in self.usable_endpoints()
            if other is not endpoint and other.health.head is not None
        ]
        labels = self._labels(now) if others else {}
        own = labels.get(endpoint.name)
        heads = [
            other.health.highest_head(now, self.head_window)
            for other in others
            if own is None or labels[other.name] in (own, None)
        ]
        best_height = best_head([height, *heads]) or 0
        endpoint.health.record_head(height, best_height, now, self.head_window)

    def record_link(self, endpoint: RpcEndpoint, head: Link, now: float) -> None:
        """Record a provider's head, with its parent."""
        old = endpoint.view
        self.record_view(endpoint, View(head, now) if old is None else old.with_head(head, now))

    def record_view(self, endpoint: RpcEndpoint, view: View) -> None:
        """Record the view of a provider."""
        endpoint.view = view
        endpoint.compare(self.chain, view.head_at)
        self.record_head(endpoint, view.head.number, view.head_at)

    def record_results(
        self, endpoint: RpcEndpoint, requests: Sequence[Request], results: Sequence[Any]
    ) -> None:
        """Record what single results say about a provider: errors, blocks and heads."""
        for request, result in zip(requests, results, strict=True):
            part = block_part(request)
            if isinstance(result, SourceError):
                if part == "head" and isinstance(result, MalformedError):
                    endpoint.unreadable_head_at = loop_time()
                endpoint.health.record_error(error_class(result))
                endpoint.last_error = str(result)
            elif result is not None and part is not None:
                endpoint.health.record_readable_block(part)
                if part == "head":
                    self._record_head_in(endpoint, result)

    def _record_head_in(self, endpoint: RpcEndpoint, result: Any) -> None:
        try:
            head = head_of(result)
        except MalformedError:
            return  # the caller gets the raw result, and handles it
        if isinstance(head, int):
            self.record_head(endpoint, head, loop_time())
        elif head is not None:
            self.record_link(endpoint, head, loop_time())

    def record_probe(self, endpoint: RpcEndpoint, results: Sequence[Any]) -> View | SourceError:
        """Record the view that the results of a probe show, and return it."""
        (head, *blocks), now = results, loop_time()
        if isinstance(head, MalformedError) and self.others_have_readable_heads(endpoint, now):
            endpoint.record_unreadable_block("head", head)
        if isinstance(head, SourceError):
            return head
        if head is None:
            return NotYetError(f"{endpoint.name}: the node has no head yet")
        (block,) = blocks or (None,)
        known = None if isinstance(block, SourceError) else block
        view = View(head, now, known, now)
        self.record_view(endpoint, view)
        is_open = view.side(self.chain) == "unknown"
        # After a null round, the view is complete: the chain has no block with that number.
        if is_open and isinstance(block, SourceError) and not is_null_round(block):
            return block
        return view

    def probe_height(self, now: float) -> int | None:
        """Return the height at which views are compared, which is about that of the followed tip.

        It stays the same for ``probe_interval`` seconds. Providers are probed one after another:
        blocks of different heights would not show that two providers are on the same chain.
        """
        tip = self.chain.tip
        if tip is None:
            return None
        if self._probe_mark is None or now - self._probe_mark[0] >= self.probe_interval:
            self._probe_mark = (now, tip.number)
        return min(self._probe_mark[1], tip.number)

    def can_compare(self, endpoint: RpcEndpoint, start: float) -> bool:
        """Return whether a view from ``start`` or later shows which chain a provider holds."""
        if self.chain.tip is None or len(self.endpoints) == 1:
            return True  # there is nothing to compare
        view = endpoint.view and endpoint.view.since(start)
        return view is not None and view.side(self.chain) != "unknown"

    def others_have_readable_heads(self, endpoint: RpcEndpoint, now: float) -> bool:
        """Return whether the last head of another provider is recent and could be read.

        Each other provider is judged by its last head. If the heads of all providers become
        unreadable at once, their last readable heads are recent too, but none of the providers is
        at fault, and a pause of all of them would stop the chain.
        """
        start = now - _MAX_VIEW_AGE_INTERVALS * self.probe_interval
        others = (
            other
            for other in self.usable_endpoints()
            if other is not endpoint and other.view is not None
        )
        return any(
            other.view is not None and other.view.head_at >= max(start, other.unreadable_head_at)
            for other in others
        )

    def status(self, endpoint: RpcEndpoint) -> ProviderStatus:
        """Return the status of a provider."""
        view = None if endpoint.view is None else self._recent(endpoint, loop_time())
        return endpoint.status(self.active, "unknown" if view is None else view.side(self.chain))

    def _candidates(self, usable: Sequence[RpcEndpoint]) -> list[Candidate]:
        labels = self._labels(loop_time())
        return [endpoint.candidate(labels[endpoint.name]) for endpoint in usable]

    def _labels(self, now: float) -> dict[str, str | None]:
        views = {endpoint.name: self._recent(endpoint, now) for endpoint in self.endpoints}
        return group_by_chain(views, self.chain)

    def _recent(self, endpoint: RpcEndpoint, now: float) -> View | None:
        start = now - _MAX_VIEW_AGE_INTERVALS * self.probe_interval
        return endpoint.view and endpoint.view.since(start)

    def set_anchor_height(self, height: int) -> None:
        """Compare identities by the blocks at this height, from the next check on."""
        if height != self.anchor_height:
            self.anchor_height, self.reference = height, None

    @property
    def is_decided(self) -> bool:
        """Whether providers that have not answered yet cannot change which chain this is."""
        if self.reference is not None:
            return True
        voters = sum(not endpoint.by_hand for endpoint in self.endpoints)
        return is_decided(self._identities(), voters, self.expected)

    @property
    def needs_comparison(self) -> bool:
        """Whether the anchor of a provider is at another height than ``anchor_height``."""
        return any(
            identity.anchor is not None and identity.anchor.number != self.anchor_height
            for identity in self._identities().values()
        )

    def elect_chain(self) -> None:
        """Choose the chain that most providers are on, if that is not done; refuse the others.

        Raises:
            WrongChainError: Two chains have equally many providers.
        """
        if self.reference is None:
            elected = elect(self._identities(), self.anchor_height, self.expected)
            is_first = self.anchor_height is None
            if elected is not None and is_first:
                # 0 without an anchor, so that later checks do not search for one again.
                self.anchor_height = 0 if elected.anchor is None else elected.anchor.number
            if is_first and self.needs_comparison and not self._is_elected_by_most(elected):
                # A single provider could have decided. All are asked again, at that height.
                return
            self.reference = elected
        for endpoint in self.endpoints:
            if endpoint.identity is not None:
                self.record_identity(endpoint, endpoint.identity)

    def _is_elected_by_most(self, elected: Identity | None) -> bool:
        identities = self._identities().values()
        votes = [identity.anchor for identity in identities if identity.anchor is not None]
        return elected is not None and 2 * votes.count(elected.anchor) > len(votes)  # type: ignore[arg-type]

    def _identities(self) -> dict[str, Identity]:
        known = {
            endpoint.name: endpoint.identity
            for endpoint in self.endpoints
            if endpoint.identity is not None
        }
        return {
            name: identity
            for name, identity in known.items()
            if self._chain_id in (None, identity.chain_id)
        }

    def record_identity(self, endpoint: RpcEndpoint, identity: Identity) -> WrongChainError | None:
        """Record which chain a provider is on; refuse the provider if it is the wrong one."""
        endpoint.identity = identity
        wrong = self._difference(endpoint.settings.url, identity)
        if wrong is None:
            # Until the chain is elected, no provider counts as being on the right one.
            endpoint.standing = "unchecked" if self.reference is None else "good"
            self._log_missing_anchor(endpoint)
            return None
        if endpoint.standing != "refused":
            endpoint.standing = "refused"
            logger.error("provider %s is refused: %s", endpoint.name, wrong)
            events.refused(endpoint.name)
        endpoint.last_error = str(wrong)
        return wrong

    def _difference(self, url: SecretUrl, found: Identity) -> WrongChainError | None:
        chain_id = self._chain_id if self.reference is None else self.reference.chain_id
        if chain_id is not None and found.chain_id != chain_id:
            return WrongChainError(f"{url} is on chain {found.chain_id}, expected {chain_id}")
        expected = None if self.reference is None else self.reference.anchor
        if expected is None or found.anchor is None or found.anchor.number != expected.number:
            return None  # there are no blocks to compare
        if found.anchor.hash != expected.hash:
            return WrongChainError(
                f"{url} is on another chain with the chain id {found.chain_id}: its block "
                f"{expected.number} is {found.anchor.hash}, expected {expected.hash}"
            )
        return None

    def _log_missing_anchor(self, endpoint: RpcEndpoint) -> None:
        """Log once that a provider does not have the anchor, because it has pruned the block."""
        expected = None if self.reference is None else self.reference.anchor
        if expected is None or endpoint.identity is None or endpoint.identity.anchor == expected:
            return
        if not endpoint.lacks_anchor:
            endpoint.lacks_anchor = True
            note = f"only the chain id was checked: it does not have block {expected.number}"
            endpoint.last_error = endpoint.last_error or note
            logger.info("provider %s: %s", endpoint.name, note)

    def _report_switch(
        self, previous: RpcEndpoint, name: str, candidates: Sequence[Candidate]
    ) -> None:
        is_gone = GenServer.whereis(previous.process) is None
        reason = "gone" if is_gone else previous.switch_reason
        chains = {candidate.name: candidate.chain for candidate in candidates}
        old_chain = chains.get(previous.name) or FOLLOWED_CHAIN
        if previous.name in chains and chains[name] not in (None, old_chain):
            reason = "minority"
        shown = "on the chain of a minority" if reason == "minority" else reason
        logger.warning("provider %s is %s: following %s now", previous.name, shown, name)
        events.switched(name, previous.name, reason)
