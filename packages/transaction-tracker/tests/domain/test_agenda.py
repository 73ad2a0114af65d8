from msgspec.structs import replace

from transaction_tracker.domain import Agenda, BlockRef, Tracked

BLOCK = BlockRef(10, "ten")
MINED = Tracked("tx", required=3, state="mined", version=1, anchor=BLOCK)


def agenda_with(*tracked: Tracked) -> Agenda:
    agenda = Agenda()
    for transaction in tracked:
        agenda.note(transaction)
    return agenda


def test_mined_transaction_is_due_at_its_height_and_not_before() -> None:
    agenda = agenda_with(MINED)

    assert agenda.due_by(12) == {"tx": BLOCK}
    assert agenda.due_by(11) == {}


def test_overdue_transactions_stay_due() -> None:
    agenda = agenda_with(MINED, replace(MINED, id="later", required=9))

    assert agenda.due_by(15) == {"tx": BLOCK}


def test_block_returns_the_transactions_that_it_decided() -> None:
    agenda = agenda_with(MINED, replace(MINED, id="other", anchor=BlockRef(10, "ten'")))

    assert agenda.decided_in(BLOCK) == {"tx"}
    assert agenda.blocks() == [BLOCK, BlockRef(10, "ten'")]


def test_transaction_in_another_block_is_indexed_only_there() -> None:
    moved = replace(MINED, version=2, anchor=BlockRef(11, "eleven"))

    agenda = agenda_with(MINED, moved)

    assert agenda.due_by(12) == {}
    assert agenda.due_by(13) == {"tx": moved.anchor}
    assert agenda.decided_in(BLOCK) == set()


def test_final_transaction_is_removed() -> None:
    agenda = agenda_with(MINED, replace(MINED, state="confirmed"))

    assert (len(agenda), agenda.blocks(), agenda.due_by(99)) == (0, [], {})


def test_transaction_that_waits_for_a_tag_is_due_when_the_tag_reaches_its_block() -> None:
    agenda = agenda_with(replace(MINED, required="finalized"))

    assert agenda.waits_for_tags
    assert agenda.due_by(1_000) == {}
    assert agenda.due_by(1_000, {"safe": 500, "finalized": 9}) == {}
    assert agenda.due_by(1_000, {"safe": 500, "finalized": 10}) == {"tx": BLOCK}


def test_removed_transaction_is_not_due() -> None:
    agenda = agenda_with(MINED)

    agenda.forget("tx")

    assert agenda.due_by(1_000) == {}
    assert agenda.decided_in(BLOCK) == set()
    assert not agenda.waits_for_tags
