"""Deposits to watched addresses on a real node: of its coin, and of a token."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import orjson
import pytest

from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.domain import AddressToWatch
from transaction_tracker.follower.address_options import AddressesSection, TokenSection
from transaction_tracker.store import Store
from transaction_tracker.store.addresses import watching
from transaction_tracker.store.pages import transaction_page

from .anvil import Anvil
from .support import eventually, history, reach
from .test_anvil import ANVIL_CHAIN, raw

pytestmark = pytest.mark.anvil

SOURCE = f"ethereum:{ANVIL_CHAIN}"
# Assembled by hand, for this test. Whatever it is called with, it logs
# Transfer(caller, first word, second word), and returns true; the selector is not read.
TOKEN_CODE = (
    "602435600052"  # memory[0] = call data at 36: the value
    "600435"  # topic 3: call data at 4, the recipient
    "33"  # topic 2: the caller
    "7fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # topic 1
    "60206000a3"  # log3 of 32 bytes at 0
    "600160005260206000f3"  # return 1
)
# Copies the 58 bytes behind its own 11 into memory, and returns them.
TOKEN = f"0x603a80600b6000396000f3{TOKEN_CODE}"


@asynccontextmanager
async def running(
    anvil: Anvil, folder: Path, *tokens: str
) -> AsyncIterator[TransactionTrackerApplication]:
    settings = Settings(
        anvil.url,
        chain_id=ANVIL_CHAIN,
        confirmations=3,
        database=folder / "test.db",
        poll_interval=0.02,
        block_time=0.05,
        addresses=AddressesSection(tokens=tuple(TokenSection(address=each) for each in tokens)),
    )
    async with TransactionTrackerApplication(settings) as app:
        await eventually(lambda: app.tip is not None)
        yield app


async def watch(address: str, from_block: int | None = None) -> None:
    wanted = AddressToWatch(SOURCE, address.lower(), from_block=from_block)
    await Store.run(partial(watching.watch, source=SOURCE, wanted=[wanted]))


async def deposits(key: str) -> list[dict[str, object]]:
    record = await Store.run(partial(transaction_page, transaction=key))
    assert record is not None
    assert record.deposits is not None
    found: list[dict[str, object]] = orjson.loads(record.deposits)
    return found


async def is_tracked(app: TransactionTrackerApplication, anvil: Anvil, key: str) -> None:
    """Wait until the block of a transaction is applied."""
    receipt = await anvil.ask("eth_getTransactionReceipt", key)
    number = int(receipt["blockNumber"], 16)
    await eventually(lambda: app.tip is not None and app.tip.number >= number)


async def deploy(anvil: Anvil) -> str:
    created = await anvil.send(0, data=TOKEN, gas=hex(1_000_000))
    await anvil.mine()
    receipt = await anvil.ask("eth_getTransactionReceipt", created)
    return str(receipt["contractAddress"])


async def transfer(anvil: Anvil, token: str, to: str, value: int) -> str:
    call = f"0xa9059cbb{to[2:].lower():0>64}{value:064x}"
    return await anvil.send(0, to=token, data=call)


async def test_deposit_of_the_coin_is_taken_out_and_in(anvil: Anvil, tmp_path: Path) -> None:
    await anvil.mine(3)
    async with running(anvil, tmp_path) as app:
        await watch(anvil.accounts[1])
        key = await anvil.pay(0, 1, 7)
        await anvil.mine()
        await is_tracked(app, anvil, key)
        await reach(key, "mined")
        signed = await raw(anvil, key)
        await anvil.ask("anvil_reorg", 1, [])
        await reach(key, "pending")
        await anvil.ask("eth_sendRawTransaction", signed)
        await anvil.mine(3)
        await reach(key, "confirmed")

        # A poll between the reorganisation and the sending finds it missing.
        told = [state for state in await history(key) if state != "missing"]
        assert told == ["mined", "pending", "mined", "confirmed"]
        address = anvil.accounts[1].lower()
        assert await deposits(key) == [{"address": address, "token": None, "value": "7"}]


async def test_deposit_of_a_token_is_taken_out_and_in(anvil: Anvil, tmp_path: Path) -> None:
    token = await deploy(anvil)
    await anvil.mine(3)
    async with running(anvil, tmp_path, token) as app:
        await watch(anvil.accounts[1])
        key = await transfer(anvil, token, anvil.accounts[1], 25)
        other = await transfer(anvil, token, anvil.accounts[2], 25)
        await anvil.mine()
        await is_tracked(app, anvil, key)
        await reach(key, "mined")
        signed = await raw(anvil, key)
        await anvil.ask("anvil_reorg", 1, [])
        await reach(key, "pending")
        await anvil.ask("eth_sendRawTransaction", signed)
        await anvil.mine(3)
        await reach(key, "confirmed")

        address = anvil.accounts[1].lower()
        assert await deposits(key) == [{"address": address, "token": token, "value": "25"}]
        details = await TransactionTracker.details(key)
        assert details.execution is not None
        assert details.execution.transfers is not None
        assert [each.value for each in details.execution.transfers] == [25]
        assert await Store.fetch(other) is None


async def test_earlier_deposits_are_found(anvil: Anvil, tmp_path: Path) -> None:
    token = await deploy(anvil)
    coin = await anvil.pay(0, 1, 7)
    await anvil.mine(40)
    tokens = await transfer(anvil, token, anvil.accounts[1], 25)
    await anvil.mine(40)
    async with running(anvil, tmp_path, token):
        await watch(anvil.accounts[1], from_block=0)
        for key in (coin, tokens):
            while await Store.fetch(key) is None:
                await asyncio.sleep(0.02)
            await reach(key, "confirmed")

        assert [each["value"] for each in await deposits(coin)] == ["7"]
        assert [each["value"] for each in await deposits(tokens)] == ["25"]
