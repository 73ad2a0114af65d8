"""``python -m beamish shell``, typed into through a pseudo-terminal."""

import os
import signal
from pathlib import Path

import pytest

from .support import CTRL_C, CTRL_D, PROMPT, TAB, Typist, beamish, shell, typing_into

STOPPED = ["second stops for shutdown", "first stops for shutdown", "stopped"]


def leave(typist: Typist) -> None:
    typist.type(CTRL_D)
    left, status = typist.rest()
    assert left.split("\n")[-4:-1] == STOPPED
    assert status == 0


def test_await_works_at_the_prompt(folder: Path) -> None:
    with shell(folder) as typist:
        assert typist.run("await Worker.hello('first')") == "'hello from first'\n"
        leave(typist)


def test_names_of_the_module_and_of_beamish_are_in_scope(folder: Path) -> None:
    with shell(folder) as typist:
        assert typist.run("LOCAL") == "'a name of the module'\n"
        assert typist.run("shop.LOCAL is LOCAL, app.supervisor") == "(True, #PID<0.101.0>)\n"
        assert typist.run("GenServer, process.whereis('first')").startswith("(<class 'beamish.")


def test_names_defined_at_the_prompt_stay(folder: Path) -> None:
    with shell(folder) as typist:
        assert typist.run("pid_of_first = process.whereis('first')") == ""
        assert typist.run("await Worker.hello(pid_of_first)") == "'hello from first'\n"
        assert typist.run("_.upper()") == "'HELLO FROM FIRST'\n"


def test_block_ends_with_an_empty_line(folder: Path) -> None:
    with shell(folder) as typist:
        typist.type("async def both():\r")
        typist.until("... ")
        typist.type("    return [await Worker.hello(n) for n in ('first', 'second')]\r")
        typist.until("... ")
        assert typist.run("") == ""
        assert typist.run("await both()") == "['hello from first', 'hello from second']\n"


def test_application_goes_on_while_the_prompt_waits(folder: Path) -> None:
    with shell(folder) as typist:
        typist.run("asyncio.get_running_loop().call_later(0.01, print, 'ti' 'ck') and None")

        typist.until("tick")


def test_processes_prints_a_table(folder: Path) -> None:
    with shell(folder) as typist:
        lines = typist.run("processes()").splitlines()

        assert lines[0].split() == ["pid", "name", "class", "status", "queue", "handled", "memory"]
        assert [line.split()[1:3] for line in lines[3:7]] == [
            ["Shop.Registry", "Registry"],
            ["first", "Worker"],
            ["second", "Worker"],
            ["Shop.Workers", "DynamicSupervisor"],
        ]


def test_processes_takes_a_part_of_the_name_and_a_limit(folder: Path) -> None:
    with shell(folder) as typist:
        assert len(typist.run("processes('Worker')").splitlines()) == 4
        assert typist.run("processes('Worker', limit=1)").splitlines()[-1] == "… 2 more"


def test_tree_prints_the_supervision_tree(folder: Path) -> None:
    with shell(folder) as typist:
        lines = typist.run("tree()").splitlines()

        assert lines[1].startswith("Shop.Supervisor   #PID<0.101.0>  Supervisor ")
        assert lines[-1].startswith("└─ Shop.Workers   #PID<0.105.0>  DynamicSupervisor  running")
        assert len(typist.run("tree('Shop.Workers')").splitlines()) == 2


@pytest.mark.parametrize("dest", ["103", "'first'", "pid(103)", "process.whereis('first')"])
def test_info_takes_a_number_a_name_or_a_pid(folder: Path, dest: str) -> None:
    with shell(folder) as typist:
        facts = dict(line.split(maxsplit=1) for line in typist.run(f"info({dest})").splitlines())

        assert facts["pid"] == "#PID<0.103.0>"
        assert facts["class"] == "Worker"
        assert facts["names"] == "first"
        assert facts["links"] == "#PID<0.101.0>"


def test_helpers_say_what_is_wrong(folder: Path) -> None:
    with shell(folder) as typist:
        assert "no process 'nobody'" in typist.run("info('nobody')")
        assert "no live process #PID<0.7.0>" in typist.run("info(7)")
        assert "TypeError: info takes a pid, the number of a pid" in typist.run("info(None)")
        assert "limit must be" in typist.run("processes(limit=-1)")


def test_input_that_raises_shows_its_traceback_only(folder: Path) -> None:
    with shell(folder) as typist:
        shown = typist.run("1 / 0")

        assert shown.splitlines()[:3] == [
            "Traceback (most recent call last):",
            '  File "<input 1>", line 1, in <module>',
            "    1 / 0",
        ]
        assert shown.splitlines()[-1] == "ZeroDivisionError: division by zero"
        assert "SyntaxError" in typist.run("1 +")
        assert typist.run("1 + 1") == "2\n"


def test_crash_of_a_server_is_reported_and_raised(folder: Path) -> None:
    with shell(folder) as typist:
        typist.run("GenServer.cast('first', 'boom')")

        typist.type("await Worker.hello('first')\r")
        typist.until("'hello from first'\n")
        assert "ValueError: boom" in typist.seen


def test_prompt_survives_the_crash_of_a_linked_process(folder: Path) -> None:
    with shell(folder) as typist:
        typist.run("mine = await Worker.start_link('mine'); before = process.current()")

        typist.type("GenServer.cast(mine, 'boom'); await nap()\r")
        typist.until("exited, starting a new one: ValueError('boom')")
        typist.until(PROMPT)

        assert typist.run("process.is_alive(before), before < process.current()") == (
            "(False, True)\n"
        )
        leave(typist)


