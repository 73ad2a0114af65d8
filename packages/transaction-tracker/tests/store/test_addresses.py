"""Watched addresses and their deposits in the database."""

from typing import Any

import orjson
import pytest

from transaction_tracker.domain import AddressToWatch, Deposit, Event, Registration, Tracked
from transaction_tracker.store import (
    FoundDeposits,
    OpenTransactions,
    Step,
    chain,
    committing,
    feed,
    reading,
    registering,
)
from transaction_tracker.store.addresses import watching
from transaction_tracker.store.addresses.table import WatchedAddresses, WatchedChange

from ..databases import SOURCE, Run  # noqa: TID252
from .support import TEN, mined, register, untracked

SHOP, OTHER = "0x" + "5a" * 20, "0x" + "0b" * 20
PAID = (Deposit(SHOP, None, 5),)


@pytest.fixture(autouse=True)
def claimed(run: Run) -> None:
    run(chain.claim, SOURCE)


def watch(run: Run, *addresses: str, **options: Any) -> WatchedChange:
    wanted = [AddressToWatch(SOURCE, each, **options) for each in addresses]
    change: WatchedChange = run(watching.watch, SOURCE, wanted)
    return change


def watched(run: Run, address: str = SHOP) -> Any:
    (found,) = run(watching.find, address)
    return found


def found(version: int = 1, **options: Any) -> FoundDeposits:
    given: dict[str, Any] = {"paid": {"tx": PAID}, "required": {"tx": 3}, "max_open": 10}
    return FoundDeposits(version, **(given | options))


def new(key: str = "tx", required: int = 3) -> Event:
    return mined(Tracked(key, required, source=SOURCE))


def commit(run: Run, deposits: FoundDeposits, *events: Event) -> Any:
    step = Step(SOURCE, events, applied=TEN, keep=20, deposits=deposits)
    return run(committing.commit, step)


def test_deposit_is_stored_with_its_block(run: Run) -> None:
    watch(run, SHOP, metadata='{"a":1}')

    stored = commit(run, found(), new())

    (started,) = stored.started
    assert (started.id, started.state, started.version) == ("tx", "mined", 1)
    assert stored.rows == (started,)
    assert run(reading.load, "tx") == started
    (event,) = run(feed.entries, after=0, limit=9)
    assert event.metadata == '{"a":1}'
    assert orjson.loads(event.deposits) == [{"address": SHOP, "token": None, "value": "5"}]
    assert (watched(run).found, watched(run).open) == (1, 1)


def test_step_of_fewer_addresses_changes_nothing(run: Run) -> None:
    watch(run, SHOP)

    stored = commit(run, found(version=0), new())

    assert stored.is_outdated
    assert (stored.rows, run(chain.load_links, SOURCE)) == ((), [])
    assert run(reading.load, "tx") is None


def test_transaction_registered_meanwhile_keeps_its_requirement_and_metadata(run: Run) -> None:
    watch(run, SHOP, metadata='{"of":"address"}')
    run(
        registering.register,
        [Registration("tx", 9, metadata='{"of":"order"}', source=SOURCE)],
    )

    stored = commit(run, found(), new())

    assert (stored.events, stored.started) == ((), ())
    assert run(reading.load, "tx") == Tracked("tx", 9, source=SOURCE)
    assert (watched(run).found, watched(run).open) == (1, 1)


def test_deposit_of_a_removed_address_is_not_stored(run: Run) -> None:
    watch(run, SHOP)
    run(watching.unwatch, SOURCE, SHOP)

    stored = commit(run, found(), new())

    assert (stored.rows, stored.tip) == ((), TEN.ref)
    assert run(reading.load, "tx") is None


def test_ended_transaction_keeps_what_was_told(run: Run) -> None:
    register(run, "tx")
    run(committing.commit, Step("", (untracked(Tracked("tx", 3)),)))
    watch(run, SHOP)

    commit(run, found(), new())

    assert run(reading.load, "tx").state == "untracked"
    assert watched(run).found == 0


def test_id_that_another_source_has_gets_the_chain_id(run: Run) -> None:
    run(registering.register, [Registration("tx", 3, source="ethereum:1")])
    watch(run, SHOP)

    commit(run, found(), new())

    assert run(reading.load, "eip155:31337:tx").state == "mined"
    assert run(reading.load, "tx").state == "registered"


def test_limit_of_deposits_of_one_transaction(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transaction_tracker.store.addresses.deposits.MAX_DEPOSITS", 1)
    watch(run, SHOP, OTHER)

    commit(run, found(paid={"tx": (*PAID, Deposit(OTHER, None, 6))}), new())

    assert (watched(run).found, watched(run, OTHER).found) == (1, 0)
    assert watched(run, OTHER).passed_over["over_limit"] == 1


def test_address_that_is_watched_stays_as_it_is(run: Run) -> None:
    first = watch(run, SHOP, metadata='{"a":1}', required=7)
    again = watch(run, SHOP, metadata='{"a":2}')

    assert (first.version, first.added) == (1, ((SHOP, 7),))
    assert (again.version, again.added) == (1, ())
    assert (watched(run).metadata, watched(run).required) == ('{"a":1}', 7)


def test_same_address_of_two_sources_is_watched_twice(run: Run) -> None:
    watch(run, SHOP)
    run(watching.watch, "ethereum:1", [AddressToWatch("ethereum:1", SHOP)])
    run(watching.unwatch, SOURCE, SHOP)

    assert [each.source for each in run(watching.find, SHOP)] == ["ethereum:1"]


def test_pages_are_ordered_by_source_and_address(run: Run) -> None:
    watch(run, SHOP, OTHER)
    run(watching.watch, "ethereum:1", [AddressToWatch("ethereum:1", SHOP)])

    pages, after = [], None
    while page := run(watching.page, after=after, limit=1):
        after = (page[0].source, page[0].address)
        pages.append(after)

    assert pages == [("ethereum:1", SHOP), (SOURCE, OTHER), (SOURCE, SHOP)]
    assert len(run(watching.page, after=None, limit=9, source=SOURCE)) == 2


def test_counts_never_fall_below_zero(run: Run) -> None:
    watch(run, SHOP)
    commit(run, found(), new())
    run(watching.unwatch, SOURCE, SHOP)
    watch(run, SHOP)

    run(committing.commit, Step(SOURCE, (untracked(run(reading.load, "tx")),)))

    assert watched(run).open == 0


def test_hundred_thousand_addresses_are_loaded_into_memory(run: Run) -> None:
    addresses = [f"0x{number:040x}" for number in range(100_000)]
    for at in range(0, len(addresses), 10_000):
        watch(run, *addresses[at : at + 10_000])
    table = OpenTransactions()

    versions = run(watching.load_versions)
    for rows in run(lambda connection: list(watching.load_watched(connection))):
        for change in watching.changes_of(rows, versions):
            table.watch(change)

    assert (len(table.addresses), table.addresses.version) == (100_000, 10)
    assert all(each in table.addresses for each in addresses[::1_000])
    assert SHOP not in table.addresses


def test_addresses_in_memory_follow_the_changes() -> None:
    table = WatchedAddresses()
    table.take(WatchedChange(SOURCE, 1, ((SHOP, 7), ("bc1qtext", None))))
    table.take(WatchedChange(SOURCE, 2, ((OTHER, "safe"),), (SHOP,)))

    assert (SHOP in table, OTHER in table, "bc1qtext" in table) == (False, True, True)
    assert (table.required(OTHER), table.version) == ("safe", 2)
    assert "0x" + "zz" * 20 not in table
    assert None not in table
