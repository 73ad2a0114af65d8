"""Manage watched addresses. All functions need a running application."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from beamish import GenServer
from transaction_tracker.domain import AddressToWatch, Required
from transaction_tracker.store import Store
from transaction_tracker.store.addresses import watching as stored
from transaction_tracker.store.addresses.searches import InvalidSearchError
from transaction_tracker.store.addresses.watching import TooManyAddressesError, WatchedAddress
from transaction_tracker.tracker.addresses import InvalidAddressError, address_place
from transaction_tracker.tracker.arguments import metadata_text
from transaction_tracker.tracker.context import SearchAddresses, TrackerContext

__all__ = [
    "InvalidAddressError",
    "InvalidSearchError",
    "TooManyAddressesError",
    "WatchedAddress",
    "get",
    "list_all",
    "unwatch",
    "watch",
]

_PAGE_SIZE = 1_000


async def watch(
    addresses: str | Sequence[str],
    *,
    source: str | None = None,
    confirmations: Required | None = None,
    metadata: Mapping[str, Any] | None = None,
    from_block: int | None = None,
) -> list[WatchedAddress]:
    """Watch addresses: each payment to one becomes a tracked transaction.

    Once it returns, the addresses are stored, and each block that is applied from then on is
    compared with them. An address that is watched already stays as it is; only ``from_block``
    counts again. If an address is invalid, none is stored.

    Args:
        addresses: One address or many, in lower case or with a valid checksum (EIP-55). The chain
            id can be before it (CAIP-10).
        source: Name of the source, if several watch such addresses.
        confirmations: Number of confirmations that make a deposit final, or ``"safe"`` or
            ``"finalized"``. Default: the setting of the source, or more by a rule.
        metadata: JSON object of at most 4 KiB, returned with each event of a deposit.
        from_block: Lowest block that is searched for earlier deposits. Default: none is.

    Returns:
        The watched addresses, in the given order.

    Raises:
        InvalidAddressError: No source can watch an address, or ``source`` is unknown.
        AmbiguousIdError: Several sources can watch it, and ``source`` is not given.
        InvalidSearchError: ``from_block`` is too far down, or no block has been applied yet.
        TooManyAddressesError: The source has as many addresses as it can have.
        ValueError: Another argument is invalid.
        NoProcessError: The application is not running.
    """
    given = [addresses] if isinstance(addresses, str) else addresses
    text = metadata_text({} if metadata is None else metadata)
    places = [address_place(each, source) for each in given]
    by_source: dict[str, list[AddressToWatch]] = {}
    for place in places:
        own = None if confirmations is None else place.context.requirement(confirmations)
        name = place.context.source.name
        wanted = AddressToWatch(name, place.address, own, text, from_block)
        by_source.setdefault(name, []).append(wanted)
    for name, some in by_source.items():
        await store(name, some)
    found = {
        (row.source, row.address): row
        for place in places
        for row in await Store.run(partial(stored.find, address=place.address))
    }
    return [found[place.context.source.name, place.address] for place in places]


async def store(source: str, wanted: Iterable[AddressToWatch]) -> frozenset[str]:
    """Store addresses of a source, begin the searches that they ask for, and return the new ones.

    Args:
        source: Name of the source in the database.
        wanted: The addresses.

    Raises:
        InvalidSearchError: A search cannot begin.
        TooManyAddressesError: The source would have too many addresses.
    """
    some = list(wanted)
    change = await Store.run(partial(stored.watch, source=source, wanted=some))
    if any(each.from_block is not None for each in some):
        contexts = TrackerContext.all()
        searcher = next(each.names.searcher for each in contexts if each.source.name == source)
        GenServer.cast(searcher, SearchAddresses())
    return frozenset(address for address, _ in change.added)


async def get(address: str, *, source: str | None = None) -> WatchedAddress | None:
    """Return a watched address with its counts; ``None`` if it is not watched.

    Args:
        address: The address.
        source: Name of the source, if several watch such addresses.

    Raises:
        InvalidAddressError: No source can watch such an address, or ``source`` is unknown.
        AmbiguousIdError: Several sources can watch it, and ``source`` is not given.
        NoProcessError: The application is not running.
    """
    place = address_place(address, source)
    rows = await Store.run(partial(stored.find, address=place.address))
    return next((row for row in rows if row.source == place.context.source.name), None)


async def unwatch(address: str, *, source: str | None = None) -> bool:
    """Stop watching an address, and return whether it was watched.

    The transactions that paid it are still tracked until their end.

    Args:
        address: The address.
        source: Name of the source, if several watch such addresses.

    Raises:
        InvalidAddressError: No source can watch such an address, or ``source`` is unknown.
        AmbiguousIdError: Several sources can watch it, and ``source`` is not given.
        NoProcessError: The application is not running.
    """
    place = address_place(address, source)
    name = place.context.source.name
    return bool(await Store.run(partial(stored.unwatch, source=name, address=place.address)))


async def list_all() -> list[WatchedAddress]:
    """Return all watched addresses, ordered by source and address.

    Raises:
        NoProcessError: The application is not running.
    """
    found: list[WatchedAddress] = []
    after: tuple[str, str] | None = None
    while True:
        part = await Store.run(partial(stored.page, after=after, limit=_PAGE_SIZE))
        found += part
        if len(part) < _PAGE_SIZE:
            return found
        after = part[-1].source, part[-1].address
