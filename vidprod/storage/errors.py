"""What the object storage refuses, with its own codes: result links and uploads answer these, always in XML."""

from __future__ import annotations

from vidprod.errors import InternalError, VidprodError


class StorageError(VidprodError):
    """Base of the storage's errors."""

    code = "InvalidArgument"
    status = 400


class AccessDenied(StorageError):
    """No signature, an unknown key, or a link or a policy whose time is over."""

    code = "AccessDenied"
    status = 403


class LinkMismatch(StorageError):
    """The signature is not the one the server computes."""

    code = "SignatureDoesNotMatch"
    status = 403


class NoSuchKey(StorageError):
    """There is no such object."""

    code = "NoSuchKey"
    status = 404


class InvalidObjectName(StorageError):
    """A key that could leave the folder it belongs to, or that is not UTF-8."""

    code = "InvalidObjectName"


class InvalidPolicy(StorageError):
    """An upload's policy is not one."""

    code = "InvalidPolicyDocument"


class TooLarge(StorageError):
    """An upload longer than its policy allows."""

    code = "EntityTooLarge"


class TooSmall(StorageError):
    """An upload shorter than its policy allows: an empty one."""

    code = "EntityTooSmall"


class StoreFailed(InternalError):
    """The store itself failed: a full disk, a service that does not answer. Trying again later may help."""
