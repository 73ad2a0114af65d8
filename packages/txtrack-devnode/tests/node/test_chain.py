"""The chain without a node: transactions, blocks, reorgs, accounts."""

from collections.abc import Callable

import pytest

from txtrack_devnode import ETHER, GWEI, Block, Chain, ChainError, Transaction
from txtrack_devnode.chain import ORPHANS, Orphans


@pytest.fixture
def chain() -> Chain:
    return Chain(accounts=5)


def pay(chain: Chain, sender: int = 0, **options: object) -> Transaction:
    """Submit a payment from one development account to the last one."""
    return chain.submit(chain.accounts[sender], chain.accounts[-1], 1, **options)  # type: ignore[arg-type]


def test_chain_starts_with_block_zero(chain: Chain) -> None:
    assert chain.head.number == 0
    assert chain.head.transactions == ()
    assert chain.block(0) is chain.head
    assert chain.block_by_hash(chain.head.hash) is chain.head
    assert chain.block(1) is None
    assert chain.block(-1) is None


def test_mined_blocks_form_a_chain_of_parents(chain: Chain) -> None:
    pay(chain)

    blocks = chain.mine(3)

    assert [block.number for block in blocks] == [1, 2, 3]
    assert [len(block.transactions) for block in blocks] == [1, 0, 0]
    assert blocks[0].parent_hash == chain.block(0).hash  # type: ignore[union-attr]
    assert blocks[2].parent_hash == blocks[1].hash
    assert blocks[2].timestamp - blocks[1].timestamp == 12
    assert chain.head is blocks[2]


def test_submitted_transaction_is_pending_until_it_is_mined(chain: Chain) -> None:
    tx = pay(chain)
    assert chain.pending(tx.hash) is tx
    assert chain.mined(tx.hash) is None

    chain.mine()

    mined = chain.mined(tx.hash)
    assert chain.pending(tx.hash) is None
    assert mined is not None
    assert (mined.transaction, mined.block, mined.index) == (tx, chain.head, 0)
    assert chain.head.revert_reason(tx.hash) is None


def test_nonces_count_pending_and_mined_transactions(chain: Chain) -> None:
    sender = chain.accounts[0]
    assert [pay(chain).nonce for _ in range(3)] == [0, 1, 2]
    assert (chain.nonce(sender), chain.pending_nonce(sender)) == (0, 3)

    chain.mine()

    assert (chain.nonce(sender), chain.pending_nonce(sender)) == (3, 3)
    assert chain.nonce(sender, height=0) == 0
    assert pay(chain).nonce == 3


def test_transaction_after_a_nonce_gap_waits_for_the_gap_to_close(chain: Chain) -> None:
    late = pay(chain, nonce=2)
    first = pay(chain, nonce=0)
    chain.mine()
    assert chain.head.transactions == (first,)

    between = pay(chain, nonce=1)
    chain.mine()

    assert chain.head.transactions == (between, late)


def test_transaction_below_the_base_fee_stays_pending(chain: Chain) -> None:
    cheap = pay(chain, max_fee=GWEI - 1, priority_fee=0)
    chain.mine(3)
    assert chain.pending(cheap.hash)

    dearer = pay(chain, nonce=0, max_fee=GWEI * 2, priority_fee=0)
    chain.mine()

    assert chain.mined(dearer.hash)
    assert chain.pending(cheap.hash) is None


def test_block_holds_no_more_than_its_gas_limit() -> None:
    chain = Chain(accounts=2, gas_limit=3 * 21_000)
    for _ in range(5):
        pay(chain)

    assert [len(block.transactions) for block in chain.mine(3)] == [3, 2, 0]


def test_reverting_transaction_is_mined_with_its_reason_and_moves_nothing(chain: Chain) -> None:
    tx = pay(chain, reverts="paused")

    chain.mine()

    assert chain.mined(tx.hash)
    assert chain.head.revert_reason(tx.hash) == "paused"
    assert chain.balance(chain.accounts[-1]) == 10**9 * ETHER
    assert chain.nonce(tx.sender) == 1


def test_pending_transaction_can_be_made_to_revert_and_to_succeed(chain: Chain) -> None:
    fails, works = pay(chain, 0), pay(chain, 1)
    chain.revert(fails.hash, "")
    chain.revert(works.hash, "paused")
    chain.revert(works.hash, None)

    chain.mine()

    assert chain.head.revert_reason(fails.hash) == ""
    assert chain.head.revert_reason(works.hash) is None


