"""A request as it came over the wire, decoded and not yet believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Self
from urllib.parse import parse_qsl

from vidprod.errors import InvalidParameter, InvalidParameterFormat
from vidprod.service.errors import IncompleteSignature

FORM = "application/x-www-form-urlencoded"
MAX_PARAMETERS = 2000
"""GenerateVideo with all its files has about 150."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SignedRequest:
    """One request.

    Attributes:
        method: upper case.
        path: as sent, without query.
        query: decoded names and values in the order sent, empty values kept (they are signed).
        headers: names in lower case, values without surrounding blanks.
        body: as sent; an unchunked copy where it came chunked.
    """

    method: str
    path: str
    query: Pairs
    headers: Pairs
    body: bytes = b""

    @classmethod
    def parse(cls, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Self:
        """Reads what an HTTP server hands over.

        Args:
            method: of the request line.
            target: of the request line; in absolute form (`http://host/?...`) when the server is used as an HTTP proxy.
            headers: in order, repeated ones repeated; the host header taken verbatim.
            body: all of it.

        Raises:
            InvalidParameterFormat: a query that is not UTF-8.
        """
        path, query = _split(target)
        clean = tuple((name.strip().lower(), value.strip(" \t")) for name, value in headers)
        return cls(
            method.upper(),
            path,
            _decode(query.encode("utf-8" if query.isascii() else "latin-1", "replace")),
            clean,
            body,
        )

    def header(self, name: str) -> str | None:
        """The value of a header that may occur once; `name` in lower case."""
        values = [value for key, value in self.headers if key == name]
        if len(values) > 1:
            raise IncompleteSignature(f"The header {name} occurs {len(values)} times; once is allowed.")
        return values[0] if values else None

    @cached_property
    def form(self) -> Pairs:
        """Decoded names and values of a form body; nothing for a body of another type."""
        kind = (self.header("content-type") or "").partition(";")[0].strip().lower()
        return _decode(self.body) if kind == FORM and self.body else ()

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """Query and form together.

        A name given twice is refused, because the signature and the action might each see another one of its values. Only the same
        value once in the query and once in the form is let pass.
        """
        merged: dict[str, str] = {}
        for pairs in (self.query, self.form):
            seen: set[str] = set()
            for name, value in pairs:
                if name in seen or merged.get(name, value) != value:
                    raise InvalidParameter(f"The parameter {name[:80]!r} occurs more than once.")
                seen.add(name)
                merged[name] = value
        return MappingProxyType(merged)


def _split(target: str) -> tuple[str, str]:
    path, _, query = target.partition("?")
    scheme, separator, rest = path.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        path = "/" + rest.partition("/")[2]
    return path, query


def _decode(raw: bytes) -> Pairs:
    try:
        text = raw.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        raise InvalidParameterFormat("Parameters must be percent-encoded UTF-8.") from None
    except ValueError:
        raise InvalidParameter(f"There are more than {MAX_PARAMETERS} parameters.") from None
    return tuple(pairs)
