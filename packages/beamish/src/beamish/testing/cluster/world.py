"""The machines of a simulation: several event loops that share a clock, one step at a time."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from beamish.testing import waiting
from beamish.testing.errors import DeadlockError, StepLimitError
from beamish.testing.loop import SimulatedLoop, VirtualClock
from beamish.testing.trace import Trace

_MAX_CLEANUP_STEPS = 10_000


class Machine:
    """One machine.

    Args:
        name: Its name.

    Attributes:
        is_alive: Whether it runs; a killed machine never runs again.
        paused_until: Nothing runs on it before, although its clock goes on.
        loops: The event loops of its programs.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.paused_until: float = 0.0
        self.loops: list[MachineLoop] = []


class World:
    """The machines, and the choice of the event loop that takes the next step.

    Args:
        random: Makes every choice.
        trace: Records each step.
    """

    def __init__(self, random: Random, trace: Trace) -> None:
        self.random = random
        self.trace = trace
        self.clock: VirtualClock = VirtualClock()
        self.machines: dict[str, Machine] = {}
        self.ended: list[MachineLoop] = []

    def add(self, name: str) -> Machine:
        """Add a machine."""
        machine = self.machines[name] = Machine(name)
        return machine

    def is_paused(self, machine: Machine) -> bool:
        """Return whether nothing runs on a machine now."""
        return machine.paused_until > self.clock.now

    def runnable(self) -> list["MachineLoop"]:
        """Return the event loops that have something to do now."""
        return [
            loop
            for machine in self.machines.values()
            if machine.is_alive and not self.is_paused(machine)
            for loop in machine.loops
            if loop.is_runnable()
        ]

    def next_time(self) -> float | None:
        """Return the time at which something can run next, when nothing can run now."""
        times = []
        for machine in self.machines.values():
            if not machine.is_alive:
                continue
            if self.is_paused(machine):
                times.append(machine.paused_until)
            else:
                times += [time for loop in machine.loops if (time := loop.next_time()) is not None]
        return min(times, default=None)

    def end(self, loop: "MachineLoop") -> None:
        """End a program at once: nothing of it runs again."""
        if loop in loop.machine.loops:
            loop.machine.loops.remove(loop)
            self.ended.append(loop)

    def close(self, main: "MachineLoop") -> None:
        """Cancel what is left in all loops but ``main``, and close them."""
        while self._left(main):  # ending the engine's tasks can start another host
            for loop in self._left(main):
                self.end(loop)
                self._close(loop)
        for loop in self.ended:
            self._close(loop)

    def _left(self, main: "MachineLoop") -> list["MachineLoop"]:
        machines = self.machines.values()
        return [loop for machine in machines for loop in machine.loops if loop is not main]

    def _close(self, loop: "MachineLoop") -> None:
        if not loop.is_closed():
            with loop.as_running():
                loop.clean_up(_MAX_CLEANUP_STEPS)
            loop.close()


class MachineLoop(SimulatedLoop):
    """The event loop of one program on a machine.

    Args:
        world: The machines of the simulation.
        machine: Its machine.
        max_steps: Maximum number of steps of the simulation.
    """

    def __init__(self, world: World, machine: Machine, max_steps: int = 1) -> None:
        super().__init__(world.random, max_steps, world.trace, world.clock)
        self.world = world
        self.machine = machine
        machine.loops.append(self)

    def is_runnable(self) -> bool:
        """Return whether it has something to do now."""
        self._ring()
        return len(self._ready) > 0

    def next_time(self) -> float | None:
        """Return the time of its next timer."""
        timer = self._next_timer()
        return None if timer is None else timer.when()

    def step(self) -> None:
        """Run one ready handle."""
        handle = self._ready.take()
        if handle is not None:  # otherwise all of them were cancelled
            self._run_handle(handle)

    @contextmanager
    def as_running(self) -> Iterator[None]:
        """Make it the running event loop of this thread."""
        before, hooks = asyncio._get_running_loop(), sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self)
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined] # BaseEventLoop
            finalizer=self._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )
        try:
            yield
        finally:
            asyncio._set_running_loop(before)
            sys.set_asyncgen_hooks(*hooks)

    def clean_up(self, max_steps: int) -> None:
        """Cancel all tasks, and run the loop until they have ended."""
        self.set_exception_handler(lambda *_: None)  # nobody reads the errors of a killed program
        tasks = asyncio.all_tasks(self)
        for _ in range(max_steps):
            for task in tasks:
                task.cancel()
            while self.is_runnable():
                self.step()
            if all(task.done() for task in tasks):
                return
            time = self.next_time()
            if time is None:
                return
            self.clock.now = max(self.clock.now, time)


class WorldLoop(MachineLoop):
    """The event loop of the simulated program, whose steps are those of all machines."""

    def _run_once(self) -> None:
        if self._steps_left == 0:
            self._steps_left = self._max_steps  # for the cleanup
            raise StepLimitError(
                f"the simulation has not ended after {self._max_steps} steps (max_steps) and "
                f"{self.clock.now:g} simulated seconds\n{waiting.report()}"
            )
        self._steps_left -= 1
        loop = self._next_loop()
        if loop is self:
            self.step()
        else:
            with loop.as_running():
                loop.step()

    def _next_loop(self) -> MachineLoop:
        while True:
            loops = self.world.runnable()
            if loops:
                return loops[int(self.random.random() * len(loops))]
            time = self.world.next_time()
            if time is None:
                raise DeadlockError(
                    f"deadlock: nothing can run and no timer is scheduled\n{waiting.report()}"
                )
            self.clock.now = max(self.clock.now, time)

    def close(self) -> None:
        """Close the loops of the hosts too."""
        self.world.close(self)
        super().close()
