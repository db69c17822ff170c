"""Logs: one line per event on stderr, as JSON or as text, with what the event belongs to (request, job, account).

>>> log = get(__name__)
>>> with bound(request_id="4D1B2F6E", account="team-a"):
...     log.info("submitted", action="SuperResolveVideo")  # doctest: +SKIP

Lines of the standard library's loggers (uvicorn, dbos) look the same. Secrets do not get through: queries of URLs, passwords in
URLs, signatures, and values whose names tell that they are secret are replaced by `***`, in tracebacks too.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from vidprod.errors import InvalidParameter, shown
from vidprod.settings import Settings

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "json", "text")

_HIDDEN = "***"
_SECRET_NAMES = re.compile("secret|signature|password|authorization|credential|token|policy|cookie", re.IGNORECASE)
_IN_TEXT = (
    # http://host/path?everything: of a link's query nothing is needed to know which object it is about
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#\"'<>\\]*)\?[^\s\"'<>\\]*", re.IGNORECASE), r"\1?***"),
    # postgresql://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*):[^\s/@\"']+@", re.IGNORECASE), r"\1:***@"),
    # Signature=... in a query, a form or an Authorization header
    (
        re.compile(
            r"(\b[\w-]*(?:signature|secret|token|policy|password)[\"']?\s?(?:[=:]|%3d)\s?[\"']?)[^\s&,;\"']+",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_NOISE = {"color_message", "applicationID", "applicationVersion", "executorID"}  # of uvicorn and DBOS
_QUIET = {"httpx2": "warning", "httpcore2": "warning", "uvicorn.access": "warning"}  # we tell of requests ourselves

_CHAIN: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(settings: Settings, *, process: str = "", stream: TextIO | None = None) -> None:
    """Sets up logging of this process; to be called once by each, before others write to the log.

    Args:
        settings: `log_level` and `log_format`.
        process: which one this is, for every line: server, worker, device.
        stream: where to; stderr by default.

    Raises:
        InvalidParameter: a level or format that does not exist.
    """
    level, style = settings.log_level.lower(), settings.log_format.lower()
    if level not in LEVELS:
        raise InvalidParameter(f"VIDPROD_LOG_LEVEL is {shown(settings.log_level)}: must be one of {', '.join(LEVELS)}")
    if style not in FORMATS:
        raise InvalidParameter(f"VIDPROD_LOG_FORMAT is {shown(settings.log_format)}: must be {', '.join(FORMATS)}")
    target = stream or sys.stderr
    as_text = style == "text" or (style == "auto" and target.isatty())
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if as_text
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    handler = _Handler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *_CHAIN],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *([_naming(process)] if process else []),
                _without_secrets,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # DBOS adds a handler of its own unless it finds one.
    logging.getLogger("dbos").handlers, logging.getLogger("dbos").propagate = [handler], False
    for name, lowest in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, lowest, key=LEVELS.index).upper())


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: `log.info("what happened", key=value)`. May be made before `configure` is called."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_CHAIN,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )
    return logger


def bound(**values: Any) -> AbstractContextManager[None]:
    """Adds values to every line written in this context: request_id, job_id, account, action."""
    return structlog.contextvars.bound_contextvars(**values)


def redact(text: str) -> str:
    """A text without what must not be in a log."""
    for pattern, instead in _IN_TEXT:
        text = pattern.sub(instead, text)
    return text


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Drops a line that cannot be written. The default prints the record as it was, with its secrets."""


def _naming(process: str) -> Processor:
    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        return {**event, "process": process}

    return add


def _without_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    first = {
        name: event[name] for name in ("timestamp", "level", "event") if name in event
    }  # lines are read by people too
    return {name: _clean(name, value) for name, value in {**first, **event}.items() if name not in _NOISE}


def _clean(name: str, value: Any) -> Any:
    if name.startswith("_") or isinstance(value, bool | int | float | None):  # structlog's own begin with _
        return value
    if _SECRET_NAMES.search(name):
        return _HIDDEN
    if isinstance(value, Mapping | MutableMapping):
        return {str(key): _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner) for inner in value]
    text = redact(value if isinstance(value, str) else str(value))
    # A line break in what a client sent must not look like a line of its own.
    control = _CONTROL_BUT_LINES if name == "exception" else _CONTROL
    return control.sub(lambda found: repr(found[0])[1:-1], text)
