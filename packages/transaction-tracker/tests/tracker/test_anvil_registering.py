"""Registration by sender and nonce, and by the raw signed transaction, on a real node."""

from typing import Any

import pytest

from transaction_tracker import TransactionTracker, TransactionTrackerApplication
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.profiles import profile_of
from transaction_tracker.sources.ethereum.signed import read_signed

from ..signing import SENDER, legacy  # noqa: TID252
from .anvil import Anvil
from .support import eventually, history, reach
from .test_anvil import ANVIL_CHAIN, app, raw

__all__ = ["app"]

pytestmark = pytest.mark.anvil

ADDRESS = "0x" + "35" * 20
ACCESS = [{"address": ADDRESS, "storageKeys": ["0x" + "01" * 32]}]


async def test_transaction_that_takes_the_nonce_is_confirmed(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    await eventually(lambda: app.tip is not None)
    slot = f"{anvil.accounts[0].lower()}:0"
    await TransactionTracker.start(slot)
    paid = await anvil.pay(0, 1)
    await anvil.mine(3)

    confirmed = await reach(slot, "confirmed")

    assert confirmed.hash == paid
    assert await history(slot) == ["mined", "confirmed"]


async def test_raw_transaction_that_the_node_never_saw_ends_replaced(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    await eventually(lambda: app.tip is not None)
    await anvil.ask("anvil_setBalance", SENDER, hex(10**20))
    ours = legacy(0, ADDRESS, 7, chain_id=ANVIL_CHAIN)
    tracked = TransactionTracker.registration(raw=ours)
    await TransactionTracker.start_many([tracked])
    winner = await anvil.ask("eth_sendRawTransaction", legacy(0, ADDRESS, 8, chain_id=ANVIL_CHAIN))
    await anvil.mine(3)

    replaced = await reach(tracked.id, "replaced")

    assert (replaced.superseded_by, replaced.reason) == (winner, "replaced")


async def test_raw_transaction_is_known_before_it_is_sent(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    await eventually(lambda: app.tip is not None)
    await anvil.ask("anvil_setBalance", SENDER, hex(10**20))
    ours = legacy(0, ADDRESS, 7, chain_id=ANVIL_CHAIN)
    tracked = TransactionTracker.registration(raw=ours, expect={"to": ADDRESS, "value": 7})
    await TransactionTracker.start_many([tracked])

    sent = await anvil.ask("eth_sendRawTransaction", ours)
    await anvil.mine(3)

    assert sent == tracked.id
    await reach(tracked.id, "confirmed")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"gasPrice": hex(10**10)}, 0),
        ({"gasPrice": hex(10**10), "accessList": ACCESS, "type": "0x1"}, 1),
        ({"maxFeePerGas": hex(10**10), "maxPriorityFeePerGas": "0x1"}, 2),
    ],
)
async def test_transaction_is_read_as_the_node_shows_it(
    anvil: Anvil, fields: dict[str, Any], kind: int
) -> None:
    transaction = {"from": anvil.accounts[0], "to": ADDRESS, "value": "0x7", "gas": hex(100_000)}
    key = await anvil.ask("eth_sendTransaction", transaction | fields)
    profile = profile_of(ANVIL_CHAIN, {})

    found = read_signed(await raw(anvil, key), profile, ANVIL_CHAIN)

    shown = decode.transaction(await anvil.ask("eth_getTransactionByHash", key), profile)
    assert (found.transaction, found.kind) == (shown, kind)
    assert found.transaction.payment == shown.payment
