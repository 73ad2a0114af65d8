"""Find the source that an address to watch belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass

from transaction_tracker.domain import (
    ZERO_ADDRESS,
    AmbiguousIdError,
    caip_id,
    chain_of,
    split_caip_id,
)
from transaction_tracker.sources import DepositSource, watches_addresses
from transaction_tracker.tracker.context import TrackerContext

MAX_ADDRESS_CHARACTERS = 150


class InvalidAddressError(ValueError):
    """The text is not an address that a source can watch.

    Attributes:
        field: Name of the invalid field: ``"address"`` or ``"source"``.
        is_unknown: Whether there is no source of the given name.
    """

    def __init__(self, message: str, field: str = "address", *, is_unknown: bool = False) -> None:
        super().__init__(message)
        self.field = field
        self.is_unknown = is_unknown


@dataclass(frozen=True, slots=True)
class AddressPlace:
    """The source of an address, and the address in canonical form."""

    context: TrackerContext
    address: str

    @property
    def caip_id(self) -> str:
        """The address with the chain id before it, as in CAIP-10."""
        return caip_id(self.context.source.name, self.address)


def address_places(
    text: str, label: str | None = None, contexts: Sequence[TrackerContext] | None = None
) -> list[AddressPlace]:
    """Return the places that an address can mean, one of each source with such addresses.

    Args:
        text: The address, with or without a chain id before it (CAIP-10).
        label: Name of the source in the configuration. Default: any.
        contexts: The sources. Default: those of the running application.

    Raises:
        InvalidAddressError: No source can watch such an address.
        NoProcessError: The application is not running.
    """
    contexts = TrackerContext.all() if contexts is None else contexts
    chosen = _of_label(label, contexts)
    named = split_caip_id(text)
    if named is not None:
        chain, text = named
        chosen = [context for context in chosen if chain_of(context.source.name) == chain]
        if not chosen:
            known = ", ".join(chain_of(context.source.name) for context in contexts)
            raise InvalidAddressError(f"expected an address of {known}, got one of {chain}")
    able = [context for context in chosen if watches_addresses(context.source)]
    if not able:
        raise InvalidAddressError(
            "this source does not watch addresses: only the chains of Ethereum's kind do",
            "address" if label is None else "source",
        )
    found: list[AddressPlace] = []
    for context in able:
        source = context.source
        try:
            if watches_addresses(source):
                found.append(AddressPlace(context, _canonical(source, text)))
        except ValueError as error:
            if context is able[-1] and not found:
                raise InvalidAddressError(str(error)) from None
    return found


def address_place(
    text: str, label: str | None = None, contexts: Sequence[TrackerContext] | None = None
) -> AddressPlace:
    """Return the only place that an address can mean; see ``address_places``.

    Raises:
        InvalidAddressError: No source can watch such an address.
        AmbiguousIdError: Several sources can.
    """
    found = address_places(text, label, contexts)
    if len(found) > 1:
        raise AmbiguousIdError(text, [place.caip_id for place in found])
    return found[0]


def _of_label(label: str | None, contexts: Sequence[TrackerContext]) -> list[TrackerContext]:
    chosen = [context for context in contexts if label is None or context.label == label]
    if not chosen:
        names = ", ".join(each.label for each in contexts if each.label is not None)
        known = f"the configured names are {names}" if names else "the only source has no name"
        raise InvalidAddressError(f"unknown source {label!r}; {known}", "source", is_unknown=True)
    return chosen


def _canonical(source: DepositSource, text: str) -> str:
    if len(text) > MAX_ADDRESS_CHARACTERS:
        raise ValueError(f"expected an address, got {len(text)} characters")
    account = source.account(text)
    # A program whose variable is not set sends it, and each destroyed token is sent to it.
    if account == ZERO_ADDRESS:
        raise ValueError("expected an address of yours, got the zero address, which nobody owns")
    return account
