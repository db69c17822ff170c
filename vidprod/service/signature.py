"""Who sent a request: the cloud's two signatures.

* RPC signature, version 1.0 (HMAC-SHA1): the signature is a parameter, and covers the method and all parameters.
* ACS3-HMAC-SHA256: the signature is in the `Authorization` header, and covers method, query, the headers it lists and a digest of
  the body.

Which of the two a request uses is told by its `Authorization` header alone. The checks come in the cloud's order, so that a client
sees the code it expects: version, action, access key, method of signing, time, signature. What follows is the caller's to check:
the nonce (`vidprod.service.nonces`), the account's rate, the action's own parameters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import quote

from vidprod.service.errors import (
    IncompleteSignature,
    InvalidAction,
    InvalidSecurityToken,
    InvalidSignatureMethod,
    InvalidVersion,
    SignatureMismatch,
    TimestampExpired,
    TimestampFormat,
    UnknownAccessKey,
    UnsupportedMethod,
    missing,
)
from vidprod.service.request import SignedRequest

WINDOW = timedelta(minutes=15)
"""How far a request's time may be from the server's, either way."""

ALGORITHM = "ACS3-HMAC-SHA256"
MUST_BE_SIGNED = (
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
)
"""Headers that an ACS3 signature must cover; `content-type` too when there is a body, for it decides how the body is read."""

_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True)
class Caller:
    """What a verified request says about itself.

    Attributes:
        access_key_id: whose key signed it.
        nonce: to be used once per access key.
        timestamp: when it was signed; aware, UTC.
        action: the cloud's name of the action.
        version: of the API.
        parameters: query and form together, with the common parameters that came along.
    """

    access_key_id: str
    nonce: str
    timestamp: datetime
    action: str
    version: str
    parameters: Mapping[str, str]


def verify(
    request: SignedRequest,
    secret_of: Callable[[str], str | None],
    now: datetime,
    *,
    served: Mapping[str, Collection[str]] | None = None,
) -> Caller:
    """Checks a request up to and including its signature.

    Args:
        request: as it came.
        secret_of: the secret of an access key, None for an unknown one; raises `InactiveAccessKey` for a disabled one.
        now: the server's time, aware.
        served: names of the actions of each version; None to leave that to the caller.

    Raises:
        GatewayError: of the documented kind.
        InvalidParameter: a parameter given twice.
    """
    if request.method not in ("GET", "POST"):
        raise UnsupportedMethod
    if request.path not in ("/", ""):
        raise InvalidAction
    authorization = request.header("authorization") or ""
    claim: _Claim = _HeaderClaim(request, authorization) if _is_header_signed(authorization) else _QueryClaim(request)
    parameters = request.parameters
    version = claim.common("Version")
    if served is not None and version not in served:
        raise InvalidVersion
    action = claim.common("Action")
    if served is not None and action not in served[version]:
        raise InvalidAction
    key = claim.common("AccessKeyId")
    secret = secret_of(key)
    if secret is None:
        raise UnknownAccessKey
    claim.check_method()
    timestamp = read_timestamp(claim.common("Timestamp"))
    if abs(now - timestamp) > WINDOW:
        raise TimestampExpired
    nonce = claim.common("SignatureNonce")
    claim.check_signature(secret)
    return Caller(key, nonce, timestamp, action, version, parameters)


def read_timestamp(text: str) -> datetime:
    """`2020-03-20T12:00:00Z`, and nothing else, as an aware time."""
    if not _TIMESTAMP.fullmatch(text):
        raise TimestampFormat
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise TimestampFormat from None


def write_timestamp(moment: datetime) -> str:
    """The inverse of `read_timestamp`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- canonical forms and signing; a client of this server uses these too ----------------------------------------------


