"""`gradate eval`: evaluate a Rego query and print the answer as `opa eval` does."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from webhook.cli.options import Seconds
from webhook.compose.clock import SystemClock
from webhook.flows.policy_files import load_policy_files, read_document
from webhook.flows.policy_query import QueryOptions, Solution, answer_entry_point, answer_query
from webhook.ports.source import SourceError
from webhook.rego.builtins.failures import BuiltinError
from webhook.rego.builtins.json_text import read_json
from webhook.rego.bundle import load_plan_bundle
from webhook.rego.errors import PARSE_ERROR, CompileError, Diagnostic, EvaluationError, Location
from webhook.rego.texts import dump_json
from webhook.rego.values import UNDEFINED, Value

EXIT_UNDEFINED = 1
EXIT_ERROR = 2


@click.command("eval")
@click.argument("query")
@click.option("--data", "-d", multiple=True, metavar="PATH", help="Modules and data: a file or a folder.")
@click.option("--bundle", "-b", metavar="FILE", help="A plan bundle, from `opa build -t plan`.")
@click.option("--input", "-i", "input_path", metavar="FILE", help="The input document, JSON or YAML.")
@click.option("--stdin-input", "-I", is_flag=True, help="Read the input document from standard input.")
@click.option(
    "--format",
    "-f",
    "output_format",
    type=click.Choice(["json", "raw", "pretty", "values", "bindings"]),
    default="json",
    show_default=True,
    help="How to print the answer.",
)
@click.option("--v0-compatible", is_flag=True, help="Read every module as Rego v0.")
@click.option("--strict", is_flag=True, help="Unused variables and imports are errors.")
@click.option("--strict-builtin-errors", is_flag=True, help="A failing builtin ends the evaluation.")
@click.option("--fail", is_flag=True, help="Exit with 1 when the answer is undefined.")
@click.option("--fail-defined", is_flag=True, help="Exit with 1 when the answer is defined.")
@click.option("--timeout", type=Seconds(), metavar="DURATION", help="Longest time, such as 500ms.")
@click.pass_context
def eval_(
    context: click.Context,
    *,
    query: str,
    data: tuple[str, ...],
    bundle: str | None,
    input_path: str | None,
    stdin_input: bool,
    output_format: str,
    v0_compatible: bool,
    strict: bool,
    strict_builtin_errors: bool,
    fail: bool,
    fail_defined: bool,
    timeout: float | None,
) -> None:
    """Evaluate a query, such as `data.gradate.credential_env.deny`, and print the answer.

    An undefined answer is `{}`. Exits with 2 on errors, which are part of the JSON.
    """
    if stdin_input and input_path is not None:
        raise click.UsageError("specify --stdin-input or --input but not both")
    if fail and fail_defined:
        raise click.UsageError("specify --fail or --fail-defined but not both")
    if bundle is not None and data:
        raise click.UsageError("specify --bundle or --data but not both")
    options = QueryOptions("v0" if v0_compatible else "auto", strict, strict_builtin_errors, timeout)
    try:
        input_document = _input(input_path, stdin_input=stdin_input)
        solutions = _answer(query, data, bundle, input_document, options)
    except (CompileError, EvaluationError, SourceError) as error:
        _print_error(error, output_format)
        context.exit(EXIT_ERROR)
    _print(solutions, output_format)
    if (fail and not solutions) or (fail_defined and solutions):
        context.exit(EXIT_UNDEFINED)


def _answer(
    query: str, data: tuple[str, ...], bundle: str | None, input_document: Value, options: QueryOptions
) -> list[Solution]:
    clock = SystemClock()
    if bundle is None:
        return answer_query(query, load_policy_files(data), input_document, options, clock, _to_stderr)
    try:
        archive = Path(bundle).read_bytes()
    except OSError as error:
        raise SourceError(f"{bundle}: cannot read the bundle: {error.strerror or error}") from error
    return answer_entry_point(query, load_plan_bundle(archive), input_document, options, clock, _to_stderr)


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def _input(path: str | None, *, stdin_input: bool) -> Value:
    if path is not None:
        return read_document(Path(path))
    if not stdin_input:
        return UNDEFINED
    try:
        return read_json(sys.stdin.read())
    except (BuiltinError, ValueError, RecursionError) as error:
        raise SourceError(f"standard input: not a JSON document: {error}") from error


# -- Printing --


def _print(solutions: list[Solution], output_format: str) -> None:
    if output_format == "json":
        click.echo(_json(_document(solutions)))
    elif output_format == "pretty":
        click.echo(_pretty(solutions))
    else:
        for solution in solutions:
            click.echo(_line(solution, output_format))


def _document(solutions: list[Solution]) -> dict[str, Any]:
    if not solutions:
        return {}
    return {"result": [_solution_document(solution) for solution in solutions]}


def _solution_document(solution: Solution) -> dict[str, Any]:
    expressions = [
        {
            "value": _plain(part.value),
            "text": part.text,
            "location": {"row": part.location.row, "col": part.location.col},
        }
        for part in solution.expressions
    ]
    document: dict[str, Any] = {"expressions": expressions}
    if solution.bindings:
        document["bindings"] = _plain(dict(solution.bindings))
    return document


def _line(solution: Solution, output_format: str) -> str:
    values = [part.value for part in solution.expressions]
    if output_format == "values":
        return _json(_plain(values))
    if output_format == "bindings":
        return _json(_plain(dict(solution.bindings)))
    return " ".join(value if isinstance(value, str) else dump_json(value) for value in values)


def _pretty(solutions: list[Solution]) -> str:
    if not solutions:
        return "undefined"
    first = solutions[0]
    values = [part.value for part in first.expressions]
    plain = len(values) == 1 or all(isinstance(value, bool) for value in values)
    if len(solutions) == 1 and not first.bindings and plain:
        return _json(_plain(values[0]))
    return _table([_row(solution) for solution in solutions])


def _row(solution: Solution) -> dict[str, str]:
    """Give the cells of a solution: its variables, and the statements whose value is not just true."""
    cells = {name: dump_json(value) for name, value in sorted(solution.bindings.items())}
    cells |= {part.text: dump_json(part.value) for part in solution.expressions if part.value is not True}
    return cells


def _table(rows: list[dict[str, str]]) -> str:
    headings = list(dict.fromkeys(name for row in rows for name in row))
    widths = [max(len(name), *(len(row.get(name, "")) for row in rows)) for name in headings]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [rule, _cells(headings, widths), rule]
    lines += [_cells([row.get(name, "") for name in headings], widths) for row in rows]
    return "\n".join([*lines, rule])


def _cells(texts: list[str], widths: list[int]) -> str:
    return "|" + "|".join(f" {text:<{width}} " for text, width in zip(texts, widths, strict=True)) + "|"


def _plain(value: Value) -> Any:
    """Give the JSON form of a value, keys sorted."""
    return json.loads(dump_json(value))


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _print_error(error: CompileError | EvaluationError | SourceError, output_format: str) -> None:
    if output_format != "json":
        click.echo(str(error), err=True)
        return
    if isinstance(error, CompileError):
        documents = [_diagnostic_document(diagnostic) for diagnostic in error.diagnostics]
    elif isinstance(error, EvaluationError):
        document = {"message": error.message, "code": error.code}
        documents = [{**document, "location": _place(error.location)} if error.location.row else document]
    else:
        documents = [{"message": str(error)}]
    click.echo(_json({"errors": documents}))


def _diagnostic_document(diagnostic: Diagnostic) -> dict[str, Any]:
    document: dict[str, Any] = {
        "message": diagnostic.message,
        "code": diagnostic.code,
        "location": _place(diagnostic.location),
    }
    if diagnostic.code == PARSE_ERROR and diagnostic.line_text:
        document["details"] = {"line": diagnostic.line_text, "idx": diagnostic.location.col - 1}
    return document


def _place(location: Location) -> dict[str, Any]:
    return {"file": location.file, "row": location.row, "col": location.col}
