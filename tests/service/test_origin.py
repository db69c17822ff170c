"""Which address clients are given back."""

from __future__ import annotations

import pytest

from vidprod.errors import InvalidParameter
from vidprod.service.origin import Origin, Scope, origin_of


def origin(
    host: str | None = "api.example.net:8080",
    *,
    server: tuple[str, int] = ("10.1.2.3", 8080),
    scheme: str = "http",
    authority: str | None = None,
    public_url: str | None = None,
) -> Origin:
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    scope: Scope = {"headers": headers, "server": server, "scheme": scheme, "state": {"authority": authority}}
    return origin_of(scope, public_url)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("api.example.net:8080", "http://api.example.net:8080"),
        ("API.example.net", "http://API.example.net"),
        ("http://api.example.net:8080", "http://api.example.net:8080"),
        ("https://api.example.net:8080/", "http://api.example.net:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        # What is no host name gives way to the socket's address; it must not get into links, logs or headers.
        (None, "http://10.1.2.3:8080"),
        ("", "http://10.1.2.3:8080"),
        ("a b", "http://10.1.2.3:8080"),
        ("h/path", "http://10.1.2.3:8080"),
        ("h?x=", "http://10.1.2.3:8080"),
        ("user@h", "http://10.1.2.3:8080"),
        ('"><script>', "http://10.1.2.3:8080"),
        ("h:99999999", "http://10.1.2.3:8080"),
        ("a" * 300, "http://10.1.2.3:8080"),
        ("\xe4.net", "http://10.1.2.3:8080"),
    ],
)
def test_links_begin_with_the_host_that_was_asked(host: str | None, base: str) -> None:
    found = origin(host)
    assert found.base_url == base
    assert found.host == (host or "")  # HostId tells what came
    assert not found.secure


def test_tls_and_public_url() -> None:
    assert origin(scheme="https").base_url == "https://api.example.net:8080"
    found = origin(public_url="https://video.example.org/")
    assert (found.base_url, found.secure) == ("https://video.example.org", True)
    assert found.hosts == {"video.example.org", "api.example.net:8080", "10.1.2.3:8080"}


@pytest.mark.parametrize(
    ("server", "address"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::ffff:127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80), "[::1]:80"),
        (("fe80::1%eth0", 80), "[fe80::1]:80"),
    ],
)
def test_addresses(server: tuple[str, int], address: str) -> None:
    assert origin(None, server=server).address == address


def test_a_proxy_is_asked_for_hosts_of_others() -> None:
    cloud = "openplatform.aliyuncs.com"
    assert origin(cloud, authority=cloud).base_url == "http://10.1.2.3:8080"
    assert origin("10.1.2.3:8080", authority="10.1.2.3:8080").base_url == "http://10.1.2.3:8080"
    assert origin(cloud, authority=cloud, public_url="http://p.net").base_url == "http://p.net"
    assert cloud not in origin(cloud, authority=cloud).hosts


@pytest.mark.parametrize(
    ("host", "plain", "expected"),
    [
        ("api.example.net:8080", False, ("api", "example.net:8080")),
        ("api.example.net:8080", True, ("http://api", "example.net:8080")),
        ("localhost:8080", False, ("10", "1.2.3:8080")),
        ("[::1]:8080", True, ("http://10", "1.2.3:8080")),
    ],
)
def test_uploads_go_to_a_host_with_a_dot(host: str, plain: bool, expected: tuple[str, str]) -> None:
    assert origin(host).upload_host(plain_http=plain) == expected


def test_where_there_is_no_such_host_the_operator_is_told_what_to_do() -> None:
    with pytest.raises(InvalidParameter, match="VIDPROD_PUBLIC_URL"):
        origin("localhost:8080", server=("::1", 8080)).upload_host(plain_http=False)
