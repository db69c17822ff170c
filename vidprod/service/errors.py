"""What the cloud's gateway refuses before an action sees the request.

Codes, status numbers and messages are the cloud's own, because clients look at them: its Python core client parses the message of
`SignatureDoesNotMatch`, and every client shows `Code` to its user.
"""

from __future__ import annotations

from functools import cache
from typing import ClassVar

from vidprod.errors import VidprodError


class GatewayError(VidprodError):
    """Base of the common errors. Without a text of its own, an error carries the cloud's."""

    code = "InvalidRequest"
    status = 400
    text: ClassVar[str] = "The request is not valid."

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.text)


class InvalidVersion(GatewayError):
    """`Version` is not one that is served."""

    code = "InvalidVersion"
    text = "Specified parameter Version is not valid."


class InvalidAction(GatewayError):
    """No such action in this version, or no such path."""

    code = "InvalidAction.NotFound"
    status = 404
    text = "Specified api is not found, please check your url and method."


class UnsupportedMethod(GatewayError):
    """Neither GET nor POST."""

    code = "UnsupportedHTTPMethod"
    status = 405
    text = "This http method is not supported."


class RequestTooLarge(GatewayError):
    """The body is longer than the server takes."""

    code = "RequestEntityTooLarge"
    status = 413
    text = "The request is too large."


class HeadersTooLarge(GatewayError):
    """The request line and the headers are longer than the server takes."""

    code = "RequestHeaderFieldsTooLarge"
    status = 431
    text = "The headers of the request are too large."


class RequestTimeout(GatewayError):
    """The request did not arrive in the time allowed."""

    code = "RequestTimeout"
    status = 408
    text = "The request did not arrive completely in the time allowed."


class UnknownAccessKey(GatewayError):
    """There is no such access key."""

    code = "InvalidAccessKeyId.NotFound"
    status = 404
    text = "Specified access key is not found."


class InactiveAccessKey(GatewayError):
    """The access key exists and is disabled."""

    code = "InvalidAccessKeyId.Inactive"
    text = "Specified access key is disabled."


class TimestampFormat(GatewayError):
    """The time of the request is not `YYYY-MM-DDThh:mm:ssZ`."""

    code = "InvalidTimeStamp.Format"
    text = "Specified time stamp or date value is not well formatted."


class TimestampExpired(GatewayError):
    """The time of the request is too far from the server's, either way."""

    code = "InvalidTimeStamp.Expired"
    text = "Specified time stamp or date value is expired."


class NonceUsed(GatewayError):
    """The request was seen before."""

    code = "SignatureNonceUsed"
    text = "Specified signature nonce was used already."


class SignatureMismatch(GatewayError):
    """The signature is not the one that the server computes; the message shows what the server signed."""

    code = "SignatureDoesNotMatch"
    text = "Specified signature does not match our calculation."

    @property
    def message(self) -> str:
        """The text as it is: the client compares the canonical form in it with its own, line by line."""
        return str(self)


class IncompleteSignature(GatewayError):
    """The signature has the wrong form, or does not cover what it must."""

    code = "IncompleteSignature"
    text = "The request signature does not conform to Aliyun standards."


class InvalidSignatureMethod(GatewayError):
    """An algorithm that is not supported."""

    code = "InvalidSignatureMethod"
    text = "Specified signature method is not valid."


class InvalidSecurityToken(GatewayError):
    """A temporary token; none is ever issued here."""

    code = "InvalidSecurityToken.Malformed"
    text = "Specified SecurityToken is not valid: this server issues no temporary tokens."


class Throttled(GatewayError):
    """More requests than the account, or the server, may have.

    Attributes:
        retry_after: milliseconds the client should wait, sent as `x-acs-retry-after`.
    """

    code = "Throttling.User"
    text = "Request was denied due to user flow control."

    def __init__(self, message: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(GatewayError):
    """The server is stopping, or something it needs is not there."""

    code = "ServiceUnavailable"
    status = 503
    text = "The request has failed due to a temporary failure of the server."


@cache
def _missing_kind(name: str) -> type[GatewayError]:
    return type(f"Missing{name}", (GatewayError,), {"code": f"Missing{name}", "__doc__": f"`{name}` is absent."})


def missing(name: str) -> GatewayError:
    """The error for an absent common parameter: `MissingTimestamp`, "Timestamp is mandatory for this action."."""
    return _missing_kind(name)(mandatory(name))


def mandatory(name: str) -> str:
    """The cloud's words for a parameter that is absent."""
    return f"{name} is mandatory for this action."
