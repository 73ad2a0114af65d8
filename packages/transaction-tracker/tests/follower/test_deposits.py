"""Which payments to watched addresses become tracked transactions of a service."""

from types import SimpleNamespace
from typing import Any

from transaction_tracker.domain import Deposit, DepositRules, Policy
from transaction_tracker.domain.sharding import Shard, ShardMap
from transaction_tracker.follower.deposits import Deposits
from transaction_tracker.store import OpenTransactions

SHOP = "0x" + "5a" * 20
COUNT = 3
PAID = {f"0x{number:064x}": (Deposit(SHOP, None, number),) for number in range(40)}
BLOCK: Any = SimpleNamespace(link=SimpleNamespace(hash="block"))


def deposits(shard: Shard | None) -> Deposits:
    async def payments(*_: object) -> Any:
        return {"block": PAID}

    open_transactions = OpenTransactions()
    open_transactions.addresses.load([(SHOP, None)], 1)
    rules = DepositRules({None: 5})
    source: Any = SimpleNamespace(payments=payments)
    return Deposits(source, open_transactions, rules, 12, Policy(), shard)


async def test_each_deposit_is_tracked_and_counted_by_one_shard() -> None:
    shards = [Shard(number, ShardMap((COUNT,))) for number in range(COUNT)]

    found = [(await deposits(shard).find([BLOCK])).by_block["block"] for shard in shards]

    tracked = [transaction for each in found for transaction in each.paid]
    assert sorted(tracked) == sorted(key for key, (one,) in PAID.items() if one.value >= 5)
    assert all(each.paid for each in found)
    assert all(shards[number].owns(key) for number, each in enumerate(found) for key in each.paid)
    assert sum(each.below[SHOP] for each in found) == 5


async def test_service_of_one_program_tracks_all_deposits() -> None:
    found = (await deposits(None).find([BLOCK])).by_block["block"]

    assert (len(found.paid), found.below) == (35, {SHOP: 5})
