"""Plans whole policies: the functions that entry points and queries need, and one plan for each of them.

Owns the loop that plans functions until none is missing, and the check that none of them calls itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from webhook.rego import dataflow, ir
from webhook.rego.ast import Body, Ref
from webhook.rego.builtins.registry import UNAVAILABLE
from webhook.rego.errors import NOWHERE, CompileError, Location, nested_too_deeply
from webhook.rego.plan.bodies import Bodies
from webhook.rego.plan.documents import Documents
from webhook.rego.plan.functions import FunctionTable, Node, Purpose, Request
from webhook.rego.plan.mocks import NO_MOCKS
from webhook.rego.plan.rules import RulePlanner, parts_of
from webhook.rego.plan.writer import Writer
from webhook.rego.resolve.findings import Findings
from webhook.rego.resolve.operators import refuse

RESULT = "result"
"""The key under which an entry point's plan gives its value."""
BINDINGS = "bindings"
"""The key under which a query's solution has its variables."""
EXPRESSIONS = "expressions"
"""The key under which a query's solution has the values of its statements."""


class EntryPoint(msgspec.Struct, frozen=True):
    """A document of which the plan gives the value."""

    name: str
    ref: Ref


class Query(msgspec.Struct, frozen=True):
    """A body of which the plan gives every solution."""

    name: str
    body: Body
    variables: dict[str, str]
    """Variables that a solution shows, to the names that the body has for them."""
    values: tuple[str | None, ...]
    """The variable that holds the value of each statement written; `None` for one that is simply true."""


def plan_policy(
    tree: Node, texts: Mapping[str, str], entry_points: Sequence[EntryPoint], queries: Sequence[Query] = ()
) -> ir.Policy:
    """Plan entry points and queries over resolved rules; `texts` has the source of each file, to quote from.

    Raises:
        CompileError: a builtin that is not available would be called, rules would call themselves, or one is nested
            too deeply.

    """
    planner = _PolicyPlanner(tree, texts)
    try:
        return planner.run(entry_points, queries)
    except RecursionError:
        raise nested_too_deeply(planner.place()).quoting(texts) from None
    except CompileError as error:
        raise error.quoting(texts) from None


