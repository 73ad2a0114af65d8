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
        ({"policy": PollingPolicy(watch_for=1)}, "policy.watch_for needs a word for 'reversed'"),
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
        ({"items": "a b"}, "items must be a path"),
        ({"id": "a b"}, "id must be a path"),
        ({"status": "a b"}, "status must be a path"),
        ({"error": "a b"}, "error must be a path"),
        ({"separator": ""}, "separator must be one character"),
        ({"most": 1}, "most must be a number, 2 to 1,000, got 1"),
        ({"most": True}, "most must be a number, 2 to 1,000, got True"),
    ],
)
def test_invalid_batch_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(batch=BatchLookUp(**(BATCH | options)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "https://bank.example/events"}, "feed.url must contain {cursor} exactly once"),
        ({"entries": ""}, "entries must be a path"),
        ({"id": ""}, "id must be a path"),
        ({"status": ""}, "status must be a path"),
        ({"status": "a", "error": ""}, "error must be a path"),
        ({"next": ""}, "next must be a path"),
        ({"next": None}, "Feed must have either next or entry_cursor"),
        ({"entry_cursor": "id"}, "Feed must have either next or entry_cursor"),
        ({"next": None, "entry_cursor": ""}, "entry_cursor must be a path"),
        ({"start": 0}, "start must be a text of up to 1,000 characters, got 0"),
    ],
)
def test_invalid_feed_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(feed=Feed(**(FEED | options)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first_delay": 0}, "first_delay must be over 0: seconds"),
        ({"first_delay": True}, "first_delay must be over 0: seconds"),
        ({"longest_delay": float("inf")}, "longest_delay must be first_delay or more: seconds"),
        ({"longest_delay": 0.5}, "longest_delay must be at least first_delay (1 s), got 0.5 s"),
        (
            {"watch_longest_delay": 1},
            "watch_longest_delay must be at least watch_first_delay (600 s)",
        ),
        ({"agree": 0}, "agree must be a number, 1 to 100"),
        ({"agree": 1.5}, "agree must be a number, 1 to 100"),
        ({"watch_for": -1}, "watch_for must be 0 to 3660d: seconds"),
        ({"watch_for": float("nan")}, "watch_for must be 0 to 3660d: seconds"),
        ({"feed_interval": "soon"}, "feed_interval must be over 0: seconds"),
    ],
)
def test_invalid_policy_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        PollingPolicy(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"requests_per_second": 0}, "requests_per_second must be a number, 0.1 or more"),
        ({"requests_per_second": 0.01}, "requests_per_second must be a number, 0.1 or more"),
        ({"in_flight": 0}, "in_flight must be a number, 1 to 256"),
        ({"deadline": None}, "deadline must be over 0, up to 1h: seconds"),
        ({"answer_bytes": 2**40}, "answer_bytes must be a number, 1 to 67,108,864"),
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
