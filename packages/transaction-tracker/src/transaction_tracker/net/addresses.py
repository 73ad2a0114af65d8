"""Decide which IP addresses connections are allowed to."""

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

# Networks outside the public internet, each with its name for the error. The list is explicit
# because Python's ``is_global`` differs between releases.
# Source: the IANA special-purpose address registries for IPv4 and IPv6.
_FORBIDDEN_V4 = (
    ("unspecified", "0.0.0.0/8"),
    ("private", "10.0.0.0/8"),
    ("shared by a carrier's customers", "100.64.0.0/10"),
    ("loopback", "127.0.0.0/8"),
    ("link-local", "169.254.0.0/16"),
    ("private", "172.16.0.0/12"),
    ("reserved", "192.0.0.0/24"),
    ("reserved for documentation", "192.0.2.0/24"),
    ("a 6to4 relay", "192.88.99.0/24"),
    ("private", "192.168.0.0/16"),
    ("reserved for benchmarks", "198.18.0.0/15"),
    ("reserved for documentation", "198.51.100.0/24"),
    ("reserved for documentation", "203.0.113.0/24"),
    ("multicast", "224.0.0.0/4"),
    ("reserved", "240.0.0.0/4"),
)
# Only 2000::/3 is in public use. Within it, these networks are not, or embed an IPv4 address.
_FORBIDDEN_V6 = (
    ("loopback", "::1/128"),
    ("unspecified", "::/128"),
    ("private", "fc00::/7"),
    ("link-local", "fe80::/10"),
    ("multicast", "ff00::/8"),
    ("a tunnel or reserved", "2001::/23"),
    ("reserved for documentation", "2001:db8::/32"),
    ("a tunnel", "2002::/16"),
    ("reserved for documentation", "3fff::/20"),
)
_PUBLIC_V6 = IPv6Network("2000::/3")
# Public IPv4 hosts, as a machine that has only IPv6 reaches them (NAT64, RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")

# Clouds serve a machine its credentials here. No allow list overrides these.
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
    return tuple((name, ip_network(network)) for name, network in table)


_FORBIDDEN = {4: _networks(_FORBIDDEN_V4), 6: _networks(_FORBIDDEN_V6)}


@dataclass(frozen=True, slots=True)
class AllowList:
    """Exceptions to the rule that connections go to public addresses only.

    Attributes:
        networks: Networks whose addresses are allowed, except cloud metadata, unspecified and
            multicast addresses, which never are.
        hosts: Names to which plain HTTP and any port are allowed. Their addresses are checked
            like all others.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str]) -> "AllowList":
        """Parse networks (``10.0.0.0/8``), addresses (``127.0.0.1``) and host names.

        Raises:
            ValueError: An entry is not a valid network, address or host name.
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
        """Return whether one of the networks contains the address."""
        return any(address in network for network in self.networks)

    def refusal(self, address: Address) -> str | None:
        """Return what kind of address makes a connection forbidden; ``None`` if it is allowed.

        An IPv4-mapped or NAT64 address is judged as the IPv4 address that it embeds.
        """
        address = _effective(address)
        if (reason := _never_allowed(address)) is not None:
            return reason
        return None if self.allows(address) else _not_public(address)


def can_be_allowed(address: Address) -> bool:
    """Return whether an allow list can permit the address."""
    return _never_allowed(_effective(address)) is None


def _never_allowed(address: Address) -> str | None:
    if address in _METADATA or any(inner in _METADATA for inner in _embedded(address)):
        return "a cloud metadata address"
    if address.is_unspecified:
        return "unspecified"
    return "multicast" if address.is_multicast else None


def _not_public(address: Address) -> str | None:
    for name, network in _FORBIDDEN[address.version]:
        if address in network:
            return name
    if address.version == 6 and address not in _PUBLIC_V6:
        return "reserved"
    return None


def _effective(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    # Remove the zone: networks do not contain an address with a zone such as fe80::1%eth0.
    return IPv6Address(int(address))


def _embedded(address: Address) -> Iterator[IPv4Address]:
    """Return every IPv4 address that an IPv6 address can embed.

    The prefix of a translator is known only in its own network, so each position that a standard
    defines counts, after any prefix.

    Source:
        RFC 6052, section 2.2 (translators; the last 32 bits also hold ``::a.b.c.d``,
        ``::ffff:0:a.b.c.d`` and ISATAP); RFC 3056 (6to4); RFC 4380 (Teredo, bits inverted).
    """
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    # An embedded address that spans bits 64 to 71 skips them.
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
    # A mistyped network or address must be an error, not a host name.
    if not (letters.isascii() and letters.isalnum()) or name.rpartition(".")[2].isdigit():
        raise ValueError(
            "an allow list must hold networks such as 10.0.0.0/8, addresses or host names, "
            f"got {entry!r}"
        )
    return name
