"""All providers of a chain, which chain that is, and which of them is followed."""

import asyncio
import logging
from collections.abc import Collection, Sequence

from beamish import GenServer
from transaction_tracker.domain import BlockRef, Chain, Link
from transaction_tracker.providers import events
from transaction_tracker.providers.choice import (
    OURS,
    SETTLE_SECONDS,
    Candidate,
    best,
    best_head,
    choose,
    preferred,
)
from transaction_tracker.providers.election import elected, is_decided
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.health import FLUTTER_SECONDS
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.providers.views import View, grouped
from transaction_tracker.sources import WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity
from transaction_tracker.sources.ethereum.url import SecretUrl

# Views older than this many looks are not used: the provider may have reorganised since.
_MAX_LOOKS_OLD = 3

logger = logging.getLogger("transaction_tracker")


class Board:
    """What the pool and the providers' processes share.

    Args:
        endpoints: The providers, in the order in which they are preferred.
        chain_id: The chain that they must be on; ``None`` takes the word of most.
        max_lag: Blocks that the followed one may be behind while another one is not.
        look_interval: Seconds between looks at those that stand by.
        flutter: Seconds for which a provider's highest head stands for it.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        chain_id: int | None,
        max_lag: int,
        look_interval: float,
        flutter: float = FLUTTER_SECONDS,
    ) -> None:
        self.endpoints = endpoints
        self.active: str | None = None
        self.reference: Identity | None = None
        self.at: int | None = None  # the height at which providers are compared
        self.expected: BlockRef | None = None  # the block there, where the database knows it
        self.chain = Chain(keep=1)
        self.look_interval = look_interval
        self._wanted = chain_id
        self._max_lag = max_lag
        self.flutter = flutter
        self._mark: tuple[float, int] | None = None  # when it was set, and the height

    def named(self, name: str) -> Endpoint:
        """Find a provider, or raise ``LookupError``."""
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        known = ", ".join(endpoint.name for endpoint in self.endpoints)
        raise LookupError(f"no provider is called {name!r}; there are {known}")

    def usable(self) -> list[Endpoint]:
        """List those that may be asked now, and whose processes live."""
        return [one for one in self.endpoints if one.usable and GenServer.whereis(one.process)]

    def follow(self) -> Endpoint | None:
        """Choose the provider to follow, and log when that is another one than before."""
        candidates = self._candidates()
        settle = min(SETTLE_SECONDS, self.look_interval)
        name = choose(self.active, candidates, self._max_lag, settle)
        if name is None:
            return None
        if self.active is not None and name != self.active:
            self._tell_switch(self.named(self.active), name, candidates)
        self.active = name
        return self.named(name)

    def another(self, but: Collection[str]) -> Endpoint | None:
        """Return the provider to ask in place of others; the followed chain comes first."""
        candidates = self._candidates()
        name = best(preferred(candidates), self._max_lag, but=but)
        name = name or best(candidates, self._max_lag, but=but)
        return None if name is None else self.named(name)

    def follows(self, chain: Chain) -> None:
        """Take over our chain after a change."""
        self.chain, now = chain, _now()
        for endpoint in self.endpoints:
            endpoint.compare(chain, now)

    def saw_head(self, endpoint: Endpoint, height: int, now: float) -> None:
        """Note the height of a provider's head.

        Its lag is measured by the heads of the providers that can be on the same chain: height
        decides nothing between chains.
        """
        labels = self._labels(now)
        own = labels[endpoint.name]
        others = [
            one.health.highest(now, self.flutter)
            for one in self.usable()
            if one is not endpoint
            and one.health.head is not None
            and (own is None or labels[one.name] in (own, None))
        ]
        measure = best_head([height, *others]) or 0
        endpoint.health.saw_head(height, measure, now, self.flutter)

    def saw_link(self, endpoint: Endpoint, head: Link, now: float) -> None:
        """Note a provider's head and its parent."""
        old = endpoint.view
        self.saw_view(endpoint, View(head, now) if old is None else old.with_head(head, now))

    def saw_view(self, endpoint: Endpoint, view: View) -> None:
        """Note what a provider has shown of its chain."""
        endpoint.view = view
        endpoint.compare(self.chain, view.head_at)
        self.saw_head(endpoint, view.head.number, view.head_at)

    def look_height(self, now: float) -> int | None:
        """Return the height at which providers are compared, which is about that of our tip.

        The same one for ``look_interval`` seconds: providers that are looked at one after
        another could not be found to agree if each was asked for a block of another height.
        """
        tip = self.chain.tip
        if tip is None:
            return None
        if self._mark is None or now - self._mark[0] >= self.look_interval:
            self._mark = (now, tip.number)
        return min(self._mark[1], tip.number)

    def knows_side(self, endpoint: Endpoint, start: float) -> bool:
        """Return whether what a provider showed at ``start`` or later can be compared."""
        if self.chain.tip is None or len(self.endpoints) == 1:
            return True  # there is nothing to compare
        view = endpoint.view and endpoint.view.since(start)
        return view is not None and view.side(self.chain) != "unknown"

    def has_readable_heads(self, but: Endpoint, now: float) -> bool:
        """Return whether another provider has lately shown a readable head, as its last one.

        When the heads of all become unreadable at once, their last readable ones are recent too.
        Then nobody is at fault alone, and a pause of all helps nobody.
        """
        start = now - _MAX_LOOKS_OLD * self.look_interval
        others = (one for one in self.usable() if one is not but and one.view is not None)
        return any(
            one.view is not None and one.view.head_at >= max(start, one.unreadable_head_at)
            for one in others
        )

    def status(self, endpoint: Endpoint) -> ProviderStatus:
        """Describe a provider."""
        view = None if endpoint.view is None else self._recent(endpoint, _now())
        return endpoint.status(self.active, "unknown" if view is None else view.side(self.chain))

    def _candidates(self) -> list[Candidate]:
        labels = self._labels(_now())
        return [one.candidate(labels[one.name]) for one in self.usable()]

    def _labels(self, now: float) -> dict[str, str | None]:
        views = {one.name: self._recent(one, now) for one in self.endpoints}
        return grouped(views, self.chain)

    def _recent(self, endpoint: Endpoint, now: float) -> View | None:
        return endpoint.view and endpoint.view.since(now - _MAX_LOOKS_OLD * self.look_interval)

    def compare_at(self, height: int) -> None:
        """Compare providers by their blocks at this height from the next check on."""
        if height != self.at:
            self.at, self.reference = height, None

    @property
    def is_decided(self) -> bool:
        """Whether it is certain which chain this is, whatever other providers answer."""
        if self.reference is not None:
            return True
        voters = sum(not one.by_hand for one in self.endpoints)
        return is_decided(self._identities(), voters, self.expected)

    @property
    def needs_comparison(self) -> bool:
        """Whether a provider was asked at another height than the one at which all are compared."""
        return any(
            one.anchor is not None and one.anchor.number != self.at
            for one in self._identities().values()
        )

    def settle(self) -> None:
        """Choose the chain that most providers are on, unless that has been done.

        Raises:
            WrongChainError: Two chains have as many providers each.
        """
        if self.reference is None:
            found, is_first = elected(self._identities(), self.at, self.expected), self.at is None
            if found is not None and is_first:
                # Without any anchor: later checks must not search for one again.
                self.at = 0 if found.anchor is None else found.anchor.number
            if is_first and self.needs_comparison and not self._is_elected_by_most(found):
                return  # so far, one of them alone could have decided: all are asked at that height
            self.reference = found
        for endpoint in self.endpoints:
            if endpoint.identity is not None:
                self.judge(endpoint, endpoint.identity)

    def _is_elected_by_most(self, found: Identity | None) -> bool:
        votes = [one.anchor for one in self._identities().values() if one.anchor is not None]
        return found is not None and 2 * votes.count(found.anchor) > len(votes)  # type: ignore[arg-type]

    def _identities(self) -> dict[str, Identity]:
        known = {one.name: one.identity for one in self.endpoints if one.identity is not None}
        wanted = self._wanted
        return {name: one for name, one in known.items() if wanted in (None, one.chain_id)}

    def judge(self, endpoint: Endpoint, identity: Identity) -> WrongChainError | None:
        """Note which chain a provider is on, and refuse it when that is another one."""
        endpoint.identity = identity
        wrong = self._difference(endpoint.settings.url, identity)
        if wrong is None:
            # Before anybody has settled which chain this is, none is the right one.
            endpoint.standing = "unchecked" if self.reference is None else "good"
            self._note_unproven(endpoint)
            return None
        if endpoint.standing != "refused":
            endpoint.standing = "refused"
            logger.error("provider %s is refused: %s", endpoint.name, wrong)
            events.refused(endpoint.name)
        endpoint.last_error = str(wrong)
        return wrong

    def _difference(self, url: SecretUrl, found: Identity) -> WrongChainError | None:
        wanted = self._wanted if self.reference is None else self.reference.chain_id
        if wanted is not None and found.chain_id != wanted:
            return WrongChainError(f"{url} is on chain {found.chain_id}, expected {wanted}")
        expected = None if self.reference is None else self.reference.anchor
        if expected is None or found.anchor is None or found.anchor.number != expected.number:
            return None  # it cannot be compared
        if found.anchor.hash != expected.hash:
            return WrongChainError(
                f"{url} is on another chain with the number {found.chain_id}: its block "
                f"{expected.number} is {found.anchor.hash}, expected {expected.hash}"
            )
        return None

    def _note_unproven(self, endpoint: Endpoint) -> None:
        """Log once that a provider cannot be compared, because it has pruned the block."""
        expected = None if self.reference is None else self.reference.anchor
        if expected is None or endpoint.identity is None or endpoint.identity.anchor == expected:
            return
        if not endpoint.unproven:
            endpoint.unproven = True
            note = f"only the chain id could be checked: it does not have block {expected.number}"
            endpoint.last_error = endpoint.last_error or note
            logger.info("provider %s: %s", endpoint.name, note)

    def _tell_switch(self, left: Endpoint, name: str, candidates: Sequence[Candidate]) -> None:
        reason = "gone" if GenServer.whereis(left.process) is None else left.trouble
        chains = {one.name: one.chain for one in candidates}
        if left.name in chains and chains[name] not in (None, chains[left.name] or OURS):
            reason = "minority"
        shown = "in the minority with its chain" if reason == "minority" else reason
        logger.warning("provider %s is %s: following %s now", left.name, shown, name)
        events.switched(name, left.name, reason)


def _now() -> float:
    return asyncio.get_running_loop().time()
