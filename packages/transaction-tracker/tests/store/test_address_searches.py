"""The searches for deposits from before addresses were watched."""

from dataclasses import replace
from typing import Any

import pytest

from transaction_tracker.domain import AddressToWatch, Deposit, Link
from transaction_tracker.store import FoundDeposits, Step, chain, committing, reading
from transaction_tracker.store.addresses import searches, watching
from transaction_tracker.store.addresses.searches import InvalidSearchError, Piece

from ..databases import SOURCE, Run  # noqa: TID252

A, B, C = ("0x" + digits * 20 for digits in ("aa", "bb", "cc"))
TIP = Link(1_000, "tip", "below")


@pytest.fixture(autouse=True)
def claimed(run: Run) -> None:
    run(chain.claim, SOURCE)


@pytest.fixture
def tip(run: Run) -> None:
    run(committing.commit, Step(SOURCE, applied=TIP, keep=20))


def watch(run: Run, *addresses: str, start: int | None) -> None:
    wanted = [AddressToWatch(SOURCE, each, from_block=start) for each in addresses]
    run(watching.watch, SOURCE, wanted)


def search_of(run: Run, address: str) -> Any:
    (found,) = run(watching.find, address)
    return found.search


def next_piece(run: Run, size: int = 100) -> Piece:
    piece: Piece | None = run(searches.next_piece, SOURCE, size)
    assert piece is not None
    return piece


def advance(run: Run, piece: Piece, *paying: str) -> Any:
    paid = {key: (Deposit(A, None, 5),) for key in paying}
    found = FoundDeposits(paid=paid, required=dict.fromkeys(paid, 3), max_open=9, adds=True)
    return run(searches.advance, SOURCE, piece, found)


@pytest.mark.usefixtures("tip")
def test_search_is_done_in_pieces_up_to_the_tip(run: Run) -> None:
    watch(run, A, start=850)

    pieces = []
    while piece := run(searches.next_piece, SOURCE, 100):
        pieces.append(piece.numbers)
        advance(run, piece)

    assert pieces == [range(850, 950), range(950, 1_001)]
    assert search_of(run, A) is None


@pytest.mark.usefixtures("tip")
def test_deposits_are_registered_with_the_place_of_the_search(run: Run) -> None:
    watch(run, A, start=850)

    stored = advance(run, next_piece(run), "tx")

    assert [tracked.id for tracked in stored.started] == ["tx"]
    assert run(reading.load, "tx").state == "registered"
    assert search_of(run, A).next_block == 950


@pytest.mark.usefixtures("tip")
def test_piece_is_searched_again_after_an_address_joins(run: Run) -> None:
    watch(run, A, start=850)
    piece = next_piece(run)

    watch(run, B, start=850)

    assert advance(run, piece, "tx").is_outdated
    assert run(reading.load, "tx") is None
    again = next_piece(run)
    assert (again.search, again.numbers) == (piece.search, piece.numbers)
    assert sorted(run(searches.addresses_of, again.search)) == [A, B]


@pytest.mark.usefixtures("tip")
def test_searches_that_meet_become_one(run: Run) -> None:
    watch(run, A, start=850)
    advance(run, next_piece(run))
    watch(run, B, start=900)

    behind = next_piece(run)
    assert behind.numbers == range(900, 950)
    assert run(searches.addresses_of, behind.search) == [B]
    advance(run, behind)

    together = next_piece(run)
    assert together.numbers == range(950, 1_001)
    assert sorted(run(searches.addresses_of, together.search)) == [A, B]
    advance(run, together)
    assert (search_of(run, A), search_of(run, B)) == (None, None)


@pytest.mark.usefixtures("tip")
def test_search_begins_again_only_from_a_lower_block(run: Run) -> None:
    watch(run, A, start=500)
    advance(run, next_piece(run))

    watch(run, A, start=700)
    assert search_of(run, A).next_block == 600
    watch(run, A, start=400)
    assert (search_of(run, A).next_block, search_of(run, A).last_block) == (400, 1_000)


@pytest.mark.usefixtures("tip")
def test_block_above_the_tip_needs_no_search(run: Run) -> None:
    watch(run, A, start=1_001)
    watch(run, B, start=None)

    assert run(searches.next_piece, SOURCE, 100) is None


@pytest.mark.usefixtures("tip")
def test_search_ends_with_its_last_address(run: Run) -> None:
    watch(run, A, B, start=500)
    piece = next_piece(run)

    run(watching.unwatch, SOURCE, A)
    assert next_piece(run).search == piece.search
    run(watching.unwatch, SOURCE, B)

    assert run(searches.next_piece, SOURCE, 100) is None
    assert advance(run, piece).is_outdated


@pytest.mark.usefixtures("tip")
def test_outdated_piece_changes_nothing(run: Run) -> None:
    watch(run, A, start=500)
    piece = next_piece(run)
    advance(run, piece)

    assert advance(run, piece, "tx").is_outdated
    assert advance(run, replace(piece, search=9), "tx").is_outdated
    assert run(reading.load, "tx") is None


@pytest.mark.usefixtures("tip")
def test_blocks_without_their_transfers_are_searched_for_all_addresses(run: Run) -> None:
    watch(run, A, start=950)
    watch(run, B, start=None)
    for number in (1_001, 1_002):
        link = Link(number, str(number), "below")
        deposits = FoundDeposits(version=2, unread=(number,))
        run(committing.commit, Step(SOURCE, applied=link, keep=20, deposits=deposits))

    searched: dict[str, set[int]] = {A: set(), B: set()}
    while piece := run(searches.next_piece, SOURCE, 100):
        for address in run(searches.addresses_of, piece.search):
            searched[address] |= set(piece.numbers)
        advance(run, piece)

    assert searched == {A: set(range(950, 1_003)), B: {1_001, 1_002}}


def test_search_before_the_first_block_is_refused(run: Run) -> None:
    with pytest.raises(InvalidSearchError, match="wait until it runs"):
        watch(run, A, start=500)

    assert run(watching.find, A) == []


@pytest.mark.usefixtures("tip")
def test_searches_are_limited(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "MAX_SEARCH_BLOCKS", 100)
    monkeypatch.setattr(searches, "MAX_SEARCHES", 1)

    with pytest.raises(InvalidSearchError, match="at least 901, got 900"):
        watch(run, A, start=900)
    watch(run, A, start=901)
    watch(run, B, start=901)
    with pytest.raises(InvalidSearchError, match="at most 1 searches"):
        watch(run, C, start=902)
