"""Uploads by form: the ticket a client asks for, and the policy it brings back with the file.

A client uploads in three calls: it gets a ticket (`AuthorizeFileUpload`), posts a form with the ticket's policy and the file to
`<protocol>://<Bucket>.<Endpoint>/`, and names `http://<Bucket>.<Endpoint>/<ObjectKey>` as the input of its job. The policy says
which key may be written, how many bytes, and until when; the signature over it makes that binding, so the server need not remember
tickets.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

from vidprod.storage.errors import AccessDenied, InvalidObjectName, InvalidPolicy, LinkMismatch, TooLarge, TooSmall
from vidprod.storage.presign import KeyPair, check_key, decode_path

_EXPIRATION = "%Y-%m-%dT%H:%M:%S.000Z"


@dataclass(frozen=True)
class UploadPolicy:
    """What one upload may do.

    Attributes:
        expiration: the last moment, aware.
        key: the only object that may be written.
        max_size: bytes; at least one must come.
    """

    expiration: datetime
    key: str
    max_size: int

    def encode(self) -> str:
        """The policy as the form carries it: base64 of a JSON document."""
        document = {
            "expiration": self.expiration.astimezone(UTC).strftime(_EXPIRATION),
            "conditions": [["eq", "$key", self.key], ["content-length-range", 1, self.max_size]],
        }
        return base64.b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()

    @classmethod
    def decode(cls, encoded: str) -> Self:
        """The inverse of `encode`. Only policies of this server's shape are understood; nobody else can sign one."""
        try:
            document = json.loads(base64.b64decode(encoded, validate=True))
            expiration = datetime.strptime(document["expiration"], _EXPIRATION).replace(tzinfo=UTC)
            (equal, name, key), (length, _, size) = document["conditions"]
        except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
            raise InvalidPolicy("The policy is not one that this server issued.") from None
        if (equal, name, length) != ("eq", "$key", "content-length-range") or not isinstance(size, int):
            raise InvalidPolicy("The policy is not one that this server issued.")
        if not isinstance(key, str):
            raise InvalidPolicy("The policy names no key.")
        return cls(expiration, key, size)

    def check_size(self, size: int, *, complete: bool = True) -> None:
        """Refuses a file that is too long or empty; with `complete` False, while bytes still come, only one too long."""
        if size > self.max_size:
            raise TooLarge(f"The upload may have {self.max_size} bytes; it has {size}, or more.")
        if complete and size < 1:
            raise TooSmall("The upload is empty.")


def policy_signature(encoded: str, secret: str) -> str:
    """base64(HMAC-SHA1(secret, encoded policy))."""
    return base64.b64encode(hmac.digest(secret.encode(), encoded.encode("utf-8", "replace"), "sha1")).decode()


@dataclass(frozen=True)
class Ticket:
    """The answer to AuthorizeFileUpload.

    Attributes:
        policy: what may be uploaded.
        pair: the server's own key pair.
        bucket: the first part of the host to post to, see `split_host`.
        endpoint: the rest of it, with the port.
    """

    policy: UploadPolicy
    pair: KeyPair
    bucket: str
    endpoint: str

    def members(self) -> dict[str, Any]:
        """The answer's members; `UseAccelerate` must be a true Boolean, which newer clients assert."""
        encoded = self.policy.encode()
        return {
            "AccessKeyId": self.pair.id,
            "EncodedPolicy": encoded,
            "Signature": policy_signature(encoded, self.pair.secret),
            "ObjectKey": self.policy.key,
            "Bucket": self.bucket,
            "Endpoint": self.endpoint,
            "UseAccelerate": False,
        }


def split_host(host: str, *, plain_http: bool = False) -> tuple[str, str]:
    """Bucket and endpoint that a client will join with a dot into `host`.

    Args:
        host: where uploads come in, `127.0.0.1:8080` or `api.example.net`.
        plain_http: newer clients always post to https; they do not when the bucket brings its own scheme, `http://127`. The URL
            they then name as the job's input has its scheme doubled.

    Raises:
        ValueError: a host without a dot cannot be split, and an IPv6 address has none.
    """
    bucket, dot, endpoint = host.partition(".")
    if not dot or not bucket or not endpoint or host.startswith("["):
        raise ValueError(f"uploads need a host name with a dot in it, got {host!r}")
    return f"http://{bucket}" if plain_http else bucket, endpoint


def check_upload(fields: Mapping[str, str], secret_of: Callable[[str], str | None], now: datetime) -> UploadPolicy:
    """Checks the form fields that come before the file. The caller counts the file's bytes with `UploadPolicy.check_size`.

    Args:
        fields: `OSSAccessKeyId`, `Signature`, `policy`, `key`; clients send a few more, which mean nothing here.
        secret_of: the secret of one of the server's own pairs, None for an unknown id.
        now: aware.

    Raises:
        AccessDenied: a field is absent, an unknown id, an expired policy, or another key than the one issued.
        LinkMismatch: the signature is wrong.
        InvalidPolicy: the policy is not one of this server's.
    """
    for name in ("OSSAccessKeyId", "Signature", "policy", "key"):
        if not fields.get(name):
            raise AccessDenied(f"The form has no field {name}.")
    secret = secret_of(fields["OSSAccessKeyId"])
    if secret is None:
        raise AccessDenied("The OSSAccessKeyId of the form is not known.")
    expected = policy_signature(fields["policy"], secret)
    if not hmac.compare_digest(fields["Signature"].encode("utf-8", "replace"), expected.encode()):
        raise LinkMismatch("The request signature we calculated does not match the signature you provided.")
    policy = UploadPolicy.decode(fields["policy"])
    if now > policy.expiration:
        raise AccessDenied("Invalid according to Policy: Policy expired.")
    if fields["key"] != policy.key:
        raise AccessDenied('Invalid according to Policy: Policy Condition failed: ["eq", "$key", ..]')
    check_key(policy.key)
    return policy


def own_key(url: str, hosts: Collection[str]) -> str | None:
    """The key of an uploaded object that a job's input names, unsigned; None for a URL of somewhere else.

    Args:
        url: checked, its doubled scheme collapsed; a query is left aside.
        hosts: this server's, with their ports unless these are the usual ones.

    Raises:
        InvalidObjectName: a URL of this server with an impossible key.
    """
    parts = urlsplit(url)
    if _usual(parts.netloc, parts.scheme) not in {_usual(host, parts.scheme) for host in hosts}:
        return None
    key = decode_path(parts.path)[1:] if parts.path else ""
    if not key:
        raise InvalidObjectName("The URL names no object of this server.")
    check_key(key)
    return key


def _usual(host: str, scheme: str) -> str:
    return host.lower().removesuffix(":443" if scheme == "https" else ":80")
