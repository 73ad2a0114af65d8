"""Invalid options of the source; each error names the option."""

import re
from typing import Any

import pytest

from transaction_tracker.domain import InvalidTransactionError
from transaction_tracker.sources.http_polling import (
    BatchLookUp,
    Feed,
    HttpPollingSource,
    PollingPolicy,
    RequestLimits,
    SecretText,
)

URL = "https://bank.example/transfers/{id}?key=s3cret-key"
BATCH: dict[str, Any] = {"url": "https://bank.example/many/{ids}", "items": "items", "id": "id"}
FEED: dict[str, Any] = {
    "url": "https://bank.example/events?after={cursor}",
    "entries": "events",
    "id": "id",
    "next": "next",
}


def make(url: Any = URL, **options: Any) -> HttpPollingSource:
    defaults: dict[str, Any] = {"name": "bank", "status": "status", "words": {"ok": "confirmed"}}
    return HttpPollingSource(url, **(defaults | options))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://bank.example/transfers", "url must contain {id} exactly once"),
        ("https://bank.example/{id}/{id}", "url must contain {id} exactly once"),
        ("https://bank.example/{id}/{other}", "no other braces"),
        ("https://bank.example/{id}/}", "no other braces"),
        ("https://{id}.bank.example/", "url must have its placeholder after the host"),
        ("https://bank.example:1{id}000/", "url must have its placeholder after the host"),
        ("ftp://bank.example/{id}", "a URL must look like https://host/path"),
        ("http://bank.example/{id}", "a URL must begin with https://"),
        ("https://user:s3cret-key@bank.example/{id}", "no user and no password"),
        ("https://bank.example/#{id}", "no fragment"),
        ("https://10.0.0.1/{id}", "10.0.0.1 is not allowed: the address is private"),
        ("https://localhost/{id}", "'localhost' is not allowed"),
        ("https://bank.example/{id}" + "x" * 2_000, "at most 1500 characters"),
        (7, "url must be a URL"),
    ],
)
def test_invalid_url_is_an_error(url: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        make(url)

    assert "s3cret-key" not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["", ".", ".a", "a.", "a..b", "a b", "a[", "a[x]", "a[-1]", "a[*]", "*", "$a", "$..a", "a[0]b"],
)
def test_invalid_path_is_an_error(path: str) -> None:
    with pytest.raises(ValueError, match=r"^status must be a path such as data.transfers\[0\]"):
        make(status=path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"words": {}}, "words must map a word to 'confirmed'"),
        ({"words": {"ok": "pending"}}, "words must map a word to 'confirmed'"),
        ({"words": {"ok": "done"}}, "words['ok'] must be one of"),
        ({"words": {"ok": "mined"}}, "a service cannot report mined"),
        ({"words": {"": "confirmed"}}, "words must have keys of 1 to 100 characters"),
        ({"words": {True: "confirmed"}}, "true, false and numbers too"),
        ({"words": "ok"}, "words must be a mapping"),
        ({"not_found": "gone"}, "not_found must be one of"),
        ({"name": "The Bank"}, "name must be small letters"),
        ({"id_pattern": "("}, "id_pattern must be a regular expression"),
        ({"id_pattern": None}, "id_pattern must be a regular expression"),
        ({"error": "a b"}, "error must be a path"),
        ({"id": "a b"}, "id must be a path"),
        ({"allow": ["10.0.0.1/8"]}, "an allow list must hold"),
        ({"policy": PollingPolicy(watch_days=1)}, "policy.watch_days needs a word for 'reversed'"),
    ],
)
def test_invalid_option_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(**options)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Bad Name": "x"}, "headers must have names such as Authorization, got 'Bad Name'"),
        ({"": "x"}, "headers must have names"),
        ({"Host": "x"}, "headers must not contain Host"),
        ({"If-None-Match": "x"}, "headers must not contain If-None-Match"),
        ({"Key": "s3cret\r\nEvil: 1"}, "headers['Key'] must be 1 to 8000 printable ASCII"),
        ({"Key": "s3cret-ü"}, "printable ASCII"),
        ({"Key": ""}, "printable ASCII"),
        ({"Key": b"s3cret"}, "a secret must be text, got a value of type bytes"),
        (["s3cret"], "headers must be a mapping"),
    ],
)
def test_invalid_header_is_an_error(headers: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        make(headers=headers)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "https://bank.example/many"}, "batch.url must contain {ids} exactly once"),
        ({"items": "a b"}, "batch.items must be a path"),
        ({"id": "a b"}, "batch.id must be a path"),
        ({"status": "a b"}, "batch.status must be a path"),
        ({"error": "a b"}, "batch.error must be a path"),
        ({"separator": ""}, "batch.separator must be one character"),
        ({"most": 1}, "batch.most must be a number from 2 to 1,000"),
        ({"most": True}, "batch.most must be a number"),
    ],
)
def test_invalid_batch_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(batch=BatchLookUp(**(BATCH | options)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "https://bank.example/events"}, "feed.url must contain {cursor} exactly once"),
        ({"entries": ""}, "feed.entries must be a path"),
        ({"id": ""}, "feed.id must be a path"),
        ({"status": ""}, "feed.status must be a path"),
        ({"status": "a", "error": ""}, "feed.error must be a path"),
        ({"next": ""}, "feed.next must be a path"),
        ({"next": None}, "feed must have either next or entry_cursor"),
        ({"entry_cursor": "id"}, "feed must have either next or entry_cursor"),
        ({"next": None, "entry_cursor": ""}, "feed.entry_cursor must be a path"),
        ({"start": 0}, "feed.start must be text"),
    ],
)
def test_invalid_feed_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(feed=Feed(**(FEED | options)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first_delay": 0}, "first_delay must be a number over 0"),
        ({"first_delay": True}, "first_delay must be a number over 0"),
        ({"longest_delay": float("inf")}, "longest_delay must be a number over 0"),
        ({"longest_delay": 0.5}, "longest_delay must be first_delay or more"),
        ({"watch_longest_delay": 1}, "watch_longest_delay must be watch_first_delay or more"),
        ({"agree": 0}, "agree must be a number from 1 to 100"),
        ({"agree": 1.5}, "agree must be a number from 1 to 100"),
        ({"watch_days": -1}, "watch_days must be from 0 to 3660"),
        ({"watch_days": float("nan")}, "watch_days must be from 0 to 3660"),
        ({"feed_interval": "1"}, "feed_interval must be a number over 0"),
    ],
)
def test_invalid_policy_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        PollingPolicy(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"requests_per_second": 0}, "limits.requests_per_second must be a number over 0"),
        ({"requests_per_second": 0.01}, "limits.requests_per_second must be 0.1 or more"),
        ({"in_flight": 0}, "limits.in_flight must be a number from 1 to 256"),
        ({"deadline": None}, "limits.deadline must be a number over 0"),
        ({"answer_bytes": 2**40}, "limits.answer_bytes must be a number from 1"),
    ],
)
def test_invalid_limits_are_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        RequestLimits(**options)


