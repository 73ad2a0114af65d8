"""Which addresses may be connected to: those of the public internet, and those allowed by hand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What is not the public internet, in words for the error. Written out, because Python's own
# ``is_global`` differs from release to release.
# Source: the IANA special-purpose address registries for IPv4 and IPv6.
_FORBIDDEN_V4 = (
    ("unspecified", "0.0.0.0/8"),
    ("private", "10.0.0.0/8"),
    ("shared with a carrier's customers", "100.64.0.0/10"),
    ("loopback", "127.0.0.0/8"),
    ("link-local", "169.254.0.0/16"),
    ("private", "172.16.0.0/12"),
    ("reserved", "192.0.0.0/24"),
    ("for documentation", "192.0.2.0/24"),
    ("a relay between protocols", "192.88.99.0/24"),
    ("private", "192.168.0.0/16"),
    ("for measurements", "198.18.0.0/15"),
    ("for documentation", "198.51.100.0/24"),
    ("for documentation", "203.0.113.0/24"),
    ("multicast", "224.0.0.0/4"),
    ("reserved", "240.0.0.0/4"),
)
# Only 2000::/3 is in public use; within it these are not, or hide an IPv4 address.
_FORBIDDEN_V6 = (
    ("loopback", "::1/128"),
    ("unspecified", "::/128"),
    ("private", "fc00::/7"),
    ("link-local", "fe80::/10"),
    ("multicast", "ff00::/8"),
    ("a tunnel or reserved", "2001::/23"),
    ("for documentation", "2001:db8::/32"),
    ("a tunnel", "2002::/16"),
    ("for documentation", "3fff::/20"),
)
_PUBLIC_V6 = IPv6Network("2000::/3")
# A machine that has only IPv6 sees the public IPv4 hosts here (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")

# Where clouds tell a machine its own keys. No allow list opens these.
_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)


def _networks(table: Iterable[tuple[str, str]]) -> tuple[tuple[str, Network], ...]:
    return tuple((words, ip_network(network)) for words, network in table)


_FORBIDDEN = {4: _networks(_FORBIDDEN_V4), 6: _networks(_FORBIDDEN_V6)}


@dataclass(frozen=True, slots=True)
class AllowList:
    """What may be connected to although it is not public.

    Attributes:
        networks: Addresses in them are let through. Those of clouds' metadata never are,
            nor those that stand for no single machine.
        hosts: Names that may be asked without TLS. Their addresses are checked as all others.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str]) -> "AllowList":
        """Read networks (``10.0.0.0/8``), addresses (``127.0.0.1``) and host names.

        Raises:
            ValueError: One is none of these.
        """
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in entries:
            network = _network(entry)
            if network is not None:
                networks.append(network)
            else:
                hosts.add(_host(entry))
        return cls(tuple(networks), frozenset(hosts))

    def allows(self, address: Address) -> bool:
        """Say whether the address was let through by hand."""
        return any(address in network for network in self.networks)

    def refusal(self, address: Address) -> str | None:
        """Say in a few words why an address may not be connected to; ``None`` when it may.

        An IPv4 address inside an IPv6 one is judged as what it stands for.
        """
        address = _meant(address)
        if address in _METADATA or any(inner in _METADATA for inner in _embedded(address)):
            return "a cloud's metadata address"
        if address.is_unspecified or address.is_multicast:
            return "unspecified" if address.is_unspecified else "multicast"
        return None if self.allows(address) else _not_public(address)


def _not_public(address: Address) -> str | None:
    for words, network in _FORBIDDEN[address.version]:
        if address in network:
            return words
    if address.version == 6 and address not in _PUBLIC_V6:
        return "reserved"
    return None


def _meant(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    # Without its zone: fe80::1%eth0 is as link-local as fe80::1.
    return IPv6Address(int(address))


def _embedded(address: Address) -> Iterator[IPv4Address]:
    """List the IPv4 addresses that an IPv6 address can stand for, wherever it holds them.

    Which prefix a translator uses is known only in its network, so every place counts, whatever
    stands before it.

    Source:
        RFC 6052, section 2.2 (translators; the last 32 bits also hold ``::a.b.c.d``,
        ``::ffff:0:a.b.c.d`` and ISATAP); RFC 3056 (6to4); RFC 4380 (Teredo, bits inverted).
    """
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    # Bits 64 to 71 are left out of an address that is embedded across them.
    without_gap = (number >> 64 << 56) | (number & (1 << 56) - 1)
    for prefix in (32, 40, 48, 56, 64):
        yield IPv4Address(without_gap >> 120 - 32 - prefix & 0xFFFF_FFFF)
    yield IPv4Address(number & 0xFFFF_FFFF)
    yield IPv4Address(number >> 80 & 0xFFFF_FFFF)
    yield IPv4Address(~number & 0xFFFF_FFFF)


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry)
    except ValueError:
        return None


def _host(entry: str) -> str:
    name = entry.lower().removesuffix(".")
    letters = name.replace(".", "").replace("-", "")
    # Of a network with bits set after its mask, or of a typing error in one, nobody wants a name.
    if not (letters.isascii() and letters.isalnum()) or name.rpartition(".")[2].isdigit():
        raise ValueError(
            "an allow list must hold networks such as 10.0.0.0/8, addresses or host names, "
            f"got {entry!r}"
        )
    return name
