"""All providers of a chain, which chain that is, and which of them is followed."""

import logging
from collections.abc import Collection, Sequence

from beamish import GenServer
from transaction_tracker.providers import events
from transaction_tracker.providers.choice import best, best_head, choose
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.sources import WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity
from transaction_tracker.sources.ethereum.url import SecretUrl

logger = logging.getLogger("transaction_tracker")


class Board:
    """What the pool and the providers' processes share.

    Args:
        endpoints: The providers, in the order in which they are preferred.
        chain_id: The chain that they must be on; ``None`` takes the first one's word.
        max_lag: Blocks that the followed one may be behind while another one is not.
    """

    def __init__(self, endpoints: Sequence[Endpoint], chain_id: int | None, max_lag: int) -> None:
        self.endpoints = endpoints
        self.active: str | None = None
        self.reference: Identity | None = None
        self.at: int | None = None  # the height at which providers are compared
        self._wanted = chain_id
        self._max_lag = max_lag

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
        """Choose whom to follow, and say so when that is another one than before."""
        usable = self.usable()
        name = choose(self.active, [one.candidate() for one in usable], self._max_lag)
        if name is None:
            return None
        if self.active is not None and name != self.active:
            self._tell_switch(self.named(self.active), name)
        self.active = name
        return self.named(name)

    def another(self, but: Collection[str]) -> Endpoint | None:
        """Choose whom to ask in place of others."""
        candidates = [one.candidate() for one in self.usable()]
        name = best(candidates, self._max_lag, but=but)
        return None if name is None else self.named(name)

    def saw_head(self, endpoint: Endpoint, height: int, now: float) -> None:
        """Note the head that a provider told of."""
        others = [one.health.head for one in self.usable() if one is not endpoint]
        known = [height, *(head for head in others if head is not None)]
        endpoint.health.saw_head(height, best_head(known) or 0, now)

    def compare_at(self, height: int) -> None:
        """Compare providers by their blocks at this height from the next check on."""
        if height != self.at:
            self.at, self.reference = height, None

    def settle(self) -> None:
        """Take the word of the first that answered for which chain this is, if nobody else's."""
        if self.reference is None:
            known = (one.identity for one in self.endpoints if one.identity is not None)
            fitting = [one for one in known if self._wanted in (None, one.chain_id)]
            self.reference = _reference(fitting, self.at)
            if self.reference is not None and self.at is None:
                # Without any anchor: later checks must not search for one again.
                self.at = 0 if self.reference.anchor is None else self.reference.anchor.number
        for endpoint in self.endpoints:
            if endpoint.identity is not None:
                self.judge(endpoint, endpoint.identity)

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

    def _tell_switch(self, left: Endpoint, name: str) -> None:
        reason = "gone" if GenServer.whereis(left.process) is None else left.trouble
        logger.warning("provider %s is %s: following %s now", left.name, reason, name)
        events.switched(name, left.name, reason)


def _reference(identities: Sequence[Identity], at: int | None) -> Identity | None:
    """Choose the identity by which all are judged: the first one's chain, the lowest anchor."""
    if not identities:
        return None
    chain_id = identities[0].chain_id
    anchors = [one.anchor for one in identities if one.chain_id == chain_id and one.anchor]
    fitting = [anchor for anchor in anchors if at in (None, anchor.number)]
    # By the number alone: of several blocks of that height the first provider's counts.
    return Identity(chain_id, min(fitting, key=lambda anchor: anchor.number, default=None))
