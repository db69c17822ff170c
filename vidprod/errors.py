"""The errors a user can meet: one class per documented code (cloud API reference, "service error codes").

A message names the bad value and what would have been accepted; it fits on one line, because the command line prints
`Code: message` and the HTTP front returns it as `Message`. Anything that is not a `VidprodError` is a bug and is reported
as `InternalServerError`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class VidprodError(Exception):
    """Base of all errors with a documented code."""

    code: ClassVar[str] = "InternalServerError"
    status: ClassVar[int] = 500

    @property
    def message(self) -> str:
        """One line of text without the code."""
        return " ".join(str(self).split())


class InvalidParameter(VidprodError):
    """A value is out of range, or not one of those allowed."""

    code = "InvalidParameter"
    status = 400


class InvalidParameterFormat(VidprodError):
    """A value has the wrong form (text where a number is due)."""

    code = "InvalidParameter.Format"
    status = 400


class MissingParameter(VidprodError):
    """A required parameter is absent or empty."""

    code = "MissingParameter"
    status = 400


class InvalidFile(VidprodError):
    """Base of what can be wrong with an input file."""

    code = "InvalidFile.Content"
    status = 400


class FileResolution(InvalidFile):
    """The picture is smaller or larger than the action takes."""

    code = "InvalidFile.Resolution"


class FileDownload(InvalidFile):
    """The file cannot be had: absent, unreadable, or the server did not send it."""

    code = "InvalidFile.Download"


class FileDecode(InvalidFile):
    """The file cannot be decoded."""

    code = "InvalidFile.Decode"


class FileCategory(InvalidFile):
    """The content is of the wrong kind: audio or a still where a video is due."""

    code = "InvalidFile.Category"


class FileContent(InvalidFile):
    """The content is empty or unsuitable: a video without a single frame."""

    code = "InvalidFile.Content"


class FileType(InvalidFile):
    """The file type is not on the list of those accepted."""

    code = "InvalidFile.Type"


class FileURL(InvalidFile):
    """Not a valid URL, or one with characters outside ASCII."""

    code = "InvalidFile.URL"


class FileUnsafe(InvalidFile):
    """The URL is refused for safety: it leads to an address that is not a public one."""

    code = "InvalidFile.Unsafe"


class InternalError(VidprodError):
    """The server's own fault: a full disk, an unwritable folder."""


class ModelError(VidprodError):
    """A network could not be loaded: its weights are absent or damaged."""

    code = "InternalServerError.Model"


class AlgorithmError(VidprodError):
    """The work itself failed."""

    code = "InternalServerError.Algo"


class BusyError(VidprodError):
    """No capacity: not enough device memory even for the smallest piece of work."""

    code = "InternalServerError.Busy"


class Cancelled(Exception):
    """The user asked for the work to stop. Not a failure, hence not a `VidprodError`."""


def shown(value: Any) -> str:
    """A value for a message, cut where it would fill the screen."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:96]}...{text[-1]}"
