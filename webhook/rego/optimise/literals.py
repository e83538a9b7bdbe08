"""Turns collections that are built element by element into literals, and constant ones into constants.

Only what is built within one block, before anything reads it, qualifies. A constant collection is shared between
evaluations, so it must not be one that is changed later through a lookup: functions that change what they looked
up (rules with several variables in their head) keep their collections apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from webhook.rego import dataflow, ir
from webhook.rego.values import RegoSet, Value, key_of

_Maker: TypeAlias = ir.MakeArray | ir.MakeObject | ir.MakeSet
_MAKERS: Final = frozenset({ir.MakeArray, ir.MakeObject, ir.MakeSet})
_EFFECTS: Final = (ir.AssignVarOnce, ir.ResultSetAdd)


def make_literals(function: ir.Function, usage: dataflow.Usage) -> ir.Function:
    """Use literals in a function."""
    if _MAKERS.isdisjoint(usage.statements):
        return function
    literals = _Literals(usage, may_share=not usage.changes_parts())
    return dataflow.with_body(function, [literals.block(block) for block in function.blocks])


class _Literals:
    def __init__(self, usage: dataflow.Usage, *, may_share: bool) -> None:
        self._usage = usage
        self._may_share = may_share

    def block(self, block: ir.Block) -> ir.Block:
        statements = [
            dataflow.with_blocks(statement, self.block) if type(statement) in ir.NESTING else statement
            for statement in block
        ]
        if not _MAKERS.isdisjoint(map(type, statements)):
            made = {maker.target for maker in statements if isinstance(maker, _Maker)}
            for index, maker in enumerate(statements):
                if isinstance(maker, _Maker) and self._usage.is_set_once(maker.target):
                    self._literal(statements, index, maker, made)
            statements = [kept for kept in statements if type(kept) is not ir.Nop]
        return dataflow.with_statements(block, statements)

    def _literal(
        self, statements: list[ir.Statement], start: int, maker: _Maker, made: set[ir.Local]
    ) -> None:
        """Replace a maker and all additions to what it makes, if they follow it in the block.

        `made` are the variables whose collections are made in this block.
        """
        places = self._additions(statements, start, maker.target, made)
        if places is None or not self._is_unseen(statements, start, places, maker.target):
            return
        additions = [statements[place] for place in places]
        literal = self._constant(maker, additions) or _literal_of(maker, additions)
        if literal is None:
            return
        for place in [start, *places]:
            statements[place] = ir.Nop()
        statements[places[-1] if places else start] = literal

    def _additions(
        self, statements: list[ir.Statement], start: int, target: ir.Local, made: set[ir.Local]
    ) -> list[int] | None:
        """Give the places of all additions to `target`.

        None if some are elsewhere, if it is read before the last, or if something between them has an effect
        outside the block, which must not come before an operand is found undefined.
        """
        places: list[int] = []
        for place in range(start + 1, len(statements)):
            if len(places) == self._usage.changed[target]:
                break
            statement = statements[place]
            changed = dataflow.changes(statement)
            if changed == target:
                places.append(place)
            elif (
                target in dataflow.reads(statement)
                or ir.blocks_of(statement)
                or isinstance(statement, _EFFECTS)
                or changed not in made | {None}
            ):
                return None
        return places if len(places) == self._usage.changed[target] else None

    def _is_unseen(
        self, statements: list[ir.Statement], start: int, places: list[int], target: ir.Local
    ) -> bool:
        """Say whether nothing can read `target` while it is incomplete.

        Control may leave the block between the additions; then only reads in the rest of the block are safe.
        """
        end = places[-1] if places else start
        if all(map(dataflow.is_never_undefined, statements[start:end])):
            return True
        following = (tuple(statements[end + 1 :]),)
        return dataflow.Usage(following).read[target] == self._usage.read[target]

    def _constant(self, maker: _Maker, additions: Sequence[ir.Statement]) -> ir.Statement | None:
        """Give the assignment of a constant collection, if it is one."""
        operands = [operand for addition in additions for operand in dataflow.reads(addition)]
        if not self._may_share or not all(isinstance(operand, ir.Constant) for operand in operands):
            return None
        values = [operand.value for operand in operands if isinstance(operand, ir.Constant)]
        collection: Value
        if isinstance(maker, ir.MakeArray):
            collection = values
        elif isinstance(maker, ir.MakeSet):
            collection = RegoSet(values)
        else:
            keys = [key_of(key) for key in values[::2]]
            if len(set(keys)) < len(additions):
                return None
            collection = dict(zip(keys, values[1::2], strict=True))
        return ir.AssignVar(ir.Constant(collection), maker.target, location=maker.location)


def _literal_of(maker: _Maker, additions: Sequence[ir.Statement]) -> ir.Statement | None:
    """Give the literal of a collection that is not constant."""
    operands = [operand for addition in additions for operand in dataflow.reads(addition)]
    if not additions or isinstance(maker, ir.MakeSet):
        return None
    if isinstance(maker, ir.MakeArray):
        return ir.MakeArrayOf(tuple(operands), maker.target, location=maker.location)
    keys = {key_of(key.value) for key in operands[::2] if isinstance(key, ir.Constant)}
    if len(keys) < len(additions):
        return None
    return ir.MakeObjectOf(tuple(operands[::2]), tuple(operands[1::2]), maker.target, location=maker.location)