def test_balances_move_at_the_height_of_the_block(chain: Chain) -> None:
    sender, to = chain.accounts[0], chain.accounts[1]
    chain.submit(sender, to, 5 * ETHER)

    chain.mine(2)

    assert chain.balance(to) == chain.balance(to, height=0) + 5 * ETHER
    assert chain.balance(to, height=1) == chain.balance(to)
    fee = 21_000 * (GWEI + GWEI // 10)
    assert chain.balance(sender) == chain.balance(sender, height=0) - 5 * ETHER - fee


@pytest.mark.parametrize(
    ("kind", "to_self", "value"),
    [("repriced", False, 7), ("cancelled", True, 0), ("replaced", False, 8)],
)
def test_replacement_uses_the_nonce(chain: Chain, kind: str, to_self: bool, value: int) -> None:
    first = chain.submit(chain.accounts[0], chain.accounts[1], 7, data="0xabcd")

    winner = chain.replace(first.hash, kind)  # type: ignore[arg-type]
    chain.mine()

    assert winner.slot == first.slot
    assert winner.hash != first.hash
    assert (winner.to == first.sender, winner.value) == (to_self, value)
    assert winner.data == ("0x" if to_self else "0xabcd")
    assert chain.mined(winner.hash)
    assert chain.pending(first.hash) is None
    assert chain.mined(first.hash) is None


def test_replacement_must_pay_a_tenth_more(chain: Chain) -> None:
    first = pay(chain, max_fee=100 * GWEI, priority_fee=GWEI)

    with pytest.raises(ChainError, match="replacement transaction underpriced"):
        pay(chain, nonce=0, max_fee=109 * GWEI, priority_fee=2 * GWEI)

    assert chain.pending(first.hash)
    pay(chain, nonce=0, max_fee=110 * GWEI, priority_fee=2 * GWEI)
    assert chain.pending(first.hash) is None


def test_dropped_transaction_can_be_added_again(chain: Chain) -> None:
    tx = pay(chain)

    assert chain.drop(tx.hash)

    assert chain.pending(tx.hash) is None
    assert chain.pending_nonce(tx.sender) == 0
    assert not chain.drop(tx.hash)
    chain.add(tx)
    chain.mine()
    assert chain.mined(tx.hash)


REFUSED: list[tuple[str, Callable[[Chain], object]]] = [
    ("unknown account", lambda chain: chain.submit("0x" + "0" * 40)),
    ("nonce too low: next nonce 1, got 0", lambda chain: pay(chain, nonce=0, data="0xff")),
    ("already known", lambda chain: chain.add(chain.head.transactions[0])),
    ("gas must be 21000 to 1000000000", lambda chain: pay(chain, gas=20_999)),
    ("insufficient funds", lambda chain: chain.submit(chain.accounts[0], None, 10**30)),
    ("invalid chain id", lambda chain: chain.add(pay(Chain(chain_id=5, accounts=5)))),
    ("no transaction 0x12 in the pool", lambda chain: chain.replace("0x12", "repriced")),
    ("no transaction 0x12 in the pool", lambda chain: chain.revert("0x12", "")),
    ("number of blocks must be at least 1", lambda chain: chain.mine(0)),
    ("depth must be 1 to 1", lambda chain: chain.reorg(2)),
    ("depth must be 1 to 1", lambda chain: chain.rollback(0)),
    ("length of the new branch must be at least 1", lambda chain: chain.reorg(1, length=0)),
    ("orphans must be one of", lambda chain: chain.reorg(1, "eat")),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("words", "ask"), REFUSED)
def test_invalid_request_is_an_error_with_its_reason(
    chain: Chain, words: str, ask: Callable[[Chain], object]
) -> None:
    pay(chain)
    before = chain.mine()[-1]

    with pytest.raises(ChainError, match=words):
        ask(chain)

    assert chain.head is before


def test_reorg_replaces_blocks_by_another_branch(chain: Chain) -> None:
    tx = pay(chain)
    old = chain.mine(3)

    reorg = chain.reorg(2)

    assert list(reorg.removed) == old[1:]
    assert [block.number for block in reorg.added] == [2, 3, 4]
    assert reorg.added[0].parent_hash == old[0].hash
    assert not {block.hash for block in old} & {block.hash for block in reorg.added}
    assert chain.mined(tx.hash), "below the fork nothing changes"
    assert chain.block_by_hash(old[2].hash) is old[2], "as on a real node"
    assert not chain.is_canonical(old[2])
    assert chain.is_canonical(reorg.added[-1])


def test_orphans_return_to_the_pool(chain: Chain) -> None:
    tx = pay(chain)
    chain.mine()

    reorg = chain.reorg(1, "pool")

    assert [block.transactions for block in reorg.added] == [(), ()]
    assert chain.pending(tx.hash)
    assert chain.nonce(tx.sender) == 0
    chain.mine()
    assert chain.mined(tx.hash)


def test_orphans_are_dropped(chain: Chain) -> None:
    tx = pay(chain)
    chain.mine()

    chain.reorg(1, "drop")

    assert chain.pending(tx.hash) is None
    assert chain.mined(tx.hash) is None
    assert chain.pending_nonce(tx.sender) == 0


def test_orphans_are_mined_again_in_a_later_block(chain: Chain) -> None:
    tx = pay(chain, reverts="before")
    old = chain.mine()[0]
    chain.revert(tx.hash, None)

    reorg = chain.reorg(1, "move")

    mined = chain.mined(tx.hash)
    assert mined is not None
    assert mined.block is reorg.added[1]
    assert mined.block.number == old.number + 1
    assert old.revert_reason(tx.hash) == "before"
    assert mined.block.revert_reason(tx.hash) is None


def test_orphans_can_be_mined_again_at_the_same_height(chain: Chain) -> None:
    tx = pay(chain)
    old = chain.mine()[0]

    chain.reorg(1, "move", length=1)

    mined = chain.mined(tx.hash)
    assert mined is not None
    assert mined.block.number == old.number
    assert mined.block.hash != old.hash


def test_replacement_can_win_in_the_other_branch(chain: Chain) -> None:
    first = pay(chain)
    chain.mine()
    chain.reorg(1, "pool")

    winner = chain.replace(first.hash, "cancelled")
    chain.mine()

    assert chain.mined(winner.hash)
    assert chain.mined(first.hash) is None


def test_head_falls_after_a_rollback_or_a_shorter_branch(chain: Chain) -> None:
    chain.mine(5)

    chain.rollback(2)
    assert chain.head.number == 3

    chain.reorg(3, length=1)
    assert chain.head.number == 1


@pytest.mark.parametrize("orphans", ORPHANS)
def test_reorg_restores_the_accounts(chain: Chain, orphans: Orphans) -> None:
    sender, to = chain.accounts[:2]
    chain.submit(sender, to, ETHER)
    chain.mine()
    before = chain.balance(sender), chain.balance(to), chain.nonce(sender)
    newcomer = "0x" + "9" * 40
    chain.submit(sender, newcomer, ETHER)
    chain.submit(sender, to, ETHER)
    chain.mine()

    chain.rollback(1, orphans)

    assert (chain.balance(sender), chain.balance(to), chain.nonce(sender)) == before
    assert chain.balance(newcomer) == 0


def test_orphans_come_before_pending_transactions(chain: Chain) -> None:
    first = pay(chain, 0)
    chain.mine()
    second = pay(chain, 1)

    chain.rollback(1)

    assert chain.pool == (first, second)


def test_safe_and_finalized_follow_the_head_and_finalized_never_falls() -> None:
    chain = Chain(safe_distance=2, finalized_distance=4)
    assert (chain.safe, chain.finalized) == (0, 0)

    chain.mine(10)
    assert (chain.safe, chain.finalized) == (8, 6)

    chain.rollback(3)
    assert (chain.head.number, chain.safe, chain.finalized) == (7, 6, 6)
    chain.rollback(2)
    assert (chain.head.number, chain.safe, chain.finalized) == (5, 5, 5)


def test_hashes_depend_on_the_seed_only() -> None:
    def play(seed: object) -> list[str]:
        chain = Chain(seed=seed)
        pay(chain)
        chain.mine(2)
        chain.reorg(2, "move")
        return [block.hash for block in map(chain.block, range(4)) if block]

    assert play("a") == play("a")
    assert not set(play("a")) & set(play("b"))


def test_transaction_reverts_if_its_sender_can_no_longer_pay() -> None:
    chain = Chain(accounts=2)
    rest = chain.balance(chain.accounts[0]) - ETHER
    chain.submit(chain.accounts[0], chain.accounts[1], rest)
    second = chain.submit(chain.accounts[0], chain.accounts[1], rest)

    chain.mine()

    assert chain.head.revert_reason(second.hash) == "insufficient balance"
    assert chain.balance(chain.accounts[0]) > 0


def test_pending_block_is_the_next_block_and_changes_nothing(chain: Chain) -> None:
    tx = pay(chain)

    block = chain.pending_block()

    assert (block.number, block.transactions) == (1, (tx,))
    assert chain.head.number == 0
    assert chain.pending(tx.hash)


def test_ten_thousand_transactions_fit_into_a_block(chain: Chain) -> None:
    for _ in range(10_000):
        pay(chain)

    chain.mine()

    assert len(chain.head.transactions) == 10_000
    assert chain.head.gas_used == 10_000 * 21_000


def test_watchers_are_called_for_every_new_head_until_removed() -> None:
    chain = Chain()
    seen: list[Block] = []
    leave = chain.watch(seen.append)

    mined = chain.mine(2)
    added = chain.reorg(1).added
    chain.rollback(1)
    leave()
    chain.mine()

    assert seen == [*mined, *added]
