"""Plans references below `data`, where rules and base documents meet.

A reference that ends in a package, or has a variable where packages fork, reads an *extent*: the package's document,
made of its rules' values merged over the base documents, restricted to what the reference can reach. Owns that, and
the choice of a rule by a segment known only when the policy runs. Must not know statements.
"""

from __future__ import annotations

from collections.abc import Callable

from webhook.rego import ir
from webhook.rego.ast import Number, Ref, String, Term
from webhook.rego.plan.functions import FunctionTable, Node, Pattern
from webhook.rego.plan.mocks import Mocks
from webhook.rego.plan.terms import Terms
from webhook.rego.plan.writer import Writer
from webhook.rego.resolve.shapes import SCALARS, Path


def is_function(node: Node) -> bool:
    """Tell whether the rules at a node define a function."""
    return bool(node.rules) and node.rules[0].arity is not None


def has_document(node: Node) -> bool:
    """Tell whether rules at a node define a document."""
    return bool(node.rules) and node.rules[0].arity is None


class Documents:
    """Plans references below `data` within one function."""

    def __init__(
        self,
        writer: Writer,
        tree: Node,
        table: FunctionTable,
        mocks: Mocks,
        mock_arguments: tuple[ir.Operand, ...],
    ) -> None:
        self._writer = writer
        self._tree = tree
        self._table = table
        self._mocks = mocks
        self._mock_arguments = mock_arguments

    def under(self, mocks: Mocks, mock_arguments: tuple[ir.Operand, ...]) -> Documents:
        """Give the same planner under other mocks."""
        return Documents(self._writer, self._tree, self._table, mocks, mock_arguments)

    def evaluate(self, ref: Ref, terms: Terms) -> ir.Operand:
        """Plan what a reference that begins with `data` evaluates to."""
        node = self._tree
        for index, part in enumerate(ref.path):
            if self._mocks.covers(node.path) and node.path:
                return self._base_document(ref.path, terms)
            if not isinstance(part, String):
                return self._fork(node, ref.path[index:], terms)
            child = node.children.get(part.value)
            if child is None:
                return self._base_document(ref.path, terms)
            node = child
            if has_document(node) and not self._mocks.covers(node.path):
                return terms.follow(self.call(self._table.rules(node, self._mocks)), ref.path[index + 1 :])
        if self._mocks.covers(node.path) and node.path:
            return self._base_document(ref.path, terms)
        return self.call(self._table.extent(node, (), self._mocks))

    def _base_document(self, path: tuple[Term, ...], terms: Terms) -> ir.Operand:
        """Plan a reference into base documents only."""
        source: ir.Operand = ir.DATA
        for part in path:
            if isinstance(part, Number):
                source = self._numbered(source, part)
            else:
                source = terms.follow(source, (part,))
        return source

    def _numbered(self, source: ir.Operand, number: Number) -> ir.Operand:
        """Plan a step by a constant number: an array's element, or, as in OPA, an object's key in its JSON form."""
        writer, result = self._writer, self._writer.local()

        def element() -> None:
            writer.emit(ir.Dot(source, ir.Constant(number.value), result, location=writer.location))
            writer.emit(ir.Break(1, location=writer.location))

        def key() -> None:
            writer.blocks(element)
            writer.emit(ir.Dot(source, ir.Constant(number.text), result, location=writer.location))

        writer.emit(ir.ResetLocal(result, location=writer.location))
        writer.blocks(key)
        writer.emit(ir.IsDefined(result, location=writer.location))
        return result

    def call(self, function: str) -> ir.Local:
        """Plan a call of a rule's function, or of a package's extent."""
        result = self._writer.local()
        arguments = (ir.INPUT, ir.DATA, *self._mock_arguments)
        self._writer.emit(ir.Call(function, arguments, result, location=self._writer.location))
        return result

    # -- Segments known only when the policy runs --

    def _fork(self, node: Node, rest: tuple[Term, ...], terms: Terms) -> ir.Operand:
        """Plan a reference whose next segment below a package is not constant."""
        if not node.children or type(rest[0]) in SCALARS:
            return self._base_document((*map(String, node.path), *rest), terms)
        if terms.has_unbound(rest[0]):
            pattern = _pattern(rest)
            return terms.follow(self.call(self._table.extent(node, pattern, self._mocks)), rest)
        key = terms.evaluate(rest[0])
        if self._is_uniform(node):
            return terms.follow(self._dispatch(node, key), rest[1:])
        return terms.follow(self._choose(node, key, rest), rest[1:])

    def _is_uniform(self, node: Node) -> bool:
        """Tell whether every child is a document of rules that can be called by its path."""
        if self._mock_arguments or any(self._mocks.covers(child.path) for child in node.children.values()):
            return False
        return all(has_document(child) for child in node.children.values())

    def _dispatch(self, node: Node, key: ir.Operand) -> ir.Operand:
        """Plan a call of the rule with the name that `key` holds, or else a look into base documents."""
        writer, result = self._writer, self._writer.local()
        for child in node.children.values():
            self._table.rules(child, self._mocks)
        generation = self._table.generation(self._mocks)
        path = tuple(map(ir.Constant, (generation, *node.path)))

        def call() -> None:
            call = ir.CallDynamic((*path, key), (ir.INPUT, ir.DATA), result, location=writer.location)
            writer.emit(call)
            writer.emit(ir.Break(1, location=writer.location))

        def base() -> None:
            self._base(node.path, key, result)

        writer.emit(ir.ResetLocal(result, location=writer.location))
        writer.blocks(lambda: writer.blocks(call, base))
        writer.emit(ir.IsDefined(result, location=writer.location))
        return result

    def _base(self, path: Path, key: ir.Operand, result: ir.Local) -> None:
        """Plan `result := data.path[key]` of base documents only."""
        writer = self._writer
        source: ir.Operand = ir.DATA
        for segment in path:
            target = writer.local()
            writer.emit(ir.Dot(source, ir.Constant(segment), target, location=writer.location))
            source = target
        writer.emit(ir.Dot(source, key, result, location=writer.location))

    def _choose(self, node: Node, key: ir.Operand, rest: tuple[Term, ...]) -> ir.Operand:
        """Plan the choice among children of several kinds, one block for each."""
        writer, result, known = self._writer, self._writer.local(), self._writer.local()
        writer.emit(ir.ResetLocal(result, location=writer.location))
        writer.emit(ir.ResetLocal(known, location=writer.location))
        blocks = [self._choice(child, key, rest, result, known) for child in node.children.values()]

        def base() -> None:
            writer.emit(ir.IsUndefined(known, location=writer.location))
            self._base(node.path, key, result)

        writer.blocks(*blocks, base)
        writer.emit(ir.IsDefined(result, location=writer.location))
        return result

    def _choice(
        self, child: Node, key: ir.Operand, rest: tuple[Term, ...], result: ir.Local, known: ir.Local
    ) -> Callable[[], None]:
        writer = self._writer

        def fill() -> None:
            writer.emit(ir.Equal(key, ir.Constant(child.path[-1]), location=writer.location))
            if is_function(child) or self._mocks.covers(child.path):
                self._base(child.path[:-1], ir.Constant(child.path[-1]), result)
                return
            writer.emit(ir.AssignVar(ir.Constant(True), known, location=writer.location))
            if has_document(child):
                value = self.call(self._table.rules(child, self._mocks))
            else:
                value = self.call(self._table.extent(child, _pattern(rest[1:]), self._mocks))
            writer.emit(ir.AssignVar(value, result, location=writer.location))

        return fill

    # -- Extents --

    def extent(self, node: Node, pattern: Pattern, result: ir.Local) -> None:
        """Plan a package's document into `result`, as far as a pattern reaches; base documents win, as in OPA."""
        writer = self._writer
        virtual = writer.local()
        writer.emit(ir.MakeObject(virtual, location=writer.location))
        self._fill_extent(node, pattern, virtual)
        writer.emit(ir.AssignVar(virtual, result, location=writer.location))

        def merge() -> None:
            source: ir.Operand = ir.DATA
            for segment in node.path:
                target = writer.local()
                writer.emit(ir.Dot(source, ir.Constant(segment), target, location=writer.location))
                source = target
            writer.emit(ir.IsObject(source, location=writer.location))
            writer.emit(ir.ObjectMerge(source, virtual, result, location=writer.location))

        writer.blocks(merge)

    def _fill_extent(self, node: Node, pattern: Pattern, target: ir.Local) -> None:
        wanted = pattern[0] if pattern else None
        for name, child in node.children.items():
            if (
                (wanted is not None and name != wanted)
                or is_function(child)
                or self._mocks.covers(child.path)
            ):
                continue
            self._writer.blocks(self._extent_part(child, pattern[1:], target))

    def _extent_part(self, child: Node, pattern: Pattern, target: ir.Local) -> Callable[[], None]:
        writer = self._writer

        def fill() -> None:
            if has_document(child):
                value = self.call(self._table.rules(child, self._mocks))
            else:
                value = writer.local()
                writer.emit(ir.MakeObject(value, location=writer.location))
                self._fill_extent(child, pattern, value)
            writer.emit(ir.ObjectInsert(target, ir.Constant(child.path[-1]), value, location=writer.location))

        return fill


def _pattern(rest: tuple[Term, ...]) -> Pattern:
    """Give what a reference's segments restrict an extent to; what comes after the last constant restricts nothing."""
    pattern = [part.value if isinstance(part, String) else None for part in rest]
    while pattern and pattern[-1] is None:
        pattern.pop()
    return tuple(pattern)
