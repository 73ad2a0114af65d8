"""What may be believed, against a model of it."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.domain import Late, Reported, State, Sweep, Tracked
from transaction_tracker.follower.agreement import Agreement
from transaction_tracker.follower.findings import Judge
from transaction_tracker.follower.trouble import Trouble
from transaction_tracker.follower.watch import Watch
from transaction_tracker.sources import RateLimitedError, ServerError, TransportError
from transaction_tracker.sources.polled import BAD_ENDS, LookUpResult, PollingPolicy
from transaction_tracker.store import Book

STATES: list[State] = ["pending", "missing", "confirmed", "failed", "invalid", "reversed"]
REPLIES = st.none() | st.just(TransportError("late")) | st.sampled_from(STATES).map(Reported)


def judge(agree: int, tracked: Tracked | None) -> tuple[Judge, Sweep, Watch]:
    book, sweep, watch = Book(), Sweep(), Watch(PollingPolicy(watch_days=1))
    if tracked is not None:
        book.write([tracked])
    return Judge(book, sweep, watch, agree), sweep, watch


def last_in_a_row(replies: list[LookUpResult]) -> int:
    """Count the equal answers at the end, errors left out."""
    answers = [reply for reply in replies if not isinstance(reply, TransportError)]
    count = 0
    for answer in reversed(answers):
        if answer != answers[-1]:
            break
        count += 1
    return count


@given(st.lists(REPLIES, max_size=12), st.integers(1, 4))
def test_no_bad_end_is_a_fact_before_it_was_told_often_enough(
    replies: list[LookUpResult], agree: int
) -> None:
    async def play() -> None:
        hear, sweep, _ = judge(agree, Tracked("t1", 1))
        believed_at = 0
        for number, reply in enumerate(replies, start=1):
            facts = hear.of_replies({"t1": reply}).facts.get("t1", ())
            if not isinstance(reply, Reported):
                assert facts == ()
            elif reply.state not in BAD_ENDS:
                assert facts == (reply,)
            else:
                row = last_in_a_row(replies[believed_at:number])
                assert facts == ((reply,) if row >= agree else ())
                # Whoever is in doubt asks again soon.
                assert facts or "t1" in sweep
                believed_at = number if facts else believed_at

    asyncio.run(play())


@given(st.lists(REPLIES, max_size=12), st.integers(1, 4))
def test_what_is_open_at_its_deadline_has_to_be_so_several_times(
    replies: list[LookUpResult], agree: int
) -> None:
    async def play() -> None:
        hear, _, _ = judge(agree, Tracked("t1", 1, deadline=time.time() - 1))
        row = 0
        for reply in replies:
            facts = hear.of_replies({"t1": reply}).facts.get("t1", ())
            if isinstance(reply, Reported) and reply.state in ("pending", "missing"):
                row += 1
                late = any(isinstance(fact, Late) for fact in facts)
                assert late == (row >= agree)
                row = 0 if late else row
            elif not isinstance(reply, TransportError):
                row = 0

    asyncio.run(play())


@given(st.lists(REPLIES, max_size=12), st.integers(1, 4))
def test_no_confirmed_one_is_taken_back_before_it_was_told_often_enough(
    replies: list[LookUpResult], agree: int
) -> None:
    async def play() -> None:
        hear, _, watch = judge(agree, None)
        watch.add("t1", time.time(), 0.0)
        for number, reply in enumerate(replies, start=1):
            findings = hear.of_replies({"t1": reply})
            bad = isinstance(reply, Reported) and reply.state in BAD_ENDS
            enough = last_in_a_row(replies[:number]) >= agree
            assert findings.facts == {}
            assert bool(findings.taken_back) == (bad and enough)
            if findings.taken_back:
                assert findings.taken_back["t1"].state == "reversed"
                return

    asyncio.run(play())


def test_nothing_is_taken_back_that_nobody_watches() -> None:
    async def play() -> None:
        hear, sweep, _ = judge(1, None)

        assert hear.of_replies({"t1": Reported("reversed")}).taken_back == {}
        assert "t1" not in sweep

    asyncio.run(play())


def test_agreement_forgets_whom_it_believed() -> None:
    agreement = Agreement(2)

    told = [agreement.hears("t1", "failed") for _ in range(4)]

    assert told == [False, True, False, True]
    assert len(agreement) == 0


def test_a_watch_gives_each_in_its_turn_until_its_time_is_over() -> None:
    watch = Watch(PollingPolicy(watch_days=1, watch_first_delay=10, watch_longest_delay=40))
    watch.add("new", confirmed_at=1_000.0, now=0.0)
    watch.resume("old", confirmed_at=1_000.0 - 86_390, now=0.0)

    assert watch.take_due(0.0, 1_000.0, 10) == ["old"]
    assert watch.take_due(10.0, 1_010.0, 10) == ["new"]  # the old one's day is over
    assert "old" not in watch
    assert watch.take_due(19.0, 1_019.0, 10) == []
    assert watch.take_due(20.0, 1_020.0, 10) == ["new"]
    assert watch.take_due(40.0, 1_040.0, 10) == ["new"]
    assert watch.take_due(40.0, 1_040.0, 0) == []


def test_without_days_nothing_is_watched() -> None:
    watch = Watch(PollingPolicy())

    watch.add("t1", 0.0, 0.0)

    assert len(watch) == 0


def test_trouble_begins_with_several_failures_in_a_row() -> None:
    trouble, error = Trouble(1.0), {"t1": ServerError("HTTP 500")}

    first = [trouble.note(error, paused=False) for _ in range(2)]
    third = trouble.note(error, paused=False)

    assert first == [None, None]
    assert third is not None
    assert 1.0 <= third <= 1.1
    assert trouble.lasts
    assert trouble.note(error, paused=True) is None
    again = trouble.note(error, paused=False)
    assert again is not None
    assert again >= 2.0


def test_trouble_ends_with_one_answer() -> None:
    trouble, error = Trouble(1.0), {"t1": ServerError("HTTP 500")}
    for _ in range(3):
        trouble.note(error, paused=False)

    assert trouble.note({"t1": None, "t2": error["t1"]}, paused=False) is None
    assert not trouble.lasts


def test_a_limit_is_heard_at_once() -> None:
    trouble = Trouble(1.0)

    pause = trouble.note({"t1": RateLimitedError("HTTP 429", 60.0)}, paused=False)

    assert pause == 60.0


def test_no_answers_to_no_question_are_no_trouble() -> None:
    trouble = Trouble(1.0)

    assert [trouble.note({}, paused=False) for _ in range(5)] == [None] * 5
