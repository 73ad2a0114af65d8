from dataclasses import replace
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, Chain, Link
from transaction_tracker.sources import Ending, Objection, TransportError
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.objections import Agreement
from transaction_tracker.sources.ethereum.rpc import Dissent, Request

from .rpc import FakeRpc, Node, hash_at, raw_block, receipt, tx_hash

CHAIN = Chain.of(20, [Link(n, hash_at(n), hash_at(n - 1)) for n in range(1, 20)])
TEN, ELEVEN = BlockRef(10, hash_at(10)), BlockRef(11, hash_at(11))
KEY, OTHER = tx_hash(1), tx_hash(2)
PAID, REVERTED, SUPERSEDED = Ending(TEN, True), Ending(TEN, False), Ending(TEN, None)


def second(*receipts: dict[str, Any], block_receipts: bool = True) -> Node:
    """Make another node with these receipts."""

    def answer(request: Request) -> Any:
        if request.method == "eth_getBlockReceipts":
            there = [one for one in receipts if one["blockHash"] == request.params[0]]
            return there if block_receipts else None
        found = [one for one in receipts if one["transactionHash"] == request.params[0]]
        return found[0] if found else None

    return answer


def agreement(*others: Node, together: int = 1_000, told: Dissent | None = None) -> Agreement:
    rpc = FakeRpc(lambda _request: None, *others, together=together)
    rpc.dissenting = told or Dissent()
    return Agreement(rpc, ChainContext(1))  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [PAID, REVERTED, SUPERSEDED])
async def test_an_end_that_nobody_contradicts_can_be_told(end: Ending) -> None:
    assert await agreement().objections(CHAIN, {KEY: end}) == {}


@pytest.mark.parametrize(
    ("end", "status", "says"), [(PAID, "0x0", "reverted"), (REVERTED, "0x1", "succeeded")]
)
async def test_another_providers_receipt_can_contradict_it(
    end: Ending, status: str, says: str
) -> None:
    node = second(receipt(KEY, status=status), receipt(OTHER, status=status))

    found = await agreement(node).objections(CHAIN, {KEY: end, OTHER: SUPERSEDED})

    why = f"1 of 1 receipts say that it {says}"
    assert found == {KEY: Objection(why, contradicts=True)}


@pytest.mark.parametrize(
    "told",
    [
        receipt(KEY, status="0x1"),
        receipt(KEY, status=None),  # from before Byzantium
        receipt(KEY, 11, status="0x0"),  # on another branch: the blocks decide
        receipt(KEY, status="0x7"),
        receipt(OTHER, status="0x0"),
    ],
)
async def test_a_receipt_that_says_nothing_else_does_not_contradict_it(told: Any) -> None:
    assert await agreement(lambda _request: told).objections(CHAIN, {KEY: PAID}) == {}


@pytest.mark.parametrize("end", [PAID, SUPERSEDED])
@pytest.mark.parametrize(("names", "verb"), [(("a",), "holds"), (("a", "b"), "hold")])
async def test_a_provider_with_another_block_contradicts_it(
    end: Ending, names: tuple[str, ...], verb: str
) -> None:
    told = Dissent(against={TEN: names})

    found = await agreement(told=told).objections(
        CHAIN, {KEY: end, OTHER: Ending(ELEVEN, succeeded=True)}
    )

    why = f"{', '.join(names)} {verb} another block than {TEN.hash} at height 10"
    assert found == {KEY: Objection(why, contradicts=True)}


@pytest.mark.parametrize(
    ("others", "leaving", "is_held"),
    [
        (1, {"b": 11}, True),
        (1, {"b": 12}, False),  # it holds the last confirmation
        (2, {"b": 9}, False),  # outvoted
        (2, {"b": 9, "c": 11}, True),
        (3, {"b": 9, "c": 11}, True),
    ],
)
async def test_confirmations_that_most_providers_do_not_hold_end_nothing(
    others: int, leaving: dict[str, int], *, is_held: bool
) -> None:
    rest = [second() for _ in range(others)]
    end = replace(PAID, confirmed_by=ELEVEN)

    found = await agreement(*rest, told=Dissent(leaving=leaving)).objections(CHAIN, {KEY: end})

    names = ", ".join(leaving)
    verb = "holds" if len(leaving) == 1 else "hold"
    why = f"{names} {verb} other blocks than we do above its block 10"
    held = Objection(why, contradicts=True, passes=True)
    assert found == ({KEY: held} if is_held else {})


async def test_a_provider_that_gives_no_answer_holds_all_ends_back_without_contradicting() -> None:
    told = Dissent(unanswered=("a", "b"))

    found = await agreement(told=told).objections(CHAIN, {KEY: PAID, OTHER: SUPERSEDED})

    assert found == dict.fromkeys((KEY, OTHER), Objection("no answer from a, b", contradicts=False))


async def test_a_contradiction_counts_more_than_a_missing_answer() -> None:
    told = Dissent(against={ELEVEN: ("b",)}, unanswered=("a",))
    node = second(receipt(KEY, status="0x0"))

    found = await agreement(node, told=told).objections(
        CHAIN, {KEY: PAID, OTHER: Ending(ELEVEN, succeeded=True)}
    )

    assert [found[KEY].contradicts, found[OTHER].contradicts] == [True, True]
    assert "receipt" in found[KEY].reason
    assert "another block" in found[OTHER].reason


async def test_a_provider_without_receipts_is_not_against_it() -> None:
    node: Node = lambda _request: TransportError("cut off")  # noqa: E731

    assert await agreement(node).objections(CHAIN, {KEY: PAID}) == {}


