"""The observer as a child and as a mounted application, and the sockets it listens on."""

import asyncio
import logging
import os
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from beamish import Pid, StartError, Supervisor, process
from beamish.observer import Observer, ObserverApp
from beamish.observer import server as servers
from beamish.observer.server import HttpServer
from beamish.observer.sockets import bind_local, bind_tcp, is_admitted, peer_user, remove

from .conftest import Observe
from .support import TOKEN, ask, streaming, until


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": None}, "an observer needs a host, a socket, or both; got neither"),
        ({"host": "0.0.0.0"}, "0.0.0.0 is reachable from other machines, which needs a token"),
        ({"host": "::"}, ":: is reachable from other machines"),
        ({"host": 7}, "host must be a string or None; got 7"),
        ({"port": 70_000}, "port must be a whole number from 0 to 65535; got 70000"),
        ({"port": True}, "port must be a whole number"),
        ({"socket": 7}, "socket must be a path or None; got 7"),
        ({"token": "short"}, "token must have at least 16"),
        ({"events": ["shop.order"]}, "events must be tuples of strings; got 'shop.order'"),
    ],
)
async def test_invalid_argument_is_explained(
    program: Pid, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(StartError) as raised:
        await Observer.start(**options)

    assert said in str(raised.value.reason)
    assert "short" not in str(raised.value).replace("shorter", "")


async def test_port_in_use_names_a_way_out(program: Pid) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError) as raised:
            await Observer.start(port=port)

    assert f"cannot listen on 127.0.0.1 port {port}" in str(raised.value.reason)
    assert "port 0 chooses a free port" in str(raised.value.reason)


async def test_observer_is_a_child_that_frees_its_port(program: Pid) -> None:
    spec = Observer.child_spec(port=0, name="observer")
    pid = await Supervisor.start_child(program, spec)
    url = await Observer.url(pid) or ""
    assert (await ask(url, "api/session")).status == 200

    await Supervisor.terminate_child(program, "observer")

    port = int(url.rstrip("/").rpartition(":")[2])
    bind_tcp("127.0.0.1", port).close()


async def test_killed_observer_frees_its_port_and_socket(program: Pid, tmp_path: Path) -> None:
    path = tmp_path / "o.sock"
    pid = await Observer.start(port=0, socket=path)
    url = await Observer.url(pid) or ""
    async with streaming(url, "events?view=overview") as stream:
        await stream.next()

        process.exit(pid, "kill")
        await until(lambda: not path.exists())

        with pytest.raises(OSError, match=r".*"):
            await ask(url, "api/session")


async def test_observer_stops_when_its_server_does(program: Pid) -> None:
    pid = await Observer.start(port=0)
    (server,) = (link for link in (process.info(pid) or pytest.fail("dead")).links)

    process.exit(server, "kill")

    await until(lambda: not process.is_alive(pid))


async def test_specification_and_state_hide_the_token(program: Pid) -> None:
    spec = Observer.child_spec(port=0, token=TOKEN, name="observer")
    await Supervisor.start_child(program, spec)
    url = await Observer.url("observer") or ""

    states = [
        await ask(url, f"api/{view}?pid={pid}", Authorization=f"Bearer {TOKEN}")
        for view in ("state", "process")
        for pid in ("observer", "Test.Top")
    ]

    assert TOKEN not in repr(spec)
    assert [found.status for found in states] == [200] * 4
    assert all(TOKEN.encode() not in found.body for found in states)
    await Supervisor.terminate_child(program, "observer")


async def test_no_secret_is_logged(program: Pid, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        pid = await Observer.start(port=0, token=TOKEN)
        url = await Observer.url(pid) or ""
        await ask(url, "api/session", Authorization=f"Bearer {TOKEN}")
        await ask(url, "api/session", Authorization="Bearer another-token-of-somebody")
        await Observer.stop(pid, "shutdown")

    assert TOKEN not in caplog.text
    assert "another-token" not in caplog.text


async def test_import_of_beamish_loads_nothing_of_the_observer() -> None:
    program = (
        "import sys, beamish\n"
        "print([name for name in sys.modules if 'observer' in name or 'snapshots' in name "
        "or name.partition('.')[0] in ('starlette', 'uvicorn', 'h11', 'anyio')])"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True
    )

    assert ran.stdout == "[]\n"


def test_missing_extra_says_what_to_install() -> None:
    program = "import sys; sys.modules['uvicorn'] = None\nimport beamish.observer"

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )

    assert "install beamish[observer]" in ran.stderr.splitlines()[-1]


