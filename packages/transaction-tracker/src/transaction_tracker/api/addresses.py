"""Addresses of clients, as limits count them."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# One client usually has a whole IPv6 network of this size.
_IPV6_PREFIX = 64


def client_address(host: str) -> IPv4Address | IPv6Address:
    """Parse an address without its zone; an IPv4-mapped IPv6 address is the IPv4 address.

    On a socket for both, every IPv4 client has an IPv4-mapped address, in one and the same network.

    Raises:
        ValueError: The text is not an address.
    """
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def counted_as(address: IPv4Address | IPv6Address) -> str:
    """Return the key under which a client is counted: its IPv4 address or IPv6 network (/64)."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _IPV6_PREFIX), strict=False))
    return str(address)
