import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.sources.ethereum.profiles import (
    NEVER_SLOTS,
    PROFILES,
    STANDARD_TYPES,
    UNKNOWN,
    ChainProfile,
    profile_of,
)

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "chains.md"


def test_an_unknown_chain_gets_the_cautious_defaults() -> None:
    assert profile_of(None) is UNKNOWN
    assert profile_of(999_888_777) is UNKNOWN
    assert profile_of(1).name == "Ethereum"


def test_overrides_change_single_attributes() -> None:
    changed = profile_of(1, {"block_time": 3, "slot_types": [0, 2], "null_rounds": True})

    assert (changed.block_time, changed.slot_types, changed.null_rounds) == (
        3,
        frozenset((0, 2)),
        True,
    )
    assert (changed.name, changed.fee) == ("Ethereum", "ethereum")
    assert profile_of(1, {}) is PROFILES[1]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"blok_time": 1}, "unknown attribute 'blok_time'.*did you mean block_time"),
        ({"zzz": 1}, "unknown attribute 'zzz'.*account_nonces"),
        ({"name": ""}, "name must be a text"),
        ({"name": 7}, "name must be a text"),
        ({"name": "x" * 81}, "name must be a text"),
        ({"block_time": "12"}, "block_time must be 0.01 to 3600.0 seconds"),
        ({"block_time": True}, "block_time must be"),
        ({"block_time": 0}, "block_time must be"),
        ({"block_time": -1.0}, "block_time must be"),
        ({"block_time": float("nan")}, "block_time must be"),
        ({"block_time": float("inf")}, "block_time must be"),
        ({"slot_types": "0x2"}, "slot_types must be a list"),
        ({"slot_types": 2}, "slot_types must be a list"),
        ({"slot_types": {2: 3}}, "slot_types must be a list"),
        ({"slot_types": ["0x2"]}, "slot_types must be numbers from 0 to 255, got '0x2'"),
        ({"slot_types": [[2]]}, "slot_types must be numbers"),
        ({"slot_types": [256]}, "slot_types must be numbers"),
        ({"slot_types": [True]}, "slot_types must be numbers"),
        ({"fee": "gas"}, "fee must be one of ethereum, op-stack, scroll, arbitrum, execution"),
        ({"fee": ["ethereum"]}, "fee must be one of"),
        *(
            ({name: bad}, f"{name} must be true or false, got")
            for name in (
                "account_nonces",
                "parent_links",
                "null_rounds",
                "finality_tags",
            )
            for bad in (0, "false", None)
        ),
    ],
)
def test_error_names_the_invalid_override(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        profile_of(1, overrides)


@pytest.mark.parametrize("kind", sorted(NEVER_SLOTS))
def test_system_types_cannot_be_slots(kind: int) -> None:
    with pytest.raises(ValueError, match=f"slot_types must not have {kind:#x}"):
        profile_of(1, {"slot_types": [2, kind]})


def test_system_types_and_standard_types_are_disjoint() -> None:
    assert {0x7E, *range(0x64, 0x6B), 0xFE, 0xFF} == NEVER_SLOTS
    assert not NEVER_SLOTS & STANDARD_TYPES


def test_every_chain_has_a_name_of_its_own() -> None:
    names = [profile.name for profile in PROFILES.values()]

    assert len(set(names)) == len(names)
    assert UNKNOWN.name not in names


@pytest.mark.parametrize(
    ("chain_id", "attribute", "value"),
    [
        (728126428, "account_nonces", False),
        (314, "null_rounds", True),
        (747, "parent_links", False),
        (1329, "parent_links", False),
        (10, "fee", "op-stack"),
        (42161, "fee", "arbitrum"),
        (534352, "fee", "scroll"),
        (42220, "slot_types", STANDARD_TYPES | {0x7A, 0x7B, 0x7C}),
        (324, "slot_types", STANDARD_TYPES | {0x71}),
        (137, "slot_types", STANDARD_TYPES),
    ],
)
def test_chain_has_its_differences(chain_id: int, attribute: str, value: Any) -> None:
    assert getattr(profile_of(chain_id), attribute) == value


def row(chain_id: int, profile: ChainProfile) -> list[str]:
    """Return a profile as a row of the page's table."""
    more = sorted(profile.slot_types - STANDARD_TYPES)
    changed = [
        f"{attribute.name} = {str(asdict(profile)[attribute.name]).lower()}"
        for attribute in fields(ChainProfile)
        if isinstance(attribute.default, bool)
        and getattr(profile, attribute.name) != attribute.default
    ]
    types = [f"{kind:#x}" for kind in more]
    return [
        str(chain_id),
        profile.name,
        f"{profile.block_time:g}",
        profile.fee,
        ", ".join(types),
        ", ".join(changed),
    ]


def test_the_page_has_the_table_of_the_profiles() -> None:
    lines = PAGE.read_text().splitlines()
    found = [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        for line in lines
        if re.match(r"\| *\d+ *\|", line)
    ]

    assert found == [row(chain_id, profile) for chain_id, profile in sorted(PROFILES.items())]
