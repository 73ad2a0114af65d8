"""What type checkers know of the client functions of ``GenServer``. Checked by mypy."""

from typing import Any, assert_type

from beamish import ChildSpec, From, GenServer, NoReply, Pid, Stop, Via


class Server(GenServer):
    def __init__(self, first: int, *, second: str = "") -> None:
        assert_type(self.pid, Pid)

    def init(self) -> Stop | None:
        return None

    def handle_call(self, request: Any, from_: From) -> Any:
        return NoReply()

    async def handle_cast(self, request: Any) -> None:
        return None

    async def handle_info(self, message: Any) -> None:
        return None

    def terminate(self, reason: object) -> None:
        return None


async def starts(via: Via) -> None:
    assert_type(await Server.start_link(1), Pid)
    assert_type(await Server.start_link(1, second="x", name="server", timeout=1.0), Pid)
    assert_type(await Server.start(1, name=via), Pid)
    assert_type(Server.child_spec(1, name="server"), ChildSpec)
    assert_type(Server.child_spec(1).replace(restart="temporary"), ChildSpec)


async def client_functions(pid: Pid, via: Via) -> None:
    assert_type(await GenServer.call(pid, "request"), Any)
    assert_type(await GenServer.call("server", "request", timeout=None), Any)
    assert_type(await GenServer.call(via, "request", timeout=0.5), Any)
    assert_type(GenServer.whereis("server"), Pid | None)
    assert_type(GenServer.cast(pid, "request"), None)
    assert_type(await GenServer.stop(pid, "normal", timeout=1.0), None)


def reply(from_: From) -> None:
    GenServer.reply(from_, "value")


async def wrong_types(pid: Pid) -> None:
    await GenServer.call(42, "request")  # type: ignore[arg-type]
    await GenServer.call(pid, "request", timeout="soon")  # type: ignore[arg-type]
    GenServer.cast(42, "request")  # type: ignore[arg-type]
    await GenServer.stop(42)  # type: ignore[arg-type]
    Server.child_spec(1, name=42)  # type: ignore[call-overload]


class Tracker(Server):
    """A class may start in a way of its own, as the tracker of the article does."""

    @classmethod
    async def start(cls, transaction_id: str) -> Pid:
        return await cls.start_link(int(transaction_id))


async def own_start() -> None:
    assert_type(await Tracker.start("1"), Pid)
    await Tracker.start(1)  # type: ignore[arg-type]
