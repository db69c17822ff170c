"""Access keys: those of the setting VIDPROD_ACCESS_KEYS, and those that `vidprod keys` keeps in the data folder.

The file can be changed while servers run: each looks at it again before it is used. Many processes may share one data folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import string
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vidprod import logs
from vidprod.errors import InternalError, InvalidParameter, shown
from vidprod.service.errors import InactiveAccessKey, UnknownAccessKey
from vidprod.settings import Settings

FILE = "access-keys.json"

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")  # what is safe in a header, a query and a list with commas
_ACCOUNT = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_LETTERS = string.ascii_letters + string.digits
_log = logs.get(__name__)


@dataclass(frozen=True)
class AccessKey:
    """One key pair.

    Attributes:
        id: sent with each request.
        secret: signs requests; known to the server and to its owner.
        account: whose jobs and uploads the key sees; several keys may belong to one account.
        created: aware; None for a key of the environment.
        disabled: refused with `InvalidAccessKeyId.Inactive`.
    """

    id: str
    secret: str = field(repr=False)
    account: str
    created: datetime | None = None
    disabled: bool = False


class AccessKeys:
    """All keys of an installation. Thread-safe.

    Args:
        settings: `access_keys`, and the `data` folder, which need not exist before the first key is made.

    Raises:
        InvalidParameter: a part of VIDPROD_ACCESS_KEYS that is not `id:secret`.
        InternalError: the file is damaged, or cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.data.absolute() / FILE
        self._fixed = _of_environment(settings)
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._kept: Mapping[str, AccessKey] = self._load()

    def secret_of(self, key_id: str) -> str | None:
        """The secret, None for an unknown key; raises InactiveAccessKey for a disabled one."""
        key = self._find(key_id)
        if key is None:
            return None
        if key.disabled:
            raise InactiveAccessKey
        return key.secret

    def account_of(self, key_id: str) -> str:
        """Whose key it is; raises UnknownAccessKey."""
        key = self._find(key_id)
        if key is None:
            raise UnknownAccessKey
        return key.account

    def list(self) -> list[AccessKey]:
        """All keys, those of the environment first, then from the oldest to the newest."""
        kept = {**self._current()}
        for name in self._fixed:
            kept.pop(name, None)
        return [*self._fixed.values(), *kept.values()]

    def create(self, account: str | None = None) -> AccessKey:
        """Makes a key and keeps it.

        Args:
            account: an existing one for a further key to the same jobs; by default a new one, named after the key.

        Raises:
            InvalidParameter: an account name with other characters than letters, digits and `._@-`.
            InternalError: the file cannot be written.
        """
        if account is not None and not _ACCOUNT.fullmatch(account):
            raise InvalidParameter(f"account is {shown(account)}: must be 1 to 64 of A-Z a-z 0-9 . _ @ -")
        with self._writing() as keys:
            return _add(keys, account)

    def ensure(self) -> AccessKey | None:
        """Makes the first key of an installation that has none; None when there are keys already, disabled ones too."""
        if self._fixed or self._current():
            return None
        with self._writing() as keys:  # another process may have been quicker
            return None if keys else _add(keys, None)

    def disable(self, key_id: str) -> AccessKey:
        """Refuses the key from now on; raises InvalidParameter where `vidprod keys` does not keep it."""
        return self._mark(key_id, disabled=True)

    def enable(self, key_id: str) -> AccessKey:
        """Takes a disabled key again; raises InvalidParameter where `vidprod keys` does not keep it."""
        return self._mark(key_id, disabled=False)

    def _mark(self, key_id: str, *, disabled: bool) -> AccessKey:
        if key_id in self._fixed:
            raise InvalidParameter(f"access key {shown(key_id)} is set by VIDPROD_ACCESS_KEYS; change it there")
        with self._writing() as keys:
            if key_id not in keys:
                raise InvalidParameter(f"there is no access key {shown(key_id)}; `vidprod keys list` shows all")
            keys[key_id] = replace(keys[key_id], disabled=disabled)
            return keys[key_id]

    def _find(self, key_id: str) -> AccessKey | None:
        return self._fixed.get(key_id) or self._current().get(key_id)

    # --- the file ---

    def _look(self) -> tuple[int, ...] | None:
        """What changes when the file does; None when there is none."""
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _current(self) -> Mapping[str, AccessKey]:
        """The kept keys as the file has them now."""
        stamp = self._look()
        if stamp == self._stamp:
            return self._kept
        with self._lock:
            if stamp != self._stamp:
                try:
                    self._kept = self._load()
                except InternalError as error:  # a server goes on with the keys it knows
                    _log.error("access keys cannot be read again", reason=error.message)
                self._stamp = stamp
            return self._kept

    def _load(self) -> dict[str, AccessKey]:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            keys = [_key(entry) for entry in document["keys"]]
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise InternalError(f"access keys cannot be read: {self._path}: {error.strerror}") from None
        except (ValueError, TypeError, KeyError) as error:
            raise InternalError(
                f"{self._path} is damaged ({type(error).__name__}); put back a copy, or move it away and make new keys"
            ) from None
        return {key.id: key for key in keys}

    @contextmanager
    def _writing(self) -> Iterator[dict[str, AccessKey]]:
        """The keys, to be changed; what is there at the end is written. One process at a time."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(self._path.with_suffix(".lock"), "a", opener=_private) as lock, self._lock:
                _give_to_owner(lock.fileno(), self._path.parent)
                fcntl.flock(lock, fcntl.LOCK_EX)
                keys = self._load()
                before = dict(keys)
                yield keys
                if keys != before:
                    self._save(keys)
                self._kept = keys  # before the stamp: who sees that one takes these for current
                self._stamp = self._look()
        except OSError as error:
            raise InternalError(f"access keys cannot be written: {self._path}: {error.strerror}") from None

    def _save(self, keys: Mapping[str, AccessKey]) -> None:
        entries = [asdict(key) | {"created": key.created and key.created.isoformat()} for key in keys.values()]
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{FILE}.")  # made with mode 0600
        try:
            with open(handle, "w", encoding="utf-8") as file:
                _give_to_owner(handle, self._path.parent)
                json.dump({"keys": entries}, file, indent=1)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _give_to_owner(handle: int, folder: Path) -> None:
    """What root makes with `vidprod keys` must be readable for the user that the server runs as: the owner of the folder."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


