"""Watched addresses in a world: add them, and read what is stored about their deposits."""

from functools import partial
from typing import Any

import orjson

from transaction_tracker.domain import AddressToWatch
from transaction_tracker.store import Store
from transaction_tracker.store.addresses import watching
from transaction_tracker.store.addresses.watching import WatchedAddress
from transaction_tracker.store.pages import TransactionRecord, transaction_page

from .chain import Json, address, transaction, word

SOURCE = "ethereum:1"
SHOP = address("shop")
TOKEN, OTHER_TOKEN = address("token"), address("other token")
ETHER = 10**18
_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
# The selector of ``transfer(address,uint256)``.
_CALL = "0xa9059cbb"


async def watch(*addresses: str, source: str = SOURCE, **options: Any) -> None:
    """Watch addresses."""
    wanted = [AddressToWatch(source, each, **options) for each in addresses]
    await Store.run(partial(watching.watch, source=source, wanted=wanted))


async def unwatch(account: str) -> None:
    """Stop watching an address."""
    await Store.run(partial(watching.unwatch, source=SOURCE, address=account))


async def watched(account: str = SHOP) -> WatchedAddress:
    """Return a watched address."""
    (found,) = await Store.run(partial(watching.find, address=account))
    return found


async def kept(item: Json) -> TransactionRecord | None:
    """Return the stored transaction; ``None`` if it is not tracked."""
    return await Store.run(partial(transaction_page, transaction=item["hash"]))


async def deposits_of(item: Json) -> list[tuple[str, str | None, int]] | None:
    """Return the stored deposits of a transaction: address, token and value."""
    record = await kept(item)
    assert record is not None
    if record.deposits is None:
        return None
    return [
        (each["address"], each["token"], int(each["value"]))
        for each in orjson.loads(record.deposits)
    ]


def coin(account: str = SHOP, value: int = ETHER) -> tuple[str, str | None, int]:
    """Return a deposit of the coin, as ``deposits_of`` does."""
    return account, None, value


def pays(sender: str, nonce: int, account: str = SHOP, value: int = ETHER, **more: Any) -> Json:
    """Return a transaction that pays the coin."""
    return transaction(sender, nonce, to=account, value=hex(value), **more)


def calls(sender: str, nonce: int, token: str = TOKEN) -> Json:
    """Return a transaction that calls a token; the logs of its receipt say what it pays."""
    return transaction(sender, nonce, to=token, value="0x0", input=_CALL)


def transfer(value: int, recipient: str = SHOP, token: str = TOKEN, sender: str = "whale") -> Json:
    """Return a log of a transfer of a token."""
    accounts = (f"0x{'0' * 24}{each[2:]}" for each in (address(sender), recipient))
    return {"address": token, "topics": [_TRANSFER, *accounts], "data": f"0x{word(value)}"}
