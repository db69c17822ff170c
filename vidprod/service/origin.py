"""How a client reached this server, and by which address it will find it again."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from vidprod.errors import InvalidParameter
from vidprod.storage.policy import split_host

Scope = MutableMapping[str, Any]

_HOST = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_SCHEME = re.compile(r"^(?:https?://)+", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """Where a request came in.

    Attributes:
        host: its Host header, verbatim.
        base_url: scheme, host and port that links for this client begin with.
        address: of the accepting socket, with its port.
        hosts: all names of this server that this client may use in a URL, lower case, with ports.
    """

    host: str
    base_url: str
    address: str
    hosts: frozenset[str]

    @property
    def secure(self) -> bool:
        """Whether the client reaches the server with TLS."""
        return self.base_url.startswith("https:")

    def upload_host(self, *, plain_http: bool) -> tuple[str, str]:
        """Bucket and endpoint for an upload ticket; see `split_host`. A host name without a dot gives way to the socket's address.

        Raises:
            InvalidParameter: neither has a dot; the message tells the operator what to set.
        """
        for host in (urlsplit(self.base_url).netloc, self.address):
            try:
                return split_host(host, plain_http=plain_http)
            except ValueError:
                continue
        raise InvalidParameter(
            f"uploads need a host name with a dot in it, {self.host!r} has none: set VIDPROD_PUBLIC_URL on the server"
        )


def origin_of(scope: Scope, public_url: str | None) -> Origin:
    """The origin of a request.

    Args:
        scope: ASGI's, with what `protocol.Connection` adds.
        public_url: the setting, which goes before all that the request says.
    """
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    address = _address(scope.get("server"))
    named = _clean(host)
    authority = scope.get("state", {}).get("authority")
    # A client that uses the server as its HTTP proxy names a host of the cloud, where nobody would find a result.
    if authority is not None and _clean(authority) != address:
        named = None
    base_url = public_url.rstrip("/") if public_url else f"{scope.get('scheme', 'http')}://{named or address}"
    own = (urlsplit(base_url).netloc, named, address)
    return Origin(host, base_url, address, frozenset(name.lower() for name in own if name))


def _clean(host: str) -> str | None:
    """The host in a Host header; some clients put a scheme before it, or a slash behind. None for what is none."""
    host = _SCHEME.sub("", host).rstrip("/")
    return host if _HOST.fullmatch(host) else None


def _address(server: tuple[str, int | None] | None) -> str:
    if not server:
        return "127.0.0.1"
    text, port = server
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:  # a test client's made-up name
        return text if port is None else f"{text}:{port}"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        text = str(mapped) if mapped else f"[{address}]"
    return text if port is None else f"{text}:{port}"
