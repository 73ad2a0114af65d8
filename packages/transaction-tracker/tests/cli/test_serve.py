"""``txtrack serve`` as a program: its output and its exit status."""

import asyncio
import json
import signal
import socket
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from transaction_tracker.cli import main
from txtrack_devnode import DevelopmentNode

from .conftest import Txtrack
from .forked import start
from .program import SECONDS, serving


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)]
)
async def test_service_runs_until_a_signal(node: DevelopmentNode, number: signal.Signals) -> None:
    async with serving("--rpc", node.url, fresh=True) as (process, fact):
        assert fact["level"] == "info"
        assert fact["source"] == "ethereum:31337"
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{fact['url']}/healthz") as response,
        ):
            assert response.status == 200

        process.send_signal(number)
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()

    assert process.returncode == 0
    assert out == b""
    assert all(json.loads(line) for line in err.splitlines())


async def test_systemd_is_notified(node: DevelopmentNode, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        loop = asyncio.get_running_loop()
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
        async with (
            asyncio.timeout(SECONDS),
            serving("--rpc", node.url, **variables) as (process, _),
        ):
            heard = [await loop.sock_recv(manager, 100) for _ in range(3)]
            process.terminate()
            while (last := await loop.sock_recv(manager, 100)) == b"WATCHDOG=1":
                pass

    assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert last == b"STOPPING=1"


async def test_first_steps_are_printed(node: DevelopmentNode) -> None:
    process = await start(
        *("serve", "--port", "0", "--rpc", node.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            lines = [(await process.stdout.readline()).decode() for _ in range(6)]
    finally:
        process.terminate()
        await process.communicate()

    assert "listens on http://127.0.0.1:" in lines[0]
    assert "TXTRACK_URL=http://127.0.0.1:" in lines[1]
    assert process.returncode == 0


async def test_logs_contain_no_secret(node: DevelopmentNode) -> None:
    host = node.url.removeprefix("http://")
    flags = ("--rpc", f"http://user:s3cretpass@{host}/?key=s3cretkey")
    async with serving(*flags, "--log-level", "debug") as (process, fact):
        process.terminate()
        out, err = await process.communicate()

    assert "s3cret" not in f"{out!r} {err!r} {fact}"


async def test_idle_connections_do_not_stop_the_service(node: DevelopmentNode) -> None:
    """It has 256 descriptors; 400 idle connections must leave it those that it needs."""
    async with serving("--rpc", node.url, open_files=256) as (process, fact):
        port = int(str(fact["url"]).rpartition(":")[2])
        idle = []
        for _ in range(400):
            with suppress(ConnectionError):
                idle.append(await asyncio.open_connection("127.0.0.1", port))
        files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        for _, writer in idle:
            writer.close()

        process.terminate()
        async with asyncio.timeout(SECONDS):
            _, err = await process.communicate()

    assert files < 230
    assert process.returncode == 0
    lines = err.splitlines()
    assert len(lines) < 20, lines[:20]
    assert all(line.startswith(b"{") for line in lines), lines


async def test_reason_of_a_failed_start_is_json(txtrack: Txtrack) -> None:
    ran = await txtrack(
        *("serve", "--rpc", "http://127.0.0.1:1", "--port", "0", "--log-format", "json")
    )

    assert ran.status == 6
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert lines[-1]["event"].startswith("the service stops: http://127.0.0.1:1")


async def test_unreachable_provider_is_status_6(txtrack: Txtrack) -> None:
    ran = await txtrack("serve", "--rpc", "http://127.0.0.1:1/s3cretkey", "--port", "0")

    assert ran.status == 6
    assert "http://127.0.0.1:1" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
    assert "s3cretkey" not in ran.err


async def test_public_address_requires_a_token(txtrack: Txtrack, node: DevelopmentNode) -> None:
    ran = await txtrack("serve", "--rpc", node.url, "--port", "0", "--host", "0.0.0.0")

    assert ran.status == 1
    assert "0.0.0.0 is reachable from other machines: create a token first" in ran.err


async def test_port_in_use_is_explained(txtrack: Txtrack, node: DevelopmentNode) -> None:
    port = node.url.rpartition(":")[2]

    ran = await txtrack("serve", "--rpc", node.url, "--port", port)

    assert ran.status == 1
    assert f"txtrack: cannot listen on 127.0.0.1 port {port}" in ran.err
    assert "Traceback" not in ran.err


def test_missing_provider_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == 2

    assert "providers must have at least one" in capsys.readouterr().err
