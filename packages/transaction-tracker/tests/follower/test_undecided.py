"""Transactions whose end cannot be decided: which of them are reported."""

import time

from transaction_tracker.domain import BlockRef
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.undecided import Undecided


class World:
    """A status of a source that makes progress, and its undecided transactions."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.status = FollowerStatus(clock=lambda: self.now)
        self.undecided = Undecided(self.status)

    def reason(self, later: float = 1_000.0) -> str:
        """Return why the source is halted some time later; empty if it is not."""
        self.now += later
        self.status.heard(1)
        self.status.applied(BlockRef(1, "one"))
        verdict = self.status.verdict(self.now, 12.0)
        return verdict.reason if verdict.state == "halted" else ""


def test_only_the_third_answer_without_a_fact_is_reported() -> None:
    world = World()
    for _ in range(2):
        world.undecided.note("tx", "no answer", "answer")
    world.undecided.report()
    assert world.reason() == ""

    world.undecided.note("tx", "no answer", "answer")
    world.undecided.report()
    assert world.reason() == "the end of tx is not decided: no answer"


def test_reasons_of_a_transaction_end_independently() -> None:
    world = World()
    world.undecided.note("tx", "they disagree")
    world.undecided.note("tx", "no tag", "tag")

    world.undecided.forget("tx", "decision")
    assert world.undecided.transactions("decision") == ()
    assert world.reason() == "the end of tx is not decided: no tag"

    world.undecided.forget("tx")
    assert world.reason() == ""
