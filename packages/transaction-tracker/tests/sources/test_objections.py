"""Agreement of providers that an end needs before it is reported (rules 11.1 and 11.5)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.sources import (
    ApplicationError,
    Ending,
    Objection,
    RateLimitedError,
    TransportError,
)
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.objections import ProviderAgreement
from transaction_tracker.sources.ethereum.profiles import UNKNOWN
from transaction_tracker.sources.ethereum.rpc import Dissent, Request
from transaction_tracker.sources.ethereum.vote_reader import VoteReader

from .rpc import FakeRpc, Node, hash_at, raw_block, receipt, transaction, tx_hash

CHAIN = KeptChain.of(20, [Link(n, hash_at(n), hash_at(n - 1)) for n in range(1, 20)])
TEN, ELEVEN = BlockRef(10, hash_at(10)), BlockRef(11, hash_at(11))
KEY, OTHER, WINNER = tx_hash(1), tx_hash(2), tx_hash(3)
PAID, REVERTED, SUPERSEDED = Ending(TEN, True), Ending(TEN, False), Ending(TEN, None)
TAKER = transaction(WINNER, 7)
SLOT = f"{TAKER['from']}:7"
PLACED = TAKER | {"blockHash": TEN.hash, "blockNumber": "0xa"}
TAKEN = Ending(TEN, None, WINNER, (SLOT,))
CUT_OFF = TransportError("cut off")


def node(
    *receipts: Any,
    lists: tuple[Any, ...] | None = None,
    of_block: Any = None,
    head: int = 20,
    transactions: Mapping[str, Any] | None = None,
    asked: list[str] | None = None,
) -> Node:
    """Return a node.

    Args:
        receipts: Receipts that it sends singly.
        lists: Body of its block 10; without it, the node has no such block.
        of_block: All receipts of that block.
        head: Height of its head.
        transactions: Transactions that it knows.
        asked: List to which the requested methods are added.
    """

    def answer(request: Request) -> Any:
        if asked is not None:
            asked.append(request.method)
        match request.method:
            case "eth_getTransactionReceipt":
                found = [item for item in receipts if item["transactionHash"] == request.params[0]]
                return found[0] if found else None
            case "eth_getBlockReceipts":
                return of_block
            case "eth_getBlockByHash":
                return None if lists is None else raw_block(10, *lists)
            case "eth_blockNumber":
                return hex(head)
            case "eth_getTransactionByHash":
                return (transactions or {}).get(str(request.params[0]))
        raise AssertionError(request.method)

    return answer


def paid(*keys: str, **changes: Any) -> Node:
    return node(*(receipt(key) for key in keys or (KEY,)), **changes)


def agreement_of(rpc: FakeRpc, clock: Callable[[], float] | None = None) -> ProviderAgreement:
    reader = VoteReader(rpc, ChainContext(1))  # type: ignore[arg-type]
    return ProviderAgreement(rpc, reader, lambda: UNKNOWN.block_time, clock)  # type: ignore[arg-type]


def agreement(
    *nodes: Node, calls_per_request: int = 1_000, told: Dissent | None = None
) -> ProviderAgreement:
    rpc = FakeRpc(*nodes, calls_per_request=calls_per_request)
    rpc.dissenting = told or Dissent()
    return agreement_of(rpc)


async def objection(end: Ending, *nodes: Node, **options: Any) -> Objection | None:
    return (await agreement(*nodes, **options).objections(CHAIN, {KEY: end})).get(KEY)


# -- What is told with an end


def told(gas: str = "0x1", value: int = 5) -> Node:
    """Return a node with a receipt and a transaction of the payment."""
    payment = transaction(KEY, 7) | {"value": hex(value), "blockNumber": "0xa"}
    known = {KEY: payment | {"blockHash": TEN.hash}}
    return node(receipt(KEY, gasUsed=gas), transactions=known)


def ending(gas: str = "0x1", value: int = 5) -> Ending:
    """Return the end of the payment, with what such a node says of it."""
    found = decode.transaction(transaction(KEY, 7) | {"value": hex(value)})
    outcome = decode.receipt(receipt(KEY, gasUsed=gas)).outcome
    assert outcome is not None
    outcome = msgspec.structs.replace(outcome, gas_used=int(gas, 16))
    return replace(PAID, slots=found.slots, content=found.content, outcome=outcome)


@pytest.mark.parametrize(
    ("nodes", "contradicts"),
    [
        ([told(), told()], False),
        ([told(), told("0x2")], True),
        ([told(), told(value=6)], True),
        ([told(), told(), told("0x2")], False),
        ([told(), told("0x2"), told("0x2")], True),
        ([told(), told(value=6), told(value=6)], True),
    ],
)
async def test_providers_agree_with_all_that_is_told(nodes: list[Node], contradicts: bool) -> None:
    found = await objection(ending(), *nodes)

    assert (found is not None and found.contradicts) is contradicts


async def test_most_providers_say_what_is_right() -> None:
    found = await objection(ending(), told(), told("0x2", 6), told("0x2", 6))

    assert found is not None
    assert found.outcome is not None
    assert found.transaction is not None
    assert found.outcome.gas_used == 2
    assert found.transaction.content == ending(value=6).content


async def test_different_claims_against_an_end_correct_nothing() -> None:
    found = await objection(ending(), told(), told("0x2", 6), told("0x3", 7))

    assert found is not None
    assert found.contradicts
    assert (found.outcome, found.transaction) == (None, None)


async def test_provider_that_does_not_show_the_transaction_is_waited_for() -> None:
    found = await objection(ending(), told(), node(receipt(KEY)))

    assert found is not None
    assert not found.contradicts


async def test_the_transaction_in_the_block_of_a_provider_is_enough() -> None:
    """A provider can lack its index of transactions."""
    listed = transaction(KEY, 7) | {"value": "0x5"}
    agrees = node(lists=(listed,), of_block=[receipt(KEY)])
    contradicts = node(lists=(listed | {"value": "0x6"},), of_block=[receipt(KEY)])

    assert await objection(ending(), told(), agrees) is None
    found = await objection(ending(), told(), contradicts)
    assert found is not None
    assert found.contradicts


# -- Receipts


async def test_end_with_two_receipts_needs_no_block() -> None:
    asked: list[str] = []

    assert await objection(PAID, paid(asked=asked), paid(asked=asked)) is None
    assert set(asked) == {"eth_getTransactionReceipt"}


@pytest.mark.parametrize(
    ("end", "status", "says"), [(PAID, "0x0", "reverted"), (REVERTED, "0x1", "succeeded")]
)
async def test_receipt_of_another_provider_can_contradict_an_end(
    end: Ending, status: str, says: str
) -> None:
    ours = node(receipt(KEY, status="0x1" if end.succeeded else "0x0"))

    found = await objection(end, ours, node(receipt(KEY, status=status)))

    why = f"1 has a receipt by which it {says}"
    assert found == Objection(why, contradicts=True, providers=("1",))


@pytest.mark.parametrize(
    ("statuses", "against", "outvoted"),
    [
        (["0x1", "0x1"], None, None),
        (["0x1", "0x0"], ("1",), None),
        (["0x1", "0x1", "0x0"], None, None),
        (["0x1", "0x0", "0x0"], ("1", "2"), False),
    ],
)
async def test_majority_of_receipts_decides_and_a_tie_is_an_objection(
    statuses: list[str], against: tuple[str, ...] | None, outvoted: bool | None
) -> None:
    found = await objection(PAID, *(node(receipt(KEY, status=status)) for status in statuses))

    assert (found and found.providers) == against
    assert (found and found.outcome and found.outcome.succeeded) == outvoted


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        receipt(KEY, 11),  # of another branch
        receipt(OTHER),
        receipt(KEY, status="0x7"),
        ApplicationError("transaction indexing is in progress", -32000),
    ],
)
async def test_end_with_one_receipt_waits_if_another_provider_lists_the_transaction(
    nothing: Any,
) -> None:
    silent = node(lists=(KEY,), of_block=[])

    def second(request: Request) -> Any:
        return nothing if request.method == "eth_getTransactionReceipt" else silent(request)

    found = await objection(PAID, paid(), second)

    why = f"1 lists it in block 10 ({TEN.hash}), and has no receipt of it"
    assert found == Objection(why, contradicts=False)


@pytest.mark.parametrize(
    ("status", "contradicts"), [("0x1", None), ("0x0", True)], ids=["agrees", "contradicts"]
)
async def test_receipt_in_block_receipts_counts(status: str, contradicts: bool | None) -> None:
    second = node(lists=(KEY,), of_block=[receipt(OTHER), receipt(KEY, status=status)])

    found = await objection(PAID, paid(), second)

    assert (found and found.contradicts) == contradicts


@pytest.mark.parametrize("end", [PAID, REVERTED])
async def test_a_block_that_does_not_list_the_transaction_contradicts_its_end(end: Ending) -> None:
    ours = node(receipt(KEY, status="0x1" if end.succeeded else "0x0"))

    found = await objection(end, ours, node(lists=(OTHER,)))

    why = f"1 does not list it in block 10 ({TEN.hash})"
    assert found == Objection(why, contradicts=True, providers=("1",))


async def test_two_agreeing_providers_outvote_a_block_without_the_transaction() -> None:
    assert await objection(PAID, paid(), paid(), node(lists=())) is None


async def test_partly_unreadable_block_does_not_contradict() -> None:
    found = await objection(PAID, paid(), node(lists=({"hash": None}, transaction(OTHER))))

    assert found is not None
    assert not found.contradicts


class Clock:
    """Clock with the time that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def waiting(judging: ProviderAgreement, key: str = KEY) -> list[bool]:
    """Return whether an end waits, for each end with an objection that does not contradict."""
    found = await judging.objections(CHAIN, {key: PAID})
    return [not objection.contradicts for objection in found.values()]


