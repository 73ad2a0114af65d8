"""Whether a source makes progress: the rules of docs/tracker/operation.md, on a set clock."""

import asyncio
import logging
import time

import pytest

from beamish import GenServer
from transaction_tracker.domain import BlockRef
from transaction_tracker.follower.status import MAX_FAULT_CHARACTERS, FollowerStatus
from transaction_tracker.follower.undoing import UndoCheck
from transaction_tracker.follower.verdict import Verdict, limit_seconds
from transaction_tracker.follower.watchdog import REPEAT_SECONDS, Reports, Watchdog
from transaction_tracker.sources import MalformedError

from ..simulated import simulate  # noqa: TID252

BLOCK_TIME = 12.0
LIMIT = 60.0
FAULT = "node-1: block 102: the node's nonce must be a number, got None"


class World:
    """A status, its clock and the head of the other providers."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.others: int | None = None
        self.status = FollowerStatus(lambda: self.others, clock=lambda: self.now)

    def verdict(self, block_time: float = BLOCK_TIME) -> Verdict:
        return self.status.verdict(self.now, block_time)

    def state_after(self, seconds: float) -> str:
        self.now += seconds
        return self.verdict().state

    def apply(self, number: int) -> None:
        self.status.heard(number)
        self.status.applied(BlockRef(number, f"0x{number}"))
        self.status.up_to_date()


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(("block_time", "limit"), [(0.25, 60), (12, 60), (12.5, 62.5), (60, 300)])
def test_limit_is_five_block_times_and_at_least_a_minute(block_time: float, limit: float) -> None:
    assert limit_seconds(block_time) == limit


def test_starting_until_the_first_answer_then_halted_at_the_limit(world: World) -> None:
    world.status.failed("node-1: no answer within 10 s")

    assert world.state_after(LIMIT - 0.1) == "starting"
    assert world.state_after(0.1) == "halted"
    assert "node-1: no answer within 10 s" in world.verdict().reason


def test_clock_starts_with_the_program_not_with_the_object(world: World) -> None:
    world.now += 2 * LIMIT
    world.status.begin()
    assert world.verdict().state == "starting"
    world.now += LIMIT
    world.status.begin()  # the follower was restarted, which is not progress
    assert world.verdict().state == "halted"


def test_unapplied_blocks_halt_at_the_limit_since_the_last_block(world: World) -> None:
    world.apply(101)
    for number in range(102, 106):
        world.now += BLOCK_TIME
        world.status.heard(number)
        world.status.failed(FAULT)
    assert world.state_after(LIMIT - 4 * BLOCK_TIME - 0.1) == "ok"

    assert world.state_after(0.1) == "halted"
    reason = world.verdict().reason
    assert FAULT in reason
    assert "after block 101 (0x101)" in reason
    assert "the head is block 105" in reason


def test_one_block_that_is_never_applied_halts_though_no_head_advances(world: World) -> None:
    world.apply(101)
    world.now += BLOCK_TIME
    world.status.heard(102)

    assert world.state_after(LIMIT) == "halted"


def test_first_block_after_a_long_pause_gets_its_time(world: World) -> None:
    world.apply(101)
    world.now += 3_600
    world.status.heard(101)
    world.status.heard(102)

    assert world.state_after(LIMIT - BLOCK_TIME - 0.1) == "ok"
    assert world.state_after(0.1) == "halted"


def test_head_shown_once_in_a_silence_does_not_restart_the_limit(world: World) -> None:
    world.apply(101)
    world.now += 32
    world.status.heard(102)

    assert world.state_after(LIMIT - 32 - 0.1) == "ok"
    assert world.state_after(0.1) == "halted"


def test_first_response_that_comes_late_does_not_restart_the_limit(world: World) -> None:
    world.now += 50
    world.status.heard(101)

    assert world.state_after(LIMIT - 50 - 0.1) == "ok"
    assert world.state_after(0.1) == "halted"


def test_restart_at_the_head_is_not_a_halt(world: World) -> None:
    world.status.heard(101)
    world.status.up_to_date()

    assert world.state_after(LIMIT - 0.1) == "ok"
    world.status.heard(101)
    assert world.state_after(0.1) == "lagging"


def test_applied_blocks_are_progress_while_catching_up_with_an_unchanged_head(world: World) -> None:
    world.status.heard(10_000)
    for number in range(20):
        world.now += LIMIT - 1
        world.status.applied(BlockRef(number, "0x"))
        assert world.verdict().state == "ok"
    assert world.state_after(LIMIT) == "halted"


def test_unchanged_head_is_lagging_at_the_limit_and_ok_when_it_advances(world: World) -> None:
    world.apply(101)
    for _ in range(6):
        world.now += 10
        world.status.heard(101)
        world.status.up_to_date()
    assert world.verdict().state == "lagging"
    assert "block 101" in world.verdict().reason

    world.apply(102)
    assert world.verdict().state == "ok"


def test_followed_provider_stuck_while_another_advances_is_halted(world: World) -> None:
    world.apply(101)
    for step in range(13):
        world.now += 5
        world.others = 101 + step // 2
        world.status.heard(101)
        world.status.up_to_date()
        world.verdict()

    assert world.verdict().state == "halted"
    assert "last read head 101, the highest head of any provider is 107" in world.verdict().reason


def test_head_that_advances_below_our_last_block_is_halted(world: World) -> None:
    world.apply(214)
    for number in range(1, 8):
        world.now += 10
        world.status.heard(number)

    assert world.verdict().state == "halted"


def test_unchanged_nodes_of_different_heights_are_lagging_not_halted(world: World) -> None:
    world.apply(100)
    for _ in range(20):
        world.now += 2
        world.status.heard(96)
        world.now += 2
        world.status.heard(100)
        world.status.up_to_date()

    assert world.verdict().state == "lagging"


def test_no_readable_answer_is_halted_even_with_nothing_due(world: World) -> None:
    world.apply(101)

    assert world.state_after(LIMIT - 0.1) == "ok"
    assert world.state_after(0.1) == "halted"


def test_held_ends_halt_the_source_at_the_limit_and_the_reason_can_change(world: World) -> None:
    world.apply(101)
    world.status.held("node-2 has block 0xa at 90")
    for number in range(102, 107):
        world.now += BLOCK_TIME - 0.01
        world.apply(number)
        world.status.held("node-2 has block 0xb at 90", (number - 101) * (BLOCK_TIME - 0.01))
    assert world.verdict().state == "ok"
    world.now += 0.05
    assert world.verdict().state == "halted"
    # Only the last reason is reported.
    assert world.verdict().reason == "node-2 has block 0xb at 90"

    world.status.held(None)
    assert world.verdict().state == "ok"


def test_halt_by_the_follower_takes_effect_at_once_until_it_resumes(world: World) -> None:
    world.apply(214)
    world.status.halted("the chain became shorter: the source's head is block 5")
    assert world.verdict().state == "halted"
    assert "became shorter" in world.verdict().reason

    world.status.resumed()
    assert world.verdict().state == "ok"


class Objecting:
    """A source whose providers never agree that a block is undone."""

    async def objection_to_undo(self, block: BlockRef) -> str:
        return f"node-1 alone holds another block at {block.number}"


def test_refused_undo_halts_the_source_since_the_first_refusal() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        status, began = FollowerStatus(lambda: None, clock=loop.time), loop.time()
        check = UndoCheck(Objecting(), status, lambda: BLOCK_TIME)  # type: ignore[arg-type]
        for _ in range(3):
            with pytest.raises(MalformedError, match="nothing is taken back"):
                await check.require(BlockRef(10, "0x10"), "another block is there")
            await asyncio.sleep(LIMIT / 2)

        verdict = status.verdict(loop.time(), BLOCK_TIME)

        assert verdict.state == "halted"
        assert verdict.since == pytest.approx(began, abs=0.1)

    simulate(main, 0)


def test_source_without_blocks_never_lags_and_halts_without_responses(world: World) -> None:
    for _ in range(100):
        world.now += 10
        world.status.heard()
        world.status.up_to_date()
        assert world.verdict().state == "ok"
    world.status.failed("HTTP 500")

    assert world.state_after(LIMIT) == "halted"
    assert "HTTP 500" in world.verdict().reason


def test_fault_is_one_short_line_and_ends_with_the_next_block(world: World) -> None:
    world.status.failed("a\nb " + "x" * 10_000)
    reason = world.verdict().reason
    assert "a b x" in reason
    assert len(reason) < MAX_FAULT_CHARACTERS + 200

    world.apply(101)
    world.now += LIMIT
    assert "a b x" not in world.verdict().reason


# -- Reports


def test_halt_is_one_error_every_ten_minutes_and_its_end_one_info() -> None:
    reports = Reports()
    halted = Verdict("halted", "why", since=100.0)

    reported = [reports.next(halted, 160.0 + 5 * poll) for poll in range(241)]
    ended = reports.next(Verdict("ok"), 1_400.0)

    assert [report.level for report in reported if report is not None] == [logging.ERROR] * 3
    assert [report.event for report in reported if report is not None] == ["halted", None, None]
    assert reported[120] is not None
    assert reported[0] is not None
    assert reported[0].text == "source halted for 60 s: why"
    assert reported[int(REPEAT_SECONDS / 5) - 1] is None
    assert ended is not None
    assert (ended.level, ended.event, ended.seconds) == (logging.INFO, "recovered", 1_300.0)
    assert reports.next(Verdict("ok"), 1_405.0) is None


def test_lagging_is_a_warning_and_a_change_of_state_is_reported_at_once() -> None:
    reports = Reports()

    states = (Verdict("starting"), Verdict("lagging", "a"), Verdict("halted", "b"), Verdict("ok"))
    reported = [reports.next(verdict, at) for at, verdict in enumerate(states)]

    levels = [None if report is None else report.level for report in reported]
    assert levels == [None, logging.WARNING, logging.ERROR, logging.INFO]


def test_block_that_one_node_of_an_address_lacks_is_due(world: World) -> None:
    """The address returns head 101 and head 100 in turn."""
    world.apply(100)
    for _ in range(7):
        world.now += 5.0
        world.status.heard(101)
        world.now += 5.0
        world.status.heard(100)
        world.status.up_to_date()

    assert world.verdict().state == "halted"


@pytest.mark.parametrize("observed", [0.0, 30.0])
def test_suspend_is_not_taken_for_a_halted_source(
    observed: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a suspend, the source gets the rest of its time; then it is reported."""
    suspended = 0.0

    async def main() -> tuple[list[str], list[str]]:
        nonlocal suspended
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(time, "monotonic", lambda: loop.time() + suspended)
        monkeypatch.setattr(time, "time", lambda: 1.7e9 + loop.time() + suspended)
        status = FollowerStatus()
        watchdog = await Watchdog.start(status, Reports(), lambda: BLOCK_TIME)
        status.heard(100)
        status.applied(BlockRef(100, "0x100"))
        await asyncio.sleep(observed)
        suspended = 3_600.0
        await asyncio.sleep(LIMIT / 4)
        soon = list(caplog.messages)
        await asyncio.sleep(LIMIT)
        await GenServer.stop(watchdog)
        return soon, caplog.messages

    with monkeypatch.context():
        soon, later = simulate(main)

    assert soon == []
    (report,) = later
    assert report.startswith("source halted for ")


@pytest.mark.parametrize(
    ("jump", "words"),
    [
        (3e8, "set forward (or the machine has slept) by 300000000 s"),
        (-3_600.0, "set back by 3600 s"),
        (5.0, None),
        (0.0, None),
    ],
)
def test_wall_clock_that_is_set_is_reported(
    jump: float,
    words: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Deadlines are judged by it: a jump forward can expire many transactions at once."""

    async def main() -> None:
        loop, ahead = asyncio.get_running_loop(), 0.0
        patch.setattr(time, "monotonic", loop.time)
        patch.setattr(time, "time", lambda: 1.7e9 + loop.time() + ahead)
        status = FollowerStatus(clock=lambda: 0.0)
        watchdog = await Watchdog.start(status, Reports(), lambda: BLOCK_TIME)
        await asyncio.sleep(20.0)
        ahead = jump
        await asyncio.sleep(20.0)
        await GenServer.stop(watchdog)

    with monkeypatch.context() as patch:
        simulate(main)

    warnings = [message for message in caplog.messages if "clock" in message]
    assert len(warnings) == (words is not None)
    assert words is None or words in warnings[0]
