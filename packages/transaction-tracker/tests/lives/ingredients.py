"""The world of a life: the ingredients that its seed draws.

``TRACKER_WORLD=forks,odd`` uses only these ingredients, ``TRACKER_WORLD=none`` uses none, and
``TRACKER_WORLD=forks=100`` uses this one in each life. Each ingredient has its own random numbers,
so omitting one does not change the others.
"""

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from transaction_tracker.domain import FeeScope
from txtrack_devnode import SYSTEM_TRANSACTIONS, ChainRules
from txtrack_devnode.chain import ETHEREUM
from txtrack_devnode.faults import (
    Fault,
    FlippedStatus,
    HashesOnly,
    OddField,
    StaleNull,
    WrongParent,
    describe,
)
from txtrack_devnode.rules import NULL_ROUND_ANSWERS

from . import oddities
from .receipts import BlobReceipts, OtherReceipts, RollupReceipts

# Percentage of the lives that have each ingredient.
INGREDIENTS: Mapping[str, int] = MappingProxyType(
    {
        "providers": 70,  # one or three instead of two
        "forks": 25,  # a provider on a stuck or a growing branch, at any depth
        "shorter": 10,  # a provider whose chain becomes shorter, or starts again
        "balanced": 15,  # a provider with backends of different heights
        "odd": 20,  # odd data from one provider
        "agreed": 20,  # the same odd data from all providers
        "hashes": 8,  # blocks that list hashes instead of transactions
        "forgetful": 10,  # one provider does not know single transactions
        "parents": 8,  # one provider sends parent hashes that do not exist
        "contradictions": 10,  # one provider's receipts report the opposite result
        "batches": 10,  # batches are refused, with various errors
        "pruned": 10,  # block 0 is pruned
        "system": 15,  # the chain's own transactions, with nonce 0
        "nonceless": 8,  # accounts have no nonces
        "nullrounds": 10,  # block numbers without a block
        "authorizations": 15,  # nonces used by EIP-7702 authorizations
        "fast": 8,  # many blocks at once
        "details": 20,  # additional fees, revert reasons that are not text
        "silence": 10,  # no response for longer than the limit for the report of a halt
    }
)
DEVELOPMENT, FILECOIN, TRON, BASE = 31337, 314, 728126428, 8453
# Chains whose profile knows all fees.
_TOTAL_FEE_CHAINS = (DEVELOPMENT, BASE)


def percents(text: str) -> Mapping[str, int]:
    """Return the percentage of the lives that have each ingredient.

    Args:
        text: Value of ``TRACKER_WORLD``; empty for all ingredients.

    Raises:
        ValueError: An ingredient is unknown.
    """
    if not text:
        return INGREDIENTS
    wanted = dict(part.partition("=")[::2] for part in text.split(",") if part != "none")
    if unknown := sorted(wanted.keys() - INGREDIENTS.keys()):
        names = ", ".join(INGREDIENTS)
        raise ValueError(f"TRACKER_WORLD must be none, or some of {names}, got {unknown}")
    return {name: int(percent or INGREDIENTS[name]) for name, percent in wanted.items()}


@dataclass(frozen=True)
class World:
    """The chain and the permanent faults of one life.

    Attributes:
        has: The names of the ingredients.
        providers: Number of providers.
        chain_id: Chain id, which decides the profile.
        rules: Rules of the chain.
        own: Permanent faults of the first provider only.
        common: Permanent faults of every provider.
        excused: The faults that can leave a transaction without an end.
        receipts: Additional fields of all receipts.
    """

    has: frozenset[str] = frozenset()
    providers: int = 2
    chain_id: int = DEVELOPMENT
    rules: ChainRules = ETHEREUM
    own: tuple[Fault, ...] = ()
    common: tuple[Fault, ...] = ()
    excused: tuple[Fault, ...] = ()
    receipts: OtherReceipts | None = None

    def __str__(self) -> str:
        """Describe the world; faults are written as for ``txtrack node``."""
        parts = [f"{self.providers} providers", *sorted(self.has - {"providers"})]
        if self.rules.null_rounds:
            parts.append(f"null rounds {self.rules.null_rounds} {self.rules.null_round_answer}")
        parts += [f"one: {describe(fault)}" for fault in self.own]
        parts += [f"all: {describe(fault)}" for fault in self.common]
        return f"world of {'; '.join(parts)}"

    @property
    def has_dishonest(self) -> bool:
        """Whether the first provider sends false data while the others are honest."""
        return self.providers > 1 and bool(
            self.own or self.has & {"forks", "shorter", "contradictions"}
        )

    @property
    def scope(self) -> FeeScope:
        """Scope of the fees that the chain's profile knows."""
        return "total" if self.chain_id in _TOTAL_FEE_CHAINS else "execution"

    @property
    def is_exact(self) -> bool:
        """Whether each provider sends each detail correctly."""
        return not self.has & {"odd", "agreed", "contradictions"}

    @property
    def can_be_violated(self) -> bool:
        """Whether a final state can be taken back: no other provider contradicts a single one."""
        return self.providers == 1 and bool(self.has & {"forks", "shorter"})

    def hides_slot(self, tx_hash: str) -> bool:
        """Return whether no provider sends the sender and nonce of a transaction."""
        return any(
            isinstance(fault, OddField)
            and fault.record == "transaction"
            and fault.field in ("nonce", "from")
            and fault.affects(tx_hash)
            for fault in self.common
        )

    def excuses(self, tx_hash: str) -> bool:
        """Return whether the data about a transaction can leave it without an end."""
        return any(
            isinstance(fault, oddities.ResultFault) and fault.affects(tx_hash)
            for fault in self.excused
        )


