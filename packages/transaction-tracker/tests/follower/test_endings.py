import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    BlockRef,
    Buried,
    Included,
    KeptChain,
    Late,
    Link,
    Outcome,
    Overtaken,
    StandingObjection,
    Tracked,
    Transaction,
)
from transaction_tracker.follower.endings import RETRY_SECONDS, Endings, Facts
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.sources import Ending, Objection

CHAIN = KeptChain.of(20, [Link(n, str(n), str(n - 1)) for n in range(1, 20)])
TEN, ELEVEN = BlockRef(10, "10"), BlockRef(11, "11")
LAST = BlockRef(12, "12")  # the third confirmation of block 10
DEEP, SHALLOW = Buried(TEN, 3), Buried(TEN, 2)
PAYMENT = Transaction("tx", ("slot",), "content")
PAID, REVERTED = Outcome(True, 1), Outcome(False, 1)
OTHER_BLOCK = Objection("a holds another block", contradicts=True)
NO_ANSWER = Objection("no answer from a", contradicts=False)
PENDING = Tracked("tx", 3, state="pending", slots=("slot",), content="content")
MINED = replace(PENDING, state="mined", anchor=TEN, outcome=PAID)
FAILING = replace(MINED, state="mined_reverted", outcome=REVERTED)
SUPERSEDED = replace(PENDING, state="superseded", anchor=TEN, superseded_by="w")


def ending(outcome: Outcome, **changes: Any) -> Ending:
    """Return the end of the payment in block 10."""
    end = Ending(TEN, outcome.succeeded, None, ("slot",), LAST, None, outcome, "content")
    return dataclasses.replace(end, **changes)


class Source:
    """Returns the objections that a test sets, and records the ends that it is asked about."""

    def __init__(self) -> None:
        self.found: dict[str, Objection] = {}
        self.asked: list[dict[str, Ending]] = []
        self.forgotten: list[str] = []

    async def objections(
        self, _chain: KeptChain, endings: Mapping[str, Ending], _opinion: object = None
    ) -> Mapping[str, Objection]:
        self.asked.append(dict(endings))
        return {key: found for key, found in self.found.items() if key in endings}

    def standing_objections(self) -> list[StandingObjection]:
        return []

    def forget_objections(self, transaction: str) -> None:
        self.forgotten.append(transaction)


class World:
    """Endings, with a source and open transactions that a test sets."""

    def __init__(self, **tracked: Tracked) -> None:
        self.source = Source()
        self.open_transactions = dict(tracked)
        self.now = 0.0
        self.status = FollowerStatus(clock=lambda: self.now)
        open_transactions: Any = self.open_transactions
        source: Any = self.source
        self.endings = Endings(source, open_transactions, self.status)

    async def cleared(self, facts: Facts, now: float = 0.0, chain: KeptChain = CHAIN) -> Facts:
        self.now = now
        return await self.endings.cleared(facts, chain, now)

    @property
    def alarm(self) -> str:
        """Why the source is halted; empty if it is not."""
        verdict = self.status.verdict(self.now, 12.0)
        return verdict.reason if verdict.state == "halted" else ""


@pytest.mark.parametrize(
    ("tracked", "facts", "ending"),
    [
        (MINED, (DEEP,), ending(PAID)),
        (FAILING, (DEEP,), ending(REVERTED)),
        (SUPERSEDED, (DEEP,), Ending(TEN, None, "w", SUPERSEDED.slots, LAST)),
        (PENDING, (Included(PAYMENT, TEN, PAID), DEEP), ending(PAID)),
        (PENDING, (Included(PAYMENT, TEN, REVERTED), DEEP), ending(REVERTED)),
        (
            PENDING,
            (Overtaken(PAYMENT, TEN), DEEP),
            Ending(TEN, None, PAYMENT.id, PAYMENT.slots, LAST),
        ),
        (replace(MINED, required=1), (Buried(TEN, 1),), ending(PAID, confirmed_by=TEN)),
        (
            replace(MINED, required="safe"),
            (Buried(TEN, 1, frozenset(("safe",))),),
            ending(PAID, confirmed_by=None, tag="safe"),
        ),
    ],
)
async def test_providers_are_asked_about_an_end_that_facts_would_make(
    tracked: Tracked, facts: Any, ending: Ending
) -> None:
    world = World(tx=tracked)

    assert await world.cleared({"tx": facts}) == {"tx": facts}
    assert world.source.asked == [{"tx": ending}]


