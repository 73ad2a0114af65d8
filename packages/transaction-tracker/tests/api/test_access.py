"""Tokens and stored responses, in each kind of database."""

import sqlite3
import time
from contextlib import closing
from functools import partial

import pytest

from transaction_tracker.store import Store
from transaction_tracker.store.access import (
    KEY_SECONDS,
    StoredResponse,
    create_token,
    find_answer,
    has_usable_token,
    keep_answer,
    list_tokens,
    match_token,
    revoke_token,
    touch_token,
)
from transaction_tracker.store.feed import events_page, last_events
from transaction_tracker.store.listing import TransactionFilter, id_page
from transaction_tracker.store.pages import (
    last_position,
    touch,
    transaction_page,
)

from .support import move, register, serving


async def test_tokens_are_stored_in_each_kind_of_database(database_url: str) -> None:
    async with serving(database=database_url):
        assert not await Store.run(has_usable_token)
        given, token = await Store.run(
            partial(create_token, label="ci", scopes=["read", "write"], expires_in=60)
        )
        assert await Store.run(has_usable_token)
        assert await Store.run(list_tokens) == [token]

        await Store.run(partial(touch_token, token=token.id))
        assert await Store.run(partial(revoke_token, token=token.id))
        assert not await Store.run(partial(revoke_token, token=token.id))

        (known,) = await Store.run(list_tokens)
        assert not await Store.run(has_usable_token)
        assert match_token(given, [known]) == known
        assert not known.usable(time.time())
        assert known.scopes == {"read", "write"}


async def test_responses_are_stored_in_each_kind_of_database(database_url: str) -> None:
    answer = StoredResponse("f" * 64, 200, "application/json", b'{"a": 1}')
    async with serving(database=database_url):
        await Store.run(partial(keep_answer, owner="", key="k", answer=answer))

        assert await Store.run(partial(find_answer, owner="", key="k")) == answer
        assert await Store.run(partial(find_answer, owner="x", key="k")) is None


async def test_stored_response_is_deleted_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = StoredResponse("f" * 64, 200, "application/json", b"{}")
    async with serving():
        await Store.run(partial(keep_answer, owner="", key="k", answer=answer))
        later = time.time() + KEY_SECONDS + 1
        monkeypatch.setattr(time, "time", lambda: later)

        assert await Store.run(partial(find_answer, owner="", key="k")) is None
        await Store.run(partial(keep_answer, owner="", key="k", answer=answer))


async def test_pages_are_the_same_in_any_database(database_url: str) -> None:
    async with serving(database=database_url) as client:
        await register(client, "aaaaaaaa", "bbbbbbbb", "cccccccc")
        await move("bbbbbbbb", state="pending")
        await move("bbbbbbbb", state="missing")

        listed = await Store.run(partial(id_page, after="aaaaaaaa", limit=5))
        missing = TransactionFilter(states=frozenset({"missing"}))
        some = await Store.run(partial(id_page, after=None, limit=5, wanted=missing))
        one = await Store.run(partial(transaction_page, transaction="cccccccc"))
        page = await Store.run(partial(events_page, after=1, limit=5))
        last = await Store.run(partial(last_events, transaction="bbbbbbbb", limit=1))
        await Store.run(touch)

        assert [kept.tracked.id for kept in listed] == ["bbbbbbbb", "cccccccc"]
        assert [kept.tracked.id for kept in some] == ["bbbbbbbb"]
        assert one is not None
        assert one.metadata == "{}"
        assert [entry.event.id for entry in page] == ["bbbbbbbb:2"] == [last[0].event.id]
        assert await Store.run(last_position) == 2


async def test_token_text_is_not_in_the_database(tmp_path: object) -> None:
    path = f"{tmp_path}/test.db"
    async with serving(database=path):
        given, token = await Store.run(partial(create_token, label="ci", scopes=["read"]))
    with closing(sqlite3.connect(path)) as connection:
        rows = str(connection.execute("select * from tokens").fetchall())

    secret = given.split("_", 2)[2]
    assert token.id in rows
    assert secret not in rows
    assert secret not in repr(token)
    assert token.secret_hash not in repr(token)


async def test_token_matches_only_completely() -> None:
    async with serving():
        given, token = await Store.run(partial(create_token, label="ci", scopes=["read"]))
        _, other = await Store.run(partial(create_token, label="ci", scopes=["admin"]))

    known = [token, other]
    assert match_token(given, known) == token
    for wrong in (given[:-1], given + "x", given.upper(), given.replace(token.id, other.id), ""):
        assert match_token(wrong, known) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": ""},
        {"label": "a" * 101},
        {"label": "a\nb"},
        {"scopes": []},
        {"scopes": ["root"]},
        {"expires_in": 0},
        {"expires_in": float("nan")},
    ],
)
async def test_invalid_token_values_are_refused(wrong: dict[str, object]) -> None:
    arguments = {"label": "ci", "scopes": ["read"]} | wrong
    async with serving():
        with pytest.raises(ValueError, match=next(iter(wrong))):
            await Store.run(partial(create_token, **arguments))  # type: ignore[arg-type]