class _PolicyPlanner:
    def __init__(self, tree: Node, texts: Mapping[str, str]) -> None:
        self._tree = tree
        self._texts = texts
        self._table = FunctionTable(tree)
        self._builtins: dict[str, Location] = {}
        self._functions: list[ir.Function] = []
        self._writer: Writer | None = None
        self._node = tree

    def place(self) -> Location:
        """Give the place of what is being planned: where it is written, or the first rule of its document."""
        if self._writer is not None and self._writer.location.row:
            return self._writer.location
        return next((rule.location for node in self._node.descend() for rule in node.rules), NOWHERE)

    def run(self, entry_points: Sequence[EntryPoint], queries: Sequence[Query]) -> ir.Policy:
        plans = [self._entry_point(entry_point) for entry_point in entry_points]
        plans += [self._query(query) for query in queries]
        while self._table.pending:
            self._functions.append(self._function(self._table.pending.popleft()))
        self._check()
        return ir.Policy(tuple(plans), tuple(self._functions), tuple(sorted(self._builtins)))

    def _note_builtins(self, bodies: Bodies) -> None:
        for name, location in bodies.builtins.items():
            self._builtins.setdefault(name, location)

    def _check(self) -> None:
        findings = Findings()
        for name in sorted(self._builtins.keys() & UNAVAILABLE.keys()):
            refuse(name, self._builtins[name], findings)
        _check_recursion(self._functions, findings)
        findings.raise_any(self._texts)

    def _bodies(self, writer: Writer, *, equal_unifies: bool = True) -> Bodies:
        return Bodies(writer, self._tree, self._table, NO_MOCKS, equal_unifies=equal_unifies)

    def _entry_point(self, entry_point: EntryPoint) -> ir.Plan:
        writer = self._writer = Writer(ir.FIRST_FREE)
        bodies = self._bodies(writer)

        def fill() -> None:
            value = bodies.terms.evaluate(entry_point.ref)
            writer.emit(ir.ResultSetAdd(self._object(writer, [(ir.Constant(RESULT), value)])))

        return ir.Plan(entry_point.name, (writer.block(fill),))

    def _query(self, query: Query) -> ir.Plan:
        writer = self._writer = Writer(ir.FIRST_FREE)
        bodies = self._bodies(writer, equal_unifies=False)

        def fill() -> None:
            bodies.body(query.body)
            bound = bodies.terms.bound
            shown = [
                (ir.Constant(key), bound[name]) for key, name in query.variables.items() if name in bound
            ]
            values = [bound[name] if name is not None else ir.Constant(True) for name in query.values]
            bindings = self._object(writer, shown)
            expressions = writer.local()
            writer.emit(ir.MakeArray(expressions, len(values)))
            for value in values:
                writer.emit(ir.ArrayAppend(expressions, value))
            parts = [(ir.Constant(BINDINGS), bindings), (ir.Constant(EXPRESSIONS), expressions)]
            writer.emit(ir.ResultSetAdd(self._object(writer, parts)))

        plan = ir.Plan(query.name, (writer.block(fill),))
        self._note_builtins(bodies)
        return plan

    def _object(self, writer: Writer, pairs: Iterable[tuple[ir.Operand, ir.Operand]]) -> ir.Local:
        made = writer.local()
        writer.emit(ir.MakeObject(made))
        for key, value in pairs:
            writer.emit(ir.ObjectInsert(made, key, value))
        return made

    def _function(self, request: Request) -> ir.Function:
        arity = (request.node.rules[0].arity or 0) if request.purpose is Purpose.RULES else 0
        mocks = request.mocks.variables
        first = ir.FIRST_FREE
        mock_arguments = tuple(ir.Local(first + index) for index in range(mocks))
        arguments = tuple(ir.Local(first + mocks + index) for index in range(arity))
        writer = self._writer = Writer(first + mocks + arity)
        self._node = request.node
        result = writer.local()
        if request.purpose is Purpose.RULES:
            bodies = Bodies(writer, self._tree, self._table, request.mocks, mock_arguments)
            blocks = RulePlanner(writer, bodies, result, arguments, parts_of(request.node)).blocks()
            self._note_builtins(bodies)
        else:
            documents = Documents(writer, self._tree, self._table, request.mocks, mock_arguments)
            block = writer.block(lambda: documents.extent(request.node, request.pattern, result))
            blocks = (block, (ir.ReturnLocal(result),))
        return ir.Function(
            name=request.name,
            params=(ir.INPUT, ir.DATA, *mock_arguments, *arguments),
            result=result,
            blocks=blocks,
            path=request.path,
        )


def _check_recursion(functions: Sequence[ir.Function], findings: Findings) -> None:
    """Refuse functions that call themselves in a way that the rules' references did not show."""
    calls = {
        function.name: [call.function for call in dataflow.Usage(function.blocks).of_kind(ir.Call)]
        for function in functions
    }
    waiting = {
        name: {called for called in called_names if called in calls} for name, called_names in calls.items()
    }
    callers: dict[str, list[str]] = {name: [] for name in calls}
    for name, called_names in waiting.items():
        for called in called_names:
            callers[called].append(name)
    free = [name for name, called_names in waiting.items() if not called_names]
    while free:
        done = free.pop()
        for caller in callers[done]:
            waiting[caller].discard(done)
            if not waiting[caller]:
                free.append(caller)
    stuck = sorted(name for name, called_names in waiting.items() if called_names)
    if stuck:
        function = next(function for function in functions if function.name == stuck[0])
        places = (statement.location for statement in ir.walk(function.blocks))
        place = next((place for place in places if place is not None and place.row), NOWHERE)
        findings.recursion(f"rule {stuck[0].split('.', 1)[1]} is recursive", place)