def _add(keys: dict[str, AccessKey], account: str | None) -> AccessKey:
    made = "VP" + "".join(secrets.choice(_LETTERS) for _ in range(18))
    secret = "".join(secrets.choice(_LETTERS) for _ in range(32))  # 190 bits
    keys[made] = AccessKey(made, secret, account or made, datetime.now(UTC).replace(microsecond=0))
    return keys[made]


def _key(entry: dict[str, Any]) -> AccessKey:
    """Raises ValueError, TypeError or KeyError for what is not a key; the messages would hold secrets and are not shown."""
    key = AccessKey(
        entry["id"],
        entry["secret"],
        entry["account"],
        datetime.fromisoformat(entry["created"]) if entry["created"] else None,
        entry["disabled"],
    )
    if not all(isinstance(value, str) and value for value in (key.id, key.secret, key.account)):
        raise ValueError
    if not isinstance(key.disabled, bool):
        raise ValueError
    return key


def _of_environment(settings: Settings) -> dict[str, AccessKey]:
    keys: dict[str, AccessKey] = {}
    for number, part in enumerate(settings.access_keys, 1):
        key_id, colon, secret = (text.strip() for text in part.get_secret_value().partition(":"))
        # The part itself is not shown: it may be a secret without its id.
        if not colon or not secret or not _ID.fullmatch(key_id):
            raise InvalidParameter(
                f"VIDPROD_ACCESS_KEYS, part {number}: must be id:secret, with an id of A-Z a-z 0-9 . _ -"
            )
        if key_id in keys:
            raise InvalidParameter(f"VIDPROD_ACCESS_KEYS, part {number}: the id {shown(key_id)} occurs twice")
        keys[key_id] = AccessKey(key_id, secret, key_id)
    return keys
