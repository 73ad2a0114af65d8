"""Newcomers reach their goal with the commands of the pages and the wheels alone.

`test_quick_start.py` does it for those who want to run the tracker.
"""

from .environment import MARKS, Environment, install
from .pages import lines, page_of

pytestmark = MARKS


def test_newcomer_who_knows_asyncio_gets_a_program_and_a_test(installed: Environment) -> None:
    """The commands and blocks of the page, as they stand there."""
    program, blocks = page_of("ten_minutes/asyncio.md")
    (test,) = (block for _, block in blocks if block.startswith("# test_orders.py"))
    install_tools, run_tests = lines(blocks)
    (installed.outside / "orders.py").write_text(program)
    (installed.outside / "test_orders.py").write_text(test)

    assert install_tools.startswith("pip install ")
    install(installed, *install_tools.split()[2:])
    installed.run([installed.program("python"), "orders.py"])
    said = installed.run([installed.program("python"), *run_tests.split()[1:]])

    assert "1 passed" in said


def test_newcomer_from_elixir_gets_a_program_and_sees_its_tree(installed: Environment) -> None:
    program, blocks = page_of("ten_minutes/elixir.md")
    tree, shell = lines(blocks)
    (installed.outside / "rooms.py").write_text(program)

    said = installed.run([installed.program("python"), *tree.split()[1:]])

    assert "Rooms.Registry" in said
    assert shell == tree.replace("tree", "shell")
