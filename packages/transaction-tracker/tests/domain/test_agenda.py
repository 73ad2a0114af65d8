from dataclasses import replace

from transaction_tracker.domain import Agenda, BlockRef, Tracked

BLOCK = BlockRef(10, "ten")
MINED = Tracked("tx", required=3, state="mined", version=1, anchor=BLOCK)


def agenda_with(*tracked: Tracked) -> Agenda:
    agenda = Agenda()
    for one in tracked:
        agenda.note(one)
    return agenda


def test_a_mined_transaction_is_due_at_its_height_and_not_before() -> None:
    agenda = agenda_with(MINED)

    assert agenda.due_by(12) == {"tx": BLOCK}
    assert agenda.due_by(11) == {}


def test_those_overdue_stay_due() -> None:
    agenda = agenda_with(MINED, replace(MINED, id="later", required=9))

    assert agenda.due_by(15) == {"tx": BLOCK}


def test_a_block_that_goes_concerns_those_that_it_decided() -> None:
    agenda = agenda_with(MINED, replace(MINED, id="other", anchor=BlockRef(10, "ten'")))

    assert agenda.decided_in(BLOCK) == {"tx"}
    assert agenda.blocks() == [BLOCK, BlockRef(10, "ten'")]


def test_a_transaction_that_moves_is_noted_in_its_new_place_only() -> None:
    moved = replace(MINED, version=2, anchor=BlockRef(11, "eleven"))

    agenda = agenda_with(MINED, moved)

    assert agenda.due_by(12) == {}
    assert agenda.due_by(13) == {"tx": moved.anchor}
    assert agenda.decided_in(BLOCK) == set()


def test_one_that_waits_for_no_depth_leaves_nothing_behind() -> None:
    agenda = agenda_with(MINED, replace(MINED, state="confirmed"))

    assert (len(agenda), agenda.blocks(), agenda.due_by(99)) == (0, [], {})


def test_one_that_waits_for_the_chains_word_is_due_when_the_mark_reaches_its_block() -> None:
    agenda = agenda_with(replace(MINED, required="finalized"))

    assert agenda.waits_for_tags
    assert agenda.due_by(1_000) == {}
    assert agenda.due_by(1_000, {"safe": 500, "finalized": 9}) == {}
    assert agenda.due_by(1_000, {"safe": 500, "finalized": 10}) == {"tx": BLOCK}


def test_one_that_is_forgotten_is_due_no_more() -> None:
    agenda = agenda_with(MINED)

    agenda.forget("tx")

    assert agenda.due_by(1_000) == {}
    assert agenda.decided_in(BLOCK) == set()
    assert not agenda.waits_for_tags