@pytest.mark.parametrize(
    ("tracked", "facts"),
    [
        (MINED, (SHALLOW,)),
        (MINED, (Buried(ELEVEN, 9),)),
        (PENDING, (DEEP,)),
        (PENDING, (Late(0.0),)),
        (PENDING, (Included(PAYMENT, TEN, PAID), SHALLOW)),
        (PENDING, (Included(PAYMENT, TEN, None), DEEP)),  # no receipt has a status
        (replace(MINED, outcome=None, flags=frozenset(("status_unknown",))), (DEEP,)),
        (replace(MINED, required="safe"), (Buried(TEN, 99, frozenset(("finalized",))),)),
        (None, (DEEP,)),  # not open
    ],
)
async def test_providers_are_not_asked_if_no_end_follows(
    tracked: Tracked | None, facts: Any
) -> None:
    world = World() if tracked is None else World(tx=tracked)

    assert await world.cleared({"tx": facts}) == {"tx": facts}
    assert world.source.asked == []


@pytest.mark.parametrize("objection", [OTHER_BLOCK, NO_ANSWER])
async def test_objection_holds_back_only_the_end(objection: Objection) -> None:
    world = World(tx=PENDING, other=MINED)
    world.source.found = {"tx": objection}
    included = Included(PAYMENT, TEN, PAID)

    facts = await world.cleared({"tx": (included, DEEP), "other": (DEEP,), "third": (SHALLOW,)})

    assert facts == {"tx": (included,), "other": (DEEP,), "third": (SHALLOW,)}


async def test_contradicted_end_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World(tx=MINED, other=MINED)
    world.source.found = dict.fromkeys(("tx", "other"), OTHER_BLOCK)
    caplog.set_level(logging.ERROR, "transaction_tracker")

    for now in (0.0, 10.0, 20.0):
        await world.cleared({"tx": (DEEP,), "other": (DEEP,)}, now)

    assert sorted(record.getMessage() for record in caplog.records) == [
        "the end of other is held back: a holds another block",
        "the end of tx is held back: a holds another block",
    ]
    reason = world.status.held_reason or ""
    assert reason == "the end of tx (and of 1 more) is held back: a holds another block"


@pytest.mark.parametrize(
    "objections",
    [[NO_ANSWER], [OTHER_BLOCK], [OTHER_BLOCK, NO_ANSWER], [NO_ANSWER, OTHER_BLOCK]],
    ids=["unanswered", "contradicted", "contradicted-first", "unanswered-first"],
)
async def test_end_held_back_for_the_limit_halts_the_source_for_any_reason(
    objections: list[Objection],
) -> None:
    world = World(tx=MINED)

    for poll in range(12):
        world.status.applied(TEN)
        world.status.heard(10)
        world.source.found = {"tx": objections[poll % len(objections)]}
        await world.cleared({"tx": (DEEP,)}, 5.0 * poll)
        assert world.alarm == ""
    world.now = 60.0

    assert objections[-1].reason in world.alarm


async def test_ends_held_back_one_after_another_do_not_halt_the_source() -> None:
    keys = [f"tx{number}" for number in range(20)]
    world = World(**{key: replace(MINED, id=key) for key in keys})

    for poll, key in enumerate(keys):
        world.source.found = {key: NO_ANSWER}
        world.status.applied(TEN)
        await world.cleared(dict.fromkeys(keys[poll:], (DEEP,)), 10.0 * poll)
        assert world.alarm == ""
        del world.open_transactions[key]


async def test_missing_answer_is_not_logged_as_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(tx=MINED)
    world.source.found = {"tx": NO_ANSWER}

    await world.cleared({"tx": (DEEP,)})

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert world.status.held_reason == "the end of tx is held back: no answer from a"


async def test_contradiction_with_missing_answers_in_between_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(tx=MINED)
    caplog.set_level(logging.ERROR, "transaction_tracker")

    for poll, objection in enumerate([NO_ANSWER, OTHER_BLOCK, NO_ANSWER, OTHER_BLOCK]):
        world.source.found = {"tx": objection}
        await world.cleared({"tx": (DEEP,)}, 10.0 * poll)

    assert len(caplog.records) == 1


