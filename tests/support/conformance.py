"""OPA's conformance data: where it is, its cases with OPA's own plans, and how results are compared."""

import functools
import gzip
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from webhook.rego import ast
from webhook.rego.parser import parse_query
from webhook.rego.texts import dump_json, parse_number, to_json
from webhook.rego.values import UNDEFINED, RegoSet, Value, make_object, ordered

_NEXT_TO_REPOSITORY = Path(__file__).resolve().parents[3] / "shared" / "conformance"


def conformance_folder() -> Path | None:
    """Give the folder of conformance data, or None when it is not at hand."""
    folder = Path(os.environ.get("GRADATE_CONFORMANCE", _NEXT_TO_REPOSITORY))
    return folder if (folder / "opa-plans.json.gz").is_file() else None


SKIP_REASON = "OPA's conformance data is not at hand (GRADATE_CONFORMANCE)"


class Case(msgspec.Struct, frozen=True):
    """One conformance case."""

    id: str
    query: str
    modules: list[str] | None = None
    data: Any = None
    input: Any = msgspec.UNSET
    input_term: str | None = None
    want_result: list[dict[str, Any]] | None = None
    want_error_code: str | None = None
    want_error: str | None = None
    strict_error: bool = False
    sort_bindings: bool = False
    ignore_generated_vars: bool = False

    @property
    def family(self) -> str:
        return self.id.split("/")[0]

    @property
    def document(self) -> Value:
        if self.input_term:
            return ground_value(self.input_term)
        return UNDEFINED if self.input is msgspec.UNSET else self.input


@functools.cache
def cases() -> tuple[Case, ...]:
    """Load every case; none when the data is not at hand."""
    folder = conformance_folder()
    if folder is None:
        return ()
    lines = (folder / "opa-cases.jsonl").read_bytes().splitlines()
    return tuple(msgspec.json.decode(line, type=Case) for line in lines)


class PlanCase(msgspec.Struct, frozen=True):
    """One conformance case with the plan that OPA made of it."""

    id: str
    plan: bytes
    want_result: list[Value] | None
    """Wanted result set; None where an error is wanted."""
    want_error_code: str | None
    strict_error: bool
    sort_bindings: bool
    data: Value
    input: Value

    @property
    def family(self) -> str:
        """The folder that the case comes from."""
        return self.id.split("/")[0]


@functools.cache
def plan_cases() -> tuple[PlanCase, ...]:
    """Load every case with its plan; none when the data is not at hand."""
    return tuple(_load()) if conformance_folder() else ()


def _load() -> Iterator[PlanCase]:
    folder = conformance_folder()
    assert folder is not None
    plans = msgspec.json.decode(gzip.decompress((folder / "opa-plans.json.gz").read_bytes()))
    with (folder / "opa-cases.jsonl").open("rb") as lines:
        cases = {case["id"]: case for case in map(msgspec.json.decode, lines)}
    for name, plan in plans.items():
        case = cases[name]
        term = case.get("input_term")
        error_code, strict_error = case.get("want_error_code"), bool(case.get("strict_error"))
        yield PlanCase(
            id=name,
            plan=msgspec.json.encode(plan["plan"]),
            want_result=None if error_code and strict_error else plan["want_plan_result"],
            want_error_code=error_code,
            strict_error=strict_error,
            sort_bindings=bool(case.get("sort_bindings")),
            data=case.get("data", {}),
            input=case.get("input", UNDEFINED) if term is None else ground_value(term),
        )


def ground_value(text: str) -> Value:
    """Give the value of a Rego term without variables."""
    (expr,) = parse_query(text)
    assert not isinstance(expr.terms, ast.SomeDecl | ast.SomeIn | ast.Every)
    return _value(expr.terms)


def _value(term: ast.Term) -> Value:
    match term:
        case ast.Null():
            return None
        case ast.Boolean() | ast.String():
            return term.value
        case ast.Number():
            return parse_number(term.text)
        case ast.Array():
            return [_value(item) for item in term.items]
        case ast.Set():
            return RegoSet(_value(item) for item in term.items)
        case ast.Object():
            return make_object((_value(key), _value(value)) for key, value in term.items)
    raise AssertionError(f"not a ground term: {term}")


def same_results(got: Sequence[Value], want: Sequence[Value], *, sort_bindings: bool) -> bool:
    """Say whether two result sets are the same, as OPA's own test harness compares them."""
    got_texts, want_texts = (
        sorted({dump_json(_normal(to_json(result), sort_bindings)) for result in results})
        for results in (got, want)
    )
    return got_texts == want_texts


def _normal(document: Any, sort_arrays: bool) -> Any:
    """Write integral doubles as integers and, if asked, sort all arrays."""
    if isinstance(document, float) and document.is_integer():
        return int(document)
    if isinstance(document, list):
        items = [_normal(item, sort_arrays) for item in document]
        return ordered(items) if sort_arrays else items
    if isinstance(document, dict):
        return {key: _normal(value, sort_arrays) for key, value in document.items()}
    return document
