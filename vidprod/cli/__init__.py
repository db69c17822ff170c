"""The command line: one command per action, made from the registry, and those for the server and the installation itself."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from cyclopts import App, CycloptsError, MissingArgumentError
from rich.console import Console
from rich.table import Table

from vidprod import __version__
from vidprod.cli import actions, checkup, groups, jobs, keys, server, shots
from vidprod.errors import Cancelled, VidprodError

FAILED = 2
INTERRUPTED = 130

app = App(name="vidprod", help="Self-hosted video production.", version=__version__, version_flags=["--version"])


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line. Exit code 0, or 2 with one line `Code: message` on stderr; some commands have codes of their own."""
    # Threads of torch that wait must not keep decoder and encoder from working; it is read when torch is imported, later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except MissingArgumentError as error:
        name = error.argument.name.lstrip("-") if error.argument else "a parameter"
        _fail(f"MissingParameter: {name} is required; see vidprod {' '.join(error.command_chain or ())} --help")
    except CycloptsError as error:
        _fail(f"InvalidParameter: {' '.join(str(error).split())}")
    except VidprodError as error:
        _fail(f"{error.code}: {error.message}")
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled: nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("VIDPROD_DEBUG"):
            raise
        _fail(
            f"InternalServerError: {type(error).__name__}: {' '.join(str(error).split())} (VIDPROD_DEBUG=1 tells more)"
        )
    sys.exit(code if isinstance(code, int) else 0)


def _fail(line: str) -> NoReturn:
    print(line, file=sys.stderr)
    sys.exit(FAILED)


@app.command
def models() -> None:
    """Lists the networks that `--model` and the settings can name."""
    from vidprod.models.registry import MODELS
    from vidprod.ops.upscale import ADAPTIVE

    table = Table("name", "scale", "licence", "what it is for", box=None)
    table.add_row(
        ADAPTIVE, "2x", "Apache-2.0", "the default: span-x2 and span-x2-video, blended per shot by its compression"
    )
    for spec in MODELS.values():
        table.add_row(spec.name, f"{spec.scale}x", spec.licence, spec.summary)
    Console().print(table)


server.add_to(app)
app.command(jobs.app)
app.command(keys.app)
app.command(checkup.doctor)
app.command(shots.shots)
app.command(groups.adjust_video_color_group)
actions.add_to(app)
