"""The command line in this process: words in, exit code and what was printed out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from webhook.cli.main import main


@dataclass(frozen=True)
class Printed:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)

    @property
    def only_error(self) -> str:
        """The one line that was said, and nothing else."""
        (line,) = self.err.splitlines()
        assert not self.out
        return line


def gradate(*words: str | Path, typed: str = "") -> Printed:
    """Run a command."""
    with CliRunner().isolation(input=typed) as (out, err, _):
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            code = ended.code
        return Printed(code if isinstance(code, int) else 0, out.getvalue().decode(), err.getvalue().decode())
