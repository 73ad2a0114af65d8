"""The observer of the program's processes, mounted at ``/observer``."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from beamish.observer.static import OBSERVER
from transaction_tracker.api import WEB, Web
from transaction_tracker.api.access import REFRESH_SECONDS

from .support import PATIENCE, Client, make_token, serving


@pytest.fixture
async def admin() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client.with_token(await make_token("admin"))


async def test_files_need_no_token_and_data_needs_the_scope_admin(admin: Client) -> None:
    nobody = admin.with_token(None)
    reader = admin.with_token(await make_token("read", "write"))
    page = await nobody.get("/observer/")
    asset = await nobody.get("/observer/assets/main.js")

    assert page.body == OBSERVER["index.html"].content
    assert asset.body == OBSERVER["main.js"].content
    for path in ("api/session", "api/processes", "events?view=overview", "api/state?pid=1"):
        assert (await nobody.get(f"/observer/{path}")).status == 401, path
    assert (await nobody.ask("POST", "/observer/api/process/1/kill")).status == 401
    await asyncio.sleep(0)
    found = await admin.get("/observer/api/processes?search=Web")
    assert [row["class_name"] for row in found.json["rows"]].count("Web") == 1
    assert reader.token


async def test_read_token_is_refused_with_the_name_of_the_scope() -> None:
    async with serving() as client:
        reader = client.with_token(await make_token("read", "write"))
        reply = await reader.get("/observer/api/processes")

    assert reply.status == 403
    assert reply.json["type"].endswith(":scope")
    assert reply.json["detail"] == "the token must have the scope 'admin'"


async def test_mounted_observer_only_reads(admin: Client) -> None:
    headers = {"X-Beamish-Action": "kill"}
    reply = await admin.ask("POST", "/observer/api/process/1/kill", headers=headers)

    assert reply.status == 403
    assert "actions are switched off" in reply.json["error"]


async def test_stream_ends_when_its_token_is_revoked(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    (token,) = (await admin.get("/v1/tokens")).json["tokens"]
    headers = {"Authorization": f"Bearer {admin.token}"}
    url = f"{admin.url}/observer/events?view=overview&every=1"
    async with asyncio.timeout(PATIENCE), admin.session.get(url, headers=headers) as stream:
        assert stream.status == 200
        first = await stream.content.readuntil(b"event: snapshot")
        await admin.ask("DELETE", f"/v1/tokens/{token['id']}")

        rest = await stream.content.read()

    assert first
    assert rest.count(b"event: snapshot") <= REFRESH_SECONDS + 1


async def test_open_stream_does_not_delay_the_end_of_the_service() -> None:
    async with asyncio.timeout(PATIENCE), serving(shutdown_seconds=40.0) as client:
        url = f"{client.url}/observer/events?view=overview"
        stream = await client.session.get(url)
        await stream.content.readuntil(b"event: snapshot")
        assert await Web.url(WEB) == client.url

        await Web.stop(WEB, "shutdown")

        assert b"event: bye" in await stream.content.read()
