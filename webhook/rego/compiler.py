"""Compiles Rego sources: parse, resolve, plan, and hand the plan to the code generator.

Owns the way through the stages and what they share. Must not know any stage's inner workings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from webhook.rego import ir
from webhook.rego.ast import Body, Module, Source
from webhook.rego.errors import COMPILE_ERROR, CompileError, Diagnostic, Location, nested_too_deeply
from webhook.rego.parser import VersionChoice, parse_module, parse_query, parse_ref
from webhook.rego.plan.policy import EntryPoint, Query, plan_policy
from webhook.rego.program import Program
from webhook.rego.resolve.queries import ResolvedQuery, resolve_query
from webhook.rego.resolve.resolution import DEFAULT_OPTIONS, Options, Resolution, resolve

QUERY_PLAN = "query"
"""Name of the plan that a compiled query has."""


class CompiledQuery(msgspec.Struct, frozen=True):
    """A query planned against modules; its plan gives one solution after another."""

    policy: ir.Policy
    expressions: tuple[str, ...]
    """Source text of each statement of the query."""
    locations: tuple[Location, ...]
    """Place of each statement in the query's text."""
    variables: tuple[str, ...]
    """Names of the variables that solutions show."""


def compile_modules(
    sources: Sequence[Source],
    *,
    entrypoints: Sequence[str],
    data: Mapping[Any, Any] | None = None,
    version: VersionChoice = "auto",
    options: Options = DEFAULT_OPTIONS,
    strict_builtin_errors: bool = False,
    instrument: bool = False,
) -> Program:
    """Compile sources into a program that gives the values of `entrypoints`, such as `data.authz.allow`.

    `data` are the base documents of evaluations that bring none. The entry points of the program have the names given;
    the program is instrumented for coverage on request.

    Raises:
        CompileError: something is wrong; it carries everything found.

    """
    resolution = load_modules(sources, version=version, options=options, data=data)
    policy = plan_entry_points(resolution, entrypoints)
    try:
        return Program(
            policy,
            entrypoints,
            data=data,
            strict_builtin_errors=strict_builtin_errors,
            instrument=instrument,
        )
    except CompileError as error:
        raise error.quoting(resolution.texts) from None


def load_modules(
    sources: Sequence[Source],
    *,
    version: VersionChoice = "auto",
    options: Options = DEFAULT_OPTIONS,
    data: Mapping[Any, Any] | None = None,
) -> Resolution:
    """Parse and resolve sources; what comes out can be planned for many entry points and queries.

    Raises:
        CompileError: something is wrong; syntax errors of all sources are reported before anything else.

    """
    modules: list[Module] = []
    found: list[Diagnostic] = []
    for source in sources:
        try:
            modules.append(parse_module(source, version=version))
        except CompileError as error:
            found += error.diagnostics
    if found:
        raise CompileError(tuple(found))
    return resolve_modules(modules, options=options, data=data)


def resolve_modules(
    modules: Sequence[Module], *, options: Options = DEFAULT_OPTIONS, data: Mapping[Any, Any] | None = None
) -> Resolution:
    """Resolve modules that are parsed already.

    Raises:
        CompileError: something is wrong; it carries everything found.

    """
    return resolve(modules, options=options, data=data)


def plan_entry_points(resolution: Resolution, entrypoints: Sequence[str]) -> ir.Policy:
    """Plan the documents that `entrypoints` name; each plan has the name given.

    Raises:
        CompileError: a name is no reference, rules would call themselves, or one is nested too deeply.

    """
    refs = [EntryPoint(name, parse_ref(name)) for name in entrypoints]
    return plan_policy(resolution.tree, resolution.texts, refs)


def compile_query(resolution: Resolution, text: str, *, path: str = "<query>") -> CompiledQuery:
    """Plan a query, such as `data.authz.deny[x]; x != "a"`, whose solutions are objects.

    A solution has the query's variables under `bindings` and the value of each statement under `expressions`.

    Raises:
        CompileError: something is wrong with the query.

    """
    source = Source(path, text)
    body = parse_query(text, path=path)
    if not body:
        refusal = Diagnostic(COMPILE_ERROR, "empty query cannot be compiled", Location(path, 1, 1))
        raise CompileError((refusal,))
    try:
        resolved = resolve_query(resolution, body, source)
        texts = {**resolution.texts, path: text}
        policy = plan_policy(resolution.tree, texts, (), [_query(resolved)])
    except RecursionError:
        raise nested_too_deeply(body[0].location).quoting({path: text}) from None
    places = tuple(expr.location for expr in body)
    return CompiledQuery(policy, _texts(text, body), places, tuple(resolved.variables))


def _query(resolved: ResolvedQuery) -> Query:
    values = tuple(resolved.values)
    return Query(QUERY_PLAN, resolved.body, dict(resolved.variables), values)


def _texts(text: str, body: Body) -> tuple[str, ...]:
    starts = [expr.location.offset for expr in body]
    ends = [*starts[1:], len(text)]
    return tuple(
        text[start:end].strip().rstrip(";").rstrip() for start, end in zip(starts, ends, strict=True)
    )