@pytest.mark.parametrize(
    ("ends", "together", "method"),
    [
        (100, 1_000, "eth_getTransactionReceipt"),
        (101, 1_000, "eth_getBlockReceipts"),
        (1, 1, "eth_getTransactionReceipt"),
        (2, 1, "eth_getBlockReceipts"),
    ],
)
async def test_many_ends_of_one_block_are_compared_with_all_its_receipts(
    ends: int, together: int, method: str
) -> None:
    keys = [tx_hash(number) for number in range(ends)]
    receipts = [receipt(key) for key in keys]
    receipts[-1] |= {"status": "0x0"}
    asked: set[str] = set()
    answer = second(*receipts)

    def noting(request: Request) -> Any:
        asked.add(request.method)
        return answer(request)

    found = await agreement(noting, together=together).objections(CHAIN, dict.fromkeys(keys, PAID))

    assert list(found) == [keys[-1]]
    assert asked == {method}


async def test_receipts_of_a_block_about_other_transactions_are_not_looked_at() -> None:
    keys = [tx_hash(number) for number in range(2)]
    node = second(receipt(keys[0]), receipt(keys[1]), receipt(tx_hash(7), status="0x0"))

    assert await agreement(node, together=1).objections(CHAIN, dict.fromkeys(keys, PAID)) == {}


async def test_ends_of_a_superseded_transaction_need_no_receipt() -> None:
    node: Node = lambda _request: pytest.fail("asked for a receipt")  # noqa: E731

    assert await agreement(node).objections(CHAIN, {KEY: SUPERSEDED}) == {}


@pytest.mark.parametrize(
    ("statuses", "told", "outvoted"),
    [
        (["0x1", "0x1"], None, None),
        (["0x1", "0x0"], "1 of 2 receipts say that it reverted", None),
        (["0x1", "0x1", "0x0"], None, None),
        (["0x1", "0x0", "0x0"], "2 of 3 receipts say that it reverted", False),
    ],
)
async def test_most_receipts_decide_and_of_two_that_differ_neither(
    statuses: list[str], told: str | None, outvoted: bool | None
) -> None:
    nodes = [second(receipt(KEY, status=status)) for status in statuses]
    rpc = FakeRpc(*nodes)

    found = await Agreement(rpc, ChainContext(1)).objections(CHAIN, {KEY: PAID})  # type: ignore[arg-type]

    assert [objection.reason for objection in found.values()] == ([told] if told else [])
    outcomes = [one.outcome and one.outcome.succeeded for one in found.values()]
    assert outcomes == ([outvoted] if told else [])


# -- What the followed provider has said already


def judging(rpc: FakeRpc) -> Agreement:
    return Agreement(rpc, ChainContext(1))  # type: ignore[arg-type]


async def test_a_provider_that_has_given_its_opinion_is_not_asked_again() -> None:
    asked: list[Request] = []
    answer = second(receipt(KEY, status="0x0"))

    def followed(request: Request) -> Any:
        asked.append(request)
        return answer(request)

    rpc = FakeRpc(followed, second(receipt(KEY)))
    told = await rpc.told(judging(rpc).requests({KEY: PAID}))

    found = await judging(rpc).objections(CHAIN, {KEY: PAID}, told)

    assert len(asked) == 1
    assert [one.reason for one in found.values()] == ["1 of 2 receipts say that it reverted"]


@pytest.mark.parametrize("nothing", [None, TransportError("cut off"), {"status": "0x7"}])
async def test_a_provider_that_has_not_told_is_asked_again(nothing: Any) -> None:
    answers = iter([nothing, receipt(KEY, status="0x0")])
    rpc = FakeRpc(lambda _request: next(answers), second())
    told = await rpc.told(judging(rpc).requests({KEY: PAID}))

    found = await judging(rpc).objections(CHAIN, {KEY: PAID}, told)

    assert [one.reason for one in found.values()] == ["1 of 1 receipts say that it reverted"]


async def test_what_one_provider_has_said_does_not_stand_for_another_one() -> None:
    rpc = FakeRpc(second(receipt(KEY)), second(receipt(KEY, status="0x0")))
    told = await rpc.told(judging(rpc).requests({KEY: PAID}))

    assert list(await judging(rpc).objections(CHAIN, {KEY: PAID}, told)) == [KEY]


async def test_a_single_provider_is_not_asked_for_receipts_again() -> None:
    rpc = FakeRpc(lambda _request: pytest.fail("asked for a receipt"))

    assert judging(rpc).requests({KEY: PAID}) == []
    assert await judging(rpc).objections(CHAIN, {KEY: PAID}) == {}


# -- The chain's own word

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
        (marked(12, 12, branch=1), False),  # another block than ours of that height
    ],
)
async def test_most_marks_must_have_reached_the_block(nodes: list[Node], *, is_told: bool) -> None:
    rpc = FakeRpc(*nodes)

    found = await Agreement(rpc, ChainContext(1)).objections(CHAIN, {KEY: FINAL, OTHER: PAID})  # type: ignore[arg-type]

    assert list(found) == ([] if is_told else [KEY])


async def test_a_mark_is_asked_for_once_and_only_where_an_end_needs_it() -> None:
    safe = replace(FINAL, tag="safe")
    requests = agreement().requests({KEY: FINAL, OTHER: FINAL, tx_hash(3): safe})

    assert [request.params[0] for request in requests] == ["finalized", "safe"]
    assert agreement().requests({KEY: SUPERSEDED}) == []
