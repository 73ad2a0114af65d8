"""The functions of the native core are the same to a user as those that they replace."""

import inspect
import os
import pickle
from typing import Any

import pytest

from beamish import GenServer, NoProcessError, Registry, process

from .conftest import Run

pytestmark = pytest.mark.native

USERS = (GenServer.cast, Registry.lookup, Registry.whereis)


@pytest.mark.parametrize("function", USERS)
def test_replacement_has_the_signature_and_text_of_its_reference(function: Any, run: Run) -> None:
    ran = run(
        "-c",
        "import beamish, inspect\n"
        f"function = beamish.{function.__qualname__}\n"
        "print(inspect.isbuiltin(function), list(inspect.signature(function).parameters))\n"
        "print(inspect.getdoc(function))",
    )

    names = list(inspect.signature(function).parameters)
    assert ran.stdout == f"True {names}\n{inspect.getdoc(function)}\n"


@pytest.mark.parametrize("function", USERS)
def test_public_function_is_found_by_its_name(function: Any) -> None:
    assert pickle.loads(pickle.dumps(function)).__qualname__ == function.__qualname__


@pytest.fixture
async def registry() -> str:
    await Registry.start(keys="unique", name="registry")
    return "registry"


async def test_look_ups_take_keywords(registry: str) -> None:
    async with process.attach() as pid:
        Registry.register(registry, "key", 7)

        assert Registry.lookup(registry=registry, key="key") == [(pid, 7)]
        assert Registry.whereis(registry, key="key") is pid
    assert Registry.lookup(registry, key="key") == []


@pytest.mark.parametrize("function", USERS)
@pytest.mark.parametrize("arguments", [(), ("one",), ("one", "two", "three")])
def test_wrong_number_of_arguments_is_a_type_error(
    function: Any, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(TypeError, match=f"{function.__qualname__}\\(\\)"):
        function(*arguments)


async def test_unhashable_key_is_a_type_error(registry: str) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        Registry.lookup(registry, [])
    with pytest.raises(TypeError, match="unhashable"):
        Registry.whereis(registry, [])


async def test_look_up_in_another_server_says_so() -> None:
    await GenServer.start(name="server")

    with pytest.raises(NoProcessError, match="is a process, but not a registry"):
        Registry.lookup("server", "key")
    with pytest.raises(NoProcessError, match="unknown registry"):
        Registry.whereis("nothing", "key")


async def test_error_of_a_key_reaches_the_caller(registry: str) -> None:
    class Key:
        def __hash__(self) -> int:
            raise RuntimeError("no hash today")

    with pytest.raises(RuntimeError, match="no hash today"):
        Registry.lookup(registry, Key())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_no_event_loop_runs_in_a_forked_child(run: Run) -> None:
    ran = run(
        "-Wignore",
        "-c",
        "import asyncio, os\n"
        "from beamish import NoProcessError, Registry\n"
        "async def main():\n"
        "    await Registry.start(keys='unique', name='registry')\n"
        "    assert Registry.lookup('registry', 'key') == []\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        try:\n"
        "            Registry.lookup('registry', 'key')\n"
        "        except NoProcessError as error:\n"
        "            print(error, flush=True)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
        "asyncio.run(main())",
    )

    assert "no event loop runs in this thread" in ran.stdout, ran.stderr
