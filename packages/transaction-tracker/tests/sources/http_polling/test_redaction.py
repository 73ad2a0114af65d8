"""Redaction of secrets that a service repeats."""

from collections.abc import Callable

import pytest

from transaction_tracker.domain import Reported
from transaction_tracker.sources.http_polling import BatchLookUp, HttpPollingSource, SecretText
from transaction_tracker.sources.http_polling.redaction import keys, redactor

from .support import ScriptedService

Make = Callable[..., HttpPollingSource]

# Longer than the limits of a word and a reason.
LONG = "ghp" + "".join(f"{number:03d}x" for number in range(200))


async def reply(source: HttpPollingSource) -> object:
    return (await source.look_up(["T-1"]))["T-1"]


@pytest.mark.parametrize("key", ["s3cret-key", 'keyId="bank7",signature="s3cret"', LONG])
async def test_stored_reason_contains_no_secret(
    service: ScriptedService, make: Make, key: str
) -> None:
    source = make(error="why", headers={"Key": key})
    service.answer = lambda request: {
        "status": "rejected",
        "why": f"no right for {request.headers['Key']}, sorry",
    }

    assert await reply(source) == Reported("failed", "no right for …, sorry")


async def test_reason_in_a_batch_contains_no_secret_of_the_batch_url(
    service: ScriptedService, make: Make
) -> None:
    batch = BatchLookUp(f"{service.url}/all?ids={{ids}}&key=batch-key", items="all", id="id")
    source = make(error="why", batch=batch)
    service.answer = lambda request: {
        "all": [
            {"id": one, "status": "rejected", "why": request.query["key"]} for one in ("A", "B")
        ]
    }

    replies = await source.look_up(["A", "B"])

    assert replies == dict.fromkeys(("A", "B"), Reported("failed", "…"))


async def test_unknown_word_contains_no_part_of_a_long_secret(
    service: ScriptedService, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    source = make(headers={"Authorization": f"Bearer {LONG}"})
    service.answer = lambda request: {"status": f"for {request.headers['Authorization']}"}

    assert await reply(source) is None
    assert source.unknown_words == ("for …",)
    assert LONG[:6] not in caplog.text


async def test_secret_in_the_query_is_recognized_in_every_encoding(
    service: ScriptedService, make: Make
) -> None:
    key = "ab%2fcd%2BS3CRET%20x"
    source = make(url=f"{service.url}/{{id}}?key={key}", error="why")
    service.answer = lambda request: {
        "status": "rejected",
        "why": f"{request.raw_path} {request.query['key']} {key}",
    }

    assert await reply(source) == Reported("failed", "/T-1?key=… … …")


def test_parts_of_headers_and_urls_that_can_be_secrets() -> None:
    addresses = ["https://bank1.example:8443/v1/transfers/k3y-in-path/{id}?s=1&bare-key"]

    found = set(keys([SecretText("Bearer abcdef")], addresses))

    assert found == {"Bearer abcdef", "Bearer", "abcdef", "k3y-in-path", "bare-key"}


def test_secrets_with_a_common_start_are_removed_completely() -> None:
    assert redactor(["abcdef", "abcdefgh"])("abcdefgh abcdef") == "… …"


def test_text_is_unchanged_without_secrets() -> None:
    assert redactor([])("a text") == "a text"
