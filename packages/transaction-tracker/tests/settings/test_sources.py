"""``[[sources]]``: several sources in one configuration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from transaction_tracker.cli import main
from transaction_tracker.service import Settings, SourceSettings
from transaction_tracker.settings import ConfigurationError, load
from transaction_tracker.settings.convert import application_settings
from transaction_tracker.sources.http_polling import HttpSection

Written = Callable[[str], Path]

TWO = """
[[sources]]
name = "main"
chain_id = 1
confirmations = 20

[[sources.providers]]
url = "https://one.example/key"

[[sources.providers]]
url = "https://two.example/key"

[[sources]]
name = "bank"
type = "http"
expires_after = "14d"

[sources.http]
name = "example-bank"
url = "https://bank.example/transfers/{id}"
id_pattern = "PAY-[0-9]{1,12}"
status = "status"
words = { settled = "confirmed" }
"""


def entry(name: str, chain_id: str = "1", more: str = "") -> str:
    return (
        f'[[sources]]\nname = "{name}"\nchain_id = {chain_id}\n{more}\n'
        '[[sources.providers]]\nurl = "https://one.example"\n'
    )


def bitcoin(options: str) -> str:
    return (
        f'[[sources]]\nname = "coins"\ntype = "bitcoin"\n{options}\n'
        '[[sources.providers]]\nurl = "https://one.example"\n'
    )


def problem(path: Path) -> str:
    """Return the only problem of a configuration."""
    with pytest.raises(ConfigurationError) as caught:
        application_settings(load(path))
    (found,) = caught.value.problems
    return str(found)


def test_each_source_has_its_own_options(written: Written) -> None:
    settings = application_settings(load(written(TWO)))

    main_, bank = settings.sources
    assert (main_.name, main_.chain_id, main_.confirmations) == ("main", 1, 20)
    assert [str(provider.url) for provider in main_.endpoints] == [
        "https://one.example/…",
        "https://two.example/…",
    ]
    assert bank.http is not None
    assert (bank.name, bank.http.name, bank.expires_after) == ("bank", "example-bank", 14 * 86_400)


def test_network_of_bitcoin_is_one_of_several_sources(written: Written) -> None:
    text = bitcoin('network = "signet"\nconfirmations = 6') + TWO + bitcoin('network = "main"')

    settings = application_settings(load(written(text.replace('"coins"', '"test"', 1))))

    shown = [(source.name, source.type, source.network) for source in settings.sources]
    assert shown == [
        ("test", "bitcoin", "signet"),
        ("main", "ethereum", None),
        ("bank", "ethereum", None),
        ("coins", "bitcoin", "main"),
    ]


def test_variable_sets_an_option_of_one_source(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TXTRACK_SOURCES__0__PROVIDERS__1__URL", "https://three.example")

    settings = application_settings(load(written(TWO)))

    assert str(settings.sources[0].endpoints[1].url) == "https://three.example"


WRONG = [
    (entry("a") + entry("b"), "sources.1.chain_id must be unique; 'a' has 1 already"),
    (entry("a") + entry("a", "2"), "sources.1.name must be unique, got 'a' again"),
    (entry("A"), "sources.0.name must be 1 to 32 of a-z, 0-9 and -, got 'A'"),
    (entry("a" * 33), "sources.0.name must be 1 to 32 of a-z, 0-9 and -"),
    (entry("a", "1", "confirmtions = 3"), "did you mean confirmations? (some.toml line 4)"),
    (entry("a", "0"), "sources.0.chain_id must be a chain's number, 1 or more, got 0"),
    (
        entry("a").replace("chain_id = 1\n", ""),
        "sources.0.chain_id is required for one source of several",
    ),
    (
        '[[sources]]\nname = "a"\nchain_id = 1\n',
        "sources.0.providers must have at least one: add [[sources.providers]] with a url",
    ),
    (
        '[[sources]]\nname = "a"\ntype = "http"\n',
        'sources.0.http is required for sources.0.type = "http"',
    ),
    (
        TWO.replace('id_pattern = "PAY-[0-9]{1,12}"\n', ""),
        "sources.1.http.id_pattern must not match ids of the chains beside it, not even mistyped "
        "ones, got '[A-Za-z0-9_-]{1,64}', which matches 0x5d5d5d",
    ),
    (
        TWO.replace("PAY-[0-9]{1,12}", "0x[0-9a-f]{40}:[0-9]+"),
        "sources.1.http.id_pattern must not match ids of the chains beside it",
    ),
    (
        bitcoin('network = "main"') + TWO.replace("PAY-[0-9]{1,12}", "[0-9a-f]{63}"),
        "sources.2.http.id_pattern must not match ids of the chains beside it",
    ),
    (
        TWO.replace("expires_after", "chain_id = 5\nexpires_after"),
        'sources.1.chain_id requires sources.1.type = "ethereum"',
    ),
    (
        '[[providers]]\nurl = "https://one.example"\n' + entry("a"),
        "providers and [[sources]] cannot both be given",
    ),
    ("[source]\nchain_id = 1\n" + entry("a"), "source and [[sources]] cannot both be given"),
    (bitcoin(""), "sources.0.network is required for one source of several"),
    (
        bitcoin('network = "main"') + bitcoin('network = "main"').replace('"coins"', '"more"'),
        "sources.1.network must be unique; 'coins' has bitcoin main already",
    ),
    (
        bitcoin('network = "main"\nchain_id = 1'),
        'sources.0.chain_id requires sources.0.type = "ethereum", got sources.0.type = "bitcoin"',
    ),
    (
        entry("a", "1", 'network = "main"'),
        'sources.0.network requires sources.0.type = "bitcoin", got sources.0.type = "ethereum"',
    ),
    (
        bitcoin('network = "main"\nconfirmations = "safe"'),
        'sources.0.confirmations must be a number of blocks with sources.0.type = "bitcoin"',
    ),
    (
        TWO + TWO.replace('"main"', '"m"').replace("= 1\n", "= 2\n").replace('"bank"', '"b"'),
        "sources.3.http.name must be unique; 'bank' has http example-bank already",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_wrong_source_is_named_with_its_place(written: Written, text: str, expected: str) -> None:
    assert expected in problem(written(text)).replace(str(Path.cwd()) + "/", "")


def test_line_of_a_nested_table_is_found(written: Written) -> None:
    text = TWO.replace('url = "https://two.example/key"', 'url = "ftp://two.example"')

    assert problem(written(text)).endswith("line 11)")


def test_secrets_of_sources_are_not_printed(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["config", "show", "--config", str(written(TWO))])

    shown = capsys.readouterr().out
    assert status == 0
    assert "[[sources.providers]]" in shown
    assert "[sources.http]" in shown
    assert "/key" not in shown


def test_summary_names_the_sources(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    main(["config", "check", "--config", str(written(TWO))])

    assert "Sources: main (ethereum), bank (http)." in capsys.readouterr().out


def test_python_settings_are_checked_alike() -> None:
    source = SourceSettings(name="a", rpc_url="http://127.0.0.1:1", chain_id=1)

    with pytest.raises(ValueError, match="'a' again"):
        Settings(sources=(source, source))
    with pytest.raises(ValueError, match="cannot both be given"):
        Settings("http://127.0.0.1:1", sources=(source,))
    with pytest.raises(ValueError, match="chain_id is required"):
        SourceSettings(name="a", rpc_url="http://127.0.0.1:1")
    with pytest.raises(ValueError, match="must have at least one"):
        SourceSettings(name="a", chain_id=1)


def test_service_whose_ids_can_be_hashes_of_a_chain_is_refused_in_a_program() -> None:
    chain = SourceSettings(name="main", chain_id=1, rpc_url="https://one.example")
    bank = HttpSection(
        name="bank", url="https://bank.example/{id}", status="status", words={"done": "confirmed"}
    )

    with pytest.raises(ValueError, match=r"sources of 'bank': http\.id_pattern must not"):
        Settings(sources=(chain, SourceSettings(name="bank", http=bank)))
    Settings(sources=(SourceSettings(name="bank", http=bank),))