async def test_end_waits_a_limited_time_for_a_provider_below_the_block() -> None:
    clock = Clock()
    rpc = FakeRpc(paid(), node(head=9))
    judging = agreement_of(rpc, clock)

    assert await waiting(judging) == [True]
    clock.now = 44.0
    assert await waiting(judging) == [True]
    clock.now = 46.0
    assert await waiting(judging) == []


async def test_provider_with_an_unchanged_head_delays_one_end_only() -> None:
    clock = Clock()
    rpc = FakeRpc(paid(KEY, OTHER), node(head=9))
    judging = agreement_of(rpc, clock)
    await waiting(judging)
    clock.now = 46.0

    assert await waiting(judging, OTHER) == []
    rpc.nodes[1] = node(head=8)  # another head, and so not stuck
    judging.forget(OTHER)
    assert await waiting(judging, OTHER) == [True]


async def test_advancing_provider_below_the_block_delays_an_end_for_a_limited_time() -> None:
    clock = Clock()
    rpc = FakeRpc(paid(), node())
    judging = agreement_of(rpc, clock)

    for head in range(6):
        clock.now, rpc.nodes[1] = 10.0 * head, node(head=head)
        assert await waiting(judging) == ([True] if clock.now < 45.0 else [])


async def test_two_agreeing_providers_do_not_wait_for_a_third() -> None:
    assert await objection(PAID, paid(), paid(), node(head=9)) is None


