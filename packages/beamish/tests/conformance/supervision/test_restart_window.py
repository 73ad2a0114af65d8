"""The edge of the restart window: a restart exactly ``max_seconds`` ago still counts.

Source: OTP ``supervisor.erl``, ``add_restart``: a restart is in the period while
``Now =< Then + Period``.
"""

import pytest

from beamish import DynamicSupervisor, GenServer, Pid, Supervisor, process
from beamish._strategy import RestartWindow


@pytest.mark.parametrize(
    ("second", "allowed"), [(0.0, False), (4.999, False), (5.0, False), (5.001, True)]
)
def test_restart_counts_for_max_seconds_and_no_longer(second: float, allowed: bool) -> None:
    window = RestartWindow(max_restarts=1, max_seconds=5.0)

    assert window.allow(100.0)
    assert window.allow(100.0 + second) is allowed


def test_used_restarts_are_counted_with_the_same_edge() -> None:
    window = RestartWindow(max_restarts=3, max_seconds=5.0)
    for now in (100.0, 101.0, 102.0):
        assert window.allow(now)

    assert [window.used(now) for now in (105.0, 105.5, 106.0, 107.5)] == [3, 2, 2, 0]


def test_as_many_restarts_as_max_restarts_are_allowed_in_one_moment() -> None:
    window = RestartWindow(max_restarts=3, max_seconds=5.0)

    assert [window.allow(1.0) for _ in range(5)] == [True, True, True, False, False]


def test_zero_restarts_allows_none() -> None:
    assert RestartWindow(max_restarts=0, max_seconds=5.0).allow(1.0) is False


class Frozen(GenServer):
    pass


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
@pytest.mark.parametrize(("elapsed", "survives"), [(5.0, False), (5.25, True)])
async def test_supervisor_counts_with_the_edge(
    kind: type, elapsed: float, survives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A binary fraction of seconds on a clock that stands still: no rounding, no time."""
    now = [1024.0]
    options = {"max_restarts": 1, "max_seconds": 5.0}
    sup = await (
        kind.start_link([], **options) if kind is Supervisor else kind.start_link(**options)
    )
    process.unlink(sup)
    pid = await kind.start_child(sup, Frozen.child_spec(name="child"))
    loop = sup._process.runtime.loop
    monkeypatch.setattr(loop, "time", lambda: now[0])

    process.exit(pid, "first")
    again = process.whereis("child")
    assert isinstance(again, Pid)
    now[0] += elapsed
    process.exit(again, "second")

    monkeypatch.undo()
    assert process.is_alive(sup) is survives
    if survives:
        await kind.stop(sup)
