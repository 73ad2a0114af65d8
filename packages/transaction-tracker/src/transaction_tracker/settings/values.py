"""Types of the options of the chain and the database."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator
from pydantic_settings import NoDecode

from transaction_tracker.domain.numbers import whole_number
from transaction_tracker.options.values import comma_separated, printed, split, text_of
from transaction_tracker.sources.ethereum.profiles import check_slot_types
from transaction_tracker.sources.ethereum.revert_data import CustomError
from transaction_tracker.store.errors import DatabaseUrlError
from transaction_tracker.store.url import DatabaseUrl

_HEXADECIMAL = re.compile("0x[0-9a-fA-F]+")


def _database(value: Any) -> DatabaseUrl:
    if not isinstance(value, str | DatabaseUrl):
        raise ValueError("not a text")
    try:
        return DatabaseUrl.of(value)
    except DatabaseUrlError as error:
        raise ValueError(str(error)) from None


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


Database = Annotated[DatabaseUrl, PlainValidator(_database), printed]
Signature = Annotated[str, BeforeValidator(_signature)]
Signatures = Annotated[tuple[Signature, ...], NoDecode, BeforeValidator(_signatures)]
SlotType = Annotated[int, BeforeValidator(_slot_type)]
SlotTypes = Annotated[tuple[SlotType, ...], NoDecode, comma_separated]
