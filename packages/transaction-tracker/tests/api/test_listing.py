"""Lists of transactions: their order, filters and cursors."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection

from transaction_tracker.domain.tracked import Sighting
from transaction_tracker.store import Store
from transaction_tracker.store.listing import TransactionFilter, activity_page

from .support import Client, move, register, serving

PATH = "/v1/transactions"
ALL = ["eeeeeeee", "dddddddd", "cccccccc", "bbbbbbbb", "aaaaaaaa"]


@pytest.fixture
async def filled(database_url: str) -> AsyncIterator[Client]:
    """An API with five transactions: two of one registration, and one that has ended."""
    async with serving(database=database_url) as client:
        await register(client, "aaaaaaaa")
        await register(client, "bbbbbbbb", "cccccccc")
        items = [{"id": "dddddddd", "metadata": {"order": "A-17 50%", "to": "Zoë"}}]
        await client.post(PATH, json=items)
        await register(client, "eeeeeeee")
        await move("aaaaaaaa", state="confirmed")
        yield client


async def ids(client: Client, order: str = "activity", **parameters: object) -> list[str]:
    reply = await client.get(PATH, params={"order": order} | parameters)
    assert reply.status == 200, reply.body
    return [found["id"] for found in reply.json["transactions"]]


async def test_open_transactions_come_first_and_the_newest_of_each_part(filled: Client) -> None:
    assert await ids(filled) == ALL
    await move("dddddddd", state="confirmed")

    assert await ids(filled) == ["eeeeeeee", "cccccccc", "bbbbbbbb", "dddddddd", "aaaaaaaa"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
@pytest.mark.parametrize("order", ["id", "activity"])
async def test_pages_have_each_transaction_once(filled: Client, limit: int, order: str) -> None:
    seen: list[str] = []
    parameters: dict[str, object] = {"order": order, "limit": limit}
    while True:
        page = (await filled.get(PATH, params=parameters)).json
        seen += [found["id"] for found in page["transactions"]]
        if page["next"] is None:
            break
        # The cursor alone keeps the order.
        parameters = {"cursor": page["next"], "limit": limit}

    assert seen == (ALL if order == "activity" else sorted(ALL))


async def test_search_finds_the_start_of_ids_and_parts_of_metadata(filled: Client) -> None:
    assert await ids(filled, search="BBBB") == ["bbbbbbbb"]
    assert await ids(filled, search="a-17") == ["dddddddd"]
    assert await ids(filled, search="Zoë") == ["dddddddd"]
    assert await ids(filled, search="bbb", order="id") == ["bbbbbbbb"]
    assert await ids(filled, search="0%") == ["dddddddd"]
    assert await ids(filled, search="%") == ["dddddddd"]
    assert await ids(filled, search="_") == []


async def test_attention_lists_what_is_parked_missing_or_flagged_the_oldest_first(
    filled: Client,
) -> None:
    await move("bbbbbbbb", error="RuntimeError('poison')")
    await move("cccccccc", state="missing")
    await move("dddddddd", state="pending", flags=frozenset({"stuck", "underpriced"}))
    await move("aaaaaaaa", flags=frozenset({"finality_violation"}))

    wanted = ["bbbbbbbb", "cccccccc", "dddddddd"]
    assert await ids(filled, attention="true") == wanted
    parameters: dict[str, object] = {"attention": "true", "order": "activity", "limit": 1}
    for expected in wanted:
        page = (await filled.get(PATH, params=parameters)).json
        assert [found["id"] for found in page["transactions"]] == [expected]
        parameters["cursor"] = page["next"]
    assert sorted(await ids(filled, attention="true", order="id")) == sorted(wanted)


async def test_change_of_flags_does_not_change_since_when_a_transaction_waits(
    filled: Client,
) -> None:
    async def waiting_since() -> object:
        return (await filled.get(f"{PATH}/eeeeeeee")).json["waiting_since"]

    found = [await waiting_since()]
    await move("eeeeeeee", state="pending", waiting_since=1e9)
    await move("eeeeeeee", flags=frozenset(("stuck",)))
    found.append(await waiting_since())
    await move("eeeeeeee", state="missing", missing_since=Sighting(10, 1e9 + 1), waiting_since=None)
    found.append(await waiting_since())
    await move("eeeeeeee", state="mined", missing_since=None)
    found.append(await waiting_since())

    assert found == [None, "2001-09-09T01:46:40Z", "2001-09-09T01:46:41Z", None]


async def test_flag_is_found_as_a_whole_word(filled: Client) -> None:
    await move("bbbbbbbb", state="pending", flags=frozenset({"nonce_gap", "stuck"}))
    await move("cccccccc", state="pending", flags=frozenset({"underpriced"}))

    assert await ids(filled, flag="stuck") == ["bbbbbbbb"]
    assert await ids(filled, flag="underpriced") == ["cccccccc"]
    reply = await filled.get(f"{PATH}?order=activity&flag=stuck&flag=underpriced&state=pending")
    assert [found["id"] for found in reply.json["transactions"]] == ["cccccccc", "bbbbbbbb"]


async def test_since_selects_by_registration(filled: Client) -> None:
    now = datetime.now(UTC)

    assert await ids(filled, since=(now + timedelta(hours=1)).isoformat()) == []
    assert await ids(filled, since=(now - timedelta(hours=1)).isoformat()) == ALL
    # Without a time zone, or not as RFC 3339 has it.
    for text in ("2026-11-30T00:00:00", "0.5", "1700000000", "yesterday"):
        assert (await filled.get(f"{PATH}?since={text}")).status == 422, text


@pytest.mark.parametrize("cursor", ["n00", "n6f", "n6f3120", "n6f78206162", "t00"])
async def test_forged_cursor_starts_somewhere(filled: Client, cursor: str) -> None:
    assert (await filled.get(f"{PATH}?cursor={cursor}")).status == 200


async def test_nul_in_a_search_is_explained(filled: Client) -> None:
    reply = await filled.get(f"{PATH}?search=%00")

    assert reply.status == 422
    assert "must not contain the character NUL" in reply.json["detail"]


async def test_order_of_activity_is_read_from_indexes() -> None:
    plans: list[str] = []

    def explain(connection: Connection) -> None:
        raw = connection.connection.cursor()
        statements: list[tuple[str, object]] = []
        connection.connection.set_trace_callback(statements.append)  # type: ignore[attr-defined]
        activity_page(connection, after=None, limit=5, wanted=TransactionFilter(since=1.0))
        connection.connection.set_trace_callback(None)  # type: ignore[attr-defined]
        for statement in statements:
            plans.extend(row[-1] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}"))

    async with serving():
        await Store.run(partial(explain))

    assert any("open_transactions" in plan for plan in plans), plans
    assert any("ended_transactions" in plan for plan in plans), plans
    assert not any(plan == "SCAN transactions" for plan in plans), plans
