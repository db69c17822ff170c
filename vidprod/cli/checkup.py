"""`vidprod doctor`."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from vidprod.cli.options import takes_settings
from vidprod.settings import Settings

_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "broken": "bold red"}


@takes_settings()
def doctor(settings: Settings) -> int:
    """Tries everything that the server needs, and says what to do about what does not work.

    Takes the options of `vidprod serve`. Exit code 0, or 1 when something that is needed is broken.
    """
    from vidprod.doctor import State, examine

    console = Console(highlight=False, soft_wrap=True)
    broken = 0
    for finding in examine(settings):
        broken += finding.state is State.BROKEN
        line = Text.assemble(
            (f"{finding.state:<8}", _STYLES[finding.state]), (f"{finding.name:<10}", "bold"), finding.text
        )
        console.print(line)
        if finding.advice:
            console.print(Text(f"{'':18}-> {finding.advice}"))
    console.print(f"\n{broken} broken" if broken else "\nEverything that is needed works.")
    return 1 if broken else 0