async def test_a_provider_at_the_block_that_does_not_show_it_is_waited_for() -> None:
    found = await objection(PAID, paid(), node(head=10))

    why = f"1 does not show block 10 ({TEN.hash})"
    assert found == Objection(why, contradicts=False)


async def test_end_without_an_agreeing_provider_is_held_back() -> None:
    clock = Clock()
    rpc = FakeRpc(node(head=9), node(head=9))
    judging = agreement_of(rpc, clock)
    await waiting(judging)
    clock.now = 60.0

    found = await judging.objections(CHAIN, {KEY: PAID})

    assert found == {KEY: Objection("no provider shows block 10", contradicts=False)}


@pytest.mark.parametrize("error", [CUT_OFF, RateLimitedError("fewer requests")])
async def test_end_waits_for_an_unreachable_provider_without_a_second_request(
    error: Any,
) -> None:
    asked: list[str] = []

    def second(request: Request) -> Any:
        asked.append(request.method)
        return error

    found = await objection(PAID, paid(), second)

    why = f"1 gives no answer about it: {error}"
    assert found == Objection(why, contradicts=False)
    assert asked == ["eth_getTransactionReceipt"]


# -- Receipts without a status


@pytest.mark.parametrize(
    ("ours", "theirs", "stance"),
    [
        ({"status": None}, {"status": None}, None),
        ({"status": None, "root": TEN.hash}, {"status": None, "root": TEN.hash}, None),
        ({}, {"status": None}, None),
        ({}, {"status": None, "gasUsed": "0x"}, None),
        ({}, {"status": None, "root": TEN.hash}, False),
        ({"status": None}, {"status": None, "gasUsed": "0x2"}, True),
        ({}, {"status": None, "gasUsed": "0x2"}, True),
    ],
)
async def test_receipt_without_a_status_is_compared_by_its_use_of_gas(
    ours: dict[str, Any], theirs: dict[str, Any], stance: bool | None
) -> None:
    nodes = (node(receipt(KEY, **changes)) for changes in (ours, theirs))

    found = await objection(PAID, *nodes)

    assert (found and found.contradicts) == stance


