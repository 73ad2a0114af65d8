"""Who paid whom how much: told with each event, and with an end only if two providers agree."""

from collections.abc import Callable
from typing import Any

import pytest

from transaction_tracker import TransactionTracker

from .chain import Chain, Json, address, transaction, word
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

SHOP, TOKEN, CUSTOMER = address("shop"), address("token"), address("customer")
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
VALUE = 10**18
Change = Callable[[Any], Any]


def transfer_log(value: int, recipient: str = SHOP, token: str = TOKEN) -> Json:
    accounts = (f"0x{'0' * 24}{key[2:]}" for key in (CUSTOMER, recipient))
    return {"address": token, "topics": [TRANSFER, *accounts], "data": f"0x{word(value)}"}


def changing(node: Node, *, receipt: Json | None = None, sent: Json | None = None) -> None:
    """Make a node send other fields in all receipts, or in all transactions."""

    def receipts(_params: list[Any], found: Any) -> Any:
        if isinstance(found, list):
            return [item | (receipt or {}) for item in found]
        return found and found | (receipt or {})

    def single(_params: list[Any], found: Any) -> Any:
        return found and found | (sent or {})

    def block(params: list[Any], found: Any) -> Any:
        if not found or not params[1]:
            return found
        return found | {"transactions": [item | (sent or {}) for item in found["transactions"]]}

    node.change = {
        "eth_getTransactionReceipt": receipts,
        "eth_getBlockReceipts": receipts,
        "eth_getTransactionByHash": single,
        "eth_getBlockByHash": block,
        "eth_getBlockByNumber": block,
    }


async def shown(world: World, item: Json) -> Json:
    """Return a transaction as the API shows it."""
    reply = await world.get(f"/v1/transactions/{item['hash']}")
    assert reply.status == 200, reply
    found: Json = reply.content
    return found


async def details_by_state(world: World, item: Json) -> dict[str, Any]:
    """Return the last details of each state in the history."""
    return {event["state"]: event["details"] for event in (await shown(world, item))["history"]}


async def paid(world: World, chain: Chain, payment: Json, **receipt: Any) -> None:
    """Track a payment while it is pending, and mine it."""
    chain.wait(payment)
    await world.track(payment)
    await world.becomes(payment, "pending")
    chain.mine(payment, receipt=receipt)


def test_each_event_says_who_paid_whom_how_much() -> None:
    payment = transaction("customer", 7)
    chain = chain_of(100)
    world = World(Node(chain, "one"), Node(chain, "two"))

    async def main() -> None:
        await paid(world, chain, payment, logs=[transfer_log(5)])
        mined_at = int(chain.head.header["timestamp"], 16)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

        found = await details_by_state(world, payment)
        signed = {"from": CUSTOMER, "to": SHOP, "value_wei": str(VALUE), "nonce": 7}
        assert found["pending"] == signed | dict.fromkeys(found["pending"].keys() - signed.keys())
        assert found["confirmed"] == found["mined"] == (await shown(world, payment))["details"]
        time = found["mined"].pop("block_time")
        assert time.endswith("Z")
        assert (await TransactionTracker.details(payment["hash"])).execution is not None
        assert found["mined"] == signed | {
            "fee_wei": str(21_000 * 2_000_000_000),
            "gas_used": 21_000,
            "contract_address": None,
            "transfers": [
                {
                    "index": 0,
                    "standard": "erc20",
                    "token": TOKEN,
                    "from": CUSTOMER,
                    "to": SHOP,
                    "value": "5",
                    "token_id": None,
                    "decimals": None,
                    "symbol": None,
                }
            ],
            "transfer_count": 1,
            "malformed_logs": 0,
        }
        execution = (await TransactionTracker.details(payment["hash"])).execution
        assert execution is not None
        assert execution.block_time == mined_at

    world.play(main)


def test_payment_that_is_tracked_late_has_all_details() -> None:
    payment = transaction("customer", 7)
    chain = chain_of(100)
    world = World(Node(chain, "one"), Node(chain, "two"))
    chain.mine(payment, receipt={"logs": [transfer_log(5)]})
    chain.grow(3)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.becomes(payment, "mined")

        details = (await shown(world, payment))["details"]
        unknown = {name for name, value in details.items() if value is None}
        assert unknown == {"contract_address"}

    world.play(main)


WRONG = [
    pytest.param({"receipt": {"gasUsed": "0x5209"}}, "other gas used and fee", id="gas"),
    pytest.param({"receipt": {"effectiveGasPrice": "0x1"}}, "other fee", id="fee"),
    pytest.param({"receipt": {"logs": [transfer_log(6)]}}, "other token transfers", id="amount"),
    pytest.param({"receipt": {"logs": []}}, "other token transfers", id="no transfer"),
    pytest.param({"receipt": {"logs": [transfer_log(5), 7]}}, "other token transfers", id="odd"),
    pytest.param({"sent": {"value": "0x1"}}, "another recipient, value or input", id="value"),
    pytest.param({"sent": {"to": CUSTOMER}}, "another recipient, value or input", id="recipient"),
]


@pytest.mark.parametrize(("wrong", "reason"), WRONG)
@pytest.mark.parametrize("followed", ["odd", "good"])
def test_end_waits_while_two_providers_differ_about_a_payment(
    followed: str, wrong: dict[str, Json], reason: str
) -> None:
    payment = transaction("customer", 7)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    changing(odd, **wrong)
    world = World(*((odd, good) if followed == "odd" else (good, odd)))

    async def main() -> None:
        await paid(world, chain, payment, logs=[transfer_log(5)])
        await world.blocks(2 * CONFIRMATIONS)
        assert await world.ends(payment) == []
        ready = await world.get("/readyz")
        assert ready.status == 503
        assert reason in str(ready.content)

        odd.change = {}
        if followed == "good":  # what is told is right: the other provider has to agree
            await world.blocks(2)
            await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize(("wrong", "reason"), WRONG)
