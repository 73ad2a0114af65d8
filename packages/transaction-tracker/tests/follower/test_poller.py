"""The poller: states of transactions at a source without blocks."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import pytest

from beamish import process
from transaction_tracker.domain import NotTrackedError, Reported
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
)
from transaction_tracker.store import Store
from transaction_tracker.tracker import FOLLOWER, TransactionTracker

from .support import (
    CONFIRMED,
    FAILED,
    PENDING,
    REVERSED,
    FakeSource,
    asked_again,
    becomes,
    eventually,
    following,
    history,
    play,
    reach,
    soon,
)

ERRORS = [
    TransportError("no connection"),
    ServerError("HTTP 500"),
    NotYetError("HTTP 202"),
    MalformedError("not JSON"),
    ApplicationError("HTTP 400", 400),
]


async def test_transaction_follows_the_states_of_its_source() -> None:
    source = FakeSource()
    source.set_replies("t1", None, PENDING, PENDING, CONFIRMED)

    async with following(source):
        await TransactionTracker.start("t1")
        tracked = await reach("t1", "confirmed")

        assert tracked.outcome is not None
        assert tracked.outcome.succeeded
        assert await history("t1") == ["pending", "confirmed"]


@pytest.mark.parametrize("state", ["failed", "invalid", "expired", "reversed", "dropped"])
async def test_bad_final_state_is_believed_when_it_is_repeated(state: str) -> None:
    source = FakeSource()
    source.set_replies("t1", Reported(state, "why"))  # type: ignore[arg-type]

    async with following(source):
        await TransactionTracker.start("t1")
        tracked = await reach("t1", "terminal")

    assert tracked.state == state
    assert source.asked["t1"] >= 2


@pytest.mark.parametrize("other", [None, PENDING, Reported("invalid")])
async def test_another_reply_in_between_starts_the_count_again(other: Reported | None) -> None:
    source = FakeSource(agree=3)
    source.set_replies("t1", FAILED, FAILED, other, FAILED, FAILED, CONFIRMED)

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "confirmed")

        assert "failed" not in await history("t1")


async def test_reason_of_a_failure_is_stored() -> None:
    source = FakeSource()
    source.set_replies("t1", FAILED)

    async with following(source):
        await TransactionTracker.start("t1")
        tracked = await reach("t1", "failed")

    assert tracked.outcome is not None
    assert (tracked.outcome.succeeded, tracked.outcome.error) == (False, "no funds")


@pytest.mark.parametrize("agree", [1, 2, 5])
async def test_bad_final_state_needs_the_configured_number_of_equal_replies(agree: int) -> None:
    source = FakeSource(agree=agree)
    source.set_replies("t1", *[FAILED] * agree, CONFIRMED)

    async with following(source):
        await TransactionTracker.start("t1")

        assert (await reach("t1", "terminal")).state == "failed"
        assert source.asked["t1"] == agree


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_error_neither_counts_nor_interrupts_the_row(error: SourceError) -> None:
    source = FakeSource(agree=2)
    source.set_replies("t1", PENDING, error, FAILED, error, FAILED, CONFIRMED)

    async with following(source):
        await TransactionTracker.start("t1")

        # One pending, two errors and two failures: the errors did not change the count.
        assert (await reach("t1", "terminal")).state == "failed"
        assert source.asked["t1"] == 5


async def test_dropped_transaction_can_be_confirmed_later() -> None:
    source = FakeSource()
    source.set_replies("t1", Reported("dropped"))

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "dropped")
        await asked_again(source, "t1")
        source.set_replies("t1", PENDING, CONFIRMED)

        await reach("t1", "confirmed")
        assert await history("t1") == ["dropped", "pending", "confirmed"]


async def test_repeated_dropped_state_does_not_shorten_the_delays() -> None:
    source = FakeSource(first_delay=0.001, longest_delay=1_000.0)
    source.set_replies("t1", Reported("dropped"))

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "dropped")
        await eventually(lambda: source.asked["t1"] >= 8)

        # Each delay is twice the one before: 8 questions took a quarter of a second.
        assert source.asked["t1"] <= 9


@pytest.mark.parametrize("state", ["pending", "missing"])
async def test_transaction_open_at_its_deadline_expires(state: str) -> None:
    source = FakeSource(agree=3)
    source.set_replies("t1", Reported(state))  # type: ignore[arg-type]

    async with following(source):
        await TransactionTracker.start("t1", deadline=soon())
        await reach("t1", "expired")

        assert source.asked["t1"] >= 3
        assert await history("t1") == [state, "expired"]


@pytest.mark.parametrize("reply", [None, ServerError("HTTP 500"), TransportError("late")])
async def test_transaction_expires_only_if_the_source_reports_it_as_open(
    reply: SourceError | None,
) -> None:
    source = FakeSource()
    source.set_replies("t1", reply)

    async with following(source):
        await TransactionTracker.start("t1", deadline=soon())
        await asked_again(source, "t1", 4)
        assert (await TransactionTracker.status("t1")).state == "registered"

        source.set_replies("t1", CONFIRMED)
        await reach("t1", "confirmed")


def test_deadline_does_not_wait_for_the_next_question() -> None:
    source = FakeSource(first_delay=1_000.0, longest_delay=1_000.0, agree=1)

    async def main() -> None:
        async with following(source):
            await TransactionTracker.start("t1", deadline=time.time() + 10.0)

            await reach("t1", "expired")

    play(main)


async def test_hanging_look_up_does_not_delay_other_transactions() -> None:
    source = FakeSource(in_flight=2)
    source.held["t0"] = asyncio.Event()
    source.default_reply = CONFIRMED

    async with following(source):
        for number in range(20):
            await TransactionTracker.start(f"t{number}")
        for number in range(1, 20):
            await reach(f"t{number}", "confirmed")
        assert (await TransactionTracker.status("t0")).state == "registered"

        source.held["t0"].set()
        await reach("t0", "confirmed")


async def test_failing_look_up_does_not_delay_other_transactions() -> None:
    source = FakeSource(in_flight=1)
    source.set_replies("t0", ServerError("HTTP 500"))
    source.default_reply = CONFIRMED

    async with following(source):
        for number in range(50):
            await TransactionTracker.start(f"t{number}")
        for number in range(1, 50):
            await reach(f"t{number}", "confirmed")

        source.set_replies("t0", CONFIRMED)
        await reach("t0", "confirmed")


async def test_failing_source_gets_few_requests_until_it_responds() -> None:
    source = FakeSource(in_flight=4, ids_per_request=10)
    source.default_reply = ServerError("HTTP 500")

    async with following(source) as tree:
        for number in range(100):
            await TransactionTracker.start(f"t{number}")
        poller = process.whereis(FOLLOWER)
        await eventually(lambda: source.look_ups)
        started, _ = source.look_ups[0]
        await eventually(lambda: source.look_ups[-1][0] > started + 0.25)
        responded = tree.status.heard_at
        # Four at once, and two more after the first failures; then one question about one
        # transaction at a time.
        assert source.requests <= 8
        assert len(source.look_ups[-1][1]) == 1

        source.default_reply = CONFIRMED
        for number in range(100):
            await reach(f"t{number}", "confirmed")

        assert process.whereis(FOLLOWER) == poller
        assert tree.status.heard_at != responded


def test_change_of_state_shortens_the_delay() -> None:
    source = FakeSource(first_delay=0.01, longest_delay=1_000.0)
    source.set_replies("t1", *[None] * 6, PENDING, CONFIRMED)

    async def main() -> None:
        async with following(source):
            await TransactionTracker.start("t1")
            await reach("t1", "confirmed")

    play(main)
    pauses = [later - time for time, later in pairwise(source.times("t1"))]
    assert pauses[-2] > 0.15  # without a change, each delay is twice the one before
    assert pauses[-1] < pauses[-2] / 2


async def test_old_transactions_keep_their_turn_among_many_new_ones() -> None:
    source = FakeSource(in_flight=1)

    async with following(source):
        await TransactionTracker.start("t0")
        await reach("t0", "pending")
        ids = [f"t{number}" for number in range(1, 501)]
        registrations = [TransactionTracker.registration(key) for key in ids]
        first = source.requests
        await TransactionTracker.start_many(registrations)
        await eventually(lambda: all(source.asked[key] for key in ids))

    asked = [ids[0] for _, ids in source.look_ups[first:]]
    last_new = max(asked.index(key) for key in ids)
    assert asked[:last_new].count("t0") >= 3


def test_retry_after_of_the_source_is_obeyed() -> None:
    source = FakeSource(in_flight=1)
    source.set_replies("t1", RateLimitedError("HTTP 429", 10.0), CONFIRMED)

    async def main() -> None:
        async with following(source):
            await TransactionTracker.start("t1")
            await reach("t1", "confirmed")

    play(main)
    first, second = source.times("t1")
    assert second - first >= 10.0


async def test_rate_limited_transaction_is_asked_about_first() -> None:
    source = FakeSource(first_delay=1_000.0, longest_delay=1_000.0)
    source.set_replies("t1", RateLimitedError("HTTP 429", 0.01), CONFIRMED)

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "confirmed")


async def test_many_transactions_are_looked_up_together() -> None:
    source = FakeSource(ids_per_request=50)
    source.default_reply = CONFIRMED
    ids = [f"t{number}" for number in range(1_000)]

    async with following(source) as tree:
        registrations = [TransactionTracker.registration(key) for key in ids]
        await TransactionTracker.start_many(registrations)
        await eventually(lambda: not len(tree.open_transactions))

    assert set(source.asked.values()) == {1}
    assert source.requests <= 40


async def test_source_is_not_asked_about_an_untracked_transaction() -> None:
    source = FakeSource()

    async with following(source):
        await TransactionTracker.start("t1")
        await TransactionTracker.start("t2")
        await reach("t1", "pending")
        await TransactionTracker.untrack("t1")
        await asked_again(source, "t2")
        before = source.asked["t1"]
        await asked_again(source, "t2", 10)

    assert source.asked["t1"] == before


async def test_killed_poller_continues_after_its_restart() -> None:
    source = FakeSource()

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "pending")
        poller = process.whereis(FOLLOWER)
        assert poller is not None
        process.exit(poller, "kill")
        source.set_replies("t1", CONFIRMED)

        await reach("t1", "confirmed")
        assert process.whereis(FOLLOWER) != poller


async def test_poller_continues_after_a_restart_of_the_program(tmp_path: Path) -> None:
    source = FakeSource()
    async with following(source, tmp_path / "test.db"):
        await TransactionTracker.start("t1")
        await reach("t1", "pending")

    source.set_replies("t1", CONFIRMED)
    async with following(source, tmp_path / "test.db"):
        await reach("t1", "confirmed")


async def test_confirmed_transaction_can_be_reversed() -> None:
    source = FakeSource(watch_for=86_400)
    source.set_replies("t1", CONFIRMED, CONFIRMED, REVERSED)

    async with following(source):
        await TransactionTracker.start("t1")
        tracked = await becomes("t1", "reversed")

        assert tracked.outcome is not None
        assert (tracked.outcome.succeeded, tracked.outcome.error) == (False, "by its sender")
        assert await history("t1") == ["confirmed", "reversed"]
        assert TransactionTracker.lookup("t1") is None


@pytest.mark.parametrize("other", [CONFIRMED, None, PENDING])
async def test_single_reply_does_not_reverse_a_confirmed_transaction(
    other: Reported | None,
) -> None:
    source = FakeSource(watch_for=86_400)
    source.set_replies("t1", CONFIRMED, REVERSED, other, REVERSED, other)

    async with following(source):
        await TransactionTracker.start("t1")
        await eventually(lambda: source.asked["t1"] >= 8)

        assert await history("t1") == ["confirmed"]


async def test_failure_after_confirmation_is_a_reversal() -> None:
    source = FakeSource(watch_for=86_400)
    source.set_replies("t1", CONFIRMED, FAILED)

    async with following(source):
        await TransactionTracker.start("t1")
        tracked = await becomes("t1", "reversed")

    assert tracked.outcome is not None
    assert tracked.outcome.error == "failed after it was confirmed: no funds"


async def test_watch_survives_a_restart(tmp_path: Path) -> None:
    source = FakeSource(watch_for=86_400)
    source.set_replies("t1", CONFIRMED)
    async with following(source, tmp_path / "test.db"):
        await TransactionTracker.start("t1")
        await reach("t1", "confirmed")

    source.set_replies("t1", REVERSED)
    async with following(source, tmp_path / "test.db"):
        await becomes("t1", "reversed")


def test_watch_ends_after_its_days() -> None:
    source = FakeSource(watch_for=10.0, watch_first_delay=0.2, watch_longest_delay=1.0)
    source.default_reply = CONFIRMED

    async def main() -> None:
        async with following(source):
            await TransactionTracker.start("t1")
            await reach("t1", "confirmed")
            await asyncio.sleep(9.0)
            before = source.asked["t1"]
            assert before >= 5
            await asyncio.sleep(20.0)

            assert source.asked["t1"] <= before + 1

    play(main)


async def test_confirmed_transaction_is_not_asked_about_without_a_watch() -> None:
    source = FakeSource()
    source.set_replies("t1", CONFIRMED)

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "confirmed")
        await TransactionTracker.start("t2")
        await asked_again(source, "t2", 10)

    assert source.asked["t1"] == 1


async def test_database_of_another_source_is_refused(tmp_path: Path) -> None:
    async with following(FakeSource(), tmp_path / "test.db"):
        await TransactionTracker.start("t1")
        other = FakeSource()
        other.name = "http:other"
        with pytest.raises(Exception, match="http:fake"):
            await Store.claim(other.name)


async def test_transaction_that_was_not_started_is_not_tracked() -> None:
    async with following(FakeSource()):
        with pytest.raises(NotTrackedError):
            await TransactionTracker.status("t1")
