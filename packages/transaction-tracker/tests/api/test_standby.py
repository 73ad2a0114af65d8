"""Responses of a program that does not own its database."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from beamish import GenServer
from transaction_tracker.api import WebOptions
from transaction_tracker.api.server import bind
from transaction_tracker.api.standby import StandbyStatus, StandbyWeb

from .support import serving

PATHS = ["/", "/readyz", "/metrics", "/docs", "/v1/transactions", "/v1/events?after=e0", "/x"]


@asynccontextmanager
async def standing_by(status: StandbyStatus) -> AsyncIterator[aiohttp.ClientSession]:
    options = WebOptions(port=0, shutdown_seconds=1.0)
    with bind(options) as listener:
        pid = await StandbyWeb.start(status, options, listener)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(await StandbyWeb.url(pid), connector=connector) as http:
            yield http
        await GenServer.stop(pid)


async def test_standby_is_alive() -> None:
    async with standing_by(StandbyStatus()) as http:
        async with http.get("/healthz") as reply:
            assert (reply.status, await reply.json()) == (200, {"status": "alive"})
        async with http.head("/healthz") as reply:
            assert (reply.status, await reply.read()) == (200, b"")


@pytest.mark.parametrize("path", PATHS)
async def test_standby_names_the_owner(path: str) -> None:
    async with (
        standing_by(StandbyStatus(owner="https://a.example")) as http,
        http.get(path) as reply,
    ):
        problem = await reply.json()

    assert reply.status == 503
    assert reply.headers["Retry-After"] == "1"
    assert problem["type"] == "urn:problem-type:transaction-tracker:standby"
    assert problem["owner"] == "https://a.example"
    assert "https://a.example is the owner" in problem["detail"]


async def test_standby_without_a_known_owner_accepts_nothing() -> None:
    async with (
        standing_by(StandbyStatus()) as http,
        http.post("/v1/transactions", json={"id": "0x" + "1" * 64}) as reply,
    ):
        problem = await reply.json()

    assert (reply.status, "owner" in problem) == (503, False)
    assert "another service owns the database" in problem["detail"]


async def test_standby_that_takes_over_says_so() -> None:
    status = StandbyStatus(owner="https://gone.example", takes_over=True)
    async with standing_by(status) as http, http.get("/readyz") as reply:
        problem = await reply.json()

    assert (reply.status, problem["title"]) == (503, "Standby")
    assert "owner" not in problem


async def test_listening_socket_outlives_the_standby() -> None:
    options = WebOptions(port=0, shutdown_seconds=1.0)
    with bind(options) as listener:
        first = await StandbyWeb.start(StandbyStatus(), options, listener)
        url = await StandbyWeb.url(first)
        await GenServer.stop(first)
        async with aiohttp.ClientSession(url) as http:
            # Waits in the queue of the socket until the next process accepts it.
            waiting = http.get("/healthz")
            second = await StandbyWeb.start(StandbyStatus(), options, listener)
            async with waiting as reply:
                assert reply.status == 200
        await GenServer.stop(second)


@pytest.mark.parametrize("path", PATHS)
async def test_owner_without_a_certain_lease_responds_with_nothing_from_memory(path: str) -> None:
    left = [100.0]
    async with serving(owned_for=lambda: left[0]) as client:
        assert (await client.get("/readyz")).status == 200
        left[0] = 0.0

        reply = await client.get(path)
        assert reply.status == 503
        assert json.loads(reply.body)["title"] == "Standby"
        assert (await client.get("/healthz")).status == 200

        left[0] = 100.0
        assert (await client.get("/readyz")).status == 200