@pytest.mark.parametrize("text", ["", ".", "..", "a b", "a/b", "é", "x" * 65, "a\n", None, 7])
def test_invalid_id_is_refused(text: Any) -> None:
    with pytest.raises(InvalidTransactionError, match="a transaction id of bank must match"):
        make().identify(text)


@pytest.mark.parametrize("text", [".", "..", "a\0", "a\ud800", "x" * 201])
def test_some_texts_are_invalid_ids_for_every_pattern(text: str) -> None:
    with pytest.raises(InvalidTransactionError):
        make(id_pattern="(?s:.*)").identify(text)


def test_id_is_not_changed() -> None:
    assert make().identify("Txn_01-a") == "Txn_01-a"


def test_secret_is_never_printed() -> None:
    source = make(headers={"Authorization": "Bearer s3cret-key"})
    shown = [source, SecretText("s3cret-key"), BatchLookUp(**BATCH | {"url": "s3cret-key"})]

    assert all("s3cret-key" not in f"{one} {one!r}" for one in shown)


def test_low_rate_limits_concurrent_look_ups() -> None:
    fast, slow = (make(limits=RequestLimits(requests_per_second=rate)) for rate in (100, 0.1))

    assert (fast.in_flight, slow.in_flight) == (8, 1)


async def test_reading_a_missing_feed_is_an_error() -> None:
    assert not make().has_feed
    with pytest.raises(RuntimeError, match="has no feed"):
        await make().read_feed(None)
