"""`make demo`: a real server decides a dozen reviews, then rolls a new policy version out, back, and out again.

Ends with 0 only if every step went as told.
"""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench.local_server import ServerError, issue_certificates
from docs.demo.decisions import play_decisions
from docs.demo.desk import Surprise
from docs.demo.rollout import play_rollout

_PLAIN_WIDTH = 120  # of a log or a file, which has none of its own


def main() -> int:
    """Run the demonstration and give the exit code."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gradate-demo-") as name:
        folder = Path(name)
        certificates = issue_certificates(folder / "certs")
        try:
            console.rule("[bold]Act one: decisions", align="left")
            as_told = play_decisions(console, folder / "one", certificates)
            console.print()
            console.rule("[bold]Act two: a rollout", align="left")
            play_rollout(console, folder / "two", certificates)
        except (ServerError, Surprise) as error:
            console.print(f"\nNOT AS TOLD: {error}", style="bold red", markup=False)
            return 1
    console.print(f"\n[dim]{time.monotonic() - begun:.0f} s from start to end[/dim]")
    return 0 if as_told else 1


if __name__ == "__main__":
    sys.exit(main())
