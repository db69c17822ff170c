"""A client's side of the signatures, written from their description; not with the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from vidprod.service.request import FORM, SignedRequest
from vidprod.service.signature import Caller, verify

KEY, SECRET = "testid", "testsecret"
NOW = datetime(2020, 3, 10, 8, 18, 18, tzinfo=UTC)
STAMP = "2020-03-10T08:18:18Z"
SERVED = {"2020-03-20": {"EraseVideoLogo"}, "2019-12-19": {"AuthorizeFileUpload"}}
BODY = b"Boxes.1.H=0.25&Boxes.1.W=0.25&Boxes.1.X=0.0&Boxes.1.Y=0.0&VideoUrl=http%3A%2F%2F127.0.0.1%3A9000%2Fa.mp4"


def secret_of(key: str) -> str | None:
    return SECRET if key == KEY else None


def urlencoded(values: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in values.items())


def common(**changes: str | None) -> dict[str, str]:
    """Parameters that every request of version 1.0 has; None takes one away."""
    defaults = {
        "Action": "EraseVideoLogo",
        "Version": "2020-03-20",
        "Format": "JSON",
        "AccessKeyId": KEY,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": "313ef0fb-0393-464f-a6e2-59d9ca2585b1",
        "Timestamp": STAMP,
    }
    return {name: value for name, value in {**defaults, **changes}.items() if value is not None}


def query_signed(
    business: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    where: str = "form",
    secret: str = SECRET,
    **changes: str | None,
) -> SignedRequest:
    """A request of version 1.0. `where` is where the business parameters go: the "form", or like the rest the "query"."""
    business = business or {}
    values = {**common(**changes), **business}
    canonical = "&".join(f"{quote(name, safe='')}={quote(values[name], safe='')}" for name in sorted(values))
    text = f"{method}&%2F&{quote(canonical, safe='')}"
    digest = hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()
    query = {**common(**changes), "Signature": base64.b64encode(digest).decode()}
    if where == "query":
        return SignedRequest.parse(method, f"/?{urlencoded({**query, **business})}", [("Host", "h")])
    headers = [("Host", "h"), ("Content-Type", FORM)]
    return SignedRequest.parse(method, f"/?{urlencoded(query)}", headers, urlencoded(business).encode())


def header_signed(
    body: bytes = b"",
    *,
    query: Mapping[str, str] | None = None,
    method: str = "POST",
    secret: str = SECRET,
    unsigned: tuple[str, ...] = (),
    algorithm: str = "ACS3-HMAC-SHA256",
    key: str = KEY,
    **changes: str | None,
) -> SignedRequest:
    """An ACS3 request. `changes` are to headers, with underscores for hyphens; None takes one away, before signing."""
    headers: dict[str, str | None] = {
        "host": "127.0.0.1:8080",
        "x-acs-action": "EraseVideoLogo",
        "x-acs-version": "2020-03-20",
        "x-acs-date": STAMP,
        "x-acs-signature-nonce": "313ef0fb0393464fa6e259d9ca2585b1",
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "content-type": FORM if body else None,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    kept = {name: value for name, value in headers.items() if value is not None}
    signed = sorted(set(kept) - set(unsigned))
    pairs = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted((query or {}).items()))
    lines = "".join(f"{name}:{kept[name]}\n" for name in signed)
    canonical = f"{method}\n/\n{pairs}\n{lines}\n{';'.join(signed)}\n{kept.get('x-acs-content-sha256', '')}"
    text = f"{algorithm}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    authorization = f"{algorithm} Credential={key},SignedHeaders={';'.join(signed)},Signature={signature}"
    target = f"/?{urlencoded(query)}" if query else "/"
    return SignedRequest.parse(method, target, [*kept.items(), ("Authorization", authorization)], body)


def check(request: SignedRequest) -> Caller:
    """The caller of a request that came at `NOW`."""
    return verify(request, secret_of, NOW, served=SERVED)
