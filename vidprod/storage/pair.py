"""The server's own key pair: made once, kept beside its data."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from vidprod.storage.errors import StoreFailed
from vidprod.storage.objects import store_errors
from vidprod.storage.presign import KeyPair

FILE = "link-key.json"


def load_pair(folder: Path) -> KeyPair:
    """The pair that signs result links and upload tickets; made at the first call, the same for whoever calls at the same time.

    Machines that serve one address must have the same file: a link or a ticket of one is shown to another.

    Args:
        folder: of the server's data; made when it is not there.

    Raises:
        StoreFailed: the folder cannot be written, or the file is not what this function writes.
    """
    path = folder / FILE
    with store_errors():
        if not path.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)
        text = path.read_text("utf-8", "replace")
    try:
        content = json.loads(text)
        pair = KeyPair(content["id"], content["secret"])
        if not (isinstance(pair.id, str) and isinstance(pair.secret, str) and pair.id and pair.secret):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise StoreFailed(
            f"{FILE} in the data folder is damaged; delete it to have another made, which ends all links"
        ) from None
    return pair


def _create(path: Path) -> None:
    """Writes the file whole under another name, and links it in: of several processes exactly one succeeds."""
    content = {"id": "link-" + secrets.token_hex(8), "secret": secrets.token_urlsafe(32)}
    temporary = path.with_name(f".{FILE}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)
