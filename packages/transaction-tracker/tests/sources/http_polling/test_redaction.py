"""A service that repeats what it was asked with."""

from collections.abc import Callable

import pytest

from transaction_tracker.domain import Reported
from transaction_tracker.sources.http_polling import Batch, HttpPollingSource, SecretText
from transaction_tracker.sources.http_polling.redaction import keys, without

from .support import ScriptedService

Make = Callable[..., HttpPollingSource]

# Longer than anything that is shown of a word or a reason.
LONG = "ghp" + "".join(f"{number:03d}x" for number in range(200))


async def reply(source: HttpPollingSource) -> object:
    return (await source.look_up(["T-1"]))["T-1"]


@pytest.mark.parametrize("key", ["s3cret-key", 'keyId="bank7",signature="s3cret"', LONG])
async def test_reason_that_is_kept_has_no_key(
    service: ScriptedService, make: Make, key: str
) -> None:
    source = make(error="why", headers={"Key": key})
    service.answer = lambda request: {
        "status": "rejected",
        "why": f"no right for {request.headers['Key']}, sorry",
    }

    assert await reply(source) == Reported("failed", "no right for …, sorry")


async def test_reason_in_an_answer_about_many_has_no_key_of_the_batch(
    service: ScriptedService, make: Make
) -> None:
    batch = Batch(f"{service.url}/all?ids={{ids}}&key=batch-key", items="all", id="id")
    source = make(error="why", batch=batch)
    service.answer = lambda request: {
        "all": [
            {"id": one, "status": "rejected", "why": request.query["key"]} for one in ("A", "B")
        ]
    }

    replies = await source.look_up(["A", "B"])

    assert replies == dict.fromkeys(("A", "B"), Reported("failed", "…"))


async def test_strange_word_has_no_part_of_a_long_key(
    service: ScriptedService, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    source = make(headers={"Authorization": f"Bearer {LONG}"})
    service.answer = lambda request: {"status": f"for {request.headers['Authorization']}"}

    assert await reply(source) is None
    assert source.strange_words == ("for …",)
    assert LONG[:6] not in caplog.text


async def test_key_in_the_query_is_known_however_it_is_repeated(
    service: ScriptedService, make: Make
) -> None:
    key = "ab%2fcd%2BS3CRET%20x"
    source = make(url=f"{service.url}/{{id}}?key={key}", error="why")
    service.answer = lambda request: {
        "status": "rejected",
        "why": f"{request.raw_path} {request.query['key']} {key}",
    }

    assert await reply(source) == Reported("failed", "/T-1?key=… … …")


def test_what_may_be_a_key() -> None:
    addresses = ["https://bank1.example:8443/v1/transfers/k3y-in-path/{id}?s=1&bare-key"]

    found = set(keys([SecretText("Bearer abcdef")], addresses))

    assert found == {"Bearer abcdef", "Bearer", "abcdef", "k3y-in-path", "bare-key"}


def test_of_keys_that_begin_alike_nothing_is_left_over() -> None:
    assert without(["abcdef", "abcdefgh"])("abcdefgh abcdef") == "… …"


def test_without_keys_a_text_stays_as_it_is() -> None:
    assert without([])("a text") == "a text"
