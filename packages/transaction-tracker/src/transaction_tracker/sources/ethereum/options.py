"""Options of an EVM chain: its profile, and the custom errors of its contracts."""

import re
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.domain.numbers import whole_number
from transaction_tracker.options import Section, option
from transaction_tracker.options.values import Seconds, comma_separated, split, text_of
from transaction_tracker.sources.ethereum.profiles import (
    MAX_BLOCK_TIME_SECONDS,
    MAX_NAME_LENGTH,
    MIN_BLOCK_TIME_SECONDS,
    FeeRule,
    check_slot_types,
)
from transaction_tracker.sources.ethereum.revert_data import CustomError

_HEXADECIMAL = re.compile("0x[0-9a-fA-F]+")


def _signatures(value: Any) -> Any:
    """Parse the signatures in an environment variable: JSON, or separated by semicolons."""
    return split(value, ";")


def _signature(value: Any) -> str:
    CustomError.of(text_of(value))
    return text_of(value)


def _slot_type(value: Any) -> int:
    """Convert a transaction type: a number or a text such as ``0x7b``."""
    if isinstance(value, bool):
        raise ValueError("not a number")
    if isinstance(value, str):
        value = int(value, 16) if _HEXADECIMAL.fullmatch(value) else whole_number(value)
    check_slot_types([value])
    return int(value)


Signature = Annotated[str, BeforeValidator(_signature)]
Signatures = Annotated[tuple[Signature, ...], NoDecode, BeforeValidator(_signatures)]
SlotType = Annotated[int, BeforeValidator(_slot_type)]
SlotTypes = Annotated[tuple[SlotType, ...], NoDecode, comma_separated]


class ProfileSection(Section):
    """Changes to the profile of the chain, or the profile of an unknown chain."""

    name: str | None = option(
        None,
        f"a text of 1 to {MAX_NAME_LENGTH} characters",
        "Name of the chain.",
        min_length=1,
        max_length=MAX_NAME_LENGTH,
    )
    block_time: Seconds | None = option(
        None,
        f"10ms to 1h: {SECONDS}",
        "Time between two blocks. source.block_time overrides it.",
        ge=MIN_BLOCK_TIME_SECONDS,
        le=MAX_BLOCK_TIME_SECONDS,
    )
    account_nonces: bool | None = option(
        None,
        "true or false",
        "Whether accounts number their transactions. If false, a transaction is never replaced.",
    )
    slot_types: SlotTypes | None = option(
        None,
        "a list of transaction types, such as [0, 1, 2, 0x7b], without those of the chain itself",
        "All transaction types for which each pair of sender and nonce can be used once, including "
        "Ethereum's own types.",
    )
    fee: FeeRule | None = option(
        None,
        ", ".join(f'"{rule}"' for rule in get_args(FeeRule)[:-1])
        + f' or "{get_args(FeeRule)[-1]}"',
        "Rule for the fee of a transaction.",
    )
    parent_links: bool | None = option(
        None,
        "true or false",
        "Whether the parent hash of a block is the hash of the previous block.",
    )
    null_rounds: bool | None = option(
        None, "true or false", "Whether some block numbers have no block."
    )
    finality_tags: bool | None = option(
        None, "true or false", 'Whether nodes support the tags "safe" and "finalized".'
    )

    @property
    def changes(self) -> dict[str, object]:
        """The attributes that are set."""
        return {name: value for name, value in self if value is not None}
