"""The watched addresses of one source in memory, for each block to be compared with them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from transaction_tracker.domain import Required

_ADDRESS_CHARACTERS = 42


@dataclass(frozen=True, slots=True)
class WatchedChange:
    """A change of the watched addresses of one source.

    Attributes:
        source: Name of the source.
        version: Number of additions so far.
        added: New addresses, each with its requirement.
        removed: Addresses that are no longer watched.
    """

    source: str
    version: int
    added: tuple[tuple[str, Required | None], ...] = ()
    removed: tuple[str, ...] = ()


class WatchedAddresses:
    """The addresses as they are stored. Only the store writes it, after the commit.

    An address of an EVM chain is kept as its 20 bytes: a hundred thousand of them take less than
    20 MB, half of what their text takes.

    Attributes:
        version: Number of additions that are in it.
    """

    def __init__(self) -> None:
        self.version: int = 0
        self._required: dict[bytes, Required | None] = {}

    def __len__(self) -> int:
        return len(self._required)

    def __contains__(self, address: object) -> bool:
        return isinstance(address, str) and _key(address) in self._required

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._required)

    def required(self, address: str) -> Required | None:
        """Return the requirement of an address; ``None`` for that of the source."""
        return self._required.get(_key(address))

    def load(self, addresses: Iterable[tuple[str, Required | None]], version: int) -> None:
        """Add addresses, and set the number of additions. Only for the store."""
        self._required.update((_key(address), required) for address, required in addresses)
        self.version = version

    def take(self, change: WatchedChange) -> None:
        """Take over a change. Only for the store."""
        for address in change.removed:
            self._required.pop(_key(address), None)
        self.load(change.added, change.version)

    def clear(self) -> None:
        """Remove everything, before the database is loaded. Only for the store."""
        self.version = 0
        self._required.clear()


def _key(address: str) -> bytes:
    """Return the bytes of an address, or its text if it is not one of an EVM chain."""
    if len(address) == _ADDRESS_CHARACTERS and address.startswith("0x"):
        try:
            return bytes.fromhex(address[2:])
        except ValueError:
            pass
    return address.encode("utf-8", "surrogatepass")
