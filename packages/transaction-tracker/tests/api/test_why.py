"""Why a transaction is in its state: a sentence for each state, a note for each flag."""

from dataclasses import replace

import pytest

from transaction_tracker.api.why import NextCheck, Situation, duration, why
from transaction_tracker.domain import (
    FLAGS,
    STATES,
    TERMINAL,
    BlockRef,
    Flag,
    Outcome,
    Policy,
    Sighting,
    State,
    Tracked,
)

NOW = Situation(now=1_000.0, since=900.0, tip=14, confirmations=5)
BLOCK = BlockRef(10, "ten")


def tracked(state: State, **fields: object) -> Tracked:
    return Tracked(**{"id": "tx", "required": 12, "state": state} | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (
            tracked("registered"),
            "Registered 1 min 40 s ago; the source has not answered about it yet.",
        ),
        (
            tracked("pending", waiting_since=400.0),
            "Known to the source for 10 min; waiting for a block that includes it.",
        ),
        (
            tracked("missing", missing_since=Sighting(11, 970.0)),
            "Unknown to the source for 30 s and 3 blocks. It is dropped once it has been missing "
            "at every healthy provider for 24 blocks and 5 min.",
        ),
        (
            tracked("mined", anchor=BLOCK, outcome=Outcome(True, 1)),
            "In block 10; it has 5 of 12 confirmations, 7 missing.",
        ),
        (
            tracked("mined", anchor=BLOCK, required="finalized"),
            "In block 10; it has 5 confirmations, and is final when the chain marks that block "
            "as finalized.",
        ),
        (
            tracked("mined_reverted", anchor=BLOCK, outcome=Outcome(False, 1, "too poor")),
            "It did not succeed (too poor). In block 10; it has 5 of 12 confirmations, 7 missing.",
        ),
        (
            tracked("superseded", anchor=BLOCK, superseded_by="rival", reason="cancelled"),
            "rival, a cancellation by its sender, replaced it. In block 10; it has 5 of 12 "
            "confirmations, 7 missing.",
        ),
        (
            tracked("confirmed", anchor=BLOCK),
            "Final: it succeeded. In block 10, with the 12 required confirmations.",
        ),
        (
            tracked("failed", anchor=BLOCK, required="safe", outcome=Outcome(False, None)),
            "Final: it did not succeed. In block 10, which the chain has marked as safe.",
        ),
        (
            tracked("replaced", anchor=BLOCK, superseded_by="rival", reason="repriced"),
            "Final: rival, the same payment with another fee, replaced it. In block 10, with the "
            "12 required confirmations.",
        ),
        (
            tracked("dropped"),
            "Dropped 1 min 40 s ago: no healthy provider knew it any more. If it is mined after "
            "all, tracking continues.",
        ),
        (tracked("expired"), "Final: it was not in a block at its deadline."),
        (
            tracked("invalid", outcome=Outcome(False, None, "wrong chain")),
            "Final: the source reports that it can never be a valid transaction (wrong chain).",
        ),
        (
            tracked("untracked"),
            "Final: tracking was stopped by a request. Register it to track it again.",
        ),
        (tracked("reversed"), "Final: it succeeded and was reversed later."),
    ],
    ids=lambda one: one.state if isinstance(one, Tracked) else "",
)
def test_sentence(one: Tracked, sentence: str) -> None:
    assert why(one, NOW).sentence == sentence


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_sentence(state: State) -> None:
    for situation in (NOW, replace(NOW, tip=None, confirmations=0)):
        reason = why(tracked(state), situation)

        assert reason.sentence.endswith(".")
        assert "None" not in reason.sentence
        assert (reason.waits_for == "nothing") is (state in TERMINAL)
        assert (reason.next_check is None) is (state in TERMINAL)


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_has_a_note(flag: Flag) -> None:
    (note,) = why(tracked("pending", flags=frozenset((flag,))), NOW).notes

    assert note.endswith(".")


@pytest.mark.parametrize(
    "error", ["ValueError: poison", "status must be 0x0 or 0x1, got '0x7'; in a receipt"]
)
def test_parked_transaction_waits_for_a_new_start(error: str) -> None:
    reason = why(tracked("pending", error=error), NOW)

    assert reason.waits_for == "a_new_start"
    assert reason.sentence == (
        "Parked in state pending: its tracker crashed too often, or no provider sends it in a "
        f"readable form. Last error: {error}. Register it again to start a new tracker."
    )
    assert reason.next_check is None


def test_degraded_source_is_noted_for_open_transactions() -> None:
    degraded = replace(NOW, degraded="source halted: block 7 has no nonce")

    (note,) = why(tracked("pending"), degraded).notes
    assert "block 7 has no nonce" in note
    assert not why(tracked("confirmed", anchor=BLOCK), degraded).notes


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (tracked("mined", anchor=BLOCK), NextCheck(at_height=21)),
        (tracked("mined", anchor=BLOCK, required="safe"), NextCheck(at_height=15)),
        (tracked("pending"), NextCheck(within_seconds=300.0)),
        (tracked("pending", deadline=1_010.0), NextCheck(at_time=1_010.0)),
        (tracked("pending", deadline=9_000.0), NextCheck(within_seconds=300.0)),
    ],
)
def test_next_check(one: Tracked, expected: NextCheck) -> None:
    assert why(one, NOW).next_check == expected


def test_future_deadline_is_noted() -> None:
    assert why(tracked("pending", deadline=1_090.0), NOW).notes == (
        "It expires in 1 min 30 s if no block includes it by then.",
    )


def test_missing_confirmations_never_fall_below_none() -> None:
    deep = replace(NOW, confirmations=50)

    assert why(tracked("mined", anchor=BLOCK), deep).missing_confirmations == 0


def test_why_uses_the_policy_of_the_application() -> None:
    patient = replace(NOW, policy=Policy(drop_blocks=7, drop_seconds=86_400.0))

    assert "for 7 blocks and 1 d" in why(tracked("missing"), patient).sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0.4, "0 s"), (59.6, "1 min"), (3_661, "1 h 1 min"), (90_061, "1 d 1 h")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
