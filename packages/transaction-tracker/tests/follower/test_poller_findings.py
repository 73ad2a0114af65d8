"""The evaluation of replies, against a model; the watch; pauses of a failing source."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.domain import Late, Reported, State, Sweep, Tracked
from transaction_tracker.follower.findings import ReplyEvaluator
from transaction_tracker.follower.repeated_answers import RepeatedAnswers
from transaction_tracker.follower.source_breaker import SourceBreaker
from transaction_tracker.follower.watch import Watch
from transaction_tracker.sources import RateLimitedError, ServerError, TransportError
from transaction_tracker.sources.polled import BAD_ENDS, LookUpResult, PollingPolicy
from transaction_tracker.store import OpenTransactions

STATES: list[State] = ["pending", "missing", "confirmed", "failed", "invalid", "reversed"]
REPLIES = st.none() | st.just(TransportError("late")) | st.sampled_from(STATES).map(Reported)


def new_evaluator(agree: int, tracked: Tracked | None) -> tuple[ReplyEvaluator, Sweep, Watch]:
    open_transactions, sweep, watch = (
        OpenTransactions(),
        Sweep(),
        Watch(PollingPolicy(watch_for=86_400)),
    )
    if tracked is not None:
        open_transactions.write([tracked])
    return ReplyEvaluator(open_transactions, sweep, watch, agree), sweep, watch


def last_in_a_row(replies: list[LookUpResult]) -> int:
    """Return the number of equal replies at the end, without errors."""
    answers = [reply for reply in replies if not isinstance(reply, TransportError)]
    count = 0
    for answer in reversed(answers):
        if answer != answers[-1]:
            break
        count += 1
    return count


@given(st.lists(REPLIES, max_size=12), st.integers(1, 4))
def test_bad_final_state_is_a_fact_only_after_enough_repetitions(
    replies: list[LookUpResult], agree: int
) -> None:
    async def play() -> None:
        evaluator, sweep, _ = new_evaluator(agree, Tracked("t1", 1))
        believed_at = 0
        for number, reply in enumerate(replies, start=1):
            facts = evaluator.evaluate({"t1": reply}).facts.get("t1", ())
            if not isinstance(reply, Reported):
                assert facts == ()
            elif reply.state not in BAD_ENDS:
                assert facts == (reply,)
            else:
                row = last_in_a_row(replies[believed_at:number])
                assert facts == ((reply,) if row >= agree else ())
                # Until then, the source is asked again soon.
                assert facts or "t1" in sweep
                believed_at = number if facts else believed_at

    asyncio.run(play())


@given(st.lists(REPLIES, max_size=12), st.integers(1, 4))
def test_open_state_after_the_deadline_must_be_repeated(
    replies: list[LookUpResult], agree: int
) -> None:
    async def play() -> None:
        evaluator, _, _ = new_evaluator(agree, Tracked("t1", 1, deadline=time.time() - 1))
        row = 0
        for reply in replies:
            facts = evaluator.evaluate({"t1": reply}).facts.get("t1", ())
            if isinstance(reply, Reported) and reply.state in ("pending", "missing"):
                row += 1
                late = any(isinstance(fact, Late) for fact in facts)
                assert late == (row >= agree)
                row = 0 if late else row
            elif not isinstance(reply, TransportError):
                row = 0

    asyncio.run(play())


@given(st.lists(REPLIES, max_size=12), st.integers(1, 4))
def test_confirmed_transaction_is_reversed_only_after_enough_repetitions(
    replies: list[LookUpResult], agree: int
) -> None:
    async def play() -> None:
        evaluator, _, watch = new_evaluator(agree, None)
        watch.add("t1", time.time(), 0.0)
        for number, reply in enumerate(replies, start=1):
            findings = evaluator.evaluate({"t1": reply})
            bad = isinstance(reply, Reported) and reply.state in BAD_ENDS
            enough = last_in_a_row(replies[:number]) >= agree
            assert findings.facts == {}
            assert bool(findings.taken_back) == (bad and enough)
            if findings.taken_back:
                assert findings.taken_back["t1"].state == "reversed"
                return

    asyncio.run(play())


def test_unwatched_transaction_is_not_reversed() -> None:
    async def play() -> None:
        evaluator, sweep, _ = new_evaluator(1, None)

        assert evaluator.evaluate({"t1": Reported("reversed")}).taken_back == {}
        assert "t1" not in sweep

    asyncio.run(play())


def test_believed_answer_starts_the_count_again() -> None:
    repeated = RepeatedAnswers(2)

    believed = [repeated.note("t1", "failed") for _ in range(4)]

    assert believed == [False, True, False, True]
    assert len(repeated) == 0


def test_watched_transactions_take_turns_until_their_time_is_over() -> None:
    watch = Watch(PollingPolicy(watch_for=86_400, watch_first_delay=10, watch_longest_delay=40))
    watch.add("new", confirmed_at=1_000.0, now=0.0)
    watch.resume("old", confirmed_at=1_000.0 - 86_390, now=0.0)

    assert watch.take_due(0.0, 1_000.0, 10) == ["old"]
    assert watch.take_due(10.0, 1_010.0, 10) == ["new"]  # the day of "old" is over
    assert "old" not in watch
    assert watch.take_due(19.0, 1_019.0, 10) == []
    assert watch.take_due(20.0, 1_020.0, 10) == ["new"]
    assert watch.take_due(40.0, 1_040.0, 10) == ["new"]
    assert watch.take_due(40.0, 1_040.0, 0) == []


def test_nothing_is_watched_for_zero_days() -> None:
    watch = Watch(PollingPolicy())

    watch.add("t1", 0.0, 0.0)

    assert len(watch) == 0


def test_breaker_trips_after_three_failures_in_a_row() -> None:
    breaker, error = SourceBreaker(1.0), {"t1": ServerError("HTTP 500")}

    first = [breaker.note(error, paused=False) for _ in range(2)]
    third = breaker.note(error, paused=False)

    assert first == [None, None]
    assert third is not None
    assert 1.0 <= third <= 1.1
    assert breaker.tripped
    assert breaker.note(error, paused=True) is None
    again = breaker.note(error, paused=False)
    assert again is not None
    assert again >= 2.0


def test_usable_reply_resets_the_breaker() -> None:
    breaker, error = SourceBreaker(1.0), {"t1": ServerError("HTTP 500")}
    for _ in range(3):
        breaker.note(error, paused=False)

    assert breaker.note({"t1": None, "t2": error["t1"]}, paused=False) is None
    assert not breaker.tripped


def test_rate_limit_pauses_the_source_at_once() -> None:
    breaker = SourceBreaker(1.0)

    pause = breaker.note({"t1": RateLimitedError("HTTP 429", 60.0)}, paused=False)

    assert pause == 60.0


def test_empty_look_ups_do_not_trip_the_breaker() -> None:
    breaker = SourceBreaker(1.0)

    assert [breaker.note({}, paused=False) for _ in range(5)] == [None] * 5