# -- Winners


def knowing(winner: Any = PLACED, loser: Any = None, lists: tuple[Any, ...] | None = None) -> Node:
    return node(transactions={WINNER: winner, KEY: loser}, lists=lists)


async def test_winner_at_two_providers_has_no_objection() -> None:
    assert await objection(TAKEN, knowing(), knowing()) is None


@pytest.mark.parametrize(
    "loser",
    [
        transaction(KEY, 8),
        transaction(KEY, 7) | {"from": "0x" + "b" * 40},
        transaction(KEY, 7) | {"blockHash": ELEVEN.hash, "blockNumber": "0xb"},
    ],
    ids=["nonce", "sender", "in-a-block"],
)
@pytest.mark.parametrize("liar", [0, 1])
async def test_result_about_the_loser_can_contradict_the_end(loser: Any, liar: int) -> None:
    nodes = [knowing(), knowing()]
    nodes[liar] = knowing(loser=loser)

    found = await objection(TAKEN, *nodes)

    assert found is not None
    assert (found.contradicts, found.providers) == (True, (str(liar),))


@pytest.mark.parametrize("loser", [transaction(KEY, 7), transaction(KEY, 7) | {"nonce": "?"}])
async def test_loser_with_the_same_or_an_unreadable_slot_does_not_contradict(loser: Any) -> None:
    assert await objection(TAKEN, knowing(), knowing(loser=loser)) is None


@pytest.mark.parametrize("winner", [None, TAKER, PLACED | {"blockHash": ELEVEN.hash}])
@pytest.mark.parametrize(
    ("lists", "stance"),
    [
        ((TAKER,), None),
        ((WINNER,), None),  # hashes only: the sender is not told
        ((transaction(WINNER, 8),), True),
        ((transaction(OTHER, 7),), True),
        ((), True),
        (None, False),
    ],
)
async def test_block_decides_if_a_provider_does_not_know_the_winner(
    winner: Any, lists: tuple[Any, ...] | None, stance: bool | None
) -> None:
    found = await objection(TAKEN, knowing(), knowing(winner, lists=lists))

    assert (found and found.contradicts) == stance


async def test_single_node_gets_no_requests_for_blocks() -> None:
    assert await objection(TAKEN, knowing(None)) is None
    assert await objection(PAID, node()) is None


async def test_ends_of_a_superseded_transaction_need_no_receipt() -> None:
    never: Node = lambda _request: pytest.fail("asked for a receipt")  # noqa: E731

    assert await objection(SUPERSEDED, never, never) is None


# -- Blocks


