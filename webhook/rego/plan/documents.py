"""Plans references below `data`, where rules and base documents meet.

A reference that ends in a package, or has a variable where packages fork, reads an *extent*: the package's document,
made of its rules' values merged over the base documents, restricted to what the reference can reach. Owns that, and
the choice of a rule by a segment known only when the policy runs. Must not know statements.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from webhook.rego import ir
from webhook.rego.ast import Number, Ref, String, Term, Var
from webhook.rego.plan.functions import FunctionTable, Node, Pattern, Request
from webhook.rego.plan.mocks import Mocks
from webhook.rego.plan.terms import Terms
from webhook.rego.plan.writer import Writer
from webhook.rego.resolve.shapes import SCALARS, Path
from webhook.rego.values import RegoSet

_DATA: Final = Var("data")


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
        if node.path and self._is_base(node):
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

    def call(self, function: Request) -> ir.Local:
        """Plan a call of a rule's function, or of a package's extent."""
        result = self._writer.local()
        arguments = function.arguments(self._mock_arguments)
        self._writer.emit(ir.Call(function.name, arguments, result, location=self._writer.location))
        return result

    # -- Segments known only when the policy runs --

    def _fork(self, node: Node, rest: tuple[Term, ...], terms: Terms) -> ir.Operand:
        """Plan a reference whose next segment below a package is not constant."""
        if not node.children or type(rest[0]) in SCALARS:
            return self._base_document((*map(String, node.path), *rest), terms)
        if terms.has_unbound(rest[0]):
            function = self._table.extent(node, _pattern(rest), self._mocks)
            return terms.follow(self.call(function), rest)
        key = terms.evaluate(rest[0])
        if self._is_uniform(node):
            return terms.follow(self._dispatch(node, key), rest[1:])
        known = next((index for index, part in enumerate(rest) if terms.has_unbound(part)), len(rest))
        return terms.follow(self._choose(node, key, rest[1:known], terms), rest[known:])

    def _is_uniform(self, node: Node) -> bool:
        """Tell whether every child is a document of rules that can be called by its path."""
        if self._mock_arguments or any(self._mocks.covers(child.path) for child in node.children.values()):
            return False
        return all(has_document(child) for child in node.children.values())

    def _dispatch(self, node: Node, key: ir.Operand) -> ir.Operand:
        """Plan a call of the rule with the name that `key` holds, or else a look into base documents."""
        writer, result = self._writer, self._writer.local()
        for child in node.children.values():
            self._table.rules(child, self._mocks, exactly=True)
        generation = self._table.generation(self._mocks)
        path = tuple(map(ir.Constant, (generation, *node.path)))

        def call() -> None:
            value = writer.local()
            call = ir.CallDynamic((*path, key), (ir.INPUT, ir.DATA), value, location=writer.location)
            writer.emit(call)
            writer.emit(ir.AssignVar(value, result, location=writer.location))
            writer.emit(ir.Break(1, location=writer.location))

        def base() -> None:
            source = self._base(node.path)
            writer.emit(ir.Dot(source, key, result, location=writer.location))

        writer.emit(ir.ResetLocal(result, location=writer.location))
        writer.blocks(lambda: writer.blocks(call, base))
        writer.emit(ir.IsDefined(result, location=writer.location))
        return result

    def _base(self, path: Path) -> ir.Operand:
        """Plan a constant reference into base documents only."""
        source: ir.Operand = ir.DATA
        for segment in path:
            target = self._writer.local()
            self._writer.emit(ir.Dot(source, ir.Constant(segment), target, location=self._writer.location))
            source = target
        return source

    def _choose(self, node: Node, key: ir.Operand, known: tuple[Term, ...], terms: Terms) -> ir.Operand:
        """Plan the choice among children of several kinds; each block evaluates the segments that are known."""
        writer, result, found = self._writer, self._writer.local(), self._writer.local()
        children = [child for child in node.children.values() if not self._is_base(child)]

        def choice(child: Node) -> None:
            writer.emit(ir.Equal(key, ir.Constant(child.path[-1]), location=writer.location))
            writer.emit(ir.AssignVar(ir.Constant(True), found, location=writer.location))
            value = self.evaluate(Ref(_DATA, (*map(String, child.path), *known)), terms)
            writer.emit(ir.AssignVar(value, result, location=writer.location))

        def base() -> None:
            writer.emit(ir.IsUndefined(found, location=writer.location))
            target = writer.local()
            writer.emit(ir.Dot(self._base(node.path), key, target, location=writer.location))
            value = terms.follow(target, known)
            writer.emit(ir.AssignVar(value, result, location=writer.location))

        writer.emit(ir.ResetLocal(result, location=writer.location))
        writer.emit(ir.ResetLocal(found, location=writer.location))
        writer.blocks(*(partial(choice, child) for child in children), base)
        writer.emit(ir.IsDefined(result, location=writer.location))
        return result

    def _is_base(self, child: Node) -> bool:
        """Tell whether only base documents are to be found at a node of the tree."""
        return is_function(child) or self._mocks.covers(child.path)

    # -- Extents --

    def extent(self, node: Node, pattern: Pattern, result: ir.Local) -> None:
        """Plan a package's document into `result`: all of it, or what a pattern of segments reaches."""
        if pattern:
            self._writer.emit(ir.MakeObject(result, location=self._writer.location))
            self._fill_pattern(node, pattern, result)
        else:
            self._whole(node, result)

    def _whole(self, node: Node, result: ir.Local) -> None:
        """Plan all of a package's document; base documents win over rules, as in OPA."""
        writer, virtual = self._writer, self._writer.local()
        writer.emit(ir.MakeObject(virtual, location=writer.location))
        self._fill_whole(node, virtual)
        writer.emit(ir.AssignVar(virtual, result, location=writer.location))

        def merge() -> None:
            source = self._base(node.path)
            writer.emit(ir.IsObject(source, location=writer.location))
            writer.emit(ir.ObjectMerge(source, virtual, result, location=writer.location))

        writer.blocks(merge)

    def _fill_whole(self, node: Node, target: ir.Local) -> None:
        for child in node.children.values():
            if not self._is_base(child):
                self._writer.blocks(partial(self._insert, child, target, self._fill_whole))

    def _insert(self, child: Node, target: ir.Local, fill: Callable[[Node, ir.Local], None]) -> None:
        """Plan that a child's document goes into its parent's; `fill` plans that of a package."""
        writer = self._writer
        if has_document(child):
            value = self.call(self._table.rules(child, self._mocks))
        else:
            value = writer.local()
            writer.emit(ir.MakeObject(value, location=writer.location))
            fill(child, value)
        writer.emit(ir.ObjectInsert(target, ir.Constant(child.path[-1]), value, location=writer.location))

    def _fill_pattern(self, node: Node, pattern: Pattern, target: ir.Local) -> None:
        """Plan the part of a package that a pattern reaches; what rules define hides base documents there."""
        wanted, rest = pattern[0], pattern[1:]
        children = [
            child
            for name, child in node.children.items()
            if not self._is_base(child) and (wanted is None or name == wanted)
        ]

        def deeper(child: Node, value: ir.Local) -> None:
            self._fill_pattern(child, rest, value)

        for child in children:
            if rest or has_document(child):
                self._writer.blocks(partial(self._insert, child, target, deeper))
            else:
                self._writer.blocks(partial(self._insert_whole, child, target))
        names = RegoSet(child.path[-1] for child in children)
        self._writer.blocks(partial(self._fill_base, node.path, names, target))

    def _insert_whole(self, child: Node, target: ir.Local) -> None:
        value = self.call(self._table.extent(child, (), self._mocks))
        key = ir.Constant(child.path[-1])
        self._writer.emit(ir.ObjectInsert(target, key, value, location=self._writer.location))

    def _fill_base(self, path: Path, hidden: RegoSet, target: ir.Local) -> None:
        """Plan that base documents go into a package's, those with hidden names left out."""
        writer = self._writer
        source = self._base(path)
        key, value = writer.loop(source)

        def is_hidden() -> None:
            writer.emit(ir.Dot(ir.Constant(hidden), key, writer.local(), location=writer.location))

        writer.emit(ir.Not(writer.block(is_hidden), location=writer.location))
        writer.emit(ir.ObjectInsert(target, key, value, location=writer.location))


def _pattern(rest: tuple[Term, ...]) -> Pattern:
    """Give what a reference's segments restrict an extent to."""
    return tuple(part.value if isinstance(part, String) else None for part in rest)
