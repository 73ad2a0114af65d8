"""The shell with IPython, which is used where it is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .support import CTRL_C, CTRL_D, Typist, typing_into

pytest.importorskip("IPython")


@contextmanager
def ipython(folder: Path, target: str = "shop:Shop") -> Iterator[Typist]:
    with typing_into(folder, "shell", target, term="xterm") as typist:
        typist.until("In [1]: ")
        yield typist


def test_cells_run_where_the_application_runs(folder: Path) -> None:
    with ipython(folder) as typist:
        typist.type("await Worker.hello('first')\r")
        typist.until("Out[1]: 'hello from first'")
        typist.until("In [2]: ")
        typist.type("tree('Shop.Workers')\r")
        typist.until("DynamicSupervisor  running")
        typist.until("In [3]: ")

        typist.type(CTRL_D)
        left, status = typist.rest()

    assert left.split("\n")[-4:-1] == [
        "second stops for shutdown",
        "first stops for shutdown",
        "stopped",
    ]
    assert status == 0


def test_cell_that_raises_shows_its_traceback(folder: Path) -> None:
    with ipython(folder) as typist:
        typist.type("1 / 0\r")
        typist.until("ZeroDivisionError: division by zero")

        typist.until("In [2]: ")


@pytest.mark.parametrize("what", ["spin()", "await nap()"])
def test_ctrl_c_interrupts_the_cell_and_not_the_application(folder: Path, what: str) -> None:
    with ipython(folder) as typist:
        typist.type(f"{what}\r")
        typist.until("ing\n")

        typist.type(CTRL_C)

        typist.until("KeyboardInterrupt")
        typist.until("In [2]: ")
        typist.type("await Worker.hello('first')\r")
        typist.until("Out[2]: 'hello from first'")


def test_prompt_survives_the_crash_of_a_linked_process(folder: Path) -> None:
    with ipython(folder) as typist:
        typist.type("GenServer.cast(await Worker.start_link('mine'), 'boom'); await nap()\r")
        typist.until("exited, starting a new one: ValueError('boom')")

        typist.until("In [2]: ")
        typist.type("await Worker.hello('first')\r")
        typist.until("Out[2]: 'hello from first'")


def test_exit_leaves(folder: Path) -> None:
    with ipython(folder) as typist:
        typist.type("exit\r")

        assert typist.rest()[1] == 0


def test_death_of_the_tree_ends_the_shell_with_status_one(folder: Path) -> None:
    with ipython(folder, "shop:Fragile") as typist:
        typist.type("GenServer.cast('first', 'boom')\r")
        left, status = typist.rest()

    assert "beamish: shop:Fragile stopped" in left
    assert status == 1
