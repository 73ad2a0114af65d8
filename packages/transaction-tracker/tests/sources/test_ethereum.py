"""The Ethereum source against the development node."""

from typing import Any

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    Absent,
    BlockRef,
    Execution,
    Included,
    InvalidTransactionError,
    Link,
    Outcome,
    Rejected,
    Seen,
)
from transaction_tracker.sources import (
    Consensus,
    Contained,
    NotYetError,
    TransportError,
    Unreadable,
    WrongChainError,
)
from transaction_tracker.sources.ethereum import EthereumSource
from txtrack_devnode import GWEI, Chain, DevelopmentNode, Transaction

UNKNOWN = "0x" + "9" * 64
NO_EFFECTS = Execution(transfers=()).effects


def submit(node: DevelopmentNode, sender: int = 0, **options: object) -> Transaction:
    accounts = node.chain.accounts
    return node.chain.submit(accounts[sender], accounts[-1], 1, **options)  # type: ignore[arg-type]


def ref_of(block: Any) -> BlockRef:
    return BlockRef(block.number, block.hash)


async def test_head_has_its_parent(node: DevelopmentNode, source: EthereumSource) -> None:
    first, second = node.chain.mine(2)

    head = await source.head()

    assert (head.link.number, head.link.hash, head.link.parent) == (2, second.hash, first.hash)
    assert head.marks == {}


