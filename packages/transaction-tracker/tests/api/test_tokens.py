"""Authentication over HTTP, and the limit on wrong tokens."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from transaction_tracker.api.access import (
    REFRESH_SECONDS,
    WINDOW_SECONDS,
    Failures,
    Tokens,
)
from transaction_tracker.api.options import WebOptions
from transaction_tracker.store import Store
from transaction_tracker.store.access import Token, list_tokens, revoke_token

from ..clock import Clock  # noqa: TID252 - the one virtual clock
from .support import Client, make_token, serving

MAX_FAILURES = WebOptions().max_failures


@pytest.fixture
async def closed() -> AsyncIterator[Client]:
    """An API with one token, which has the scope admin."""
    async with serving() as client:
        yield client.with_token(await make_token("admin"))


async def test_local_requests_need_no_token_before_the_first(client: Client) -> None:
    assert (await client.get("/v1/transactions")).status == 200


async def test_every_request_needs_a_token_after_the_first(closed: Client) -> None:
    reply = await closed.with_token(None).get("/v1/transactions")

    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer ")
    assert (await closed.get("/v1/transactions")).status == 200


async def test_revoking_the_last_token_admits_no_request(closed: Client) -> None:
    (token,) = (await closed.get("/v1/tokens")).json["tokens"]

    await closed.ask("DELETE", f"/v1/tokens/{token['id']}")

    assert (await closed.get("/v1/transactions")).status == 401
    assert (await closed.with_token(None).get("/v1/transactions")).status == 401


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        ("read", "GET", "/v1/transactions", True),
        ("read", "POST", "/v1/transactions", False),
        ("read", "DELETE", "/v1/transactions/abcdefgh", False),
        ("read", "GET", "/v1/tokens", False),
        ("read", "GET", "/v1/endpoints", False),
        ("write", "POST", "/v1/transactions", True),
        ("write", "GET", "/v1/transactions", False),
        ("write", "POST", "/v1/tokens", False),
        ("write", "POST", "/v1/deliveries/resume", False),
        ("write", "POST", "/v1/providers/x/pause", False),
        ("admin", "POST", "/v1/transactions", True),
        ("admin", "GET", "/v1/tokens", True),
    ],
)
async def test_token_has_the_rights_of_its_scope(
    client: Client, scope: str, method: str, path: str, allowed: bool
) -> None:
    holder = client.with_token(await make_token(scope))  # type: ignore[arg-type]

    reply = await holder.ask(method, path, json={"id": "abcdefgh"} if method == "POST" else None)

    assert (reply.status != 403) is allowed, reply.body
    assert allowed is (reply.status < 300)


async def test_expired_token_is_refused(closed: Client) -> None:
    short = closed.with_token(await make_token("read", expires_in=1e-6))

    assert (await short.get("/v1/transactions")).status == 401


async def test_created_token_is_shown_once_and_works_at_once(closed: Client) -> None:
    made = await closed.post("/v1/tokens", json={"label": "ci", "scopes": ["read"]})

    assert made.status == 201
    assert (await closed.with_token(made.json["token"]).get("/v1/transactions")).status == 200
    listed = await closed.get("/v1/tokens")
    assert made.json["token"].split("_", 2)[2].encode() not in listed.body


async def test_first_token_must_have_the_scope_admin(client: Client) -> None:
    refused = await client.post("/v1/tokens", json={"label": "ci", "scopes": ["read"]})
    made = await client.post("/v1/tokens", json={"label": "me", "scopes": ["admin"]})

    assert (refused.status, made.status) == (409, 201)


async def test_last_use_of_a_token_is_stored(closed: Client) -> None:
    await closed.get("/v1/transactions")

    (token,) = await Store.run(list_tokens)
    assert token.last_used_at is not None
    assert time.time() - token.last_used_at < 60


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer txt_000000000000_" + "A" * 43,
        "Bearer txt_' OR 1=1 --_x",
        "Bearer \udcff".encode("latin-1", "replace").decode("latin-1"),
        "Bearer " + "x" * 8_000,
    ],
)
async def test_invalid_authorization_is_401(closed: Client, header: str) -> None:
    guesser = closed.with_token(None)

    assert (await guesser.get("/v1/events", headers={"Authorization": header})).status == 401


async def test_two_authorization_headers_are_401(closed: Client) -> None:
    reader, writer = await closed.connect()
    line = f"Authorization: Bearer {closed.token}\r\n"
    writer.write(f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n{line}{line}\r\n".encode())

    assert b" 401 " in await reader.readline()
    writer.close()


async def test_blocked_address_is_refused_even_with_a_valid_token(closed: Client) -> None:
    good = await make_token("read")  # never used from here
    await closed.get("/v1/events")  # this one is
    wrong = closed.with_token("txt_000000000000_" + "A" * 43)

    statuses = [(await wrong.get("/v1/events")).status for _ in range(MAX_FAILURES + 2)]
    late = await closed.with_token(good).get("/v1/events")

    assert statuses == [401] * MAX_FAILURES + [429] * 2
    assert late.status == 429
    assert 0 < int(late.headers["retry-after"]) <= WINDOW_SECONDS
    # Behind one proxy all share an address: who was welcome before goes on.
    assert (await closed.get("/v1/events")).status == 200


async def test_requests_without_a_token_do_not_count_as_failures(closed: Client) -> None:
    nobody = closed.with_token(None)

    statuses = {(await nobody.get("/v1/events")).status for _ in range(MAX_FAILURES + 2)}

    assert statuses == {401}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_web_pages_are_refused_without_tokens(
    client: Client, headers: dict[str, str]
) -> None:
    assert (await client.get("/v1/transactions", headers=headers)).status == 403


def test_failures_expire() -> None:
    failures = Failures(MAX_FAILURES)
    for _ in range(MAX_FAILURES):
        failures.add("1.2.3.4", 0.0)

    assert failures.blocked("1.2.3.4", 1.0) == WINDOW_SECONDS - 1.0
    assert failures.blocked("1.2.3.4", WINDOW_SECONDS) is None
    assert failures.blocked("1.2.3.5", 1.0) is None


def test_failures_are_limited_per_minute() -> None:
    failures = Failures(MAX_FAILURES)
    for minute in range(3):
        now = minute * WINDOW_SECONDS
        for _ in range(MAX_FAILURES):
            assert failures.blocked("1.2.3.4", now) is None
            failures.add("1.2.3.4", now)

        assert failures.blocked("1.2.3.4", now + 1.0) == WINDOW_SECONDS - 1.0


def test_failures_use_bounded_memory() -> None:
    failures = Failures(MAX_FAILURES)
    for number in range(20_000):
        failures.add(str(number), 0.0)

    assert len(failures._by_address) == 10_000


async def test_token_revoked_by_another_program_is_refused_soon(client: Client) -> None:
    clock = [0.0]
    _, token = await make_token("read"), (await Store.run(list_tokens))[0]
    tokens = Tokens(lambda: Store.run(list_tokens), lambda: clock[0])
    assert [one.revoked_at for one in await tokens.all()] == [None]

    await Store.run(partial(revoke_token, token=token.id))
    clock[0] += REFRESH_SECONDS + 0.1

    (found,) = await tokens.all()
    assert found.revoked_at is not None


async def test_concurrent_requests_load_the_tokens_once() -> None:
    reads = 0

    async def load() -> list[Token]:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return []

    tokens = Tokens(load)

    await asyncio.gather(*(tokens.all() for _ in range(10)))

    assert reads == 1


async def test_wrong_tokens_count_per_ipv6_network_and_ipv4_address() -> None:
    async with serving(trusted_proxies=("127.0.0.0/8",), max_failures=MAX_FAILURES) as client:
        await make_token("read")
        wrong = client.with_token("txt_000000000000_" + "A" * 43)

        async def status(address: str) -> int:
            reply = await wrong.get("/v1/events", headers={"X-Forwarded-For": address})
            return reply.status

        for number in range(MAX_FAILURES):
            assert await status(f"2001:db8::{number}:1") == 401
            assert await status(f"::ffff:192.0.2.{number}") == 401

        assert await status("2001:db8::ffff") == 429
        assert await status("2001:db8:0:1::1") == 401
        assert await status("::ffff:192.0.2.99") == 401


@dataclass
class SlowLoad:
    """Loads tokens, unless the database is silent."""

    tokens: list[Any] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> list[Any]:
        await self.answers.wait()
        return list(self.tokens)


async def test_known_tokens_are_used_while_the_database_does_not_answer(clock: Clock) -> None:
    load, now = SlowLoad(["first"]), [0.0]
    tokens = Tokens(load, clock=lambda: now[0])
    load.answers.set()
    assert await tokens.all() == ["first"]

    load.answers.clear()
    load.tokens = ["second"]
    for step in (lambda: now.__setitem__(0, now[0] + REFRESH_SECONDS + 1), tokens.expire):
        step()
        asked = asyncio.ensure_future(tokens.all())
        await clock.advance_awake(asked.done)
        assert asked.result() == ["first"]

    load.answers.set()
    tokens.expire()
    assert await tokens.all() == ["second"]


async def test_tokens_that_this_api_has_changed_are_loaded_however_long_it_takes(
    clock: Clock,
) -> None:
    load = SlowLoad(["revoked"])
    tokens = Tokens(load)
    load.answers.set()
    await tokens.all()

    load.answers.clear()
    load.tokens = []
    tokens.forget()
    asked = asyncio.ensure_future(tokens.all())
    for _ in range(100):
        clock.advance(1.0)
        await asyncio.sleep(0)
    assert not asked.done()
    load.answers.set()

    assert await asked == []
