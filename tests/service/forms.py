"""The form that clients upload with, byte for byte as they write it."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

BOUNDARY = "12345678901234"


def fields_of(ticket: Mapping[str, Any], host: str | None = None) -> dict[str, str]:
    """The fields before the file, for the answer to AuthorizeFileUpload; newer clients send a host as well."""
    fields = {
        "OSSAccessKeyId": ticket["AccessKeyId"],
        "Signature": ticket["Signature"],
        "host": host,
        "key": ticket["ObjectKey"],
        "policy": ticket["EncodedPolicy"],
        "success_action_status": "201",
    }
    return {name: value for name, value in fields.items() if value is not None}


def form(fields: Mapping[str, str], content: bytes | None, *, filename: str | None = None) -> bytes:
    """The body. Without content, the form has no file."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if content is not None:
        filename = filename or fields.get("key", "a")
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: \r\n\r\n'
        parts += [head.encode(), content, b"\r\n"]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def joined(first: bytes, second: bytes) -> bytes:
    """One form with the parts of two."""
    return first.removesuffix(f"--{BOUNDARY}--\r\n".encode()) + second


def headers(host: str | None = None) -> dict[str, str]:
    found = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return {**found, "Host": host} if host else found


def resigned(fields: Mapping[str, str], secret: str, **changes: Any) -> dict[str, str]:
    """Fields with another policy, signed with a secret."""
    document = json.loads(base64.b64decode(fields["policy"]))
    policy = base64.b64encode(json.dumps({**document, **changes}).encode()).decode()
    signature = base64.b64encode(hmac.digest(secret.encode(), policy.encode(), "sha1")).decode()
    return {**fields, "policy": policy, "Signature": signature}
