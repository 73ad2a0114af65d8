"""What kind of world one life is lived in: drawn from its seed, an ingredient at a time.

``TRACKER_WORLD=forks,odd`` leaves the other ingredients out, ``TRACKER_WORLD=none`` all of them,
and ``TRACKER_WORLD=forks=100`` has this one in each life. Each is drawn by its own chance, so that
leaving one out changes nothing about the others.
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

# How many of a hundred lives have it.
INGREDIENTS: Mapping[str, int] = MappingProxyType(
    {
        "providers": 70,  # one or three in place of two
        "forks": 25,  # a provider on a stuck or a growing branch, at any depth
        "shorter": 10,  # a provider whose chain became shorter, or began again
        "balanced": 15,  # an address with nodes of different heights behind it
        "odd": 20,  # odd answers from one provider
        "agreed": 20,  # the same odd answers from all providers
        "hashes": 8,  # blocks that list hashes in place of transactions
        "forgetful": 10,  # one provider knows nothing of single transactions
        "parents": 8,  # one provider names parents that do not exist
        "contradictions": 10,  # one provider's receipts say the opposite
        "batches": 10,  # batches are refused, in all sorts of words
        "pruned": 10,  # block 0 is gone
        "system": 15,  # transactions that the chain itself makes, with nonce 0
        "nonceless": 8,  # accounts have no nonces
        "nullrounds": 10,  # numbers without a block
        "authorizations": 15,  # nonces used up by EIP-7702
        "fast": 8,  # many blocks at once
        "details": 20,  # more fees, reasons that are not text
        "silence": 10,  # nobody answers for longer than a halt may stay untold
    }
)
DEVELOPMENT, FILECOIN, TRON, BASE = 31337, 314, 728126428, 8453
# Chains whose profile knows all fees.
_WHOLE_FEES = (DEVELOPMENT, BASE)


def percents(given: str) -> Mapping[str, int]:
    """Return how many of a hundred lives have each ingredient.

    Args:
        given: The value of ``TRACKER_WORLD``; an empty one means all ingredients.

    Raises:
        ValueError: There is no such ingredient.
    """
    if not given:
        return INGREDIENTS
    wanted = dict(part.partition("=")[::2] for part in given.split(",") if part != "none")
    if unknown := sorted(wanted.keys() - INGREDIENTS.keys()):
        names = ", ".join(INGREDIENTS)
        raise ValueError(f"TRACKER_WORLD must be none, or some of {names}, got {unknown}")
    return {name: int(percent or INGREDIENTS[name]) for name, percent in wanted.items()}


@dataclass(frozen=True)
class World:
    """What is special about the chain and the providers of one life.

    Attributes:
        has: The ingredients, without those that only shape the chain.
        providers: How many providers there are.
        chain_id: The chain, which decides its profile.
        rules: What the chain does differently.
        own: What the first provider alone does all the time: it is the one that lies.
        common: What every provider does all the time.
        excused: Those of them that can leave a transaction without an end.
        receipts: What all receipts have beside the development node's own fields.
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
        """What is special, in the words of ``txtrack node``."""
        parts = [f"{self.providers} providers", *sorted(self.has - {"providers"})]
        if self.rules.null_rounds:
            parts.append(f"null rounds {self.rules.null_rounds} {self.rules.null_round_answer}")
        parts += [f"one: {describe(fault)}" for fault in self.own]
        parts += [f"all: {describe(fault)}" for fault in self.common]
        return f"world of {'; '.join(parts)}"

    @property
    def has_liar(self) -> bool:
        """Whether the first provider cannot be believed while the others can."""
        return self.providers > 1 and bool(
            self.own or self.has & {"forks", "shorter", "contradictions"}
        )

    @property
    def scope(self) -> FeeScope:
        """What the chain's profile knows of fees."""
        return "total" if self.chain_id in _WHOLE_FEES else "execution"

    @property
    def is_exact(self) -> bool:
        """Whether each provider says each detail."""
        return not self.has & {"odd", "agreed", "contradictions"}

    @property
    def can_be_violated(self) -> bool:
        """Whether an only provider can take back what was final: there is nobody else to ask."""
        return self.providers == 1 and bool(self.has & {"forks", "shorter"})

    def hides_slot(self, tx_hash: str) -> bool:
        """Return whether no provider says which slot a transaction takes."""
        return any(
            isinstance(fault, OddField)
            and fault.record == "transaction"
            and fault.field in ("nonce", "from")
            and fault.affects(tx_hash)
            for fault in self.common
        )

    def excuses(self, tx_hash: str) -> bool:
        """Return whether the answers about a transaction leave it without an end."""
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
    own, common, excused = _answers(has, providers, chances)
    chain_id, rules = _chain(has, chances)
    receipts: OtherReceipts | None = None
    if "details" in has:
        if chain_id == DEVELOPMENT and chances["details"].random() < 0.5:
            chain_id = BASE
        receipts = RollupReceipts() if chain_id == BASE else BlobReceipts()
        # First, so that odd answers are given about these.
        common = (receipts, *common, *oddities.refused_calls(chances["details"]))
    return World(has, providers, chain_id, rules, own, common, excused, receipts)


def _answers(
    has: frozenset[str], providers: int, chances: Mapping[str, random.Random]
) -> tuple[tuple[Fault, ...], tuple[Fault, ...], tuple[Fault, ...]]:
    """Draw what one provider and what all of them do, and what of that excuses a transaction."""
    own: list[Fault] = []
    common: list[Fault] = []
    excused: list[Fault] = []
    if "odd" in has and providers > 1:
        own += oddities.some(chances["odd"])
    if "agreed" in has:
        common += oddities.some(chances["agreed"], agreed=True)
        excused += [fault for fault in common if oddities.may_park(fault)]
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
            excused.append(flipped)  # one against one: nobody can know
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
    """Draw the chain. Null rounds and missing nonces belong to chains that the table knows."""
    system = tuple(SYSTEM_TRANSACTIONS) if "system" in has else ()
    if "nullrounds" in has:
        chance = chances["nullrounds"]
        every, answer = chance.choice([3, 5, 7]), chance.choice(NULL_ROUND_ANSWERS)
        rules = ChainRules(null_rounds=every, null_round_answer=answer, system=system)
        return FILECOIN, rules
    if "nonceless" in has:
        return TRON, ChainRules(account_nonces=False, system=system)
    return DEVELOPMENT, ChainRules(system=system)
