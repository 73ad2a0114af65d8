"""When alerts are raised, changed and cleared: pure values, without a clock."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.domain.alert import (
    ALERT_KINDS,
    Alert,
    AlertKey,
    AlertKind,
    AlertMoment,
    AlertSeverity,
    FaultWatches,
    Symptom,
    alert_kinds_of,
)

HOLD = 60.0
DOWN = Symptom("provider.down", "a-1", "warning", "it is down", delay=60.0)
FULL = Symptom("disk.low", "disk", "warning", "it is full")


@dataclass
class Story:
    """The watches over time, and all changes so far."""

    watches: FaultWatches = field(default_factory=FaultWatches)
    told: list[Alert] = field(default_factory=list)
    now: float = 0.0

    def pass_time(
        self,
        seconds: float,
        *symptoms: Symptom,
        unknown: frozenset[AlertKind | AlertKey] = frozenset(),
        holds: dict[AlertKey, float] | None = None,
    ) -> list[tuple[str, str]]:
        """Evaluate after some seconds; return the kinds and changes that this evaluation tells."""
        self.now += seconds
        moment = AlertMoment(self.now, 5_000.0 + self.now, HOLD, holds or {})
        self.watches, changed = self.watches.after(symptoms, unknown, moment)
        self.told += changed
        return [(alert.kind, alert.change) for alert in changed]


def test_alert_is_raised_once_its_symptom_has_lasted() -> None:
    story = Story()

    assert story.pass_time(0, DOWN) == []
    assert story.pass_time(59.9, DOWN) == []
    assert story.pass_time(0.1, DOWN) == [("provider.down", "raised")]
    assert story.pass_time(1_000, DOWN) == []
    (alert,) = story.told
    assert (alert.subject, alert.severity, alert.version) == ("a-1", "warning", 1)
    assert (alert.since, alert.raised_at) == (5_000.0, 5_060.0)
    assert story.watches.active == (alert,)


def test_symptom_without_a_delay_is_raised_at_once_with_the_start_of_the_fault() -> None:
    story = Story()

    assert story.pass_time(0, replace(FULL, since=17.0)) == [("disk.low", "raised")]

    assert story.told[0].since == 17.0


def test_symptom_that_pauses_before_its_alert_starts_again() -> None:
    story = Story()
    story.pass_time(0, DOWN)
    story.pass_time(59)
    story.pass_time(1, DOWN)

    assert story.pass_time(59, DOWN) == []
    assert story.pass_time(1, DOWN) == [("provider.down", "raised")]


def test_alert_is_cleared_once_its_symptom_has_been_gone() -> None:
    story = Story()
    story.pass_time(0, FULL)

    assert story.pass_time(1) == []
    assert story.pass_time(59.9) == []
    assert story.watches.active != ()
    assert story.pass_time(0.1) == [("disk.low", "cleared")]
    assert story.pass_time(1_000) == []
    raised, cleared = story.told
    assert cleared == replace(raised, version=2, cleared_at=5_061.0)
    assert story.watches.active == ()


def test_fault_that_comes_and_goes_is_told_once() -> None:
    story = Story()
    story.pass_time(0, FULL)
    for _ in range(100):
        assert story.pass_time(40) == []
        assert story.pass_time(40, FULL) == []

    story.pass_time(40)
    story.pass_time(60)

    assert [alert.change for alert in story.told] == ["raised", "cleared"]


def test_fault_that_returns_after_its_end_is_a_new_alert() -> None:
    story = Story()
    story.pass_time(0, FULL)
    story.pass_time(1)
    story.pass_time(60)

    assert story.pass_time(1, FULL) == [("disk.low", "raised")]
    assert story.told[0].id != story.told[2].id


def test_higher_severity_is_told_at_once_and_a_lower_one_after_a_while() -> None:
    story, worse = Story(), replace(FULL, severity="critical", text="it is very full")
    story.pass_time(0, FULL)

    assert story.pass_time(1, worse) == [("disk.low", "changed")]
    assert story.pass_time(1, worse) == []
    assert story.pass_time(1, FULL) == []
    assert story.pass_time(59, FULL) == []
    assert story.pass_time(1, FULL) == [("disk.low", "changed")]
    versions = [(alert.version, alert.severity, alert.text) for alert in story.told]
    assert versions == [
        (1, "warning", "it is full"),
        (2, "critical", "it is very full"),
        (3, "warning", "it is full"),
    ]
    assert len({alert.id for alert in story.told}) == 1


def test_severity_that_changes_back_and_forth_is_told_once() -> None:
    story, worse = Story(), replace(FULL, severity="critical")
    story.pass_time(0, worse)

    for _ in range(50):
        assert story.pass_time(40, FULL) == []
        assert story.pass_time(40, worse) == []


def test_milder_fault_must_be_gone_for_the_whole_while() -> None:
    story = Story()
    story.pass_time(0, replace(FULL, severity="critical"))
    story.pass_time(1, FULL)

    assert story.pass_time(59) == []
    assert story.pass_time(59) == []
    assert story.pass_time(1) == [("disk.low", "cleared")]


def test_text_of_an_alert_does_not_change_between_its_changes() -> None:
    story = Story()
    story.pass_time(0, FULL)

    story.pass_time(1, replace(FULL, text="another text"))

    assert story.watches.active[0].text == FULL.text


def test_alert_of_an_unknown_kind_stays_as_it_is() -> None:
    story = Story()
    story.pass_time(0, FULL)

    assert story.pass_time(10_000, unknown=frozenset({"disk.low"})) == []
    assert story.pass_time(10_000) == []
    assert story.pass_time(60) == [("disk.low", "cleared")]


def test_alert_with_an_unknown_key_stays_and_others_of_its_kind_are_cleared() -> None:
    known = replace(FULL, subject="other")
    story = Story()
    story.pass_time(0, FULL, known)

    unknown = frozenset({FULL.key})
    assert story.pass_time(10_000, unknown=unknown) == []
    assert story.pass_time(60, unknown=unknown) == [("disk.low", "cleared")]
    assert [alert.key for alert in story.watches.active] == [FULL.key]


def test_fault_can_have_a_longer_while() -> None:
    story = Story()
    story.pass_time(0, FULL)
    holds: dict[AlertKey, float] = {FULL.key: 75.0, ("disk.low", "another"): 900.0}

    assert story.pass_time(1, holds=holds) == []
    assert story.pass_time(74.9, holds=holds) == []
    assert story.pass_time(0.1, holds=holds) == [("disk.low", "cleared")]


def test_restored_alert_is_not_told_again_and_is_cleared_as_any_other() -> None:
    before = Story()
    before.pass_time(0, DOWN)
    before.pass_time(60, DOWN)
    story = Story(FaultWatches.restored(before.watches.active, 0.0))

    assert story.pass_time(0, DOWN) == []
    assert story.pass_time(1) == []
    assert story.pass_time(60) == [("provider.down", "cleared")]
    assert story.told[0].id == before.told[0].id


def test_subjects_of_one_kind_have_separate_alerts() -> None:
    story, other = Story(), replace(DOWN, subject="b-2")
    story.pass_time(0, DOWN)
    story.pass_time(30, DOWN, other)

    assert story.pass_time(30, DOWN, other) == [("provider.down", "raised")]
    assert story.pass_time(30, DOWN, other) == [("provider.down", "raised")]
    assert [alert.subject for alert in story.watches.active] == ["a-1", "b-2"]


OBSERVED: st.SearchStrategy[list[AlertSeverity | None]] = st.lists(
    st.sampled_from((None, "warning", "critical"))
)


@given(OBSERVED, st.floats(0.1, 100.0), st.floats(0.0, 100.0))
def test_every_alert_is_raised_once_and_cleared_once(
    observed: list[AlertSeverity | None], step: float, delay: float
) -> None:
    story = Story()
    for severity in observed:
        symptoms = [] if severity is None else [Symptom("disk.low", "disk", severity, "", delay)]
        story.pass_time(step, *symptoms)
    for _ in range(3):
        story.pass_time(HOLD)

    assert story.watches.active == ()
    by_id: dict[str, list[Alert]] = {}
    for alert in story.told:
        by_id.setdefault(alert.id, []).append(alert)
    for changes in by_id.values():
        assert [alert.version for alert in changes] == list(range(1, len(changes) + 1))
        kinds = [alert.change for alert in changes]
        assert kinds == ["raised", *["changed"] * (len(changes) - 2), "cleared"]
        severities = [alert.severity for alert in changes[:-1]]
        assert all(one != other for one, other in pairwise(severities))


def test_kinds_are_in_their_own_order_and_unknown_ones_are_refused() -> None:
    assert alert_kinds_of(["disk.low", "source.halted"]) == ("source.halted", "disk.low")
    assert alert_kinds_of([]) == ()
    assert alert_kinds_of(ALERT_KINDS) == ALERT_KINDS
    with pytest.raises(ValueError, match=r"alerts must be some of source.halted, .*, got 'disk'"):
        alert_kinds_of(["disk"])
    with pytest.raises(ValueError, match=r"got 'disk.low'"):
        alert_kinds_of("disk.low")