def encode(text: str) -> str:
    """Percent-encoding of UTF-8 that leaves only `A-Z a-z 0-9 - _ . ~`, upper-case hex."""
    return quote(text, safe="")


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Sorted by name, encoded, joined; an empty value leaves `name=`."""
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(parameters))


def query_string_to_sign(method: str, parameters: Mapping[str, str]) -> str:
    """What version 1.0 signs: `parameters` are query and form together; `Signature` itself is left out."""
    canonical = canonical_query((name, value) for name, value in parameters.items() if name != "Signature")
    return f"{method}&%2F&{encode(canonical)}"


def sign_query(method: str, parameters: Mapping[str, str], secret: str) -> str:
    """The `Signature` of version 1.0."""
    text = query_string_to_sign(method, parameters)
    return base64.b64encode(hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")).decode()


def canonical_request(request: SignedRequest, signed: Collection[str]) -> str:
    """What ACS3 signs, before it is hashed. The digest is that of the body received, whatever the header says."""
    lines = []
    for name in signed:
        value = request.header(name.lower())
        if value is None:
            raise IncompleteSignature(f"{IncompleteSignature.text} The signed header {name[:80]!r} is absent.")
        lines.append(f"{name}:{value}\n")
    digest = hashlib.sha256(request.body).hexdigest()
    query = canonical_query(request.query)
    return f"{request.method}\n/\n{query}\n{''.join(lines)}\n{';'.join(signed)}\n{digest}"


def header_string_to_sign(canonical: str) -> str:
    """The string that the ACS3 HMAC is computed over."""
    return f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def sign_headers(request: SignedRequest, access_key_id: str, secret: str) -> str:
    """The `Authorization` header for a request that carries all its other headers."""
    signed = sorted(
        name for name, _ in request.headers if name in ("host", "content-type") or name.startswith("x-acs-")
    )
    text = header_string_to_sign(canonical_request(request, signed))
    signature = hmac.digest(secret.encode(), text.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={access_key_id},SignedHeaders={';'.join(signed)},Signature={signature}"


# --- the two ways of claiming to be somebody --------------------------------------------------------------------------


class _Claim(Protocol):
    def common(self, name: str) -> str:
        """A common parameter, by its name in version 1.0; raises when it is absent or empty."""

    def check_method(self) -> None:
        """Refuses what is not supported."""

    def check_signature(self, secret: str) -> None:
        """Raises SignatureMismatch."""


def _is_header_signed(authorization: str) -> bool:
    # ACS4 and its like are claims too, though refused; `Basic` or `Bearer` are somebody else's.
    return authorization.startswith("ACS")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


class _QueryClaim:
    """RPC signature, version 1.0."""

    def __init__(self, request: SignedRequest) -> None:
        self.method = request.method
        self.parameters = request.parameters

    def common(self, name: str) -> str:
        value = self.parameters.get(name)
        if not value:
            raise missing(name)
        return value

    def check_method(self) -> None:
        method = self.common("SignatureMethod")
        if method.upper() != "HMAC-SHA1":
            raise InvalidSignatureMethod(
                f"{InvalidSignatureMethod.text} It is {method[:80]!r}; HMAC-SHA1 is supported."
            )
        kind = self.parameters.get("SignatureType")
        if kind:  # clients send it empty, or BEARERTOKEN
            raise InvalidSignatureMethod(f"{InvalidSignatureMethod.text} SignatureType {kind[:80]!r} is not supported.")
        version = self.common("SignatureVersion")
        if version != "1.0":
            raise IncompleteSignature(
                f"{IncompleteSignature.text} SignatureVersion is {version[:80]!r}; 1.0 is supported."
            )
        if self.parameters.get("SecurityToken"):
            raise InvalidSecurityToken

    def check_signature(self, secret: str) -> None:
        given = self.common("Signature")
        if not _same(given, sign_query(self.method, self.parameters, secret)):
            # The Python core client splits this at the first colon and compares the rest with what it signed itself.
            text = query_string_to_sign(self.method, self.parameters)
            raise SignatureMismatch(
                f"Specified signature is not matched with our calculation. server string to sign is:{text}"
            )


_HEADER_OF = {
    "Version": "x-acs-version",
    "Action": "x-acs-action",
    "Timestamp": "x-acs-date",
    "SignatureNonce": "x-acs-signature-nonce",
}


class _HeaderClaim:
    """ACS3-HMAC-SHA256."""

    def __init__(self, request: SignedRequest, authorization: str) -> None:
        self.request = request
        self.algorithm, _, rest = authorization.partition(" ")
        fields = [part.strip().partition("=") for part in rest.split(",")]
        self.fields = {name: value for name, _, value in fields}
        if len(fields) != 3 or self.fields.keys() != {"Credential", "SignedHeaders", "Signature"}:
            raise IncompleteSignature(
                f"{IncompleteSignature.text} Authorization must read: {ALGORITHM} Credential=..,SignedHeaders=..,Signature=.."
            )
        self.signed = self.fields["SignedHeaders"].split(";")

    def common(self, name: str) -> str:
        if name == "AccessKeyId":
            value: str | None = self.fields["Credential"]
        else:
            value = self.request.header(_HEADER_OF[name])
        if not value:
            raise missing(name)
        return value

    def check_method(self) -> None:
        if self.algorithm != ALGORITHM:
            raise InvalidSignatureMethod(
                f"{InvalidSignatureMethod.text} It is {self.algorithm[:80]!r}; {ALGORITHM} is supported."
            )
        if self.request.header("x-acs-security-token"):
            raise InvalidSecurityToken
        if len(set(self.signed)) != len(self.signed):
            raise IncompleteSignature(f"{IncompleteSignature.text} SignedHeaders names a header twice.")
        needed = (*MUST_BE_SIGNED, "content-type") if self.request.body else MUST_BE_SIGNED
        absent = [name for name in needed if name not in self.signed]
        if absent:
            raise IncompleteSignature(f"{IncompleteSignature.text} SignedHeaders must name {', '.join(absent)}.")

    def check_signature(self, secret: str) -> None:
        canonical = canonical_request(self.request, self.signed)
        text = header_string_to_sign(canonical)
        expected = hmac.digest(secret.encode(), text.encode(), "sha256").hex()
        # The header must tell the digest of what came, or the body would not be covered by anything the client signed.
        body = hashlib.sha256(self.request.body).hexdigest()
        claimed = self.request.header("x-acs-content-sha256") or ""
        if not (_same(self.fields["Signature"], expected) & _same(claimed, body)):
            raise SignatureMismatch(
                "Specified signature does not match our calculation. "
                f"server StringToSign is [{text}] server CanonicalRequest is [{canonical}]"
            )
