"""The database of jobs: one row per job, beside the tables of the queue's engine and changed in the same transactions.

The engine (DBOS) says which worker runs what, and remembers it over crashes. What clients see of a job is in the table here, whose
rules are plain SQL: a job that has ended is never changed, since every update asks for one that has not.

SQLite runs in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from dbos import DBOS
from dbos import error as dbos_error
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError

from vidprod.errors import BusyError, InternalError, InvalidParameter, VidprodError

QUEUE = "vidprod-jobs"
WORKFLOW = "vidprod-job"
# Said to DBOS as the application's version. It must not change with ours: a worker only continues jobs of its own version.
APPLICATION = "vidprod"
VERSION = "jobs-1"

log = logging.getLogger("vidprod.jobs")

metadata = sa.MetaData()

jobs = sa.Table(
    "vidprod_jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("base_url", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("submitted", sa.Double, nullable=False),  # this and all times: seconds since 1970
    sa.Column("started", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("progress", sa.Double),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("starts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("worker", sa.Text),
    sa.Index("vidprod_jobs_status_action", "status", "action"),
    sa.Index("vidprod_jobs_status_submitted", "status", "submitted"),
    sa.Index("vidprod_jobs_account", "account", "submitted"),
    sa.Index("vidprod_jobs_submitted", "submitted"),
    sa.Index("vidprod_jobs_ended", "ended"),
)

workers = sa.Table(
    "vidprod_workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seen", sa.Double, nullable=False),  # by the database's clock
)


def open_engine(url: str, *, patience: float, size: int = 8) -> sa.Engine:
    """Connections to the database of jobs. The file of an SQLite database must exist; it is never created by mistake.

    Args:
        url: `sqlite:////file` or `postgresql://...`.
        patience: seconds to wait for a lock, a connection or an answer before giving up.
        size: connections at a time.

    Raises:
        InvalidParameter: another kind of database.
    """
    parsed = parse_url(url)
    path = sqlite_path(url)
    if path is not None:
        return _open_sqlite(path, patience, size)
    milliseconds = int(patience * 1000)
    return sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=size,
        max_overflow=0,
        pool_timeout=patience,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": max(2, int(patience)),
            "options": f"-c lock_timeout={milliseconds} -c statement_timeout={milliseconds}",
        },
    )


def parse_url(url: str) -> sa.URL:
    """The parts of a database's URL; raises InvalidParameter for one that is not supported."""
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError:
        raise InvalidParameter("database is not a URL; it must be sqlite:////file or postgresql://...") from None
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql") or (kind == "sqlite" and parsed.database in (None, "", ":memory:")):
        shown = parsed.render_as_string(hide_password=True)
        raise InvalidParameter(f"database is {shown!r}, must be sqlite:////file or postgresql://...")
    return parsed


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL."""
    parsed = parse_url(url)
    return Path(str(parsed.database)).absolute() if parsed.get_backend_name() == "sqlite" else None


def _open_sqlite(path: Path, patience: float, size: int) -> sa.Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw", uri=True, timeout=patience, check_same_thread=False
        )
        connection.isolation_level = "IMMEDIATE"  # writers queue up instead of failing when they upgrade a lock
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")
        if sqlite3.sqlite_version_info < (3, 42):
            # From Python 3.12 on DBOS asks for unixepoch('subsec'), which older versions of SQLite answer with NULL.
            connection.create_function("unixepoch", 1, lambda _: time.time())
        return connection

    engine = sa.create_engine(
        "sqlite://",
        hide_parameters=True,  # of errors: addresses of inputs may be secrets
        creator=connect,
        poolclass=sa.pool.QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=patience,
    )

    # Whoever deletes or replaces the file would otherwise leave us writing into one that no longer has a name.
    @sa.event.listens_for(engine, "connect")
    def remember(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(path)

    @sa.event.listens_for(engine, "checkout")
    def compare(connection: Any, record: Any, proxy: Any) -> None:
        if record.info.get("file") != _identity(path):
            raise DisconnectionError("the database file was replaced")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def create(url: str) -> None:
    """Creates the database's tables where they are missing, and brings older ones up to date.

    Raises:
        InternalError: the database cannot be created or used.
        BusyError: it does not answer.
    """
    quieten()
    path = sqlite_path(url)
    with translated("the database of jobs cannot be created"):
        if path is not None:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # parameters may hold private links
                os.close(descriptor)
            except OSError as error:
                raise InternalError(f"the database of jobs {path} cannot be opened: {error.strerror}") from None
            with sqlite3.connect(path, timeout=10) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
        DBOS.migrate(dbos_url(url))
        engine = open_engine(url, patience=10, size=1)
        try:
            with engine.begin() as transaction:
                _create_tables(transaction)
        finally:
            engine.dispose()


def _create_tables(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":  # IF NOT EXISTS is not atomic there
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x7669647072})
    for table in metadata.sorted_tables:
        connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
        present = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in present:  # a table of an older version
                spelled = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {spelled}"))
        for index in table.indexes:
            connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def dbos_url(url: str) -> str:
    """The URL as DBOS wants it, with a relative file made absolute."""
    path = sqlite_path(url)
    if path is not None:
        return f"sqlite:///{path}"
    return parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def database_now(connection: sa.Connection) -> float:
    """Seconds since 1970 by the database's clock, which all machines share."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.execute(sa.select(sa.func.extract("epoch", sa.func.clock_timestamp()))).scalar_one())


def quieten() -> None:
    """Lets DBOS log through the process's own handlers, and only what matters."""
    engine = logging.getLogger("dbos")
    engine.setLevel(logging.WARNING)
    if not engine.handlers:
        engine.addHandler(logging.NullHandler())  # else DBOS adds one for the console
    if not any(isinstance(found, _Sparse) for found in engine.filters):
        engine.addFilter(_Sparse())


class _Sparse(logging.Filter):
    """Lets a complaint pass once per half minute: without a database, DBOS has one ten times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        start, now = record.getMessage()[:50], time.monotonic()
        if now - self._seen.get(start, -1e9) < 30:
            return False
        if len(self._seen) > 200:
            self._seen.clear()
        self._seen[start] = now
        return True


_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL")
_REASONS = {
    "SQLITE_FULL": "its disk is full",
    "SQLITE_BUSY": "it is locked",
    "SQLITE_LOCKED": "it is locked",
    "SQLITE_CORRUPT": "it is damaged",
    "SQLITE_NOTADB": "the file is not a database",
    "SQLITE_CANTOPEN": "its file cannot be opened",
    "SQLITE_READONLY": "it is read-only",
}


@contextmanager
def translated(what: str = "the queue cannot be used") -> Iterator[None]:
    """Turns the database's errors into documented ones, whose messages hold no path; the log gets the rest."""
    try:
        yield
    except VidprodError:
        raise
    except (SQLAlchemyError, sqlite3.Error, dbos_error.DBOSException) as error:
        log.error("%s: %s", what, error)
        raise _documented(what, error) from None


def _documented(what: str, error: Exception) -> VidprodError:
    origin = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(origin, "sqlite_errorname", None)
    if name is not None:
        base = "_".join(name.split("_")[:2])  # SQLITE_BUSY_SNAPSHOT is a kind of SQLITE_BUSY
        reason = _REASONS.get(base, "the database failed")
        return (BusyError if base in _BUSY else InternalError)(f"{what}: {reason}")
    if isinstance(error, (sa.exc.TimeoutError, sa.exc.OperationalError)):  # no connection, no answer in time
        return BusyError(f"{what}: the database does not answer")
    return InternalError(f"{what}: the database failed")