@pytest.mark.parametrize("end", [PAID, SUPERSEDED])
@pytest.mark.parametrize(("names", "verb"), [(("0",), "holds"), (("0", "1"), "hold")])
async def test_a_provider_with_another_block_contradicts_it(
    end: Ending, names: tuple[str, ...], verb: str
) -> None:
    told = Dissent(against={TEN: names})
    both = [paid(KEY, OTHER)] * 2

    found = await agreement(*both, told=told).objections(CHAIN, {KEY: end})

    why = f"{', '.join(names)} {verb} another block than {TEN.hash} at height 10"
    assert found == {KEY: Objection(why, contradicts=True, providers=names)}


@pytest.mark.parametrize(
    ("others", "leaving", "is_held"),
    [
        (1, {"1": 11}, True),
        (1, {"1": 12}, False),  # it holds the last confirmation
        (2, {"1": 9}, False),  # outvoted
        (2, {"1": 9, "2": 11}, True),
        (3, {"1": 9, "2": 11}, True),
    ],
)
async def test_end_waits_if_most_providers_do_not_hold_its_confirmations(
    others: int, leaving: dict[str, int], *, is_held: bool
) -> None:
    end = replace(PAID, confirmed_by=ELEVEN)

    found = await objection(end, *[paid()] * (1 + others), told=Dissent(leaving=leaving))

    names = tuple(leaving)
    verb = "holds" if len(leaving) == 1 else "hold"
    why = f"{', '.join(names)} {verb} other blocks than we do above its block 10"
    held = Objection(why, contradicts=True, passes=True, providers=names)
    assert found == (held if is_held else None)


async def test_silent_provider_holds_all_ends_back_without_contradiction() -> None:
    told = Dissent(unanswered={"0": "HTTP 500", "1": "cut off"})

    found = await agreement(paid(), paid(), told=told).objections(
        CHAIN, {KEY: PAID, OTHER: SUPERSEDED}
    )

    why = "0 gives no answer: HTTP 500; 1 gives no answer: cut off"
    assert found == dict.fromkeys((KEY, OTHER), Objection(why, contradicts=False))


async def test_a_contradiction_counts_more_than_a_missing_answer() -> None:
    told = Dissent(against={ELEVEN: ("1",)}, unanswered={"0": "cut off"})
    second = node(receipt(KEY, status="0x0"))

    found = await agreement(paid(), second, told=told).objections(
        CHAIN, {KEY: PAID, OTHER: Ending(ELEVEN, succeeded=True)}
    )

    assert [found[KEY].contradicts, found[OTHER].contradicts] == [True, True]
    assert "receipt" in found[KEY].reason
    assert "another block" in found[OTHER].reason


# -- Many ends


@pytest.mark.parametrize(
    ("ends", "calls_per_request", "method"),
    [
        (100, 1_000, "eth_getTransactionReceipt"),
        (101, 1_000, "eth_getBlockReceipts"),
        (1, 1, "eth_getTransactionReceipt"),
        (2, 1, "eth_getBlockReceipts"),
    ],
)
async def test_many_ends_of_one_block_are_compared_with_all_its_receipts(
    ends: int, calls_per_request: int, method: str
) -> None:
    keys = [tx_hash(number) for number in range(ends)]
    told = [receipt(key) for key in keys]
    ours = node(*told, of_block=told)
    told = [*told[:-1], told[-1] | {"status": "0x0"}]
    asked: list[str] = []
    second = node(*told, of_block=told, asked=asked)

    found = await agreement(ours, second, calls_per_request=calls_per_request).objections(
        CHAIN, dict.fromkeys(keys, PAID)
    )

    assert list(found) == [keys[-1]]
    assert set(asked) == {method}


async def test_receipts_of_other_transactions_of_the_block_are_ignored() -> None:
    keys = [tx_hash(number) for number in range(2)]
    told = [receipt(keys[0]), receipt(keys[1]), receipt(tx_hash(7), status="0x0")]
    nodes = [node(of_block=told)] * 2

    assert (
        await agreement(*nodes, calls_per_request=1).objections(CHAIN, dict.fromkeys(keys, PAID))
        == {}
    )


