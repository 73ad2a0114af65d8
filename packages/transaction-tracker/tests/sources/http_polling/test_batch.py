"""Look-ups of many transactions in one request, and of those that the response lacks."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.domain import Reported
from transaction_tracker.net.url import MAX_URL_CHARACTERS
from transaction_tracker.sources import MalformedError, ServerError
from transaction_tracker.sources.http_polling import BatchLookUp, HttpPollingSource

from .support import SECRET, ScriptedService

Make = Callable[..., HttpPollingSource]


@pytest.fixture
def source(make: Make, service: ScriptedService) -> HttpPollingSource:
    return make(batch=batch(service))


def batch(service: ScriptedService, **options: Any) -> BatchLookUp:
    url = f"{service.url}/{SECRET}/many?ids={{ids}}"
    return BatchLookUp(url, items="items", id="id", **options)


def ids(request: web.Request) -> list[str]:
    return request.query["ids"].split(",")


def all_of_them(request: web.Request) -> Any:
    return {"items": [{"id": one, "status": "settled"} for one in ids(request)]}


async def test_many_transactions_are_in_one_request(
    source: HttpPollingSource, service: ScriptedService
) -> None:
    service.answer = all_of_them
    asked = [f"t{number}" for number in range(50)]

    assert await source.look_up(asked) == dict.fromkeys(asked, Reported("confirmed"))
    assert len(service.received) == 1


async def test_single_transaction_is_not_sent_as_a_batch(
    source: HttpPollingSource, service: ScriptedService
) -> None:
    await source.look_up(["t1"])

    assert service.paths == [f"/{SECRET}/transfers/t1"]


async def test_transactions_missing_in_the_response_are_looked_up_one_by_one(
    source: HttpPollingSource, service: ScriptedService
) -> None:
    def answer(request: web.Request) -> Any:
        if "ids" not in request.query:
            return web.Response(status=404)
        return {"items": [{"id": "t1", "status": "processing"}]}

    service.answer = answer

    assert await source.look_up(["t1", "t2"]) == {"t1": Reported("pending"), "t2": None}
    assert service.paths[1:] == [f"/{SECRET}/transfers/t2"]


async def test_malformed_item_does_not_affect_other_items(
    source: HttpPollingSource, service: ScriptedService
) -> None:
    items = [
        {"id": "t1", "status": "settled"},
        {"id": "t2", "status": []},
        {"id": "t3", "status": "settled"},
        {"id": "t3", "status": "rejected"},
        {"id": "others", "status": "settled"},
        {"id": {}},
        None,
    ]
    service.answer = lambda _: {"items": items}

    told = await source.look_up(["t1", "t2", "t3"])

    assert told["t1"] == Reported("confirmed")
    assert isinstance(told["t2"], MalformedError)
    assert isinstance(told["t3"], MalformedError)  # two different items for one transaction
    assert told.keys() == {"t1", "t2", "t3"}


@pytest.mark.parametrize("status", [400, 404, 413, 414])
async def test_refused_batch_makes_the_next_one_smaller(
    source: HttpPollingSource, service: ScriptedService, status: int
) -> None:
    def answer(request: web.Request) -> Any:
        if "ids" not in request.query:
            return {"status": "settled"}
        return all_of_them(request) if len(ids(request)) <= 10 else web.Response(status=status)

    service.answer = answer
    asked = [f"t{number}" for number in range(50)]

    for _ in range(4):
        assert set((await source.look_up(asked[: source.ids_per_request])).values()) == {
            Reported("confirmed")
        }

    assert source.ids_per_request <= 10


async def test_failing_batch_is_not_repeated_one_by_one(
    source: HttpPollingSource, service: ScriptedService
) -> None:
    service.answer = lambda _: web.Response(status=500)

    told = await source.look_up(["t1", "t2"])

    assert [type(reply) for reply in told.values()] == [ServerError] * 2
    assert len(service.received) == 1
    assert source.ids_per_request == 50


async def test_url_of_a_batch_is_never_too_long(make: Make, service: ScriptedService) -> None:
    service.answer = all_of_them
    source = make(batch=batch(service), id_pattern=".+")
    asked = [f"{number}-" + "ü" * 60 for number in range(20)]

    told = await source.look_up(asked)

    assert told == dict.fromkeys(asked, Reported("confirmed"))
    assert all(len(service.url + path) <= MAX_URL_CHARACTERS for path in service.paths)
    assert 1 < len(service.received) < 20


async def test_id_with_the_separator_is_looked_up_alone(
    make: Make, service: ScriptedService
) -> None:
    def answer(request: web.Request) -> Any:
        return all_of_them(request) if "ids" in request.query else {"status": "rejected"}

    service.answer = answer
    source = make(batch=batch(service), id_pattern=".+")

    told = await source.look_up(["a", "b", "c,d"])

    assert told["c,d"] == Reported("failed")
    assert ids(service.received[0]) == ["a", "b"]


async def test_item_can_have_other_paths_than_a_single_response(
    make: Make, service: ScriptedService
) -> None:
    service.answer = lambda _: {
        "items": [{"id": n, "now": {"is": "rejected", "why": 7}} for n in (1, 2)]
    }
    source = make(batch=batch(service, status="now.is", error="now.why"))

    assert await source.look_up(["1", "2"]) == dict.fromkeys("12", Reported("failed", "7"))
