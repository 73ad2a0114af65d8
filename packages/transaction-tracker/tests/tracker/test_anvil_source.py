"""The Ethereum source on a real node."""

from collections.abc import AsyncIterator

import pytest

from transaction_tracker import EthereumSource, WrongChainError
from transaction_tracker.domain import Absent, BlockRef, Included, Seen
from transaction_tracker.sources import Consensus, NotYetError

from .anvil import Anvil

pytestmark = pytest.mark.anvil


@pytest.fixture
async def source(anvil: Anvil) -> AsyncIterator[EthereumSource]:
    source = EthereumSource(anvil.url, chain_id=31337)
    await source.check()
    yield source
    await source.close()


async def test_head_block_and_outcomes_are_consistent(anvil: Anvil, source: EthereumSource) -> None:
    keys = [await anvil.pay(sender, 9) for sender in range(3)]
    await anvil.mine()

    head = (await source.head()).link
    block = await source.block(head.ref)
    outcomes = await source.outcomes(block, keys)

    assert block.link == head
    assert block.ids.keys() == set(keys) == outcomes.keys()
    assert all(outcome.succeeded for outcome in outcomes.values())
    above = BlockRef(head.number + 1, head.hash)
    found = await source.contained([head.parent_ref, above], head.ref, head)
    assert found.proven == {head.parent_ref}


async def test_receipts_of_a_whole_block_are_read(anvil: Anvil, source: EthereumSource) -> None:
    keys = [await anvil.pay(sender, 9, nonce=hex(n)) for n in range(20) for sender in range(8)]
    await anvil.mine()
    block = await source.block((await source.head()).link.ref)
    before = source.requests

    outcomes = await source.outcomes(block, keys)

    assert outcomes.keys() == set(keys)
    assert source.requests == before + 1


@pytest.mark.parametrize("at_once", [True, False])
async def test_lookup_returns_pending_mined_and_unknown_transactions(
    anvil: Anvil, source: EthereumSource, at_once: bool
) -> None:
    mined = await anvil.pay(0, 1)
    await anvil.mine()
    waiting, unknown = await anvil.pay(1, 2), "0x" + "9" * 64

    facts = await source.look_up(dict.fromkeys([mined, waiting, unknown], ()), 1, at_once=at_once)

    assert facts.keys() == {mined, waiting, unknown}
    assert isinstance(facts[mined], Included)
    assert isinstance(facts[waiting], Seen)
    assert isinstance(facts[unknown], Absent)


async def test_dropped_transaction_is_absent_at_all_nodes(
    anvil: Anvil, source: EthereumSource
) -> None:
    waiting, dropped = await anvil.pay(0, 1), await anvil.pay(1, 2)
    slots = {waiting: (), dropped: (f"{anvil.accounts[1]}:0",)}
    await anvil.client.call("anvil_dropTransaction", dropped)

    assert await source.consensus(slots, 0) == {
        waiting: Consensus("unmined", providers=1),
        dropped: Consensus("absent", providers=1),
    }


async def test_heights_of_the_tags_are_read(anvil: Anvil, source: EthereumSource) -> None:
    for _ in range(70):
        await anvil.mine()

    head = await source.head(marks=True)

    assert head.link.number == 70
    finalized, safe = head.marks["finalized"], head.marks["safe"]
    assert 0 < finalized.number < safe.number < 70
    found = await source.contained([finalized, safe], head.link.ref, head.link)
    assert found.proven == {finalized, safe}


async def test_unknown_block_raises(source: EthereumSource) -> None:
    with pytest.raises(NotYetError):
        await source.block(BlockRef(9, "0x" + "9" * 64))


async def test_other_chain_id_raises(anvil: Anvil) -> None:
    source = EthereumSource(anvil.url, chain_id=1)

    with pytest.raises(WrongChainError, match="is on chain 31337, expected 1"):
        await source.check()

    await source.close()
