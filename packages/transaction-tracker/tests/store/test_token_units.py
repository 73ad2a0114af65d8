"""Decimals of tokens are asked for once, and change no event that was written without them."""

from typing import Any

import orjson
import pytest

from transaction_tracker.domain import Details, Event, Execution, Payment, TokenUnit, Transfer
from transaction_tracker.store import feed, listing, reading, token_units
from transaction_tracker.store.pages import transaction_page

from ..databases import Run  # noqa: TID252
from .support import commit, confirmed, mined, register

USDC, NFT, SPAM = "0xa", "0xb", "0xc"
UNIT = TokenUnit(6, "USDC")


def transfer(token: str = USDC, standard: Any = "erc20") -> Transfer:
    return Transfer(0, standard, token, "0x1", "0x2", value=5)


def with_transfers(event: Event, *transfers: Transfer) -> Event:
    details = Details(Payment("0x1", "0x2", 0, 0), Execution(21_000, 1, None, transfers))
    return Event(event.previous, event.tracked, details=details)


def pay(run: Run, key: str = "tx", *transfers: Transfer) -> None:
    (known,) = register(run, key).rows
    commit(run, events=(with_transfers(mined(known), *(transfers or (transfer(),))),))


def due(run: Run, now: float = 100.0) -> list[tuple[str, int]]:
    return run(token_units.due, source="", now=now, limit=20)


def answer(run: Run, unit: TokenUnit = UNIT, token: str = USDC) -> None:
    run(token_units.answered, source="", units={token: unit})


def told(details: str | None) -> list[tuple[object, object]]:
    assert details is not None
    return [(each["decimals"], each["symbol"]) for each in orjson.loads(details)["transfers"]]


def events_of(run: Run) -> list[list[tuple[object, object]]]:
    return [told(entry.details) for entry in run(feed.entries, after=0, limit=99)]


def test_first_transfer_of_a_token_makes_it_due_once(run: Run) -> None:
    pay(run, "one")
    pay(run, "two", transfer(), transfer())

    assert due(run) == [(USDC, 0)]

    answer(run)
    pay(run, "three")

    assert due(run) == []


def test_event_that_was_written_without_decimals_stays_as_it_is(run: Run) -> None:
    pay(run)
    before = run(feed.entries, after=0, limit=99)

    answer(run)

    assert run(feed.entries, after=0, limit=99) == before
    assert events_of(run) == [[(None, None)]]


def test_later_event_of_the_same_transaction_has_the_decimals(run: Run) -> None:
    pay(run)
    answer(run)

    commit(run, events=(confirmed(run(reading.load, "tx")),))

    assert events_of(run) == [[(None, None)], [(6, "USDC")]]


def test_next_transfer_of_a_known_token_has_the_decimals_at_once(run: Run) -> None:
    pay(run, "one")
    answer(run)

    pay(run, "two")

    assert events_of(run) == [[(None, None)], [(6, "USDC")]]


def test_transaction_has_decimals_that_became_known_after_its_end(run: Run) -> None:
    pay(run)
    commit(run, events=(confirmed(run(reading.load, "tx")),))

    answer(run)

    (listed,) = run(listing.id_page, after=None, limit=9)
    kept = run(transaction_page, "tx")
    assert told(kept.details) == told(listed.details) == [(6, "USDC")]
    assert events_of(run) == [[(None, None)], [(None, None)]]


def test_decimals_never_change(run: Run) -> None:
    pay(run, "one")
    answer(run)

    answer(run, TokenUnit(18, "FAKE"))
    pay(run, "two")

    assert events_of(run)[-1] == [(6, "USDC")]


@pytest.mark.parametrize("standard", ["erc721", "erc1155"])
def test_only_tokens_of_erc20_have_decimals(run: Run, standard: str) -> None:
    pay(run, "one", transfer(NFT, standard))

    assert due(run) == []


def test_token_of_another_source_is_another_token(run: Run) -> None:
    pay(run, "one")
    answer(run)

    assert run(token_units.known, [("other", USDC), ("", USDC)]) == {("", USDC): UNIT}


def test_token_without_an_answer_is_asked_again_later_and_not_without_end(run: Run) -> None:
    pay(run)
    for attempt in range(token_units.MAX_ATTEMPTS):
        assert due(run, now=attempt * 10.0) == [(USDC, attempt)]
        run(token_units.postponed, source="", times={USDC: attempt * 10.0 + 5.0})
        assert due(run, now=attempt * 10.0) == []

    assert due(run, now=1e9) == []


def test_number_of_tokens_that_wait_for_an_answer_is_limited(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_units, "MAX_OPEN_PER_SOURCE", 2)

    pay(run, "one", *(transfer(f"0x{number}") for number in range(9)))
    pay(run, "two", transfer(SPAM))

    assert len(due(run)) == 2
    assert len(events_of(run)) == 2