async def test_receipt_missing_in_block_receipts_is_requested_singly() -> None:
    keys = [tx_hash(number) for number in range(2)]
    asked: list[str] = []
    nodes = [
        node(of_block=[receipt(key) for key in keys]),
        node(of_block=[receipt(keys[0])], lists=tuple(keys), asked=asked),
    ]

    found = await agreement(*nodes, calls_per_request=1).objections(
        CHAIN, dict.fromkeys(keys, PAID)
    )

    assert [objection.contradicts for objection in found.values()] == [False]
    assert asked.count("eth_getBlockReceipts") == 1


# -- Known results of the followed provider


async def test_provider_with_a_known_opinion_gets_no_second_request() -> None:
    asked: list[str] = []
    rpc = FakeRpc(node(receipt(KEY, status="0x0"), asked=asked), paid())
    judging = agreement_of(rpc)
    told = await rpc.batch_without_failover(judging.requests({KEY: PAID}))

    found = await judging.objections(CHAIN, {KEY: PAID}, told)

    assert len(asked) == 1
    assert [objection.providers for objection in found.values()] == [("0",)]


@pytest.mark.parametrize("nothing", [None, CUT_OFF, {"status": "0x7"}])
async def test_provider_without_a_known_opinion_gets_a_second_request(nothing: Any) -> None:
    answers = iter([nothing, receipt(KEY, status="0x0")])
    rpc = FakeRpc(lambda _request: next(answers), paid())
    judging = agreement_of(rpc)
    told = await rpc.batch_without_failover(judging.requests({KEY: PAID}))

    found = await judging.objections(CHAIN, {KEY: PAID}, told)

    assert [objection.providers for objection in found.values()] == [("0",)]


async def test_unknown_loser_is_a_valid_result() -> None:
    asked: list[str] = []
    rpc = FakeRpc(node(transactions={WINNER: PLACED}, asked=asked), knowing())
    judging = agreement_of(rpc)
    told = await rpc.batch_without_failover(judging.requests({KEY: TAKEN}))

    assert await judging.objections(CHAIN, {KEY: TAKEN}, told) == {}
    assert len(asked) == 2


async def test_single_provider_gets_no_second_request_for_receipts() -> None:
    rpc = FakeRpc(lambda _request: pytest.fail("asked for a receipt"))
    judging = agreement_of(rpc)

    assert judging.requests({KEY: PAID}) == []
    assert await judging.objections(CHAIN, {KEY: PAID}) == {}


# -- Standing objections


def judged_by(*nodes: Node) -> tuple[ProviderAgreement, FakeRpc]:
    rpc = FakeRpc(*nodes)
    return agreement_of(rpc), rpc


@pytest.mark.parametrize("end", [PAID, replace(PAID, confirmed_by=ELEVEN)])
async def test_an_objection_stands_while_its_provider_gives_no_answer(end: Ending) -> None:
    judging, rpc = judged_by(paid(), paid())
    rpc.dissenting = Dissent(against={end.confirmed_by or TEN: ("1",)})
    await judging.objections(CHAIN, {KEY: end})

    rpc.dissenting, rpc.nodes = Dissent(), [paid()]
    for _ in range(2):
        found = await judging.objections(CHAIN, {KEY: end})
        assert [objection.contradicts for objection in found.values()] == [True]
        assert "1 holds" in found[KEY].reason
        assert "has not said otherwise since" in found[KEY].reason


@pytest.mark.parametrize(
    ("nodes", "stands"),
    [
        ([paid(), paid()], False),  # the provider itself says otherwise
        ([paid(), node(head=9)], True),
        ([paid(), node(lists=(KEY,))], True),
        ([paid(), lambda _request: CUT_OFF], True),
        ([paid(), node(head=9), paid()], False),  # two others agree
        ([paid(), node(head=9), node(head=9)], True),
    ],
)
async def test_objection_stands_until_its_provider_or_two_others_agree(
    nodes: list[Node], *, stands: bool
) -> None:
    judging, rpc = judged_by(paid(), paid())
    rpc.dissenting = Dissent(against={TEN: ("1",)})
    await judging.objections(CHAIN, {KEY: PAID})

    rpc.dissenting, rpc.nodes = Dissent(), nodes

    assert list(await judging.objections(CHAIN, {KEY: PAID})) == ([KEY] if stands else [])