def test_prompt_survives_a_crash_that_comes_while_it_waits(folder: Path) -> None:
    with shell(folder) as typist:
        typist.run("mine = await Worker.start_link('mine'); soon = asyncio.get_running_loop()")

        typist.run("timer = soon.call_later(0.05, GenServer.cast, mine, 'boom')")
        typist.until("exited, starting a new one: ValueError('boom')")
        typist.until(PROMPT)

        assert typist.run("process.is_alive(mine)") == "False\n"
        leave(typist)


@pytest.mark.parametrize("what", ["spin()", "await nap()", "await asyncio.gather(nap(), nap())"])
def test_ctrl_c_interrupts_the_input_and_not_the_application(folder: Path, what: str) -> None:
    with shell(folder) as typist:
        typist.type(f"{what}\r")
        typist.until("ing\n")

        typist.type(CTRL_C)

        assert typist.until(PROMPT).splitlines()[-1] == "KeyboardInterrupt"
        assert typist.run("await Worker.hello('first')") == "'hello from first'\n"
        leave(typist)


def test_ctrl_c_interrupts_a_call_and_not_the_server(folder: Path) -> None:
    with shell(folder) as typist:
        typist.run("before = process.whereis('first')")
        typist.type("print('cal' 'ling'); await Worker.slow('first')\r")
        typist.until("calling\n")

        typist.type(CTRL_C)

        assert typist.until(PROMPT).splitlines()[-1] == "KeyboardInterrupt"
        assert typist.run("process.whereis('first') is before") == "True\n"


def test_ctrl_c_waits_for_a_server_at_work_on_the_stack_of_its_caller(folder: Path) -> None:
    with shell(folder) as typist:
        typist.run("before = process.whereis('first')")
        typist.type("await Worker.dig('first', 'dug')\r")
        typist.until("digging\n")

        typist.type(CTRL_C)
        typist.until("^C")  # by now it is a signal
        (folder / "dug").touch()

        typist.until(PROMPT)
        assert typist.run("process.whereis('first') is before") == "True\n"
        assert "Traceback" not in typist.seen


def test_ctrl_c_at_the_prompt_discards_the_line(folder: Path) -> None:
    with shell(folder) as typist:
        typist.type("1 / 0")
        typist.until("1 / 0")

        typist.type(CTRL_C)

        assert typist.until(PROMPT).splitlines()[-1] == "KeyboardInterrupt"
        assert typist.run("2 + 2") == "4\n"


def test_ctrl_c_in_a_block_discards_the_block(folder: Path) -> None:
    with shell(folder) as typist:
        typist.type("for n in range(3):\r")
        typist.until("... ")

        typist.type(CTRL_C)

        typist.until(PROMPT)
        assert typist.run("2 + 2") == "4\n"


def test_signal_at_the_prompt_harms_nobody(folder: Path) -> None:
    with shell(folder) as typist:
        os.kill(typist.program.pid, signal.SIGINT)

        assert typist.run("2 + 2") == "4\n"
        leave(typist)


def test_tab_completes_names_and_attributes(folder: Path) -> None:
    with shell(folder) as typist:
        typist.type(f"await Worker.hel{TAB}")
        typist.until("await Worker.hello(")
        typist.type("'second')\r")

        assert "'hello from second'" in typist.until(PROMPT)


def test_history_lasts_from_one_shell_to_the_next(folder: Path) -> None:
    with shell(folder) as typist:
        typist.run("20 + 3")
        leave(typist)

    with shell(folder) as typist:
        typist.type("\x10")  # Ctrl-P: the line before
        typist.until("20 + 3")
        typist.type("\r")
        typist.until("\n23\n")

    assert (folder / ".beamish_history").read_text() == "20 + 3\n"


def test_history_can_be_kept_elsewhere_or_not_at_all(folder: Path) -> None:
    for history in (str(folder / "elsewhere"), ""):
        arguments = ("shell", "--history", history, "shop:Shop")
        with typing_into(folder, *arguments) as typist:
            typist.until(PROMPT)
            typist.run("1")
            leave(typist)

    assert (folder / "elsewhere").read_text() == "1\n"
    assert not (folder / ".beamish_history").exists()


def test_exit_leaves_with_its_status(folder: Path) -> None:
    with shell(folder) as typist:
        typist.type("exit(3)\r")
        left, status = typist.rest()

    assert left.split("\n")[-4:-1] == STOPPED
    assert status == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_the_tree_in_order(folder: Path, number: signal.Signals) -> None:
    with shell(folder) as typist:
        os.kill(typist.program.pid, number)
        left, status = typist.rest()

    assert left.split("\n")[-4:-1] == STOPPED
    assert status == 0


def test_death_of_the_tree_ends_the_shell_with_status_one(folder: Path) -> None:
    with shell(folder, "shop:Fragile") as typist:
        typist.type("GenServer.cast('first', 'boom')\r")
        left, status = typist.rest()

    assert "beamish: shop:Fragile stopped: #PID<0.101.0> exited: 'shutdown'" in left
    assert status == 1


def test_terminal_is_as_before_after_the_tree_has_died(folder: Path) -> None:
    import termios

    with typing_into(folder, "shell", "shop:Fragile") as typist:
        before = termios.tcgetattr(typist.terminal)
        typist.until(PROMPT)
        typist.type("GenServer.cast('first', 'boom')\r")
        typist.until("stopped")
        typist.program.wait(30)

        assert termios.tcgetattr(typist.terminal) == before


def test_input_from_a_pipe_runs_without_prompts(folder: Path) -> None:
    text = "for n in ('first', 'second'):\n    print(await Worker.hello(n))\n"

    ran = beamish(folder, "shell", "shop:Shop", text=text)

    assert ran.stdout.splitlines() == ["hello from first", "hello from second", *STOPPED]
    assert (ran.stderr, ran.returncode) == ("", 0)
