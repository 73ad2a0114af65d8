"""The configuration of a service over HTTP."""

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from transaction_tracker.domain import InvalidTransactionError
from transaction_tracker.settings import (
    Configuration,
    ConfigurationError,
    Flags,
    load,
)
from transaction_tracker.settings.convert import application_settings, application_source
from transaction_tracker.sources.http_polling import (
    BatchLookUp,
    Feed,
    HttpPollingSource,
    HttpSection,
    PollingPolicy,
    RequestLimits,
    SecretText,
)
from transaction_tracker.sources.http_polling.id_pattern import let_through
from transaction_tracker.sources.http_polling.words import REPORTABLE, Meaning

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "sources.md"

Written = Callable[[str], Path]

MINIMAL = """
[source]
type = "http"
[http]
name = "bank"
url = "https://bank.example/v1/s3cret/{id}?key=s3cret"
status = "status"
words = { settled = "confirmed", returned = "reversed", "in review" = "nothing" }
"""
BATCH = '[http.batch]\nurl = "https://bank.example/s3cret?ids={ids}"\nitems = "all"\nid = "id"\n'
FEED = (
    '[http.feed]\nurl = "https://bank.example/s3cret/{cursor}"\n'
    'entries = "all"\nid = "id"\nnext = "next"\n'
)


def made(configuration: Configuration) -> HttpPollingSource:
    source = application_source(configuration)
    assert source is not None
    return source


def wrong(path: Path, **flags: object) -> str:
    typed = {tuple(key.split("__")): (value, "--set") for key, value in flags.items()}
    with pytest.raises(ConfigurationError) as caught:
        load(path, Flags(typed))
    message = str(caught.value)
    assert "s3cret" not in message + repr(caught.value.problems)
    return message.replace(str(path), path.name)


def test_required_options_are_enough(written: Written) -> None:
    configuration = load(written(MINIMAL))

    source = made(configuration)
    assert source.name == "http:bank"
    assert source.policy == PollingPolicy()
    assert (source.ids_per_request, source.has_feed, source.in_flight) == (
        1,
        False,
        RequestLimits().in_flight,
    )
    assert application_settings(configuration).endpoints == ()


def test_configuration_of_the_page_can_be_used(written: Written) -> None:
    (text,) = re.findall(
        r"^```text\n# txtrack.toml\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.M
    )

    source = made(load(written(text)))

    assert source.name == "http:example-bank"
    assert source.identify("PAY-17") == "PAY-17"


def test_section_has_the_options_of_the_source() -> None:
    options = set(HttpPollingSource.__init__.__annotations__) - {"return"}
    own = {*PollingPolicy.model_fields, *RequestLimits.model_fields, "allow_private"}

    assert set(HttpSection.model_fields) == options - {"policy", "limits", "allow"} | own
    assert set(get_args(Meaning)) == {*REPORTABLE, "nothing"}


def test_every_option_reaches_the_source(written: Written) -> None:
    seen: dict[str, Any] = {}

    class Source(HttpPollingSource):
        def __init__(self, url: str, **rest: Any) -> None:
            seen.update(rest, url=url)

    delays = {"first_delay": "2s", "longest_delay": "3s", "agree": 4, "watch_for": "36h"}
    delays |= {"watch_first_delay": "5s", "watch_longest_delay": "6s", "feed_interval": "7s"}
    limits = {"requests_per_second": 8, "in_flight": 9, "deadline": "10s", "answer_bytes": 11}
    more = {"error": "why", "id": "id", "not_found": "missing", "id_pattern": "[0-9]{1,9}"}
    more |= {"headers": {"X-Key": "s3cret"}, "allow_private": ["10.0.0.0/8"]}
    flags = {("http", key): (value, "--set") for key, value in (delays | limits | more).items()}
    inner = {("batch", "status"): "b", ("batch", "error"): "c", ("batch", "separator"): ";"}
    inner |= {("batch", "most"): 12, ("feed", "status"): "d", ("feed", "error"): "e"}
    inner |= {("feed", "start"): "0"}
    flags |= {("http", *key): (value, "--set") for key, value in inner.items()}

    section = load(written(MINIMAL + BATCH + FEED), Flags(flags)).http
    assert section is not None
    Source.of(section)

    assert seen == {
        "url": "https://bank.example/v1/s3cret/{id}?key=s3cret",
        "name": "bank",
        "status": "status",
        "words": {"settled": "confirmed", "returned": "reversed", "in review": None},
        "id_pattern": "[0-9]{1,9}",
        "id": "id",
        "error": "why",
        "not_found": "missing",
        "headers": {"X-Key": SecretText("s3cret")},
        "batch": BatchLookUp(
            "https://bank.example/s3cret?ids={ids}", "all", "id", "b", "c", ";", 12
        ),
        "feed": Feed(
            "https://bank.example/s3cret/{cursor}", "all", "id", "d", "e", "next", start="0"
        ),
        "policy": PollingPolicy(2, 3, 4, 36 * 3_600, 5, 6, 7),
        "limits": RequestLimits(8, 9, 10, 11),
        "allow": ("10.0.0.0/8",),
    }


