"""Uploads: a form, posted to `/`, whose fields carry the ticket and whose last part is the file.

The file goes to the store as it comes, never into memory as a whole. It becomes an object when all of it is there, and leaves
nothing behind otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from vidprod import logs
from vidprod.errors import VidprodError
from vidprod.service.backend import Backend
from vidprod.service.errors import UnsupportedMethod
from vidprod.service.http import ClientGone, Receive, Run, Scope, declared_length, header, next_chunk
from vidprod.service.origin import origin_of
from vidprod.service.responses import Answer, new_request_id, storage_failure, stored
from vidprod.service.rpc import public
from vidprod.storage.errors import StorageError, TooLarge
from vidprod.storage.objects import BUCKET, CHUNK, Receiver, StoredObject
from vidprod.storage.policy import check_upload

MAX_FIELDS = 64 * 1024
"""Bytes of all fields before the file; clients send about one thousand."""

FORM_TIMEOUT = 30.0
"""Seconds for the fields."""

IDLE_TIMEOUT = 60.0
"""Seconds for which nothing of the file may come."""

_log = logs.get(__name__)
logging.getLogger("python_multipart").setLevel(
    logging.ERROR
)  # warns of every form that is not one; we tell that ourselves


class MalformedForm(StorageError):
    """The body is not a form of the kind that clients send."""

    code = "MalformedPOSTRequest"


class IncompleteBody(StorageError):
    """The body ends before the form does."""

    code = "IncompleteBody"


class Uploads:
    """Takes uploads for an installation."""

    def __init__(self, backend: Backend, run: Run) -> None:
        self._backend = backend
        self._run = run

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The answer to an upload: 201, or an error; always XML.

        Raises:
            ClientGone: before all had come.
        """
        request_id = new_request_id()
        origin = origin_of(scope, self._backend.settings.public_url)
        try:
            if scope["method"] != "POST":
                raise UnsupportedMethod
            found = await self._take(scope, receive)
        except ClientGone:
            raise
        except Exception as error:
            seen = public(error, request_id=request_id)
            known = seen if isinstance(seen, VidprodError) else VidprodError("We encountered an internal error.")
            _log.info("upload refused", request_id=request_id, code=known.code, reason=known.message)
            return storage_failure(known, request_id, origin.host)
        _log.info("uploaded", request_id=request_id, key=found.key, bytes=found.size)
        return stored(BUCKET, f"{origin.base_url}/{found.key}", found.key, found.etag, request_id)

    async def _take(self, scope: Scope, receive: Receive) -> StoredObject:
        backend, run = self._backend, self._run
        largest = backend.settings.max_upload_bytes
        if declared_length(scope) > largest + MAX_FIELDS + CHUNK:
            raise TooLarge(f"The upload may have {largest} bytes.")
        form = Form(header(scope, "content-type"))
        loop = asyncio.get_running_loop()
        end_of_fields = loop.time() + FORM_TIMEOUT
        upload: Receiver | None = None
        more = True
        try:
            while more and not form.complete:
                data, more = await next_chunk(receive, IDLE_TIMEOUT if upload else end_of_fields - loop.time())
                form.feed(data)
                if upload is None and form.has_file:
                    policy = check_upload(form.fields, backend.store.pair.secret_of, backend.clock())
                    upload = await run(backend.store.receive, policy.key, policy.max_size)
                if upload is not None and (form.pending >= CHUNK or form.complete):
                    await run(upload.write, form.take())
            if not form.complete:
                raise IncompleteBody("The body ends before the form does.")
            if upload is None:
                raise MalformedForm("The form has no file.")
            found: StoredObject = await run(upload.commit)
            return found
        finally:
            if upload is not None:
                await run(upload.__exit__, *sys.exc_info())


class Form:
    """A multipart body on its way in: small fields first, then one file.

    Attributes:
        fields: those that came before the file.
        has_file: whether the file has begun.
        complete: whether the form has ended.
        pending: bytes of the file that wait to be taken.
    """

    def __init__(self, content_type: str) -> None:
        self.fields: dict[str, str] = {}
        self.has_file = False
        self.complete = False
        self.pending = 0
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise MalformedForm("The body must be multipart/form-data, with a boundary.")
        self._room = MAX_FIELDS
        self._file: list[bytes] = []
        self._name = ""
        self._part: list[bytes] | None = None
        self._header = [b"", b""]
        self._in_file = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_part_data": self._part_data,
                    "on_part_end": self._end_part,
                    "on_header_field": lambda data, start, end: self._add_to_header(0, data[start:end]),
                    "on_header_value": lambda data, start, end: self._add_to_header(1, data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_data,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise MalformedForm("The boundary is too long.") from None

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the body.

        Raises:
            MalformedForm: they do not go on as a form would.
        """
        try:
            self._parser.write(data)
        except FormParserError:
            raise MalformedForm("The body is not well-formed multipart/form-data.") from None

    def take(self) -> bytes:
        """What has come of the file since the last call."""
        data = b"".join(self._file)
        self._file.clear()
        self.pending = 0
        return data

    def _begin_part(self) -> None:
        self._name, self._part = "", []
        self._header = [b"", b""]

    def _add_to_header(self, which: int, data: bytes) -> None:
        self._header[which] += data

    def _end_header(self) -> None:
        name, value = self._header
        self._header = [b"", b""]
        if name.strip().lower() == b"content-disposition":
            self._name = parse_options_header(value)[1].get(b"name", b"").decode("utf-8", "replace")

    def _begin_data(self) -> None:
        if self._name == "file" and not self.has_file:
            self.has_file = self._in_file = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._file.append(data[start:end])
            self.pending += end - start
        elif not self.has_file:  # what follows the file means nothing
            self._room -= end - start
            if self._room < 0:
                raise MalformedForm(f"The fields have more than {MAX_FIELDS} bytes.")
            assert self._part is not None
            self._part.append(data[start:end])

    def _end_part(self) -> None:
        self._in_file = False
        if not self.has_file and self._part is not None:
            self._room -= 64 + len(self._name)  # parts without content cost something as well
            if self._room < 0:
                raise MalformedForm(f"The fields have more than {MAX_FIELDS} bytes.")
            if self._name in self.fields:
                raise MalformedForm("A field of the form occurs twice.")
            self.fields[self._name] = b"".join(self._part).decode("utf-8", "replace")

    def _end(self) -> None:
        self.complete = True
