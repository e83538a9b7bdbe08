"""Plans the statements of bodies: conditions, calls, `not`, `every` and `with`.

Must not know rules' heads, nor how functions are named.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from webhook.rego import ir
from webhook.rego.ast import (
    Body,
    Call,
    Every,
    Expr,
    Object,
    Ref,
    SomeDecl,
    SomeIn,
    Term,
    Var,
    With,
)
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.errors import Location
from webhook.rego.plan.documents import Documents, is_function
from webhook.rego.plan.functions import FunctionTable, Node
from webhook.rego.plan.hoisting import Hoisting, is_self_bound
from webhook.rego.plan.mocks import ConstantMock, FunctionMock, Mock, Mocks, VariableMock
from webhook.rego.plan.solutions import Solutions
from webhook.rego.plan.terms import Terms
from webhook.rego.plan.writer import Writer
from webhook.rego.resolve.operators import BUILTIN_ARITIES, INTERNAL_PRINT, builtin_name
from webhook.rego.resolve.shapes import (
    Path,
    is_constant,
    is_data,
    operator_name,
    path_of,
    path_text,
    plain_term,
)
from webhook.rego.resolve.text import term_text
from webhook.rego.resolve.variables import Mentions

_NO_RUNTIME: Final = ConstantMock(Object(()), "{}")
"""What `opa.runtime` gives in a test that puts it in another's place: OPA's answer when it was told nothing."""
_EQUALITIES: Final = frozenset({"eq", "equal"})


class Bodies:
    """Plans the bodies of one function."""

    def __init__(
        self,
        writer: Writer,
        tree: Node,
        table: FunctionTable,
        mocks: Mocks,
        mock_arguments: tuple[ir.Operand, ...] = (),
        *,
        equal_unifies: bool = True,
    ) -> None:
        self._writer = writer
        self._tree = tree
        self._table = table
        self._mocks = mocks
        self._mock_arguments = mock_arguments
        self._equal_unifies = equal_unifies
        self._documents = Documents(writer, tree, table, mocks, mock_arguments)
        self.terms = Terms(writer, self.body, self._data)
        self.builtins: dict[str, Location] = {}
        """Builtins that the planned statements call, each with the place of a call."""

    def _data(self, ref: Ref) -> ir.Operand:
        return self._documents.evaluate(ref, self.terms)

    def body(self, body: Body) -> None:
        """Plan statements; what is planned afterwards runs for each of their solutions."""
        location = self._writer.location
        for expr in body:
            self.statement(expr)
        self._writer.location = location

    def statement(self, expr: Expr) -> None:
        """Plan one statement."""
        if expr.location.row:
            self._writer.location = expr.location
            # Costs nothing in generated code; coverage reads it as "the statement was reached".
            self._writer.emit(ir.Nop(location=expr.location))
        if expr.negated:
            self._negation(expr)
        elif expr.replacements:
            self._replacing(expr)
        elif isinstance(expr.terms, Every):
            self._every(expr.terms)
        else:
            self._positive(self._enumerated_first(expr).terms)

    def _positive(self, terms: Term | SomeDecl | SomeIn | Every) -> None:
        if isinstance(terms, Call):
            self._call(terms)
        else:
            self._holds(self.terms.evaluate(plain_term(terms)))

    def _enumerated_first(self, expr: Expr) -> Expr:
        """Plan what binds a variable that stands beside it in the same statement, as `[i, input.xs[i]]` does."""
        if not is_self_bound(expr, self.terms.bound.keys()):
            return expr
        hoisting = Hoisting(self._writer.local())
        hoisted = hoisting.statement(expr)
        for made in hoisting.made:
            self.statement(made)
        return hoisted

    def _holds(self, operand: ir.Operand) -> None:
        if isinstance(operand, ir.Constant) and operand.value is not False:
            return
        self._writer.emit(ir.NotEqual(operand, ir.Constant(False), location=self._writer.location))

    def _negation(self, expr: Expr) -> None:
        hoisting = Hoisting(self._writer.local())
        hoisted = hoisting.statement(expr)
        for made in hoisting.made:
            self.statement(made)
        positive = Expr(hoisted.terms, False, hoisted.replacements, location=expr.location)
        writer = self._writer
        writer.location = expr.location if expr.location.row else writer.location
        block = writer.block(self.terms.scoped(lambda: self.statement(positive)))
        writer.emit(ir.Not(block, location=writer.location))

    def _every(self, every: Every) -> None:
        writer, terms = self._writer, self.terms
        domain = terms.evaluate(every.domain)
        failed, holds = writer.local(), writer.local()
        location = writer.location
        self._require_collection(domain)
        writer.emit(ir.ResetLocal(failed, location=location))

        def element(key: ir.Local, value: ir.Local) -> None:
            terms.match(value, every.value)
            if every.key is not None:
                terms.match(key, every.key)
            self.body(every.body)
            writer.emit(ir.AssignVar(ir.Constant(True), holds, location=location))

        def scan() -> None:
            key, value = writer.loop(domain)
            writer.emit(ir.ResetLocal(holds, location=location))
            writer.blocks(terms.scoped(partial(element, key, value)))
            writer.emit(ir.IsUndefined(holds, location=location))
            writer.emit(ir.AssignVar(ir.Constant(True), failed, location=location))

        writer.blocks(scan)
        writer.emit(ir.IsUndefined(failed, location=location))

    def _require_collection(self, operand: ir.Operand) -> None:
        """Make what follows undefined unless a value can be iterated."""
        writer = self._writer
        iterable = writer.local()

        def check(kind: type[ir.IsArray | ir.IsObject | ir.IsSet]) -> Callable[[], None]:
            def fill() -> None:
                writer.emit(kind(operand, location=writer.location))
                writer.emit(ir.AssignVar(ir.Constant(True), iterable, location=writer.location))

            return fill

        writer.emit(ir.ResetLocal(iterable, location=writer.location))
        writer.blocks(check(ir.IsArray), check(ir.IsObject), check(ir.IsSet))
        writer.emit(ir.IsDefined(iterable, location=writer.location))

    # -- Calls --

    def _call(self, call: Call) -> None:
        name = operator_name(call)
        if name == "eq" or (name in _EQUALITIES and self._equal_unifies and len(call.args) == 2):
            self.terms.unify(*call.args)
            return
        mock = self._mocks.function(name)
        if mock is None:
            self._function(name, call)
        elif isinstance(mock, FunctionMock):
            self._mocked(mock, call)
        else:
            self._mocked_value(mock, call)

    def _function(self, name: str, call: Call) -> None:
        builtin = BUILTINS.get(name)
        if call.operator.path:
            function = self._table.rules(self._node(path_of(call.operator)), self._mocks)
            self._apply(function.name, self._arity(call), call, function.arguments(self._mock_arguments))
            return
        self.builtins.setdefault(name, self._writer.location)
        if builtin is not None and builtin.relation:
            self._relation(name, builtin.arity, call)
        else:
            void = name == INTERNAL_PRINT or (builtin is not None and builtin.void)
            self._apply(name, self._arity(call), call, (), void=void)

    def _node(self, path: Path) -> Node:
        node = self._tree.find(path)
        if node is None:
            raise LookupError(f"no rule {path_text(path)}")
        return node

    def _arity(self, call: Call) -> int | None:
        """Give the count of arguments of what a call names, `None` for any number."""
        if not call.operator.path:
            return BUILTIN_ARITIES[operator_name(call)]
        return self._node(path_of(call.operator)).rules[0].arity or 0

    def _apply(
        self,
        function: str,
        arity: int | None,
        call: Call,
        leading: tuple[ir.Operand, ...],
        *,
        void: bool = False,
    ) -> None:
        """Plan a call; one argument more than the arity is what the result must match."""
        taken = call.args if arity is None else call.args[:arity]
        arguments = tuple([self.terms.evaluate(argument) for argument in taken])
        result = self._writer.local()
        self._writer.emit(ir.Call(function, leading + arguments, result, location=self._writer.location))
        self._deliver(result, arity, call, void=void)

    def _deliver(self, result: ir.Operand, arity: int | None, call: Call, *, void: bool = False) -> None:
        if arity is not None and len(call.args) > arity:
            self.terms.match(result, call.args[arity])
        elif not void:
            self._holds(result)

    def _relation(self, name: str, arity: int, call: Call) -> None:
        arguments = tuple([self.terms.evaluate(argument) for argument in call.args[:arity]])
        writer, answers = self._writer, self._writer.local()
        writer.emit(ir.Call(name, arguments, answers, location=writer.location))
        if len(call.args) > arity:
            _, value = writer.loop(answers)
            self.terms.match(value, call.args[arity])
        else:
            size = writer.local()
            writer.emit(ir.Len(answers, size, location=writer.location))
            writer.emit(ir.NotEqual(size, ir.Constant(0), location=writer.location))

    def _mocked(self, mock: FunctionMock, call: Call) -> None:
        arity = self._arity(call)
        if mock.path is None:
            self.builtins.setdefault(mock.name, self._writer.location)
            self._apply(mock.name, arity, call, ())
            return
        node = self._node(mock.path)
        if is_function(node):
            function = self._table.rules(node, self._mocks.without_functions())
            self._apply(function.name, arity, call, function.arguments(()))
            return
        for argument in call.args if arity is None else call.args[:arity]:
            self.terms.evaluate(argument)
        self._deliver(self._documents.call(self._table.rules(node, self._mocks)), arity, call)

    def _mocked_value(self, mock: ConstantMock | VariableMock, call: Call) -> None:
        arity = self._arity(call)
        for argument in call.args if arity is None else call.args[:arity]:
            self.terms.evaluate(argument)
        if isinstance(mock, ConstantMock):
            value = self.terms.evaluate(mock.value)
        else:
            value = self._mock_arguments[mock.index]
        self._deliver(value, arity, call)

    # -- Replacements --

    def _replacing(self, expr: Expr) -> None:
        """Plan a statement with `with`; its solutions outlive the replacement."""
        writer, terms = self._writer, self.terms
        changed, documents = self._replaced(expr.replacements)
        solutions = Solutions(writer, sorted(Mentions(expr).direct - terms.bound.keys()))

        def fill() -> None:
            depth = writer.depth
            inner = Expr(expr.terms, False, (), location=expr.location)
            changed.continue_from(self).statement(inner)
            solutions.keep(terms.bound, several=writer.depth > depth)

        block = writer.block(terms.scoped(_nested(writer, documents, fill)))
        terms.bound.update(solutions.outlive(block))

    def _replaced(self, replacements: tuple[With, ...]) -> tuple[Bodies, list[_Document]]:
        """Give the planner for what the replacements govern, and the documents to be replaced around it."""
        functions: dict[str, Mock] = {}
        values: list[ir.Operand] = []
        paths = set()
        documents: list[_Document] = []
        for replacement in replacements:
            target, value = replacement.target, replacement.value
            name = self._function_name(target)
            if name is not None:
                functions[name] = self._mock(value, values)
                continue
            if not isinstance(target, Ref) or not isinstance(target.head, Var):
                raise TypeError(f"not a target: {term_text(target)}")
            path = path_of(target)
            local = ir.INPUT if target.head.name == "input" else ir.DATA
            if local == ir.DATA and (self._tree.find(path) is not None or not path):
                paths.add(path)
            documents.append((local, path, self.terms.evaluate(value)))
        mocks = self._mocks.with_functions(functions, len(values)) if functions else self._mocks
        if paths:
            mocks = mocks.with_paths(paths)
        arguments = (*self._mock_arguments, *values)
        changed = Bodies(
            self._writer, self._tree, self._table, mocks, arguments, equal_unifies=self._equal_unifies
        )
        return changed, documents

    def _function_name(self, target: Term) -> str | None:
        if isinstance(target, Ref) and is_data(target):
            node = self._tree.find(path_of(target))
            return path_text(path_of(target)) if node is not None and is_function(node) else None
        if isinstance(target, Ref) and isinstance(target.head, Var) and target.head.name == "input":
            return None
        return builtin_name(target)

    def _mock(self, value: Term, values: list[ir.Operand]) -> Mock:
        if isinstance(value, Ref):
            if is_data(value):
                return FunctionMock(path_text(path_of(value)), path_of(value))
            name = builtin_name(value)
            return _NO_RUNTIME if name == "opa.runtime" else FunctionMock(name)
        if is_constant(value):
            return ConstantMock(value, term_text(value))
        values.append(self.terms.evaluate(value))
        return VariableMock(self._mocks.variables + len(values) - 1)

    def continue_from(self, outer: Bodies) -> Bodies:
        """Share the variables and the record of builtins of another planner of the same function."""
        self.terms.bound = outer.terms.bound
        self.builtins = outer.builtins
        return self


_Document = tuple[ir.Local, tuple[str, ...], ir.Operand]


def _nested(writer: Writer, documents: list[_Document], innermost: Callable[[], None]) -> Callable[[], None]:
    """Wrap the filler of a block in the replacement of documents, the first outermost."""
    fill = innermost
    for local, path, value in reversed(documents):
        fill = _within(writer, (local, path, value), fill)
    return fill


def _within(writer: Writer, document: _Document, fill: Callable[[], None]) -> Callable[[], None]:
    local, path, value = document

    def run() -> None:
        location = writer.location
        block = writer.block(fill)
        writer.emit(ir.With(local, path, value, block, location=location))

    return run