async def test_head_has_the_safe_and_finalized_blocks_if_requested(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    node.chain.mine(100)
    before = source.requests

    head = await source.head(marks=True)

    marked = {"safe": node.chain.safe, "finalized": node.chain.finalized}
    assert head.marks == {tag: ref_of(node.chain.block(height)) for tag, height in marked.items()}
    assert 0 < head.marks["finalized"].number < head.marks["safe"].number < 100
    assert source.requests == before + 1


async def test_block_with_its_transactions_takes_one_request(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    transactions = [submit(node, sender) for sender in (0, 1, 2)]
    mined = await node.mine()
    before = source.requests

    block = await source.block(ref_of(mined))

    assert block.ids.keys() == {tx.hash for tx in transactions}
    assert block.slots == {f"{tx.sender}:{tx.nonce}": tx.hash for tx in transactions}
    assert source.requests == before + 1


async def test_outcomes_of_hits_take_one_request(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    good = submit(node, 0)
    bad = submit(node, 1, reverts="no money")
    submit(node, 2)
    block = await source.block(ref_of(await node.mine()))
    before = source.requests

    outcomes = await source.outcomes(block, [good.hash, bad.hash])

    paid = Outcome(True, 21_000 * (GWEI + GWEI // 10), gas_used=21_000, effects=NO_EFFECTS)
    assert outcomes == {
        good.hash: paid,
        bad.hash: replace(paid, succeeded=False, error="no money"),
    }
    assert source.requests == before + 1


async def test_outcomes_of_many_hits_take_one_request(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    hashes = [submit(node, number % 4).hash for number in range(300)]
    block = await source.block(ref_of(await node.mine()))
    before = source.requests

    outcomes = await source.outcomes(block, hashes)

    assert outcomes.keys() == set(hashes)
    assert source.requests == before + 1
    assert node.counters["eth_getBlockReceipts"] == 1


async def test_a_receipt_that_names_another_block_is_unreadable(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    tx = submit(node)
    block = await source.block(ref_of(await node.mine()))
    node.chain.reorg(1, "move")

    outcomes = await source.outcomes(block, [tx.hash])

    unreadable = outcomes[tx.hash]
    assert isinstance(unreadable, Unreadable)
    assert f"must name block 1 ({block.link.hash}), got block" in unreadable.why


async def test_outcome_that_the_node_has_lost_is_missing(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    tx = submit(node)
    block = await source.block(ref_of(await node.mine()))
    node.chain.reorg(1, "drop")

    assert await source.outcomes(block, [tx.hash]) == {}


async def test_missing_block_is_not_a_fact(source: EthereumSource) -> None:
    with pytest.raises(NotYetError, match=rf"has no block 7 \({UNKNOWN}\) yet"):
        await source.block(BlockRef(7, UNKNOWN))


@pytest.mark.parametrize("at_once", [True, False])
async def test_look_up_returns_pending_mined_and_absent_transactions(
    node: DevelopmentNode, source: EthereumSource, at_once: bool
) -> None:
    mined = submit(node, 0)
    block = await node.mine()
    waiting = submit(node, 1)

    asked = dict.fromkeys([mined.hash, waiting.hash, UNKNOWN], ())

    facts = await source.look_up(asked, 1, at_once=at_once)

    assert facts.keys() == set(asked)
    assert isinstance(facts[waiting.hash], Seen)
    absent = facts[UNKNOWN]
    assert isinstance(absent, Absent)
    assert absent.height == 1
    included = facts[mined.hash]
    assert isinstance(included, Included)
    assert (included.block.number, included.block.hash) == (1, block.hash)
    assert included.outcome.succeeded


async def test_look_up_at_once_takes_one_request(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    transactions = [submit(node, number) for number in range(3)]
    node.chain.drop(transactions[2].hash)
    await node.mine()
    asked = {tx.hash: f"{tx.sender}:{tx.nonce}" for tx in transactions}
    before = source.requests

    facts = await source.look_up(asked, 1, at_once=True)

    assert [type(facts[tx.hash]) for tx in transactions] == [Included, Included, Absent]
    assert source.requests == before + 1


async def test_node_behind_us_cannot_say_that_a_transaction_is_absent(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    assert await source.look_up({UNKNOWN: ()}, 1) == {}
    assert (await source.consensus({UNKNOWN: ()}, 1))[UNKNOWN] == Consensus(
        "open", 1, "a provider is at block 0, below 1: it cannot say that there is none"
    )


async def test_pending_transaction_after_an_unknown_nonce_has_a_gap(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    tx = submit(node, nonce=5)
    slot = f"{tx.sender}:{tx.nonce}"

    (gap,) = (await source.look_up({tx.hash: (slot,)}, 0, at_once=True)).values()
    for nonce in range(5):
        submit(node, nonce=nonce)
    (none,) = (await source.look_up({tx.hash: (slot,)}, 0, at_once=True)).values()

    assert isinstance(gap, Seen)
    assert isinstance(none, Seen)
    assert (gap.gap, none.gap) == (True, False)


async def test_pending_transaction_has_its_maximum_fee_and_the_base_fee(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    tx = submit(node, max_fee=3 * GWEI)
    await source.head()

    (seen,) = (await source.look_up({tx.hash: ()}, 0)).values()

    assert isinstance(seen, Seen)
    assert (seen.transaction.max_fee, seen.base_fee) == (3 * GWEI, GWEI)


async def test_transaction_signed_for_another_chain_is_refused(
    node: DevelopmentNode,
) -> None:
    tx = submit(node)
    node.chain.chain_id = 5
    source = EthereumSource(node.url)
    await source.check()

    facts = await source.look_up({tx.hash: ()}, 0)

    assert facts == {tx.hash: Rejected("it is signed for chain 31337, this is chain 5")}
    await source.close()


async def test_consensus_of_unmined_absent_and_superseded_transactions(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    waiting, gone, used, mined = (submit(node, number) for number in range(4))
    node.chain.drop(gone.hash)
    node.chain.replace(used.hash, "cancelled")
    await node.mine()
    node.chain.reorg(1, "pool")
    node.chain.drop(mined.hash)
    node.chain.drop(waiting.hash)
    await node.mine()
    node.chain.add(waiting)
    slots = {tx.hash: (f"{tx.sender}:{tx.nonce}",) for tx in (waiting, gone, used)}

    agreed = await source.consensus(slots, node.chain.head.number)

    assert agreed == {
        waiting.hash: Consensus("unmined", providers=1),
        gone.hash: Consensus("absent", providers=1),
        used.hash: Consensus("nonce-used", providers=1),
    }


async def test_consensus_about_a_mined_transaction_is_open(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    tx = submit(node)
    await node.mine()

    head = node.chain.head
    assert await source.consensus({tx.hash: ()}, 1) == {
        tx.hash: Consensus("open", 1, f"a provider has it in block {head.number} ({head.hash})")
    }


async def test_old_blocks_are_proven_by_the_links_to_our_lowest_block(
    node: DevelopmentNode, source: EthereumSource
) -> None:
    first, second, third = (ref_of(block) for block in node.chain.mine(3))
    foreign, missing = BlockRef(2, UNKNOWN), BlockRef(99, UNKNOWN)
    blocks = [first, second, foreign, missing]
    bottom = Link(third.number, third.hash, second.hash)
    elsewhere = Link(third.number, third.hash, UNKNOWN)

    assert await source.contained(blocks, third, bottom) == Contained(frozenset({first, second}))
    assert await source.contained(blocks, third, elsewhere) == Contained()


@pytest.mark.parametrize(
    "text", ["", "0x12", "12" * 32, "0x" + "g" * 64, "0x" + "1" * 65, " 0x" + "1" * 64, 7, None]
)
def test_invalid_transaction_hash_is_refused(text: str) -> None:
    source = EthereumSource("http://127.0.0.1:1")

    with pytest.raises(InvalidTransactionError, match="0x and 64 hexadecimal digits, got"):
        source.identify(text)


def test_a_hash_has_one_form() -> None:
    source = EthereumSource("http://127.0.0.1:1")

    assert source.identify("0x" + "AB" * 32) == "0x" + "ab" * 32


async def test_a_node_of_another_chain_is_refused(node: DevelopmentNode) -> None:
    source = EthereumSource(node.url, chain_id=1)

    with pytest.raises(WrongChainError, match="is on chain 31337, expected 1"):
        await source.check()

    await source.close()


async def test_chain_of_the_node_is_used_without_a_configured_chain(node: DevelopmentNode) -> None:
    source = EthereumSource(node.url)

    await source.check()

    assert source.name == "ethereum:31337"
    await source.close()


async def test_another_chain_with_the_same_chain_id_is_refused() -> None:
    async with DevelopmentNode(chain=Chain(seed="one")) as node:
        source = EthereumSource(node.url)
        await source.check()
        port = int(node.url.rsplit(":", 1)[1].strip("/"))

    async with DevelopmentNode(chain=Chain(seed="another"), port=port):
        with pytest.raises(WrongChainError, match=r"its block 0 is 0x.*, expected 0x"):
            await source.check(again=True)

    await source.close()


async def test_node_that_changes_its_chain_is_refused(node: DevelopmentNode) -> None:
    source = EthereumSource(node.url)
    await source.check()
    node.chain.chain_id = 5

    with pytest.raises(WrongChainError, match="is on chain 5, expected 31337"):
        await source.check(again=True)

    await source.close()


async def test_successful_check_is_not_repeated(source: EthereumSource) -> None:
    before = source.requests

    await source.check()

    assert source.requests == before


async def test_error_names_the_unreachable_node() -> None:
    unreachable = EthereumSource("http://127.0.0.1:1")

    with pytest.raises(TransportError, match=r"http://127.0.0.1:1: no connection"):
        await unreachable.check()

    with pytest.raises(RuntimeError, match="before check"):
        _ = unreachable.name
    await unreachable.close()


async def test_closed_source_opens_again(node: DevelopmentNode, source: EthereumSource) -> None:
    await source.close()

    assert (await source.head()).link.number == 0
