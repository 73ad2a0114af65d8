"""``[[rules]]``: how many confirmations a payment of an amount needs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from transaction_tracker.domain import Rule
from transaction_tracker.follower.rule_options import RuleOptions, rules_of
from transaction_tracker.service import Settings, SourceSettings
from transaction_tracker.settings import ConfigurationError, load
from transaction_tracker.settings.convert import application_settings

Written = Callable[[str], Path]

TOKEN = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
ONLY = '[[providers]]\nurl = "https://one.example"\n'
SEVERAL = """
[[sources]]
name = "main"
chain_id = 1
[[sources.providers]]
url = "https://one.example"

[[sources]]
name = "coins"
type = "bitcoin"
network = "main"
[[sources.providers]]
url = "https://two.example"

[[sources]]
name = "bank"
type = "http"
[sources.http]
name = "example-bank"
url = "https://bank.example/transfers/{id}"
status = "status"
id_pattern = "PAY-[0-9]{1,12}"
words = { settled = "confirmed" }

"""


def rule(text: str) -> str:
    return f"[[rules]]\n{text}\n"


def rules(path: Path, source: str | None = None, kind: str = "ethereum") -> tuple[Rule, ...]:
    return rules_of(application_settings(load(path)).rules, source, kind)


def test_rules_are_read_in_order(written: Written) -> None:
    path = written(
        ONLY
        + rule('value = "1000000000000000000"\nconfirmations = 30')
        + rule(f'token = "{TOKEN}"\nvalue = 5\nconfirmations = "finalized"')
        + rule('token = "native"\nvalue = 100000000000000000000000\nconfirmations = "safe"')
    )

    assert rules(path) == (
        Rule(30, 10**18),
        Rule("finalized", 5, TOKEN.lower()),
        Rule("safe", 10**23),
    )


def test_variable_sets_one_option_of_a_rule(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TXTRACK_RULES__0__VALUE", "1000000000000000000")

    path = written(ONLY + rule("value = 1\nconfirmations = 30"))

    assert rules(path) == (Rule(30, 10**18),)


def test_rule_is_about_its_source_or_about_all_chains(written: Written) -> None:
    path = written(
        SEVERAL
        + rule('source = "coins"\nvalue = 1\nconfirmations = 13')
        + rule('source = "main"\nvalue = 2\nconfirmations = 14')
        + rule(f'token = "{TOKEN}"\nvalue = 3\nconfirmations = 15')
    )

    assert rules(path, "main") == (Rule(14, 2), Rule(15, 3, TOKEN.lower()))
    assert rules(path, "coins", "bitcoin") == (Rule(13, 1),)
    assert rules(path, "bank", "http") == ()


EXPECTED = 'must be a whole number of the smallest unit, 0 to 2^256 - 1, such as 1000000 or "1'
WRONG = [
    ("value = -1\nconfirmations = 30", f"rules.0.value {EXPECTED}", "got -1 (some.toml line 5)"),
    ("value = 1.5\nconfirmations = 30", f"rules.0.value {EXPECTED}", "got 1.5 (some.toml line 5)"),
    ("value = true\nconfirmations = 30", EXPECTED, "got True (some.toml line 5)"),
    ('value = "1 ETH"\nconfirmations = 30', EXPECTED, "got '1 ETH' (some.toml line 5)"),
    (f'value = "{2**256}"\nconfirmations = 30', EXPECTED, "(some.toml line 5)"),
    ("confirmations = 30", "rules.0.value is required: a whole number", "(some.toml line 4)"),
    ("value = 1", "rules.0.confirmations is required: a number of blocks", "(some.toml line 4)"),
    ("value = 1\nconfirmations = 0", "rules.0.confirmations must be a number of blocks", "got 0"),
    (
        'value = 1\nconfirmations = 30\ntoken = "USDC"',
        "rules.0.token must be the address of a contract, 0x and 40 hexadecimal digits, or",
        "got 'USDC' (some.toml line 7)",
    ),
    (
        f'value = 1\nconfirmations = 30\ntoken = "{TOKEN[:-1]}D"',
        "rules.0.token must be the address",
        "(some.toml line 7)",
    ),
    (
        f'value = 1\nconfirmations = 30\ntoken = "0x{"0" * 40}"',
        "for the coin, which the zero address does not stand for",
        "(some.toml line 7)",
    ),
    (
        "value = 1\nconfirmations = 30\ntokens = 1",
        "rules.0.tokens is an unknown option; did you mean token?",
        "(some.toml line 7)",
    ),
    (
        'value = 1\nconfirmations = 30\nsource = "main"',
        "rules.0.source requires [[sources]], and the only source has no name; remove it",
        "got 'main' (some.toml line 7)",
    ),
]


@pytest.mark.parametrize(("text", "words", "end"), WRONG)
def test_error_of_a_rule_names_the_option_and_the_line(
    written: Written, text: str, words: str, end: str
) -> None:
    path = written(ONLY + "\n" + rule(text))

    with pytest.raises(ConfigurationError) as caught:
        load(path)

    (found,) = caught.value.problems
    message = str(found).replace(f"{path.parent}/", "")
    assert words in message
    assert end in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'source = "base"\nvalue = 1\nconfirmations = 30',
            "rules.0.source must be the name of one of [[sources]] ('main', 'coins', 'bank'), got "
            "'base'",
        ),
        ("value = 1\nconfirmations = 30", "rules.0.source is required: the units of Ethereum and"),
        (
            'source = "bank"\nvalue = 1\nconfirmations = 30',
            "rules.0.source must be a chain: 'bank' is a service over HTTP",
        ),
        (
            f'source = "coins"\ntoken = "{TOKEN}"\nvalue = 1\nconfirmations = 30',
            "rules.0.token must be \"native\" for source 'coins': Bitcoin has no tokens",
        ),
        (
            'source = "coins"\nvalue = 1\nconfirmations = "safe"',
            "rules.0.confirmations must be a number of blocks for source 'coins'",
        ),
    ],
)
def test_rule_that_no_source_can_obey_is_an_error(
    written: Written, text: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(written(SEVERAL + rule(text)))

    (found,) = caught.value.problems
    assert message in str(found)


def test_number_is_an_error_where_the_source_requires_a_tag(written: Written) -> None:
    text = '[source]\nconfirmations = "safe"\n' + ONLY + rule("value = 1\nconfirmations = 99")

    with pytest.raises(ConfigurationError, match='must be "safe" or "finalized" for source, whose'):
        load(written(text))


def test_tag_is_an_error_where_the_chain_has_none(written: Written) -> None:
    text = "[source.profile]\nfinality_tags = false\n" + ONLY
    text += rule('value = 1\nconfirmations = "safe"')

    with pytest.raises(ConfigurationError, match=r"rules.0.confirmations must be a number of blo"):
        load(written(text))


def test_rule_about_amounts_of_a_service_over_http_is_an_error(written: Written) -> None:
    text = '[source]\ntype = "http"\n[http]\nname = "bank"\nurl = "https://bank.example/{id}"\n'
    text += 'status = "status"\nwords = { settled = "confirmed" }\n'

    with pytest.raises(
        ConfigurationError, match=r"rules\.0\.value requires a chain: a service over"
    ):
        load(written(text + rule("value = 1\nconfirmations = 30")))


def test_wrong_rule_in_python_is_an_error() -> None:
    source = SourceSettings(name="main", chain_id=1, rpc_url="https://one.example")

    with pytest.raises(ValueError, match=r"rules.0.source must be the name of one of \[\[sources"):
        Settings(sources=(source,), rules=(RuleOptions(value=1, confirmations=30, source="x"),))