def draw(seed: int) -> World:
    """Draw the world of a life."""
    shares = percents(os.environ.get("TRACKER_WORLD", ""))
    chances = {name: random.Random(f"{name}:{seed}") for name in INGREDIENTS}
    has = frozenset(
        name for name, chance in chances.items() if chance.randrange(100) < shares.get(name, 0)
    )
    providers = chances["providers"].choice([1, 3]) if "providers" in has else 2
    own, common, excused = _faults(has, providers, chances)
    chain_id, rules = _chain(has, chances)
    receipts: OtherReceipts | None = None
    if "details" in has:
        if chain_id == DEVELOPMENT and chances["details"].random() < 0.5:
            chain_id = BASE
        receipts = RollupReceipts() if chain_id == BASE else BlobReceipts()
        # First: faults of odd data then change these receipts.
        common = (receipts, *common, *oddities.refused_calls(chances["details"]))
    return World(has, providers, chain_id, rules, own, common, excused, receipts)


def _faults(
    has: frozenset[str], providers: int, chances: Mapping[str, random.Random]
) -> tuple[tuple[Fault, ...], tuple[Fault, ...], tuple[Fault, ...]]:
    """Draw the faults of the first provider, those of all, and those that excuse a transaction."""
    own: list[Fault] = []
    common: list[Fault] = []
    excused: list[Fault] = []
    if "odd" in has and providers > 1:
        own += oddities.odd_faults(chances["odd"])
        if providers == 2:
            # An end needs two receipts: it waits, and this is reported.
            excused += [fault for fault in own if oddities.hides_outcome(fault)]
    if "agreed" in has:
        common += oddities.odd_faults(chances["agreed"], agreed=True)
        excused += [fault for fault in common if oddities.can_park(fault)]
    if "hashes" in has:
        chosen = common if chances["hashes"].random() < 0.5 else own
        chosen.append(HashesOnly())
    if "forgetful" in has and providers > 1:
        own.append(StaleNull(methods=oddities.ABOUT_TRANSACTIONS))
    if "parents" in has and providers > 1:
        own.append(WrongParent(part=chances["parents"].choice([0.2, 0.6, 1.0])))
    if "contradictions" in has and providers > 1:
        flipped = FlippedStatus(part=chances["contradictions"].choice([0.5, 1.0]))
        own.append(flipped)
        if providers == 2:
            excused.append(flipped)  # one provider against one: the truth cannot be known
    if "batches" in has:
        chosen = common if chances["batches"].random() < 0.5 else own
        chosen.append(oddities.refused_batch(chances["batches"]))
    if "pruned" in has:
        chosen = common if chances["pruned"].random() < 0.5 else own
        chosen.append(oddities.pruned(chances["pruned"]))
    if "balanced" in has:
        chosen = common if chances["balanced"].random() < 0.5 else own
        chosen.append(oddities.load_balanced(chances["balanced"]))
    return tuple(own), tuple(common), tuple(excused)


def _chain(has: frozenset[str], chances: Mapping[str, random.Random]) -> tuple[int, ChainRules]:
    """Draw the chain. Null rounds and missing nonces belong to known chains."""
    system = tuple(SYSTEM_TRANSACTIONS) if "system" in has else ()
    if "nullrounds" in has:
        chance = chances["nullrounds"]
        every, answer = chance.choice([3, 5, 7]), chance.choice(NULL_ROUND_ANSWERS)
        rules = ChainRules(null_rounds=every, null_round_answer=answer, system=system)
        return FILECOIN, rules
    if "nonceless" in has:
        return TRON, ChainRules(account_nonces=False, system=system)
    return DEVELOPMENT, ChainRules(system=system)
