from collections.abc import Mapping
from typing import Any

import pytest

from transaction_tracker.domain import Outcome
from transaction_tracker.sources import (
    ApplicationError,
    FetchedBlock,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
    Unreadable,
)
from transaction_tracker.sources.ethereum import decode, outcomes
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.outcomes import OutcomeReader
from transaction_tracker.sources.ethereum.profiles import PROFILES
from transaction_tracker.sources.ethereum.rpc import Request

from .rpc import FakeRpc, Node, hash_at, raw_block, receipt, transaction, tx_hash

KEYS = [tx_hash(number) for number in range(150)]
FIRST, SECOND = KEYS[:2]
PAID = Outcome(succeeded=True, fee=1, gas_used=1)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "NOT_YET_WAITS", (0.0, 0.0, 0.0))


def block(*changes: Mapping[str, Any]) -> FetchedBlock:
    body = [transaction(key, place) for place, key in enumerate(KEYS)]
    for place, changed in enumerate(changes):
        body[place] |= changed
    return decode.block(raw_block(10, *body))


def node_with(receipts: Mapping[str, Any], **answers: Any) -> Node:
    """Return a node with these receipts; of a list, each request takes the next item."""

    def answer(request: Request) -> Any:
        if request.method != "eth_getTransactionReceipt":
            return answers.get(request.method, ApplicationError("no such method", -32601))
        found = receipts.get(str(request.params[0]))
        return (found.pop(0) if len(found) > 1 else found[0]) if type(found) is list else found

    return answer


def reader(rpc: FakeRpc) -> OutcomeReader:
    return OutcomeReader(rpc, ChainContext(1, PROFILES[1]))  # type: ignore[arg-type]


def why(answer: object) -> str:
    assert isinstance(answer, Unreadable)
    return answer.why


async def test_outcomes_take_one_request() -> None:
    rpc = FakeRpc(node_with({FIRST: receipt(FIRST), SECOND: receipt(SECOND)}))

    assert await reader(rpc).of_block(block(), [FIRST, SECOND]) == {FIRST: PAID, SECOND: PAID}
    assert len(rpc.batches) == 1


async def test_receipt_in_another_block_is_fetched_from_other_nodes() -> None:
    moved = receipt(FIRST, 11)
    rpc = FakeRpc(node_with({FIRST: moved}), node_with({FIRST: receipt(FIRST)}))

    assert await reader(rpc).of_block(block(), [FIRST]) == {FIRST: PAID}


async def test_receipt_in_another_block_at_all_nodes_is_unreadable() -> None:
    moved = receipt(FIRST, 11)
    rpc = FakeRpc(
        node_with({FIRST: moved, SECOND: receipt(SECOND)}),
        node_with({FIRST: moved, SECOND: receipt(SECOND)}),
    )

    found = await reader(rpc).of_block(block(), [FIRST, SECOND])

    assert found[SECOND] == PAID
    assert f"must name block 10 ({hash_at(10)}), got block 11 ({hash_at(11)})" in why(found[FIRST])


async def test_receipt_of_another_transaction_is_unreadable() -> None:
    rpc = FakeRpc(node_with({FIRST: receipt(SECOND)}))

    found = await reader(rpc).of_block(block(), [FIRST])

    assert why(found[FIRST]) == f"the receipt of {SECOND} came for {FIRST}"


async def test_late_receipt_is_requested_again() -> None:
    receipts = {FIRST: [None, None, None, receipt(FIRST)], SECOND: receipt(SECOND)}
    rpc = FakeRpc(node_with(receipts))

    assert await reader(rpc).of_block(block(), [FIRST, SECOND]) == {FIRST: PAID, SECOND: PAID}
    # Only the missing receipt is requested again.
    assert [len(requests) for requests in rpc.batches] == [2, 1, 1, 1]
    assert rpc.others == []


async def test_missing_receipt_is_fetched_from_other_nodes() -> None:
    rpc = FakeRpc(
        node_with({SECOND: receipt(SECOND)}), node_with({}), node_with({FIRST: receipt(FIRST)})
    )

    assert await reader(rpc).of_block(block(), [FIRST, SECOND]) == {FIRST: PAID, SECOND: PAID}
    assert [request.params for request in rpc.others] == [(FIRST,)]


async def test_receipts_of_other_nodes_must_name_the_same_block() -> None:
    rpc = FakeRpc(node_with({}), node_with({FIRST: receipt(FIRST, 11)}))

    assert await reader(rpc).of_block(block(), [FIRST]) == {}


async def test_receipt_that_no_node_has_is_missing() -> None:
    rpc = FakeRpc(node_with({SECOND: receipt(SECOND)}), node_with({}))

    assert await reader(rpc).of_block(block(), [FIRST, SECOND]) == {SECOND: PAID}


async def test_unreadable_receipt_does_not_affect_others() -> None:
    odd = receipt(FIRST, status="0x7")
    rpc = FakeRpc(node_with({FIRST: odd, SECOND: receipt(SECOND)}))

    found = await reader(rpc).of_block(block(), [FIRST, SECOND])

    assert found[SECOND] == PAID
    assert "receipt's status must be 0x0 or 0x1" in why(found[FIRST])
    assert rpc.asked == {"eth_getTransactionReceipt": 2}  # another request would not help


@pytest.mark.parametrize("field", ["gasUsed", "effectiveGasPrice", "l1Fee", "blobGasUsed"])
async def test_unreadable_fee_field_does_not_affect_the_outcome(field: str) -> None:
    rpc = FakeRpc(node_with({FIRST: receipt(FIRST, **{field: "0x"})}))

    found = await reader(rpc).of_block(block(), [FIRST])

    outcome = found[FIRST]
    assert isinstance(outcome, Outcome)
    assert outcome.succeeded


