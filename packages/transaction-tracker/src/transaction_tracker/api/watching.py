"""Parse and check the addresses of a request."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from transaction_tracker.api.fields import (
    USED_ADDRESS_PATTERN,
    Confirmations,
    checked_metadata,
    checked_required,
    whole,
)
from transaction_tracker.api.items import InvalidFieldError, RequestItems, ambiguous, faults
from transaction_tracker.api.problems import ErrorDetail
from transaction_tracker.domain import MAX_BLOCK_NUMBER, AddressToWatch, AmbiguousIdError
from transaction_tracker.tracker import TrackerContext
from transaction_tracker.tracker.addresses import (
    MAX_ADDRESS_CHARACTERS,
    InvalidAddressError,
    address_place,
)

# Checking a checksum takes some hundredths of a millisecond; other tasks run in between.
_ITEMS_AT_ONCE = 100


class AddressIn(BaseModel):
    """An address to watch."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)

    address: str = Field(
        min_length=1,
        max_length=MAX_ADDRESS_CHARACTERS,
        description="Address in lower case, or with a valid checksum (EIP-55); the chain id can be "
        "before it (CAIP-10): eip155:1:0x….",
        json_schema_extra={"pattern": USED_ADDRESS_PATTERN},
    )
    source: str | None = Field(
        None,
        max_length=32,
        description="Name of the source. Default: that of the chain id, or the only chain.",
    )
    confirmations: Confirmations = Field(
        None,
        description="Number of confirmations that make a deposit final, or a tag of the chain. "
        "Default: the service's setting.",
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON object that is returned with each event of a deposit, up to 4,096 bytes.",
    )
    # The limits are those of the number: on the union, the description would not show them.
    from_block: Annotated[int, Field(ge=0, le=MAX_BLOCK_NUMBER), BeforeValidator(whole)] | None = (
        Field(
            None,
            description="Number of the lowest block that is searched for earlier deposits. "
            "Default: none is searched.",
        )
    )


@dataclass(kw_only=True)
class WatchedItem:
    """An address that is watched."""

    address: Annotated[
        str, Field(description="The address, in the form that the other routes return.")
    ]
    caip_id: Annotated[str, Field(description="Address with the chain id before it (CAIP-10).")]
    status: Annotated[
        Literal["accepted"], Field(description="Always `accepted`: the address is watched.")
    ]
    existing: Annotated[
        bool,
        Field(
            description="Whether it was watched already: then its confirmations and metadata stay "
            "as they are, and those of this request do not count."
        ),
    ]


@dataclass(kw_only=True)
class RefusedAddress:
    """An address that was refused."""

    address: Annotated[
        str | None, Field(description="The address in the request; null if it is not text.")
    ]
    status: Annotated[
        Literal["refused"],
        Field(description="Always `refused`: the address is not watched by this request."),
    ]
    errors: Annotated[
        Sequence[ErrorDetail],
        Field(description="What is wrong; `pointer` leads to the field in the request."),
    ]


@dataclass(kw_only=True)
class WatchResults:
    """Result of each address, in the order of the request."""

    accepted: Annotated[int, Field(description="Number of addresses that are watched.")]
    refused: Annotated[int, Field(description="Number of addresses that were refused.")]
    results: Annotated[
        list[WatchedItem | RefusedAddress],
        Field(description="One result for each address, in the order of the request."),
    ]


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """One checked address of a request: valid, or with errors.

    Attributes:
        given: The address in the request, if it is text.
        wanted: The address; ``None`` if there are errors.
        errors: Errors with their JSON pointers.
        is_ambiguous: Whether several sources can watch it.
        unknown_source: Name of a source that does not exist.
    """

    given: str | None
    wanted: AddressToWatch | None
    errors: tuple[dict[str, Any], ...] = ()
    is_ambiguous: bool = False
    unknown_source: str | None = None


_adapter = TypeAdapter(AddressIn)


async def check_addresses(
    content: RequestItems, contexts: Sequence[TrackerContext]
) -> list[CheckedAddress]:
    """Check each address of a request.

    Args:
        content: The addresses.
        contexts: The sources.
    """
    checked: list[CheckedAddress] = []
    for item, pointer in zip(content.items, content.pointers(), strict=True):
        checked.append(_check(item, contexts, pointer))
        if len(checked) % _ITEMS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return checked


def _check(item: Any, contexts: Sequence[TrackerContext], pointer: str) -> CheckedAddress:
    given = item.get("address") if isinstance(item, dict) else None
    given = given if isinstance(given, str) else None
    try:
        wanted = _adapter.validate_python(item)
        return CheckedAddress(given, _wanted(wanted, contexts))
    except ValidationError as error:
        return CheckedAddress(given, None, tuple(faults(error, pointer)))
    except AmbiguousIdError as error:
        return CheckedAddress(given, None, (ambiguous(error, f"{pointer}/address"),), True)
    except InvalidAddressError as error:
        refused = _refused(given, error, f"{pointer}/{error.field}")
        return replace(refused, unknown_source=item["source"]) if error.is_unknown else refused
    except InvalidFieldError as error:
        return _refused(given, error, f"{pointer}/{error.place}")


def _refused(given: str | None, error: ValueError, pointer: str) -> CheckedAddress:
    return CheckedAddress(given, None, ({"detail": str(error), "pointer": pointer},))


def _wanted(wanted: AddressIn, contexts: Sequence[TrackerContext]) -> AddressToWatch:
    metadata = checked_metadata(wanted.metadata)
    place = address_place(wanted.address, wanted.source, contexts)
    required = wanted.confirmations
    if required is not None:
        required = checked_required(required, place.context)
    source = place.context.source.name
    return AddressToWatch(source, place.address, required, metadata, wanted.from_block)
