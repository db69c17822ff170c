from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vidprod.errors import InternalError, InvalidParameter
from vidprod.service.errors import InactiveAccessKey, UnknownAccessKey
from vidprod.service.keys import FILE, AccessKeys
from vidprod.settings import Settings


def keys(folder: Path, access_keys: str = "") -> AccessKeys:
    return AccessKeys(settings(folder, access_keys))


def settings(folder: Path, access_keys: str = "") -> Settings:
    values: dict[str, Any] = {"data": folder, "access_keys": access_keys}
    return Settings(**values)


def test_a_key_is_made_kept_and_found_by_others(tmp_path: Path) -> None:
    made = keys(tmp_path / "data").create()
    other = keys(tmp_path / "data")
    assert other.secret_of(made.id) == made.secret
    assert other.account_of(made.id) == made.account == made.id
    assert other.list() == [made]
    assert made.secret not in repr(made)
    assert len(made.secret) == 32


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    keys(tmp_path).create()
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o600, 0o600]  # and its lock


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others")
def test_what_root_makes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 10001, 10001)
    keys(tmp_path).create()
    assert [path.stat().st_uid for path in tmp_path.iterdir()] == [10001, 10001]


def test_unknown_keys(tmp_path: Path) -> None:
    assert keys(tmp_path).secret_of("nobody") is None
    with pytest.raises(UnknownAccessKey):
        keys(tmp_path).account_of("nobody")


def test_a_running_server_sees_changes(tmp_path: Path) -> None:
    server, tool = keys(tmp_path), keys(tmp_path)
    made = tool.create()
    assert server.secret_of(made.id) == made.secret
    tool.disable(made.id)
    with pytest.raises(InactiveAccessKey):
        server.secret_of(made.id)
    tool.enable(made.id)
    assert server.secret_of(made.id) == made.secret
    (tmp_path / FILE).unlink()
    assert server.secret_of(made.id) is None


def test_two_keys_of_one_account(tmp_path: Path) -> None:
    found = keys(tmp_path)
    first = found.create("team-a")
    second = found.create("team-a")
    assert first.id != second.id
    assert found.account_of(first.id) == found.account_of(second.id) == "team-a"


@pytest.mark.parametrize("account", ["", "a b", "a/b", "x" * 65, "é"])
def test_names_that_no_account_can_have(account: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="account"):
        keys(tmp_path).create(account)
    assert not (tmp_path / FILE).exists()


def test_the_first_start_makes_one_key(tmp_path: Path) -> None:
    first = keys(tmp_path).ensure()
    assert first is not None
    assert keys(tmp_path).ensure() is None
    keys(tmp_path).disable(first.id)
    assert keys(tmp_path).ensure() is None
    assert keys(tmp_path / "other", "id:secret").ensure() is None


def test_keys_of_the_environment(tmp_path: Path) -> None:
    found = keys(tmp_path, " testid:testsecret , other:a:b=c ")
    assert found.secret_of("testid") == "testsecret"
    assert found.secret_of("other") == "a:b=c"
    assert found.account_of("other") == "other"
    assert [key.id for key in found.list()] == ["testid", "other"]
    with pytest.raises(InvalidParameter, match="VIDPROD_ACCESS_KEYS"):
        found.disable("testid")


@pytest.mark.parametrize("value", ["onlyasecret", ":secret", "id:", "a b:secret", "id:one,id:two", "í:secret"])
def test_bad_keys_of_the_environment_are_not_shown(value: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="VIDPROD_ACCESS_KEYS, part") as caught:
        keys(tmp_path, value)
    assert "secret" not in caught.value.message.replace("must be id:secret", "")


def test_a_key_that_is_not_there_cannot_be_disabled(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="nobody"):
        keys(tmp_path).disable("nobody")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"keys": 1}', '{"keys": [{"id": "a"}]}', '{"keys": [[]]}', "\0"]
    + [
        json.dumps({"keys": [{"id": "a", "secret": "s", "account": "a", "created": None, "disabled": False} | wrong]})
        for wrong in ({"secret": ""}, {"secret": 7}, {"created": "yesterday"}, {"disabled": "no"})
    ],
)
def test_a_damaged_file(text: str, tmp_path: Path) -> None:
    server = keys(tmp_path)
    made = server.create()
    (tmp_path / FILE).write_text(text)
    assert server.secret_of(made.id) == made.secret  # goes on with what it knows
    with pytest.raises(InternalError, match="damaged"):
        keys(tmp_path)
    with pytest.raises(InternalError, match="damaged"):
        server.create()
    assert (tmp_path / FILE).read_text() == text


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InternalError, match="access keys cannot be"):
        keys(tmp_path / "file" / "data").create()


def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from vidprod.service.keys import AccessKeys; "
        "from vidprod.settings import Settings; found = AccessKeys(Settings(data=Path(sys.argv[1]))); "
        "print([found.create().id for _ in range(20)][-1], found.ensure())"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    last = [writer.communicate(timeout=60)[0].split() for writer in writers]
    found = {key.id for key in keys(tmp_path).list()}
    assert len(found) == 60
    assert all(name in found and none == "None" for name, none in last)
    assert sorted(os.listdir(tmp_path)) == ["access-keys.json", "access-keys.lock"]