@pytest.mark.parametrize("path", ["api/none", "none", "api/process/first/none/more"])
async def test_unknown_path_is_json(observe: Observe, path: str) -> None:
    found = await ask(await observe(), path)

    assert found.status == 404
    assert set(found.json) == {"error"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("api/processes?limit=0", 422),
        ("api/process?pid=nobody", 404),
        ("api/metrics", 404),
        ("api/session", 200),
        ("api/overview", 200),
        ("api/history", 200),
        ("api/tree", 200),
        ("api/crashes", 200),
    ],
)
async def test_status_tells_what_went_wrong(observe: Observe, path: str, status: int) -> None:
    assert (await ask(await observe(), path)).status == status


async def test_headers_that_do_not_arrive_close_the_connection(
    observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "HEADER_SECONDS", 0.05)
    url = await observe()
    port = int(url.rstrip("/").rpartition(":")[2])

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n")
    with suppress(ConnectionResetError):
        async with asyncio.timeout(50):
            assert await reader.read() == b""
    writer.close()


async def test_number_of_connections_is_limited(
    observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "MAX_CONNECTIONS", 3)
    url = await observe()

    async with (
        streaming(url, "events?view=overview"),
        streaming(url, "events?view=crashes"),
    ):
        assert (await ask(url, "api/session")).status == 503


# -- Mounted


async def serving(app: Any) -> tuple[HttpServer, str, "asyncio.Task[None]"]:
    """Serve an application as another program would."""
    sock = bind_tcp("127.0.0.1", 0)
    server = HttpServer(app)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    return server, f"http://127.0.0.1:{sock.getsockname()[1]}/", task


async def test_application_can_be_mounted_under_a_path(program: Pid) -> None:
    observer = ObserverApp(token=TOKEN)
    app: Any = Starlette(routes=[Mount("/observer", observer)])
    app.close = observer.close
    server, url, task = await serving(app)

    page = await ask(url, "observer/")
    refused = await ask(url, "observer/api/session")
    found = await ask(url, "observer/api/overview", Authorization=f"Bearer {TOKEN}")

    assert (page.status, refused.status, found.status) == (200, 401, 200)
    assert found.json["processes"] > 3
    server.stop()
    await task


async def test_surrounding_application_can_check_requests(program: Pid) -> None:
    observer = ObserverApp(authenticated=True)
    server, url, task = await serving(observer)

    assert (await ask(url, "api/session", Host="shop.example")).status == 200
    server.stop()
    await task


# -- The local socket


async def test_socket_needs_no_token_and_is_only_for_its_user(
    observe: Observe, tmp_path: Path
) -> None:
    path = tmp_path / "o.sock"
    await observe(host=None, socket=path, token=TOKEN)

    found = await ask(str(path), "api/session")

    assert found.status == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_connection_of_another_user_is_closed(
    observe: Observe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "o.sock"
    await observe(host=None, socket=path)
    monkeypatch.setattr(servers, "peer_user", lambda _: os.geteuid() + 1)

    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"GET /api/session HTTP/1.0\r\nHost: localhost\r\n\r\n")
    try:
        received = await reader.read()
    except ConnectionResetError:
        received = b""

    assert received == b""
    writer.close()


def test_users_of_the_socket_are_this_user_and_root() -> None:
    assert is_admitted(os.geteuid())
    assert is_admitted(0)
    assert not is_admitted(os.geteuid() + 1)


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system hides the peer")
def test_user_at_the_other_end_is_known() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_user(one) == os.geteuid()


def test_socket_of_a_dead_program_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "o.sock"
    bind_local(path).close()
    assert path.exists()

    with bind_local(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_socket_of_a_running_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "o.sock"
    with bind_local(path), pytest.raises(OSError, match="another program listens at"):
        bind_local(path)


def test_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")

    with pytest.raises(FileExistsError, match="a file that is not a socket"):
        bind_local(path)

    assert path.read_text() == "mine"


def test_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(PermissionError, match="other users can write to the folder"):
        bind_local(folder / "o.sock")


def test_missing_folder_and_long_path_are_explained(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the folder of the socket cannot be used"):
        bind_local(tmp_path / "none" / "o.sock")
    with pytest.raises(OSError, match="can have 100 bytes; choose a shorter one"):
        bind_local(tmp_path / ("x" * 120))


def test_socket_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "o.sock"
    with bind_local(path):
        remove(path, path.stat().st_ino + 1)

        assert path.exists()


async def test_observer_without_a_host_has_no_url(observe: Observe, tmp_path: Path) -> None:
    assert await observe(host=None, socket=tmp_path / "o.sock") == ""


async def test_stop_removes_the_socket(program: Pid, tmp_path: Path) -> None:
    path = tmp_path / "o.sock"
    pid = await Observer.start(host=None, socket=path)
    assert path.exists()

    await Observer.stop(pid, "shutdown")

    assert not path.exists()


def test_application_can_have_a_link_back() -> None:
    assert ObserverApp(home="../")
    with pytest.raises(ValueError, match="home must be a path or an http"):
        ObserverApp(home="javascript:alert(1)")