async def test_objections_are_forgotten_with_their_transaction() -> None:
    world = World(tx=MINED)

    world.endings.forget("tx")

    assert world.source.forgotten == ["tx"]


async def test_end_is_no_longer_held_back_when_the_providers_agree() -> None:
    world = World(tx=MINED)
    world.source.found = {"tx": OTHER_BLOCK}
    await world.cleared({"tx": (DEEP,)})
    assert world.status.held_reason is not None
    world.source.found = {}

    assert await world.cleared({"tx": (DEEP,)}, 10.0) == {"tx": (DEEP,)}
    assert world.status.held_reason is None


@pytest.mark.parametrize("later", [{"other": (DEEP,)}, {}, {"other": (SHALLOW,)}])
async def test_untracked_transaction_no_longer_holds_back_an_end(later: Facts) -> None:
    world = World(tx=MINED, other=MINED)
    world.source.found = {"tx": OTHER_BLOCK}
    await world.cleared({"tx": (DEEP,)})

    del world.open_transactions["tx"]
    await world.cleared(later, 10.0)

    assert world.status.held_reason is None


@pytest.mark.parametrize("later", [{"other": (SHALLOW,)}, {}])
async def test_end_is_no_longer_held_back_when_its_block_is_undone(later: Facts) -> None:
    world = World(tx=MINED, other=MINED)
    world.source.found = {"tx": OTHER_BLOCK}
    await world.cleared({"tx": (DEEP,)})

    world.open_transactions["tx"] = PENDING
    await world.cleared(later, 10.0)

    assert world.status.held_reason is None


async def test_end_is_no_longer_held_back_when_its_confirmations_are_undone() -> None:
    world = World(tx=MINED)
    world.source.found = {"tx": OTHER_BLOCK}
    await world.cleared({"tx": (DEEP,)})
    forked = KeptChain(20, CHAIN.links[:11]).push(Link(12, "12b", "11"))

    await world.cleared({}, 10.0, forked)

    assert world.status.held_reason is None


async def test_last_confirmation_is_the_next_block_if_its_number_has_none() -> None:
    gap = KeptChain.of(20, [Link(9, "9", "8"), Link(10, "10", "9"), Link(14, "14", "10")])
    world = World(tx=MINED)

    await world.cleared({"tx": (Buried(TEN, 5),)}, chain=gap)

    assert world.source.asked[0]["tx"].confirmed_by == BlockRef(14, "14")


async def test_last_confirmation_that_is_no_longer_kept_is_not_asked_about() -> None:
    world = World(tx=MINED)

    await world.cleared({"tx": (DEEP,)}, chain=KeptChain(5, CHAIN.links[-5:]))

    assert world.source.asked[0]["tx"].confirmed_by is None


async def test_end_stays_held_back_while_another_end_is_checked() -> None:
    world = World(tx=MINED, other=MINED)
    world.source.found = {"tx": OTHER_BLOCK}
    await world.cleared({"tx": (DEEP,)})

    await world.cleared({"other": (DEEP,)}, 1.0)

    assert world.status.held_reason == "the end of tx is held back: a holds another block"


async def test_held_ends_are_checked_again_with_a_block_and_after_a_time() -> None:
    world = World(tx=MINED)
    world.source.found = {"tx": OTHER_BLOCK}
    assert world.endings.is_due(CHAIN, 0.0)
    await world.cleared({"tx": (DEEP,)}, 100.0)

    assert not world.endings.is_due(CHAIN, 100.0 + RETRY_SECONDS - 0.1)
    assert world.endings.is_due(CHAIN, 100.0 + RETRY_SECONDS)
    assert world.endings.is_due(CHAIN.push(Link(20, "20", "19")), 100.0)
    world.source.found = {}
    await world.cleared({"tx": (DEEP,)}, 110.0)
    assert world.endings.is_due(CHAIN, 110.0)


async def test_possible_reorganisation_is_not_logged_as_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(tx=MINED)
    world.source.found = {"tx": dataclasses.replace(OTHER_BLOCK, passes=True)}

    await world.cleared({"tx": (DEEP,)})

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert world.status.held_reason is not None
