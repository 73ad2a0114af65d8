"""Which addresses connections are allowed to."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.net import AllowList

NONE = AllowList()
PRIVATE = AllowList.of(["0.0.0.0/0", "::/0"])  # whatever a careless user allows

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.169.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
FORBIDDEN = [
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("10.0.0.1", "private"),
    ("100.64.0.1", "carrier"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("169.254.1.1", "link-local"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.1", "reserved"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4 relay"),
    ("192.168.1.1", "private"),
    ("198.19.0.1", "benchmarks"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("224.0.0.1", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "reserved"),
    ("ff02::1", "multicast"),
    ("100::1", "reserved"),
    ("2001::1", "tunnel"),  # Teredo
    ("2001:0:7f00:1::", "tunnel"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::", "tunnel"),  # 6to4 of 127.0.0.1
    ("2002:808:808::", "tunnel"),
    ("3fff::1", "documentation"),
    ("5f00::1", "reserved"),
    ("64:ff9b:1::7f00:1", "reserved"),
    ("::7f00:1", "reserved"),  # IPv4-compatible
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:0:127.0.0.1", "reserved"),  # IPv4-translated
    ("64:ff9b::127.0.0.1", "loopback"),
    ("64:ff9b::10.1.2.3", "private"),
]
METADATA = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd00:ec2::254%1",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2002:6464:64c8::",
    "2001:0:a9fe:a9fe::1",
    "2001:0:808:808::5601:5601",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:a9:fe00::",
    "2001:db8:a9fe:a9fe::",
    "2001:db8:1a9:fea9:fe::",
    "2001:db8:1:a9fe:a9:fe00::",
    "2001:db8:1:1a9:fe:a9fe::",
    "2001:db8:1:1:a9:fea9:fe00:0",
    "2001:db8:1:1::169.254.169.254",
    "fe80::5efe:169.254.169.254",
    "fd20:ce::254",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_allowed(text: str) -> None:
    assert NONE.refusal(ip_address(text)) is None


@pytest.mark.parametrize(("text", "words"), FORBIDDEN)
def test_other_addresses_are_refused_with_the_kind_of_address(text: str, words: str) -> None:
    assert words in (NONE.refusal(ip_address(text)) or "")


@pytest.mark.parametrize("text", METADATA)
@pytest.mark.parametrize("allowed", [NONE, PRIVATE])
def test_metadata_addresses_are_never_allowed(text: str, allowed: AllowList) -> None:
    assert allowed.refusal(ip_address(text)) == "a cloud metadata address"


@pytest.mark.parametrize("text", ["0.0.0.0", "::", "224.0.0.1", "ff02::1"])
def test_unspecified_and_multicast_addresses_are_never_allowed(text: str) -> None:
    assert PRIVATE.refusal(ip_address(text)) is not None


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd00::7"])
def test_allowed_networks_cover_each_form_of_an_address(text: str) -> None:
    allowed = AllowList.of(["10.0.0.0/8", "fd00::/64"])

    assert allowed.refusal(ip_address(text)) is None
    assert allowed.refusal(ip_address("10.0.0.1")) is None
    assert allowed.refusal(ip_address("192.168.0.1")) is not None


def test_allow_list_parses_networks_addresses_and_names() -> None:
    allowed = AllowList.of(["10.0.0.0/8", "127.0.0.1", "::1", "Hooks.Internal.", "localhost"])

    assert len(allowed.networks) == 3
    assert allowed.hosts == {"hooks.internal", "localhost"}


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.0/33", "10.0.0.1/8", "10.0.0", "*", "http://host", "a b", "*.internal"]
)
def test_invalid_allow_list_entry_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="must hold networks"):
        AllowList.of([entry])


@given(st.ip_addresses(v=4))
def test_embedded_ipv4_address_is_judged_as_ipv4(address: IPv4Address) -> None:
    for prefix in (0xFFFF << 32, 0x64FF9B << 96):
        assert NONE.refusal(IPv6Address(prefix | int(address))) == NONE.refusal(address)


@given(st.ip_addresses())
def test_address_that_python_calls_private_is_refused(
    address: IPv4Address | IPv6Address,
) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    if not address.is_global and mapped is None:
        assert NONE.refusal(address) is not None or int(address) >> 32 == 0x64FF9B << 64
