"""A service over HTTP as it is configured."""

import json
import re
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from transaction_tracker.domain import InvalidTransactionError
from transaction_tracker.settings import (
    BatchSection,
    Configuration,
    ConfigurationError,
    FeedSection,
    Flags,
    HttpSection,
    convert,
    load,
)
from transaction_tracker.settings.convert import application_settings, application_source
from transaction_tracker.settings.http_values import Meaning, let_through
from transaction_tracker.sources.http_polling import (
    Batch,
    Feed,
    Habits,
    HttpPollingSource,
    Limits,
    SecretText,
)
from transaction_tracker.sources.http_polling.words import REPORTABLE

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "sources.md"

Written = Callable[[str], Path]

LEAST = """
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
    told = str(caught.value)
    assert "s3cret" not in told + repr(caught.value.problems)
    return told.replace(str(path), path.name)


def test_little_is_enough(written: Written) -> None:
    configuration = load(written(LEAST))

    source = made(configuration)
    assert source.name == "http:bank"
    assert source.habits == Habits()
    assert (source.together, source.has_feed, source.in_flight) == (1, False, Limits().in_flight)
    assert application_settings(configuration).endpoints == ()


def test_configuration_of_the_page_can_be_used(written: Written) -> None:
    (text,) = re.findall(
        r"^```text\n# txtrack.toml\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.M
    )

    source = made(load(written(text)))

    assert source.name == "http:example-bank"
    assert source.identify("PAY-17") == "PAY-17"


def test_sections_have_all_options_of_what_they_become() -> None:
    options = set(HttpPollingSource.__init__.__annotations__) - {"return"}
    habits = {one.name for one in fields(Habits)} - {"watch_days"} | {"watch_for"}
    limits = {one.name for one in fields(Limits)}

    assert set(HttpSection.model_fields) == (
        options - {"habits", "limits", "allow"} | habits | limits | {"allow_private"}
    )
    assert set(BatchSection.model_fields) == {one.name for one in fields(Batch)}
    assert set(FeedSection.model_fields) == {one.name for one in fields(Feed)}
    assert set(get_args(Meaning)) == {*REPORTABLE, "nothing"}


def test_every_option_reaches_the_source(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(
        convert, "HttpPollingSource", lambda url, **rest: seen.update(rest, url=url)
    )
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

    application_source(load(written(LEAST + BATCH + FEED), Flags(flags)))

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
        "batch": Batch("https://bank.example/s3cret?ids={ids}", "all", "id", "b", "c", ";", 12),
        "feed": Feed(
            "https://bank.example/s3cret/{cursor}", "all", "id", "d", "e", "next", start="0"
        ),
        "habits": Habits(2, 3, 4, 1.5, 5, 6, 7),
        "limits": Limits(8, 9, 10, 11),
        "allow": ("10.0.0.0/8",),
    }


def test_defaults_are_those_of_the_python_api() -> None:
    for section, model in ((BatchSection, Batch), (FeedSection, Feed), (HttpSection, Limits)):
        defaults = {one.name: one.default for one in fields(model)}
        optional = {
            name: info.default
            for name, info in section.model_fields.items()
            if name in defaults and not info.is_required()
        }
        assert optional == {name: defaults[name] for name in optional}


WRONG: list[tuple[str, str]] = [
    ('[source]\ntype = "http"', 'http must be given for source.type = "http": a table with name,'),
    ('[source]\ntype = "http"\n[http]', "http.url must be given: an address such as https://"),
    ('[source]\ntype = "http"\n[http]', "http.status must be given: a path such as"),
    (LEAST.replace('"http"', '"ethereum"'), 'http is for source.type = "http"; source.type is'),
    (LEAST.replace('"http"', '"http"\nchain_id = 1'), "source.chain_id is for source.type"),
    (
        LEAST.replace('"http"', '"http"\nconfirmations = 3'),
        'source.confirmations is for source.type = "ethereum": a service over HTTP has no blocks; '
        "leave it out (some.toml line 4)",
    ),
    (LEAST + '[[providers]]\nurl = "http://a/s3cret"', "providers are for source.type"),
    (LEAST.replace('"confirmed"', '"done"'), "http.words.settled must be "),
    (LEAST.replace('"confirmed"', '"done"'), "got 'done' (some.toml line 8)"),
    (LEAST.replace('"confirmed"', '"mined"'), "got 'mined'"),
    (LEAST.replace('"confirmed"', '"failed"'), 'http.words must have one for "confirmed"'),
    (LEAST.replace('"reversed"', '"failed"') + 'watch_for = "1d"', "http.watch_for needs a word"),
    (LEAST.replace("{id}", "id"), "http.url must have {id} in it, once"),
    (LEAST.replace("https:", "http:"), "begin with https:// unless its host is in the allow list"),
    (LEAST.replace("bank.example", "10.1.2.3"), "10.1.2.3 is not allowed: the address is priv"),
    (LEAST.replace("bank.example", "10.1.2.3"), "; see http.allow_private (some.toml line 6)"),
    (
        LEAST.replace("bank.example", "169.254.169.254") + 'allow_private = ["169.254.0.0/16"]',
        "169.254.169.254 is not allowed: the address is a cloud metadata address",
    ),
    (
        LEAST + BATCH.replace("bank.example", "10.1.2.3"),
        "http.batch.url is refused: 10.1.2.3 is not allowed",
    ),
    (LEAST + FEED.replace("{cursor}", ""), "http.feed.url must have {cursor} in it"),
    (LEAST + FEED + 'entry_cursor = "at"', "http.feed must have either next or entry_cursor"),
    (LEAST + FEED.replace('next = "next"', ""), "http.feed must have either next or entry_cursor"),
    (LEAST + 'error = "a b"', "http.error must be a path such as data.transfers[0].status"),
    (
        LEAST + "first_delay = 301",
        "http.first_delay must be http.longest_delay or less: 300 s; got",
    ),
    (LEAST + 'longest_delay = "1ms"', "http.longest_delay must be http.first_delay or more: 1 s;"),
    (LEAST + "watch_longest_delay = 1", "http.watch_longest_delay must be http.watch_first_delay"),
    (
        LEAST + "requests_per_second = 0.01",
        "http.requests_per_second must be a number, 0.1 or more",
    ),
    (LEAST + 'headers = { "a b" = "s3cret" }', "http.headers must be names such as Authorization"),
    (LEAST + 'headers = { Host = "s3cret" }', "http.headers must be names such as Authorization"),
    (LEAST + 'headers = { Key = "s3cret\\n" }', "http.headers.Key must be names such as"),
    (LEAST + "headers = { Key = 3 }", "http.headers.Key must be names such as"),
    (LEAST + 'name2 = "x"', "http.name2 is no option; did you mean name?"),
    (LEAST.replace('"bank"', '"The Bank"'), "http.name must be small letters, digits and . _ -"),
    (LEAST + 'id_pattern = "("', "http.id_pattern must be a regular expression"),
    (LEAST + 'id_pattern = "a{4294967296}"', "http.id_pattern must be a regular expression"),
    (LEAST + f'id_pattern = "{"(" * 490}a{")" * 490}"', "http.id_pattern must be a regular expr"),
    (LEAST + "allow_private = [5]", "http.allow_private must be a list of networks"),
    (LEAST + "allow_private = [[]]", "http.allow_private must be a list of networks"),
    (LEAST + 'id_pattern = "[^/]+"', "that lets no / ? # % and no control character through"),
]


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_wrong_file(written: Written, text: str, says: str) -> None:
    assert says in wrong(written(text))


def test_every_problem_is_told_at_once(written: Written) -> None:
    path = written(LEAST + BATCH.replace("{ids}", ""))

    told = wrong(path, http__url="https://localhost/s3cret/{id}", http__first_delay="1h")

    assert [line.split()[0] for line in told.split("; http.")] == [
        "http.url",
        "batch.url",
        "first_delay",
    ]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"TXTRACK_HTTP__WORDS__SETTLED": "confirmed"},
            "http.words has names in which case counts: give all in TXTRACK_HTTP__WORDS, as JSON "
            "(variable TXTRACK_HTTP__WORDS__SETTLED)",
        ),
        ({"TXTRACK_HTTP__WORDS": "settled"}, "http.words must be a JSON object (variable"),
        ({"TXTRACK_HTTP__HEADERS": "s3cret"}, "http.headers must be a JSON object (variable"),
        ({"TXTRACK_HTTP__HEADERS__KEY": "s3cret\n"}, "(variable TXTRACK_HTTP__HEADERS__KEY)"),
        ({"TXTRACK_HTTP__URL": "s3cret"}, "http.url must have {id} in it, once"),
        ({"TXTRACK_HTTP__BATCH": "s3cret"}, "http.batch must be a table; got something else"),
        ({"TXTRACK_HTTP__BATCH": "[" * 3_000}, "http.batch must be a table; got something else"),
        ({"TXTRACK_HTTP": "s3cret"}, "http must be a table; got something else"),
    ],
)
def test_wrong_variable(
    written: Written, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert says in wrong(written(LEAST))


def test_all_of_it_can_be_in_variables(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_header_of_a_variable_takes_the_place_of_that_in_the_file(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(LEAST + '[http.headers]\nAuthorization = "Bearer old"\nX-Kind = "a"\n')
    monkeypatch.setenv("TXTRACK_HTTP__HEADERS__AUTHORIZATION", "Bearer new")

    section = load(path).http

    assert section is not None
    assert {name.lower(): value.reveal() for name, value in section.headers.items()} == {
        "authorization": "Bearer new",
        "x-kind": "a",
    }


def test_no_form_shows_a_secret(written: Written) -> None:
    text = LEAST + '[http.headers]\nAuthorization = "Bearer s3cret"\n' + BATCH + FEED

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
def test_what_a_pattern_lets_through(pattern: str, character: str) -> None:
    assert let_through(pattern) == character


@given(st.from_regex(r"[a/?#%\[\]^\\dDwWsS().*+|{}1,\-]{1,12}", fullmatch=True), st.data())
def test_no_id_of_a_pattern_that_passes_has_such_a_character(
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


def test_a_pattern_that_python_warns_of_is_taken_without_noise(written: Written) -> None:
    with warnings.catch_warnings(action="error"):
        source = made(load(written(LEAST + 'id_pattern = "[[a-z]-]"')))

    assert source.identify("b-]") == "b-]"


def test_ids_are_those_of_the_pattern(written: Written) -> None:
    source = made(load(written(LEAST + r"id_pattern = '[A-Z]-\d+'")))

    assert source.identify("T-1") == "T-1"
    for text in ("T-1\n", "t-1", "T-1/2", "T-" + "1" * 199):
        with pytest.raises(InvalidTransactionError):
            source.identify(text)
