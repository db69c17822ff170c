"""Which addresses inputs may be fetched from.

A URL comes from whoever sends a job. It must not become a way to the services that only this machine, or only its network, can
reach: databases, routers, the metadata of a cloud's machines.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNICAST = IPv6Network("2000::/3")  # all that has been handed out for the public
_TRANSLATED = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_TUNNELS = (
    IPv6Network("2001::/32"),
    IPv6Network("2002::/16"),
)  # Teredo and 6to4: lead to whatever IPv4 address they hold
# What `is_global` says differs between versions of Python; these are here so that the answer does not.
_SPECIAL = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("224.0.0.0/3"),
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)


def is_public(address: Address) -> bool:
    """Whether everybody on the internet can reach an address.

    >>> [is_public(ip_address(text)) for text in ("8.8.8.8", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::808:808")]
    [True, False, False, False, True]
    """
    address = plain(address)
    if any(address in network for network in (*_SPECIAL, *_TUNNELS)):
        return False
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def may_connect(address: Address, allow: Collection[Network]) -> bool:
    """Whether inputs may come from an address: a public one, or one in a network that the operator named."""
    return is_public(address) or any(plain(address) in network or address in network for network in allow)


def plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, without a zone; otherwise itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    bare = IPv6Address(int(address))
    return IPv4Address(int(bare) & 0xFFFFFFFF) if bare in _TRANSLATED else bare


def parse(text: str) -> Address:
    """An address as the resolver writes it, `fe80::1%eth0`."""
    return ip_address(text)