def test_most_providers_decide_what_is_told_with_an_end(
    wrong: dict[str, Json], reason: str
) -> None:
    """Earlier events keep what they said; a later event corrects it."""
    del reason
    payment = transaction("customer", 7)
    chain = chain_of(100)
    odd, good, third = Node(chain, "odd"), Node(chain, "good"), Node(chain, "third")
    changing(odd, **wrong)
    world = World(odd, good, third)

    async def main() -> None:
        await paid(world, chain, payment, logs=[transfer_log(5)])
        await world.becomes(payment, "mined")
        first = (await shown(world, payment))["history"][-1]
        await world.blocks(3 * CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

        found = await shown(world, payment)
        details = found["details"]
        assert details["to"] == SHOP
        assert details["value_wei"] == str(VALUE)
        assert details["gas_used"] == 21_000
        assert details["fee_wei"] == str(21_000 * 2_000_000_000)
        assert [each["value"] for each in details["transfers"]] == ["5"]
        assert details["block_time"] == first["details"]["block_time"]
        assert first in found["history"]
        assert first["details"] != details
        assert found["history"][-1]["details"] == details

    world.play(main)


@pytest.mark.parametrize(
    "odd_fields",
    [
        {"receipt": {"gasUsed": None}},
        {"receipt": {"gasUsed": "many"}},
        {"receipt": {"gasUsed": "0x" + "f" * 64}},
        {"receipt": {"effectiveGasPrice": "0x"}},
        {"receipt": {"logs": None}},
        {"receipt": {"logs": {"a": 1}}},
        {"receipt": {"contractAddress": 7}},
        {"sent": {"value": "much"}},
        {"sent": {"to": "the shop"}},
    ],
    ids=str,
)
def test_unreadable_detail_of_one_provider_holds_no_end_back(odd_fields: dict[str, Json]) -> None:
    payment = transaction("customer", 7)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    changing(odd, **odd_fields)
    world = World(odd, good)

    async def main() -> None:
        await paid(world, chain, payment)
        await world.blocks(2 * CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert (await shown(world, payment))["details"]["from"] == CUSTOMER

    world.play(main)


def test_logs_of_any_form_stop_no_block() -> None:
    hostile = [None, 7, [], {}, transfer_log(5) | {"data": "0x"}, transfer_log(5), {"topics": [{}]}]
    payment = transaction("customer", 7)
    chain = chain_of(100)
    world = World(Node(chain, "one"), Node(chain, "two"))

    async def main() -> None:
        await paid(world, chain, payment, logs=hostile)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

        details = (await shown(world, payment))["details"]
        assert [(each["index"], each["value"]) for each in details["transfers"]] == [(5, "5")]
        assert details["malformed_logs"] == 5

    world.play(main)


def test_reorganisation_tells_the_facts_of_the_new_block() -> None:
    payment = transaction("customer", 7)
    chain = chain_of(100)
    node = Node(chain, "one")
    world = World(node)

    async def main() -> None:
        await paid(world, chain, payment, logs=[transfer_log(5)])
        await world.becomes(payment, "mined")
        before = (await shown(world, payment))["history"][-1]
        await world.blocks(1)

        node.chain = chain.fork(100, "other")
        node.chain.wait(payment)
        await world.blocks(3)
        await world.becomes(payment, "pending")
        orphaned = (await shown(world, payment))["details"]
        node.chain.mine(payment, receipt={"gasUsed": "0x6000", "logs": []})
        await world.becomes(payment, "mined")

        found = await shown(world, payment)
        after = found["history"][-1]
        assert before in found["history"]
        assert orphaned["value_wei"] == str(VALUE)
        assert {orphaned[name] for name in ("gas_used", "block_time", "transfers")} == {None}
        assert after["details"]["gas_used"] == 0x6000
        assert after["details"]["transfers"] == []
        assert after["details"]["block_time"] > before["details"]["block_time"]

    world.play(main)


def test_each_event_says_whether_the_payment_is_expected() -> None:
    payment = transaction("customer", 7)
    chain = chain_of(100)
    world = World(Node(chain, "one"), Node(chain, "two"))
    expect = {"to": SHOP, "token": TOKEN, "min_value": 5}

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment, expect=expect)
        await world.becomes(payment, "pending")
        chain.mine(payment, receipt={"logs": [transfer_log(3), transfer_log(2)]})
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

        found = await shown(world, payment)
        told = [(event["state"], event["expectation"]["matches"]) for event in found["history"]]
        assert told == [("pending", None), ("mined", True), ("confirmed", True)]
        assert found["expectation"] == {
            "expected": {"from": None, "value": None, "min_value": "5", "to": SHOP, "token": TOKEN},
            "matches": True,
            "differences": [],
        }

    world.play(main)


def test_reverted_payment_is_not_the_expected_one() -> None:
    payment = transaction("customer", 7)
    chain = chain_of(100)
    world = World(Node(chain, "one"))

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment, expect={"to": SHOP, "value": str(VALUE)})
        await world.becomes(payment, "pending")
        chain.mine(payment, receipt={"status": "0x0"})
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "failed")

        told = [event["expectation"] for event in (await shown(world, payment))["history"]]
        assert [each["matches"] for each in told] == [True, False, False]
        assert told[-1]["differences"] == [
            {"field": "state", "expected": "confirmed", "actual": "failed"}
        ]

    world.play(main)