@pytest.mark.parametrize(
    ("before", "now", "stands"),
    [
        (PAID, REVERTED, False),
        (PAID, Ending(ELEVEN, succeeded=True), False),
        (PAID, replace(PAID, confirmed_by=ELEVEN), True),
        (replace(PAID, confirmed_by=ELEVEN), PAID, True),  # it is no longer kept
    ],
)
async def test_an_objection_stands_against_the_same_end_only(
    before: Ending, now: Ending, *, stands: bool
) -> None:
    judging, rpc = judged_by(paid(), paid())
    rpc.dissenting = Dissent(against={before.confirmed_by or before.block: ("1",)})
    await judging.objections(CHAIN, {KEY: before})

    number = now.block.number
    status = "0x1" if now.succeeded else "0x0"
    rpc.dissenting = Dissent()
    rpc.nodes = [node(receipt(KEY, number, status=status))]

    assert list(await judging.objections(CHAIN, {KEY: now})) == ([KEY] if stands else [])


async def test_objection_to_confirmations_ends_with_them() -> None:
    judging, rpc = judged_by(paid(), paid())
    end = replace(PAID, confirmed_by=ELEVEN)
    rpc.dissenting = Dissent(leaving={"1": 11})
    await judging.objections(CHAIN, {KEY: end})

    rpc.dissenting, rpc.nodes = Dissent(), [paid()]
    other = replace(end, confirmed_by=BlockRef(11, hash_at(11, branch=1)))

    assert list(await judging.objections(CHAIN, {KEY: other})) == []


async def test_objection_ends_when_an_operator_pauses_its_provider() -> None:
    judging, rpc = judged_by(paid(), paid())
    rpc.dissenting = Dissent(against={TEN: ("1",)})
    await judging.objections(CHAIN, {KEY: PAID})

    rpc.dissenting, rpc.nodes = Dissent(dismissed=frozenset(("1",))), [paid()]

    assert await judging.objections(CHAIN, {KEY: PAID}) == {}


async def test_objection_is_deleted_with_its_transaction() -> None:
    judging, rpc = judged_by(paid(), paid())
    rpc.dissenting = Dissent(against={TEN: ("1",)})
    await judging.objections(CHAIN, {KEY: PAID})

    judging.forget(KEY)
    rpc.dissenting, rpc.nodes = Dissent(), [paid()]

    assert await judging.objections(CHAIN, {KEY: PAID}) == {}


# -- Tags

FINAL = Ending(TEN, succeeded=None, tag="finalized")


def marked(*numbers: int | None, branch: int = 0) -> list[Node]:
    """Return nodes with these finalized blocks."""

    def node(number: int | None) -> Node:
        mark = None if number is None else raw_block(number, branch=branch)
        return lambda request: mark if request.params[0] == "finalized" else None

    return [node(number) for number in numbers]


@pytest.mark.parametrize(
    ("nodes", "is_told"),
    [
        (marked(10), True),
        (marked(9), False),
        (marked(None), False),
        (marked(10, 12), True),
        (marked(10, 9), False),
        (marked(10, None), False),
        (marked(10, 11, 9), True),
        (marked(10, 11, None), True),
        (marked(10, 9, None), False),
        (marked(10, 10, 9, 9), False),
        (marked(99, 99), True),  # above our tip
        (marked(12, 12, branch=1), False),  # another block than ours at that height
    ],
)
async def test_most_marks_must_have_reached_the_block(nodes: list[Node], *, is_told: bool) -> None:
    rpc = FakeRpc(*nodes)

    found = await agreement_of(rpc).objections(CHAIN, {KEY: FINAL})

    assert list(found) == ([] if is_told else [KEY])


async def test_mark_is_requested_once_and_only_if_an_end_needs_it() -> None:
    safe = replace(FINAL, tag="safe")
    requests = agreement().requests({KEY: FINAL, OTHER: FINAL, tx_hash(3): safe})

    assert [request.params[0] for request in requests] == ["finalized", "safe"]
    assert agreement().requests({KEY: SUPERSEDED}) == []
