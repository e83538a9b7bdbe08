import os
import subprocess
import sys

import msgspec
import pytest
import yaml
from rich.text import Text

from webhook.cli.printing import console, print_document, print_table


class Point(msgspec.Struct, rename="camel"):
    far_away: bool
    name: str = "Größe: [bold]"


def test_documents_are_printed_as_json_and_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    expected = [{"farAway": True, "name": "Größe: [bold]"}]
    print_document([Point(far_away=True)], "json")
    assert msgspec.json.decode(capsys.readouterr().out) == expected
    print_document([Point(far_away=True)], "yaml")
    text = capsys.readouterr().out
    assert yaml.safe_load(text) == expected
    assert "Größe" in text


def test_a_table_is_folded_but_for_its_ids_where_its_reader_says_how_wide_it_is() -> None:
    row = "('f-01621f66a5b1e736', 'word ' * 20)"
    script = f"from webhook.cli.printing import print_table; print_table(('ID', 'B'), [{row}])"
    printed = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "40"},
    ).stdout.splitlines()
    assert max(map(len, printed)) == 40
    assert printed[1].startswith("f-01621f66a5b1e736  word")
    assert {line[:18] for line in printed[2:]} == {" " * 18}


@pytest.mark.parametrize(
    "hostile", ["\x1b[31mred", "\x1b]0;title\x07", "back\x08", "\x9b2J", "turned \u202e round"]
)
def test_what_others_wrote_cannot_steer_the_terminal(
    hostile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(("NAME", "MESSAGE"), [("a", hostile)])
    console().print(f"[bold]{hostile}[/]", Text(hostile))
    printed = capsys.readouterr().out
    assert all(character.isprintable() for character in printed.replace("\n", ""))
    assert hostile.strip("\x07\x08")[-2:] in printed


def test_a_table_for_a_program_has_no_colour_and_folds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 400
    print_table(("NAME", "STATE"), [("a", "[green]fine[/]"), (long, "gone")])
    headings, first, second = capsys.readouterr().out.splitlines()
    assert headings.split() == ["NAME", "STATE"]
    assert first.split() == ["a", "fine"]
    assert second.split() == [long, "gone"]
