"""A Python GenServer under an Elixir supervisor, and an Elixir process under a Python one.

Start epmd and an Elixir node, then this program:

    elixir --name ex@127.0.0.1 --cookie secret examples/beside_elixir.exs
    COOKIE=secret python examples/beside_elixir.py
"""

import asyncio
import logging
import os

from beamish import ChildSpec, ExitError, GenServer, Pid, Supervisor, call, process
from beamish.erlang import Cookie, ErlangNode

NODE = "py@127.0.0.1"
ELIXIR_NODE = "ex@127.0.0.1"
EPMD_PORT = int(os.environ.get("ERL_EPMD_PORT", "4369"))


class Model(GenServer, restart="temporary"):
    """Stands for something that Python does best; its supervisor is an Elixir process."""

    def __init__(self) -> None:
        self.seen = 0

    @call
    def predict(self, text: bytes) -> tuple[int, int]:
        """Return the length of a text, and how many texts this process has seen."""
        self.seen += 1
        return len(text.decode()), self.seen


async def start_model() -> Pid:
    """Start a model; the Elixir supervisor links the pid that it gets."""
    return await Model.start()


async def start_echo() -> Pid:
    """Start a process on the Elixir node, and link it as a child of the current supervisor."""
    await ErlangNode.connect("erlang", ELIXIR_NODE)
    pid: Pid = await ErlangNode.rpc("erlang", ELIXIR_NODE, "Echo", "start")
    process.link(pid)
    return pid


def children() -> list[ChildSpec]:
    """Return the node, then what needs it."""
    node = ErlangNode.child_spec(
        NODE,
        cookie=Cookie(os.environ["COOKIE"]),
        epmd=("127.0.0.1", EPMD_PORT),
        functions={"models.start": start_model},
        name="erlang",
    )
    # rest_for_one: without the node, the Elixir process cannot be reached.
    return [node, ChildSpec("echo", start_echo)]


async def main() -> None:
    """Call the Elixir process, crash it, and call its successor."""
    async with Supervisor.running(children(), strategy="rest_for_one", name="top"):
        crashed = None
        for text in ("one", "crash", "two"):
            echo = await _echo(other_than=crashed)
            try:
                print(await GenServer.call(echo, text))
            except ExitError as error:
                print("crashed:", error.reason)
                crashed = echo
        print("ready", flush=True)
        await asyncio.sleep(float(os.environ.get("SECONDS", "3600")))


async def _echo(other_than: Pid | None) -> Pid:
    """Wait for the Elixir process, or its successor."""
    while True:
        pid = (await Supervisor.which_children("top"))[1].pid
        if pid is not None and pid is not other_than:
            return pid
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    logging.basicConfig()
    asyncio.run(main())
