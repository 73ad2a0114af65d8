"""Options of watched addresses."""

from pathlib import Path

import pytest

from transaction_tracker.domain import Deposit
from transaction_tracker.follower.address_options import AddressesSection, TokenSection
from transaction_tracker.settings import ConfigurationError, load
from transaction_tracker.settings.convert import application_settings

PROVIDER = '[[providers]]\nurl = "http://127.0.0.1:1"\n'
CHECKSUM = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
TOKEN = CHECKSUM.lower()


def written(folder: Path, text: str) -> Path:
    path = folder / "some.toml"
    path.write_text(PROVIDER + text)
    return path


def test_tokens_are_read_with_their_minimum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        f'[source.addresses]\nmin_value = "10"\n[[source.addresses.tokens]]\naddress = "{CHECKSUM}"'
    )
    monkeypatch.setenv("TXTRACK_SOURCE__ADDRESSES__TOKENS__0__MIN_VALUE", str(2**200))

    rules = application_settings(load(written(tmp_path, text))).addresses.rules

    assert (rules.tokens, rules.max_open) == ((TOKEN,), 1_000)
    assert rules.accepts(Deposit("a", None, 10))
    assert not rules.accepts(Deposit("a", None, 9))
    assert rules.accepts(Deposit("a", TOKEN, 2**200))
    assert not rules.accepts(Deposit("a", TOKEN, 2**200 - 1))
    assert not rules.accepts(Deposit("a", "0xother", 2**200))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[source.addresses]\nmin_value = 0", "min_value must be a whole number"),
        ('[source.addresses]\nmin_value = "1_0"', "min_value must be a whole number"),
        (f'[source.addresses]\nmin_value = "{2**256}"', "min_value must be a whole number"),
        ("[source.addresses]\nmax_open = 0", "max_open must be a number, 1 to 1,000,000"),
        ("[[source.addresses.tokens]]", "tokens.0.address is required"),
        (
            f'[[source.addresses.tokens]]\naddress = "{CHECKSUM.replace("0xA0b", "0xa0B")}"',
            "tokens.0.address must be an address",
        ),
        (
            f'[[source.addresses.tokens]]\naddress = "0x{"0" * 40}"',
            "must be an address, in lower case or with a valid checksum (EIP-55), and not the zero",
        ),
        (
            f'[[source.addresses.tokens]]\naddress = "{TOKEN}"\n' * 2,
            f"must list each token once, got {TOKEN} twice",
        ),
        (
            '[source]\ntype = "bitcoin"\n[source.addresses]\nmax_open = 5',
            'source.addresses requires source.type = "ethereum"',
        ),
        (
            '[source]\ntype = "http"\n[source.addresses]\nmax_open = 5',
            'source.addresses requires source.type = "ethereum"',
        ),
    ],
)
def test_invalid_options_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(written(tmp_path, text))

    assert words in str(caught.value)


def test_settings_of_a_program_list_each_token_once() -> None:
    with pytest.raises(ValueError, match="each token once"):
        AddressesSection(tokens=(TokenSection(address=TOKEN), TokenSection(address=CHECKSUM)))
