"""The chain's profile and the contracts' custom errors, from file, variables and flags."""

from collections.abc import Callable
from pathlib import Path

import pytest

from transaction_tracker.settings import Configuration, Flags, load
from transaction_tracker.sources.ethereum.profiles import STANDARD_TYPES, UNKNOWN, profile_of

Written = Callable[[str], Path]

FILE = """
[source]
chain_id = 42161
errors = ["InsufficientBalance(uint256 available, uint256 required)", "error Paused();"]

[source.profile]
name = "our chain"
block_time = "250ms"
account_nonces = false
slot_types = [0, 0x7b]
fee = "op-stack"
parent_links = false
null_rounds = true
finality_tags = false
"""


def test_file_changes_every_attribute_of_the_profile(written: Written) -> None:
    source = load(written(FILE)).source

    profile = source.chain_profile()

    assert source.errors == (
        "InsufficientBalance(uint256 available, uint256 required)",
        "error Paused();",
    )
    assert (profile.name, profile.block_time, profile.fee) == ("our chain", 0.25, "op-stack")
    assert profile.slot_types == {0, 0x7B}
    switches = (profile.account_nonces, profile.parent_links, profile.finality_tags)
    assert switches == (False, False, False)
    assert profile.null_rounds


def test_other_attributes_are_those_of_the_chain() -> None:
    source = Configuration().source

    assert source.chain_profile() is UNKNOWN
    assert source.chain_profile(42161) is profile_of(42161)
    assert source.block_time is None


def test_configured_chain_overrides_that_of_a_node(written: Written) -> None:
    source = load(written("[source]\nchain_id = 10")).source

    assert source.chain_profile(42161) is profile_of(10)


@pytest.mark.parametrize("text", ["0,0x7b", "[0, 123]", '["0x0", "0x7b"]'])
def test_variables_change_single_attributes(
    written: Written, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TXTRACK_SOURCE__PROFILE__SLOT_TYPES", text)
    monkeypatch.setenv("TXTRACK_SOURCE__PROFILE__PARENT_LINKS", "true")
    monkeypatch.setenv("TXTRACK_SOURCE__PROFILE__BLOCK_TIME", "2s")

    profile = load(written(FILE.replace("[0, 0x7b]", "[1]"))).source.chain_profile()

    assert profile.slot_types == {0, 0x7B}
    assert profile.parent_links
    assert profile.block_time == 2
    assert profile.fee == "op-stack"  # the file's


def test_variable_can_contain_the_whole_profile_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TXTRACK_SOURCE__PROFILE", '{"fee": "scroll", "null_rounds": true}')

    assert load().source.profile.changes == {"fee": "scroll", "null_rounds": True}


@pytest.mark.parametrize(
    "text",
    [
        "Unpaid(uint256 due, address by); error Paused();",
        '["Unpaid(uint256 due, address by)", "error Paused()"]',
    ],
)
def test_variable_has_signatures_as_json_or_separated_by_semicolons(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TXTRACK_SOURCE__ERRORS", text)

    assert load().source.errors == ("Unpaid(uint256 due, address by)", "error Paused()")


def test_flag_overrides_the_file(written: Written) -> None:
    flags = Flags({("source", "profile", "fee"): ("ethereum", "--set")})

    assert load(written(FILE), flags).source.chain_profile().fee == "ethereum"


def test_slot_types_of_accounts_can_all_be_listed() -> None:
    flags = Flags({("source", "profile", "slot_types"): (sorted(STANDARD_TYPES), "--set")})

    assert load(flags=flags).source.chain_profile(1).slot_types == STANDARD_TYPES
