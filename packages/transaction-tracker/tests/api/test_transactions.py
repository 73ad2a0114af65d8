"""Reading, waiting for and untracking transactions."""

import asyncio
import time
from datetime import datetime

import orjson
import pytest

from transaction_tracker import TransactionTracker
from transaction_tracker.api import Following
from transaction_tracker.follower import Verdict
from transaction_tracker.store import Step, Store

from .support import PATIENCE, SOURCE, TEN, Client, eventually, mine, move, register, serving

PATH = "/v1/transactions"


async def test_transaction_has_why_and_history(client: Client) -> None:
    await register(client, "abcdefgh")
    await move("abcdefgh", state="pending", flags=frozenset(("underpriced",)))
    await mine("abcdefgh")
    await Store.commit(Step(SOURCE, applied=TEN, keep=10))

    content = (await client.get(f"{PATH}/abcdefgh")).json

    assert content["state"] == "mined"
    assert content["confirmations"] == 1
    assert content["block"] == {"number": 10, "hash": "ten"}
    assert content["outcome"] == {
        "succeeded": True,
        "fee": "21",
        "fee_scope": "total",
        "error": None,
    }
    assert content["flags"] == ["underpriced"]
    assert content["why"]["missing_confirmations"] == 11
    assert content["why"]["next_check"]["at_height"] == 21
    assert [event["state"] for event in content["history"]] == ["pending", "mined"]
    assert content["why"]["since"] == content["history"][1]["recorded_at"]


async def test_halted_source_is_degraded() -> None:
    halted = Following(10, 90.0, verdict=Verdict("halted", "block 11 has no nonce"))
    async with serving(following=lambda: halted) as client:
        await register(client, "abcdefgh")
        content = (await client.get(f"{PATH}/abcdefgh")).json
        ready = await client.get("/readyz")

    assert content["provider_degraded"] is True
    assert content["why"]["notes"] == [
        "This state can be out of date: source halted: block 11 has no nonce."
    ]
    assert ready.status == 503
    (error,) = ready.json["errors"]
    assert error["detail"] == "source halted: block 11 has no nonce"
    assert error["since"].endswith("Z")


async def test_halt_began_as_long_ago_as_it_has_lasted() -> None:
    halted = Verdict("halted", "block 11 has no nonce", since=5_000.0)
    async with serving(following=lambda: Following(10, verdict=halted, now=8_600.0)) as client:
        (error,) = (await client.get("/readyz")).json["errors"]

    began = datetime.fromisoformat(error["since"]).timestamp()
    assert began == pytest.approx(time.time() - 3_600.0, abs=60.0)


async def test_a_lagging_source_is_ready_with_a_note() -> None:
    lagging = Following(10, 0.0, verdict=Verdict("lagging", "no head advances"))
    async with serving(following=lambda: lagging) as client:
        await register(client, "abcdefgh")
        content = (await client.get(f"{PATH}/abcdefgh")).json
        ready = await client.get("/readyz")

    assert ready.status == 200
    assert [note["detail"] for note in ready.json["notes"]] == ["source lagging: no head advances"]
    assert content["provider_degraded"] is True


async def test_a_starting_source_is_not_ready() -> None:
    async with serving(following=Following) as client:
        ready = await client.get("/readyz")

    assert ready.status == 503
    assert ready.json["detail"].startswith("source starting: no provider has returned a readable")


async def test_pages_contain_each_transaction_once(client: Client) -> None:
    ids = [f"{number:08}" for number in range(7)]
    await register(client, *ids)

    found: list[str] = []
    page = (await client.get(f"{PATH}?limit=3")).json
    while True:
        found += [one["id"] for one in page["transactions"]]
        if page["next"] is None:
            break
        page = (await client.get(f"{PATH}?limit=3&cursor={page['next']}")).json

    assert found == ids


async def test_list_filters_by_state(client: Client) -> None:
    await register(client, "aaaaaaaa", "bbbbbbbb", "cccccccc")
    await move("bbbbbbbb", state="pending")
    await mine("cccccccc")

    page = (await client.get(f"{PATH}?state=pending&state=mined")).json

    assert [one["id"] for one in page["transactions"]] == ["bbbbbbbb", "cccccccc"]


async def test_delete_untracks_a_transaction(client: Client) -> None:
    await register(client, "abcdefgh")

    content = (await client.ask("DELETE", f"{PATH}/abcdefgh")).json

    assert (content["state"], content["final"]) == ("untracked", True)
    assert TransactionTracker.lookup("abcdefgh") is None


@pytest.mark.parametrize("method", ["DELETE", "GET"])
async def test_unregistered_transaction_is_404(client: Client, method: str) -> None:
    assert (await client.ask(method, f"{PATH}/abcdefgh")).status == 404
    assert (await client.post(f"{PATH}/abcdefgh/recheck")).status == 404
    assert (await client.get(f"{PATH}/abcdefgh/wait")).status == 404


async def test_wait_returns_when_the_state_is_reached(client: Client) -> None:
    await register(client, "abcdefgh")
    waiting = asyncio.create_task(client.get(f"{PATH}/abcdefgh/wait?until=mined&timeout=60"))
    await eventually(lambda: client.service.feed._waiters)
    await move("abcdefgh", state="pending")
    await mine("abcdefgh")

    content = (await asyncio.wait_for(waiting, PATIENCE)).json

    assert content["reached"] is True
    assert content["transaction"]["state"] == "mined"


async def test_wait_for_the_current_state_returns_at_once(client: Client) -> None:
    await register(client, "abcdefgh")

    content = (await client.get(f"{PATH}/abcdefgh/wait?until=registered&timeout=60")).json

    assert content["reached"] is True


async def test_wait_that_times_out_is_not_reached(client: Client) -> None:
    await register(client, "abcdefgh")

    content = (await client.get(f"{PATH}/abcdefgh/wait?timeout=0.01")).json

    assert content["reached"] is False
    assert content["transaction"]["state"] == "registered"


@pytest.mark.parametrize("query", ["timeout=61", "timeout=-1", "timeout=nan", "until=gone"])
async def test_invalid_wait_parameters_are_refused(client: Client, query: str) -> None:
    await register(client, "abcdefgh")

    assert (await client.get(f"{PATH}/abcdefgh/wait?{query}")).status == 422


async def test_number_of_long_polls_is_limited() -> None:
    async with serving(max_waiters=1) as client:
        await register(client, "abcdefgh")
        _, writer = await client.connect()
        path = f"{PATH}/abcdefgh/wait?timeout=60"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await eventually(lambda: client.service.feed._waiters)

        refused = await client.get(path)
        writer.close()
        await eventually(lambda: not client.service.feed._waiters)
        again = await client.get(f"{PATH}/abcdefgh/wait?timeout=0")

    assert refused.status == 429
    assert again.status == 200


async def test_recheck_responds_before_the_source(client: Client) -> None:
    await register(client, "abcdefgh")

    reply = await client.post(f"{PATH}/abcdefgh/recheck")

    assert reply.status == 202
    assert reply.json["state"] == "registered"


async def test_metadata_is_returned_unchanged(client: Client) -> None:
    metadata = {"text": 'ü\u2028"\\', "list": [1, {"a": None}], "number": 1.5}

    await client.post(PATH, json={"id": "abcdefgh", "metadata": metadata})

    assert (await client.get(f"{PATH}/abcdefgh")).json["metadata"] == metadata
    assert orjson.loads((await client.get(PATH)).body)["transactions"][0]["metadata"] == metadata