@pytest.mark.parametrize(
    "error", [RateLimitedError("slow down"), ServerError("internal error", -32603)]
)
async def test_refused_receipt_does_not_affect_others(error: SourceError) -> None:
    rpc = FakeRpc(node_with({FIRST: error, SECOND: receipt(SECOND)}))

    assert (await reader(rpc).of_block(block(), [FIRST, SECOND])).keys() == {SECOND}


async def test_an_error_of_the_whole_request_is_told() -> None:
    rpc = FakeRpc(node_with({}))
    rpc.failure = TransportError("cut off")

    with pytest.raises(TransportError):
        await reader(rpc).of_block(block(), [FIRST])


async def test_no_request_is_sent_for_no_transactions() -> None:
    rpc = FakeRpc(node_with({}))

    assert await reader(rpc).of_block(block(), []) == {}
    assert (rpc.batches, rpc.others) == ([], [])


# -- All receipts of a block


async def test_many_hits_fetch_all_receipts_of_the_block() -> None:
    rpc = FakeRpc(node_with({}, eth_getBlockReceipts=[receipt(key) for key in KEYS]))

    assert await reader(rpc).of_block(block(), KEYS) == dict.fromkeys(KEYS, PAID)
    assert rpc.asked == {"eth_getBlockReceipts": 1}


async def test_missing_or_wrong_receipts_of_a_block_are_fetched_from_other_nodes() -> None:
    listed = [receipt(key) for key in KEYS]
    listed[0] = receipt(FIRST, 11)
    listed[1] = receipt(SECOND, status="0x7")
    rpc = FakeRpc(
        node_with({}, eth_getBlockReceipts=listed),
        node_with({FIRST: receipt(FIRST), SECOND: receipt(SECOND)}),
    )

    assert await reader(rpc).of_block(block(), KEYS) == dict.fromkeys(KEYS, PAID)
    assert [request.params for request in rpc.others] == [(FIRST,), (SECOND,)]
    # Single receipts only after a pause: directly after the list they would be missing too.
    assert rpc.asked == {"eth_getBlockReceipts": 1, "eth_getTransactionReceipt": 3 * 2}


async def test_block_receipts_are_reduced_to_the_hits() -> None:
    rpc = FakeRpc(node_with({}, eth_getBlockReceipts=[receipt(key) for key in KEYS]))

    found = await reader(rpc).of_block(block(), KEYS[:120])

    assert found == dict.fromkeys(KEYS[:120], PAID)


async def test_transaction_known_by_its_hash_only_is_not_repeated_as_a_call() -> None:
    rpc = FakeRpc(node_with({FIRST: receipt(FIRST, status="0x0")}))
    listed = decode.block(raw_block(10, FIRST))

    assert await reader(rpc).of_block(listed, [FIRST]) == {FIRST: Outcome(False, 1, gas_used=1)}
    assert set(rpc.asked) == {"eth_getTransactionReceipt"}


async def test_missing_block_receipts_fall_back_to_single_receipts() -> None:
    rpc = FakeRpc(node_with({key: receipt(key) for key in KEYS}))

    assert await reader(rpc).of_block(block(), KEYS) == dict.fromkeys(KEYS, PAID)
    assert rpc.asked == {"eth_getBlockReceipts": 1, "eth_getTransactionReceipt": len(KEYS)}


async def test_empty_block_receipts_fall_back_to_single_receipts() -> None:
    rpc = FakeRpc(node_with({key: receipt(key) for key in KEYS}, eth_getBlockReceipts=[]))

    assert await reader(rpc).of_block(block(), KEYS) == dict.fromkeys(KEYS, PAID)


# -- Missing status and revert reason


async def test_a_receipt_without_a_status_or_any_proof_has_no_outcome() -> None:
    rpc = FakeRpc(node_with({FIRST: receipt(FIRST, status=None)}))

    assert await reader(rpc).of_block(block(), [FIRST]) == {FIRST: None}


async def test_unused_gas_of_an_old_receipt_is_a_success() -> None:
    old = receipt(FIRST, status=None, root="0x" + "c" * 64, gasUsed="0x5208")
    rpc = FakeRpc(node_with({FIRST: old}))

    assert await reader(rpc).of_block(block({"gas": "0x9000"}), [FIRST]) == {
        FIRST: Outcome(succeeded=True, fee=21_000, gas_used=21_000)
    }


async def test_revert_reason_is_found_on_the_state_before_the_block() -> None:
    told = ApplicationError("reverted", 3, "execution reverted: no money")
    rpc = FakeRpc(node_with({FIRST: receipt(FIRST, status="0x0")}, eth_call=told))

    assert await reader(rpc).of_block(block(), [FIRST]) == {
        FIRST: Outcome(succeeded=False, fee=1, error="no money", gas_used=1)
    }
    (replay,) = rpc.batches[-1]
    assert (replay.method, replay.params[1]) == ("eth_call", "0x9")


async def test_outcome_has_no_reason_if_the_call_fails() -> None:
    class Broken(FakeRpc):
        async def batch(self, requests: Any) -> list[Any]:
            if requests[0].method == "eth_call":
                raise TransportError("cut off")
            return await super().batch(requests)

    rpc = Broken(node_with({FIRST: receipt(FIRST, status="0x0"), SECOND: receipt(SECOND)}))

    assert await reader(rpc).of_block(block(), [FIRST, SECOND]) == {
        FIRST: Outcome(succeeded=False, fee=1, error=None, gas_used=1),
        SECOND: PAID,
    }
