"""Several sources in one database: equal ids, equal blocks, and separate deliveries."""

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    BlockRef,
    Event,
    Registration,
    StandingObjection,
    Tracked,
    caip_id,
    chain_of,
    local_id,
    split_caip_id,
)
from transaction_tracker.domain.webhook_endpoint import WebhookSecret
from transaction_tracker.store import (
    OpenBySource,
    OpenTransactions,
    Step,
    StoreError,
    broadcasts,
    chain,
    committing,
    endpoints,
    feed,
    objections,
    outbox,
    pruning,
    reading,
    registering,
    watched,
)
from transaction_tracker.store.broadcasts import Broadcast
from transaction_tracker.store.steps import Stored

from .support import SOURCE, TEN, Run, confirmed, mined

MAIN, OTHER, BANK = SOURCE, "ethereum:10", "http:bank"


def register(run: Run, source: str, *ids: str, given: str | None = None) -> list[Tracked]:
    registrations = [Registration(id, 1, source=source, given=given) for id in ids]  # noqa: A001
    stored: Stored = run(registering.register, registrations)
    return list(stored.rows)


def finish(run: Run, tracked: Tracked) -> Tracked:
    """Mine and confirm a transaction."""
    first = mined(tracked)
    last = confirmed(first.tracked)
    run(committing.commit, Step(tracked.source, events=(first, last)))
    return last.tracked


def test_id_with_the_chain_id_is_made_and_read() -> None:
    assert chain_of(MAIN) == "eip155:31337"
    assert caip_id(MAIN, "0xab") == "eip155:31337:0xab"
    assert caip_id(BANK, "pay:7") == "http:bank:pay:7"
    assert local_id(MAIN, "eip155:31337:0xab") == local_id(MAIN, "0xab") == "0xab"
    assert local_id(MAIN, "eip155:10:0xab") == "eip155:10:0xab"
    assert split_caip_id("eip155:31337:0xab") == ("eip155:31337", "0xab")
    assert split_caip_id("http:bank:pay:7") == ("http:bank", "pay:7")
    assert split_caip_id("0xab") is None


def test_equal_ids_of_two_sources_are_two_transactions(run: Run) -> None:
    (first,) = register(run, MAIN, "tx")
    (second,) = register(run, OTHER, "tx")

    ended = finish(run, second)

    assert (first.key, second.key) == ("tx", "eip155:10:tx")
    assert ended.id == "tx"
    assert run(reading.load, "tx").state == "registered"
    assert run(reading.load, "eip155:10:tx").state == "confirmed"


def test_id_is_kept_as_it_was_registered(run: Run) -> None:
    (tracked,) = register(run, MAIN, "tx", given="eip155:31337:tx")

    (again,) = register(run, MAIN, "tx")

    assert (tracked.id, tracked.key, tracked.caip_id) == (
        "tx",
        "eip155:31337:tx",
        "eip155:31337:tx",
    )
    assert again.key == "eip155:31337:tx"


def test_equal_ids_of_one_request_are_stored_for_each_source(run: Run) -> None:
    both = [Registration("tx", 1, source=source) for source in (MAIN, OTHER)]

    stored = run(registering.register, both)

    assert {tracked.key for tracked in stored.rows} == {"eip155:31337:tx", "eip155:10:tx"}


def test_raw_transaction_is_due_at_its_own_source(run: Run) -> None:
    register(run, MAIN, "tx")
    raws = [
        Registration("tx", 1, source=OTHER, raw="0x02"),
        Registration("ty", 1, source=MAIN, given="eip155:31337:ty", raw="0x03"),
    ]
    for tracked in run(registering.register, raws).rows:
        lost = replace(tracked, state="dropped", version=1)
        run(committing.commit, Step(tracked.source, events=(Event("registered", lost),)))
    due = {"now": 1.0, "missing_since": 1.0, "limit": 9}

    found = {source: run(broadcasts.due, source=source, **due) for source in (MAIN, OTHER, BANK)}

    assert found == {
        MAIN: [Broadcast("eip155:31337:ty", "0x03")],
        OTHER: [Broadcast("eip155:10:tx", "0x02")],
        BANK: [],
    }


def test_events_name_their_source(run: Run) -> None:
    finish(run, register(run, OTHER, "tx", given="eip155:10:tx")[0])

    entries = run(feed.entries, 0, 9)

    assert [entry.event.id for entry in entries] == ["eip155:10:tx:1", "eip155:10:tx:2"]
    assert {entry.event.tracked.caip_id for entry in entries} == {"eip155:10:tx"}


def test_equal_block_of_another_source_is_not_its_own(run: Run) -> None:
    finish(run, register(run, MAIN, "tx")[0])

    assert run(reading.load_anchored, TEN.hash, MAIN) != []
    assert run(reading.load_anchored, TEN.hash, OTHER) == []


