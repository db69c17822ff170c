"""`vidprod keys`: who may use the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from vidprod.cli import tables
from vidprod.cli.options import takes_settings
from vidprod.settings import Settings

if TYPE_CHECKING:
    from vidprod.service.keys import AccessKeys

app = App(name="keys", help="Access keys: makes, lists and disables them. A running server sees the change at once.")
_OWN = ("data",)


def _keys(settings: Settings) -> AccessKeys:
    from vidprod.service.keys import AccessKeys

    return AccessKeys(settings)


@app.command
@takes_settings(_OWN)
def create(
    settings: Settings,
    *,
    account: Annotated[
        str | None,
        Parameter(help="account of an existing key, for a further key to the same jobs; by default a new one"),
    ] = None,
) -> None:
    """Makes a key and prints it. The secret is not shown again."""
    made = _keys(settings).create(account)
    print(f"AccessKeyId      {made.id}\nAccessKeySecret  {made.secret}\nAccount          {made.account}")


@app.command(name="list")
@takes_settings(_OWN)
def list_(settings: Settings) -> None:
    """Lists all keys without their secrets."""
    rows = [
        (
            key.id,
            key.account,
            tables.moment(key.created),
            "disabled" if key.disabled else "active",
            "keys" if key.created else "VIDPROD_ACCESS_KEYS",
        )
        for key in _keys(settings).list()
    ]
    tables.show(("id", "account", "created", "state", "from"), rows, empty="There are no keys; vidprod keys create")


@app.command
@takes_settings(_OWN)
def disable(settings: Settings, key_id: Annotated[str, Parameter(name="ID")], /) -> None:
    """Refuses a key from now on. Its account's jobs go on."""
    print(f"{_keys(settings).disable(key_id).id} is disabled")


@app.command
@takes_settings(_OWN)
def enable(settings: Settings, key_id: Annotated[str, Parameter(name="ID")], /) -> None:
    """Takes a disabled key again."""
    print(f"{_keys(settings).enable(key_id).id} is active")
