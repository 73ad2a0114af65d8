"""A POST repeated with its key is executed once."""

import asyncio

import pytest

from transaction_tracker.api.idempotency import Idempotency
from transaction_tracker.store import Store
from transaction_tracker.store.access import find_answer

from .support import Client, make_token, register

PATH = "/v1/transactions"
KEY = {"Idempotency-Key": "4b4c1b0e-order-7"}


async def test_repeated_request_gets_the_stored_response(client: Client) -> None:
    first = await client.post(PATH, json={"id": "abcdefgh"}, headers=KEY)
    await client.ask("DELETE", f"{PATH}/abcdefgh")

    second = await client.post(PATH, json={"id": "abcdefgh"}, headers=KEY)

    assert second.body == first.body
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["content-type"] == "application/json"
    # It was not done again.
    assert (await client.get(f"{PATH}/abcdefgh")).json["state"] == "untracked"


async def test_key_with_another_body_or_path_is_refused(client: Client) -> None:
    await client.post(PATH, json={"id": "abcdefgh"}, headers=KEY)

    body = await client.post(PATH, json={"id": "abcdefgi"}, headers=KEY)
    path = await client.post(f"{PATH}/abcdefgh/recheck", headers=KEY)

    assert (body.status, path.status) == (422, 422)
    assert body.json["type"].endswith(":idempotency-key-reuse")
    assert (await client.get(f"{PATH}/abcdefgi")).status == 404


async def test_key_with_another_query_is_refused(client: Client) -> None:
    await client.post(f"{PATH}/abcdefgh/recheck?a=1", headers=KEY)
    await client.post(PATH, json={"id": "abcdefgh"}, headers=KEY)

    other = await client.post(f"{PATH}?note=paid", json={"id": "abcdefgh"}, headers=KEY)

    assert other.status == 422
    assert other.json["type"].endswith(":idempotency-key-reuse")


async def test_refused_request_can_be_corrected_with_the_same_key(client: Client) -> None:
    refused = await client.post(PATH, json={"id": "no"}, headers=KEY)
    mended = await client.post(PATH, json={"id": "abcdefgh"}, headers=KEY)

    assert (refused.status, mended.status) == (422, 200)


async def test_keys_belong_to_their_token(client: Client) -> None:
    one = client.with_token(await make_token("admin"))
    other = client.with_token(await make_token("admin"))
    await one.post(PATH, json={"id": "abcdefgh"}, headers=KEY)

    reply = await other.post(PATH, json={"id": "abcdefgi"}, headers=KEY)

    assert reply.status == 200


async def test_repeat_during_the_first_request_is_a_conflict() -> None:
    going, go = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> None:
        going.set()
        await go.wait()

    layer = Idempotency(slow, frozenset())  # type: ignore[arg-type]
    layer._in_progress.add(("", "k"))
    sent: list[object] = []

    with pytest.raises(Exception, match="in progress"):
        await layer(_scope("k"), _nothing, sent.append)  # type: ignore[arg-type]

    assert not going.is_set()


async def test_concurrent_repeats_execute_once(client: Client) -> None:
    body = [{"id": f"{number:08}"} for number in range(500)]

    replies = await asyncio.gather(*(client.post(PATH, json=body, headers=KEY) for _ in range(8)))

    done = [one for one in replies if one.status == 200]
    assert {one.status for one in replies} <= {200, 409}
    assert sum("idempotent-replayed" not in one.headers for one in done) == 1


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "a\tb"])
async def test_invalid_key_is_refused(client: Client, key: str) -> None:
    reply = await client.post(PATH, json={"id": "abcdefgh"}, headers={"Idempotency-Key": key})

    assert reply.status == 400
    assert reply.json["errors"][0]["header"] == "Idempotency-Key"


async def test_response_with_a_token_is_not_stored(client: Client) -> None:
    wanted = {"label": "me", "scopes": ["admin"]}

    reply = await client.post("/v1/tokens", json=wanted, headers=KEY)

    assert reply.status == 400
    assert await Store.run(lambda c: find_answer(c, "", KEY["Idempotency-Key"])) is None


async def test_post_without_a_body_accepts_a_key(client: Client) -> None:
    await register(client, "abcdefgh")

    first = await client.post(f"{PATH}/abcdefgh/recheck", headers=KEY)
    second = await client.post(f"{PATH}/abcdefgh/recheck", headers=KEY)

    assert (first.status, second.status) == (202, 202)
    assert second.headers["idempotent-replayed"] == "true"


def _scope(key: str) -> dict[str, object]:
    from transaction_tracker.api.access import ANYBODY

    return {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "query_string": b"",
        "headers": [(b"idempotency-key", key.encode())],
        "state": {"principal": ANYBODY},
    }


async def _nothing() -> dict[str, object]:
    return {"type": "http.request", "body": b"", "more_body": False}
