"""Requests to the followed provider before a block is applied."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    Agenda,
    BlockRef,
    KeptChain,
    Link,
    Outcome,
    RecentSlots,
    Tracked,
    Transaction,
)
from transaction_tracker.follower.endings import Endings
from transaction_tracker.follower.evidence import Evidence
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.unreadable import UnusableAnswers
from transaction_tracker.sources import Ending, FetchedBlock, Prefetched, TransportError

CHAIN = KeptChain.of(20, [Link(n, str(n), str(n - 1)) for n in range(1, 13)])
PAID = Outcome(True, 1)
MINED = Tracked(
    "old", 3, state="mined", slots=("s:1",), content="c", anchor=BlockRef(11, "11"), outcome=PAID
)
WAITING = Tracked("new", 3, state="pending", slots=("t:1",), content="c")


class OpenTransactions(dict[str, Tracked]):
    """The open transactions."""

    def own(self, ids: Collection[str], _slots: Mapping[str, str]) -> dict[str, str]:
        return {key: key for key in self.keys() & set(ids)}

    def rivals(self, slots: Mapping[str, str]) -> dict[str, str]:
        return {
            tracked.id: slots[slot]
            for tracked in self.values()
            for slot in tracked.slots
            if slots.get(slot, tracked.id) != tracked.id
        }


class Source:
    """Records its questions, and returns an opinion for each block."""

    def __init__(self) -> None:
        self.prefetched: list[tuple[set[str], dict[str, Ending]]] = []
        self.opinions: list[object] = []
        self.failure: Exception | None = None

    async def prefetch(
        self,
        block: FetchedBlock,
        ids: Collection[str],
        endings: Mapping[str, Ending],
        _at_once: Collection[str] = (),
    ) -> Prefetched:
        self.prefetched.append((set(ids), dict(endings)))
        if self.failure is not None:
            raise self.failure
        return Prefetched(dict.fromkeys(ids, PAID), f"of {block.link.hash}")

    async def outcomes(self, _block: FetchedBlock, ids: Collection[str]) -> dict[str, Outcome]:
        return dict.fromkeys(ids, PAID)

    def standing_objections(self) -> tuple[()]:
        return ()

    def forget_objections(self, _transaction: str) -> None:
        pass

    async def objections(
        self, _chain: KeptChain, endings: Mapping[str, Ending], opinion: object = None
    ) -> dict[str, Any]:
        self.opinions.append(opinion)
        return {}

    def transaction(self, _block: FetchedBlock, key: str) -> Transaction:
        return Transaction(key, ("t:1",), "c")


class World:
    """Evidence, with a source and open transactions that a test sets."""

    def __init__(self, *tracked: Tracked) -> None:
        self.source = Source()
        self.open_transactions = OpenTransactions(
            {transaction.id: transaction for transaction in tracked}
        )
        agenda = Agenda()
        for transaction in tracked:
            agenda.note(transaction)
        open_transactions: Any = self.open_transactions
        source: Any = self.source
        endings = Endings(source, open_transactions, FollowerStatus(clock=lambda: 0.0))
        unusable = UnusableAnswers(open_transactions)
        self.evidence = Evidence(
            source, open_transactions, agenda, RecentSlots(), endings, unusable
        )

    async def apply(self, number: int, *ids: str) -> list[str]:
        """Apply a block; return the transactions about which there are facts."""
        slots = {"t:1": ids[0]} if ids else {}
        link = Link(number, str(number), str(number - 1))
        block = FetchedBlock(link, {key: at for at, key in enumerate(ids)}, slots, ())
        chain = KeptChain.of(20, [Link(n, str(n), str(n - 1)) for n in range(1, number)])
        await self.evidence.prefetch([block], chain)
        return sorted(await self.evidence.of_block(block, chain.extended([link])))


async def test_outcomes_and_ends_of_a_block_are_requested_together() -> None:
    world = World(MINED, WAITING)

    assert await world.apply(13, "new") == ["new", "old"]

    last = BlockRef(13, "13")
    end = Ending(BlockRef(11, "11"), True, None, ("s:1",), last, outcome=PAID, content="c")
    assert world.source.prefetched == [({"new"}, {"old": end})]
    assert world.source.opinions == ["of 13"]


@pytest.mark.parametrize(("required", "count"), [(1, 1), (2, 0)])
async def test_end_in_the_block_itself_is_expected(required: int, count: int) -> None:
    world = World(replace(WAITING, required=required))

    await world.apply(13, "new")

    assert world.source.prefetched == [({"new"}, {})] * count
    assert world.source.opinions == ["of 13"] * count


async def test_end_by_a_rival_in_the_block_is_expected() -> None:
    world = World(replace(WAITING, required=1))

    await world.apply(13, "rival")

    ref = BlockRef(13, "13")
    end = Ending(ref, None, "rival", ("t:1",), confirmed_by=ref)
    assert world.source.prefetched == [(set(), {"new": end})]


async def test_opinion_is_used_only_for_its_block() -> None:
    world = World(MINED)
    await world.apply(13)
    world.source.failure = TransportError("cut off")

    await world.apply(14)

    assert world.source.opinions == ["of 13", None]
