from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidprod.storage.addresses import is_public, may_connect, parse, plain

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)

# RFC 6890 and its successors, written out here once more: the code must not be its own judge.
CLOSED_V4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
CLOSED_V6 = [
    "::/96",
    "::ffff:0:0:0/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:2::/48",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]


def within(network: IPv4Network | IPv6Network) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    kind = IPv4Address if network.version == 4 else IPv6Address
    first, last = int(network.network_address), int(network.broadcast_address)
    return st.one_of(st.sampled_from([first, last]), st.integers(first, last)).map(kind)


def forms(address: IPv4Address) -> list[IPv6Address]:
    """The addresses of version 6 by which a packet may get to one of version 4."""
    number = int(address)
    return [
        IPv6Address(number),
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0xFFFF << 48 | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address(int(IPv6Address("64:ff9b:1::")) | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x2001 << 112 | number << 64 | (~0x08080808 & 0xFFFFFFFF)),
        IPv6Address(0x2001 << 112 | 0x08080808 << 64 | (~number & 0xFFFFFFFF)),
    ]


@pytest.mark.parametrize("text", CLOSED_V4)
def test_no_form_of_a_closed_address_is_public(text: str) -> None:
    @given(within(ip_network(text)))
    def check(address: IPv4Address | IPv6Address) -> None:
        assert isinstance(address, IPv4Address)
        assert not is_public(address)
        assert not any(map(is_public, forms(address)))

    check()


@pytest.mark.parametrize("text", CLOSED_V6)
def test_closed_addresses_of_version_6(text: str) -> None:
    @given(within(ip_network(text)))
    def check(address: IPv4Address | IPv6Address) -> None:
        assert not is_public(address)

    check()


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "172.15.0.1",
        "172.32.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00::1",
    ],
)
def test_public_addresses(text: str) -> None:
    assert is_public(parse(text))


@given(V4)
def test_the_ways_that_are_kept_open_lead_to_the_same_answer(address: IPv4Address) -> None:
    _, mapped, _, translated, *_ = forms(address)
    assert is_public(mapped) == is_public(translated) == is_public(address)
    assert plain(mapped) == plain(translated) == address


@given(st.one_of(V4, V6))
def test_nothing_is_public_that_python_calls_private(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        found = plain(address)
        assert found.is_global
        kinds = ("private", "multicast", "reserved", "loopback", "link_local", "unspecified")
        assert [kind for kind in kinds if getattr(found, f"is_{kind}")] == []


@pytest.mark.parametrize(
    ("text", "network", "permitted"),
    [
        ("127.0.0.1", "127.0.0.0/8", True),
        ("::ffff:127.0.0.1", "127.0.0.0/8", True),
        ("64:ff9b::7f00:1", "127.0.0.0/8", True),
        ("127.0.0.1", "10.0.0.0/8", False),
        ("fe80::1%1", "fe80::/10", True),
        ("fc00::1", "fc00::/7", True),
        ("fc00::1", "127.0.0.0/8", False),
        ("2002:7f00:1::", "127.0.0.0/8", False),
        ("2002:7f00:1::", "2002::/16", True),
        ("0.0.0.0", "0.0.0.0/0", True),
        ("8.8.8.8", "10.0.0.0/8", True),
    ],
)
def test_networks_that_the_operator_permits(text: str, network: str, permitted: bool) -> None:
    assert may_connect(parse(text), [ip_network(network)]) is permitted