def test_confirmed_transactions_are_watched_by_their_source_alone(run: Run) -> None:
    finish(run, register(run, BANK, "pay", given="http:bank:pay")[0])

    found = run(watched.confirmed_since, 0.0, BANK)

    assert [confirmed.id for confirmed in found] == ["pay"]
    assert [tracked.id for tracked in run(watched.load_ended, ["pay"], BANK)] == ["pay"]
    assert run(watched.confirmed_since, 0.0, MAIN) == []
    assert run(watched.load_ended, ["pay"], MAIN) == []


def test_objections_belong_to_the_transaction_of_their_source(run: Run) -> None:
    register(run, MAIN, "tx")
    register(run, OTHER, "tx")
    objection = StandingObjection("tx", "node:1", "no", False, BlockRef(1, "one"), True)

    run(objections.replace, (), [objection], OTHER)

    assert run(objections.load, OTHER) == (objection,)
    assert run(objections.load, MAIN) == ()
    run(objections.replace, [objection], (), OTHER)
    assert run(objections.load) == ()


def test_claim_of_a_second_source_needs_consent(run: Run) -> None:
    with pytest.raises(StoreError, match="belongs to ethereum:31337 and cannot hold http:bank"):
        run(chain.claim, BANK)
    run(chain.claim, BANK, is_only=False)
    with pytest.raises(StoreError, match=r"list each of them in \[\[sources\]\]"):
        run(chain.claim, MAIN)


def test_each_source_has_its_identity(run: Run) -> None:
    run(chain.claim, MAIN, BlockRef(0, "genesis"))
    run(chain.claim, OTHER, BlockRef(0, "other"), is_only=False)

    assert run(chain.load_identity, OTHER) == (OTHER, BlockRef(0, "other"))
    assert run(chain.load_identity, BANK) is None


@pytest.fixture
def endpoint(run: Run) -> str:
    added = run(endpoints.add, "https://x.example/", WebhookSecret.generate(), None, [])
    return str(added.id)


def test_pause_of_one_source_does_not_delay_the_others(run: Run, endpoint: str) -> None:
    for source in (MAIN, OTHER):
        run(chain.claim, source, is_only=False)
        finish(run, register(run, source, f"of {source}")[0])

    run(chain.pause_deliveries, OTHER)

    assert due_sources(run, endpoint) == {MAIN}
    assert list(run(chain.frozen_sources)) == [OTHER]
    run(chain.resume_deliveries)
    assert due_sources(run, endpoint) == {MAIN, OTHER}


def test_pause_of_all_sources_pauses_the_endpoint(run: Run, endpoint: str) -> None:
    for source in (MAIN, OTHER):
        run(chain.claim, source, is_only=False)

    run(chain.pause_deliveries)

    assert run(outbox.due, endpoint, 9).frozen


def test_step_that_pauses_deliveries_pauses_its_own_source(run: Run) -> None:
    for source in (MAIN, OTHER):
        run(chain.claim, source, is_only=False)

    run(committing.commit, Step(OTHER, freezes=True))

    assert list(run(chain.frozen_sources)) == [OTHER]


def test_open_transactions_are_kept_by_source(run: Run) -> None:
    main, other = OpenTransactions(), OpenTransactions()
    parts = OpenBySource({MAIN: main, OTHER: other})
    parts.write(
        [*register(run, MAIN, "tx"), *register(run, OTHER, "tx"), *register(run, BANK, "b")]
    )

    step = Step(OTHER, events=(mined(next(iter(other))),), applied=TEN, keep=9)
    run(chain.claim, OTHER, is_only=False)
    parts.take(run(committing.commit, step))

    assert [tracked.state for tracked in main] == ["registered"]
    assert [tracked.state for tracked in other] == ["mined"]
    assert (main.tip, other.tip) == (None, TEN.ref)


def test_final_transactions_are_counted_by_source(run: Run) -> None:
    main, other = OpenTransactions(), OpenTransactions()
    parts = OpenBySource({MAIN: main, OTHER: other})
    finish(run, register(run, MAIN, "tx")[0])
    finish(run, register(run, OTHER, "tx")[0])

    parts.add_final(run(reading.count_ended))
    parts.add_final(run(pruning.prune, 2e10, 1).by_source)

    counts = sorted(len(part.census.by_state) for part in (main, other))
    assert counts == [0, 1]


def due_sources(run: Run, endpoint: str) -> set[str]:
    """Return the sources of the deliveries that are due."""
    batch = run(outbox.due, endpoint, 99)
    return {delivery.entry.event.tracked.source for delivery in batch.deliveries}


def test_source_of_a_transaction_is_not_part_of_its_value() -> None:
    plain = Tracked("tx", 1)

    assert plain == replace(plain, source=MAIN, given="eip155:31337:tx")