WRONG: list[tuple[str, str]] = [
    ('[source]\ntype = "http"', 'http is required for source.type = "http": a table with name,'),
    ('[source]\ntype = "http"\n[http]', "http.url is required: a URL such as https://"),
    ('[source]\ntype = "http"\n[http]', "http.status is required: a path such as"),
    (
        MINIMAL.replace('"http"', '"ethereum"'),
        'http requires source.type = "http", got source.type',
    ),
    (MINIMAL.replace('"http"', '"http"\nchain_id = 1'), "source.chain_id requires source.type"),
    (
        MINIMAL.replace('"http"', '"http"\nconfirmations = 3'),
        'source.confirmations requires source.type = "ethereum": a service over HTTP has no '
        "blocks; remove it (some.toml line 4)",
    ),
    (MINIMAL + '[[providers]]\nurl = "http://a/s3cret"', "providers require source.type"),
    (MINIMAL.replace('"confirmed"', '"done"'), "http.words.settled must be "),
    (MINIMAL.replace('"confirmed"', '"done"'), "got 'done' (some.toml line 8)"),
    (MINIMAL.replace('"confirmed"', '"mined"'), "got 'mined'"),
    (MINIMAL.replace('"confirmed"', '"failed"'), 'http.words must map a word to "confirmed"'),
    (
        MINIMAL.replace('"reversed"', '"failed"') + 'watch_for = "1d"',
        "http.watch_for requires a word",
    ),
    (MINIMAL.replace("{id}", "id"), "http.url must contain {id} exactly once"),
    (
        MINIMAL.replace("https:", "http:"),
        "begin with https:// unless its host is in the allow list",
    ),
    (MINIMAL.replace("bank.example", "10.1.2.3"), "10.1.2.3 is not allowed: the address is priv"),
    (MINIMAL.replace("bank.example", "10.1.2.3"), "; see http.allow_private (some.toml line 6)"),
    (
        MINIMAL.replace("bank.example", "169.254.169.254") + 'allow_private = ["169.254.0.0/16"]',
        "169.254.169.254 is not allowed: the address is a cloud metadata address",
    ),
    (
        MINIMAL + BATCH.replace("bank.example", "10.1.2.3"),
        "http.batch.url is refused: 10.1.2.3 is not allowed",
    ),
    (MINIMAL + FEED.replace("{cursor}", ""), "http.feed.url must contain {cursor} exactly once"),
    (MINIMAL + FEED + 'entry_cursor = "at"', "http.feed must have either next or entry_cursor"),
    (
        MINIMAL + FEED.replace('next = "next"', ""),
        "http.feed must have either next or entry_cursor",
    ),
    (MINIMAL + 'error = "a b"', "http.error must be a path such as data.transfers[0].status"),
    (
        MINIMAL + "first_delay = 301",
        "http.first_delay must be at most http.longest_delay (300 s), got",
    ),
    (
        MINIMAL + 'longest_delay = "1ms"',
        "http.longest_delay must be at least http.first_delay (1 s),",
    ),
    (
        MINIMAL + "watch_longest_delay = 1",
        "http.watch_longest_delay must be at least http.watch_first",
    ),
    (
        MINIMAL + "requests_per_second = 0.01",
        "http.requests_per_second must be a number, 0.1 or more",
    ),
    (
        MINIMAL + 'headers = { "a b" = "s3cret" }',
        "http.headers must be names such as Authorization",
    ),
    (MINIMAL + 'headers = { Host = "s3cret" }', "http.headers must be names such as Authorization"),
    (MINIMAL + 'headers = { Key = "s3cret\\n" }', "http.headers.Key must be names such as"),
    (MINIMAL + "headers = { Key = 3 }", "http.headers.Key must be names such as"),
    (MINIMAL + 'name2 = "x"', "http.name2 is an unknown option; did you mean name?"),
    (MINIMAL.replace('"bank"', '"The Bank"'), "http.name must be small letters, digits and . _ -"),
    (MINIMAL + 'id_pattern = "("', "http.id_pattern must be a regular expression"),
    (MINIMAL + 'id_pattern = "a{4294967296}"', "http.id_pattern must be a regular expression"),
    (MINIMAL + f'id_pattern = "{"(" * 490}a{")" * 490}"', "http.id_pattern must be a regular expr"),
    (MINIMAL + "allow_private = [5]", "http.allow_private must be a list of networks"),
    (MINIMAL + "allow_private = [[]]", "http.allow_private must be a list of networks"),
    (MINIMAL + 'id_pattern = "[^/]+"', "that cannot match / ? # % or a control character"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_error_of_an_invalid_file(written: Written, text: str, message: str) -> None:
    assert message in wrong(written(text))


@pytest.mark.parametrize("host", ["169.254.169.254", "0.0.0.0", "224.0.0.1"])
def test_error_names_no_option_for_an_address_that_is_never_allowed(
    written: Written, host: str
) -> None:
    message = wrong(written(MINIMAL.replace("bank.example", host)))

    assert f"{host} is not allowed" in message
    assert "allow_private" not in message


def test_error_contains_all_problems(written: Written) -> None:
    path = written(MINIMAL + BATCH.replace("{ids}", ""))

    message = wrong(path, http__url="https://localhost/s3cret/{id}", http__first_delay="1h")

    assert [line.split()[0] for line in message.split("; http.")] == [
        "http.url",
        "batch.url",
        "first_delay",
    ]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"TXTRACK_HTTP__WORDS__SETTLED": "confirmed"},
            "http.words has case-sensitive keys: set TXTRACK_HTTP__WORDS to a JSON object "
            "(variable TXTRACK_HTTP__WORDS__SETTLED)",
        ),
        ({"TXTRACK_HTTP__WORDS": "settled"}, "http.words must be a JSON object (variable"),
        ({"TXTRACK_HTTP__HEADERS": "s3cret"}, "http.headers must be a JSON object (variable"),
        ({"TXTRACK_HTTP__HEADERS__KEY": "s3cret\n"}, "(variable TXTRACK_HTTP__HEADERS__KEY)"),
        ({"TXTRACK_HTTP__URL": "s3cret"}, "http.url must contain {id} exactly once"),
        (
            {"TXTRACK_HTTP__BATCH": "s3cret"},
            "http.batch must be a table, got another value (hidden)",
        ),
        (
            {"TXTRACK_HTTP__BATCH": "[" * 3_000},
            "http.batch must be a table, got another value (hidden)",
        ),
        ({"TXTRACK_HTTP": "s3cret"}, "http must be a table, got another value (hidden)"),
    ],
)
def test_error_of_an_invalid_variable(
    written: Written, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert message in wrong(written(MINIMAL))


def test_variables_can_set_all_options(monkeypatch: pytest.MonkeyPatch) -> None:
    words = json.dumps({"SETTLED": "confirmed", "In Review": "pending"})
    for name, value in {"NAME": "b", "URL": "https://b.example/{id}", "STATUS": "s"}.items():
        monkeypatch.setenv(f"TXTRACK_HTTP__{name}", value)
    monkeypatch.setenv("TXTRACK_SOURCE__TYPE", "http")
    monkeypatch.setenv("TXTRACK_HTTP__WORDS", words)
    monkeypatch.setenv("TXTRACK_HTTP__HEADERS", '{"X-Key": "s3cret"}')
    monkeypatch.setenv("TXTRACK_HTTP__ALLOW_PRIVATE", "10.0.0.0/8, bank.internal")

    section = load().http

    assert section is not None
    assert section.words == {"SETTLED": "confirmed", "In Review": "pending"}
    assert section.headers == {"X-Key": SecretText("s3cret")}
    assert section.allow_private == ("10.0.0.0/8", "bank.internal")


def test_header_of_a_variable_overrides_that_of_the_file(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(MINIMAL + '[http.headers]\nAuthorization = "Bearer old"\nX-Kind = "a"\n')
    monkeypatch.setenv("TXTRACK_HTTP__HEADERS__AUTHORIZATION", "Bearer new")

    section = load(path).http

    assert section is not None
    assert {name.lower(): value.reveal() for name, value in section.headers.items()} == {
        "authorization": "Bearer new",
        "x-kind": "a",
    }


def test_secrets_are_in_no_form_of_the_configuration(written: Written) -> None:
    text = MINIMAL + '[http.headers]\nAuthorization = "Bearer s3cret"\n' + BATCH + FEED

    configuration = load(written(text))

    source = made(configuration)
    dumped = configuration.model_dump_json()
    forms = [repr(configuration), str(configuration), repr(configuration.model_dump()), dumped]
    assert "s3cret" not in f"{forms} {source!r} {vars(source)}"
    assert '"url":"https://bank.example/…{id}"' in dumped
    assert '"Authorization":"…"' in dumped


@pytest.mark.parametrize(
    ("pattern", "character"),
    [
        ("[A-Za-z0-9_-]{1,64}", ""),
        (r"(?:INV|PAY)-\d{4}(?P<rest>[a-f]*)", ""),
        (r"[^\W_]+(?:\.[0-9]+)?$", ""),
        (r"(?i)[a-z]+\Z", ""),
        (".*", "/"),
        ("(?s:.+)", "/"),
        ("[^a]", "/"),
        ("[^/]+", "?"),
        ("[^/?#%]+", "\0"),
        (r"\S+", "/"),
        (r"a\s", "\t"),
        (r"\D", "/"),
        ("a/b", "/"),
        (r"a\/b", "/"),
        (r"a\x2fb", "/"),
        (r"a\057b", "/"),
        (r"a\u002Fb", "/"),
        ("[,-9]", "/"),
        ("[]/]", "/"),
        ("[!-@]", "/"),
        (r"a\?", "?"),
        ("[?]", "?"),
        ("a#", "#"),
        ("a%", "%"),
        ("(?:a|(?:b|[c%]))", "%"),
        ("a\n", "\n"),
    ],
)
def test_forbidden_character_that_a_pattern_matches_is_found(pattern: str, character: str) -> None:
    assert let_through(pattern) == character


@given(st.from_regex(r"[a/?#%\[\]^\\dDwWsS().*+|{}1,\-]{1,12}", fullmatch=True), st.data())
def test_ids_of_an_accepted_pattern_have_no_forbidden_character(
    pattern: str, data: st.DataObject
) -> None:
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        assume(is_pattern(pattern) and not let_through(pattern))
        found = data.draw(st.from_regex(pattern, fullmatch=True))

    assert not set(found) & set("/?#%\n\0")


def is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def test_pattern_with_a_future_warning_is_accepted_silently(written: Written) -> None:
    with warnings.catch_warnings(action="error"):
        source = made(load(written(MINIMAL + 'id_pattern = "[[a-z]-]"')))

    assert source.identify("b-]") == "b-]"


def test_id_must_match_the_pattern(written: Written) -> None:
    source = made(load(written(MINIMAL + r"id_pattern = '[A-Z]-\d+'")))

    assert source.identify("T-1") == "T-1"
    for text in ("T-1\n", "t-1", "T-1/2", "T-" + "1" * 199):
        with pytest.raises(InvalidTransactionError):
            source.identify(text)
