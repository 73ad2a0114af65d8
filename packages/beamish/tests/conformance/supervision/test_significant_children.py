"""A dynamic supervisor has no ``auto_shutdown``, so it refuses significant children.

Source: Elixir 1.15 ``DynamicSupervisor.start_child/2``.
"""

import pytest

from beamish import ChildSpec, DynamicSupervisor, GenServer


class Worker(GenServer, restart="transient"):
    started = 0

    def __init__(self) -> None:
        type(self).started += 1


async def test_dynamic_supervisor_refuses_a_significant_child() -> None:
    Worker.started = 0
    sup = await DynamicSupervisor.start_link()
    spec: ChildSpec = Worker.child_spec(name="worker").replace(significant=True)

    with pytest.raises(ValueError, match="'worker' must have significant=False"):
        await DynamicSupervisor.start_child(sup, spec)

    assert Worker.started == 0
    assert (await DynamicSupervisor.count_children(sup)).specs == 0
    await DynamicSupervisor.stop(sup)
