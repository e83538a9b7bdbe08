"""What every statement needs when it is written: operands, assignments, and ways to leave its block.

Owns the link between the variables of a plan and those of Python. Knows no particular statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from webhook.rego import dataflow, ir
from webhook.rego.emit.expressions import Condition
from webhook.rego.emit.scopes import Scope, Scopes
from webhook.rego.emit.unit import Unit
from webhook.rego.emit.writer import Writer
from webhook.rego.errors import Location


@dataclass(frozen=True, slots=True)
class Documents:
    """Python names of the frame and the documents in force."""

    frame: str = "m"
    input: str = "i"
    data: str = "d"


class Builder:
    """Writes the body of one Python function."""

    def __init__(self, unit: Unit, params: tuple[ir.Local, ...], usage: dataflow.Usage) -> None:
        self.unit = unit
        self.params = params
        self.usage = usage
        self.writer = Writer(depth=1)
        self.scopes = Scopes(params)
        self.documents = Documents()
        self.uninitialised: set[ir.Local] = set()
        """Variables that may be read before they are set."""
        self.used_documents: set[ir.Local] = set()
        self.uses_leave = False
        """Whether the variable `leave` counts the blocks that are still to be left."""
        self.late_sets: frozenset[ir.Local] = frozenset()
        """Variables of sets that are made when the first element is added."""
        self._opened: tuple[Scope, int, Location | None] | None = None
        """The block that the last `if` was opened in, the lines written then, and what they were generated from."""
        self.following: ir.Statement | None = None
        """The statement in the same block that is written next."""
        self._names = 0
        self._kinds: dict[ir.Local, type] = {}

    @property
    def takes_arguments(self) -> bool:
        """Whether this is a function with arguments of its own."""
        return len(self.params) > 2

    def new_name(self, prefix: str) -> str:
        """Make a Python name that the function does not use yet."""
        self._names += 1
        return f"{prefix}{self._names}"

    # Operands

    def variable(self, variable: ir.Local) -> str:
        """Give the Python variable of one that is read or changed."""
        if variable <= ir.DATA:
            self.used_documents.add(variable)
            return self.documents.input if variable == ir.INPUT else self.documents.data
        if not self.scopes.is_assigned(variable):
            self.uninitialised.add(variable)
        return f"v{variable}"

    def read(self, operand: ir.Operand) -> str:
        """Give the expression of an operand."""
        if isinstance(operand, ir.Constant):
            return self.unit.constant(operand.value)
        return self.variable(operand)

    def is_defined(self, operand: ir.Operand) -> bool:
        """Say whether an operand certainly has a value."""
        return isinstance(operand, ir.Constant) or self.scopes.is_defined(operand)

    def kind(self, operand: ir.Operand) -> type | None:
        """Give the type of an operand's value, where it has one, if that is known."""
        if isinstance(operand, ir.Constant):
            return type(operand.value)
        return self._kinds.get(operand)

    def note_kind(self, variable: ir.Local, kind: type | None) -> None:
        """Note the type of the only value that a variable is given."""
        if kind is not None and self.usage.is_set_once(variable):
            self._kinds[variable] = kind

    def is_keyed(self, operand: ir.Operand) -> bool:
        """Say whether an operand certainly is an object or set."""
        return not isinstance(operand, ir.Constant) and self.scopes.is_keyed(operand)

    def note_keyed(self, operand: ir.Operand) -> None:
        """Note that an operand has been found to be an object or set, if there are other lookups to profit."""
        if len(self.usage.of_kind(ir.Dot)) < 2:
            return
        if not isinstance(operand, ir.Constant) and operand > ir.DATA and self.usage.is_set_once(operand):
            self.scopes.note_keyed(operand)

    def require(self, *operands: ir.Operand) -> None:
        """Leave the current block unless the operands have values."""
        for operand in operands:
            if not isinstance(operand, ir.Constant) and not self.scopes.is_defined(operand):
                name = self.variable(operand)
                self.leave_if(f"{name} is U", f"{name} is not U")
                self.scopes.define(operand)

    # Assignments

    def assign(self, target: ir.Local, expression: str, *, defined: bool = True) -> None:
        """Set a variable."""
        self.writer.line(f"v{target} = {expression}")
        self.scopes.assign(target, defined=defined)

    def assign_if_defined(self, target: ir.Local, expression: str) -> None:
        """Set a variable and leave the block if it has no value then."""
        self.assign(target, expression, defined=False)
        self.require_result(target)

    def require_result(self, target: ir.Local) -> None:
        """Leave the block if a variable that was just set has no value; not if the next statement sees to that."""
        if not self.unit.options.inline or not self._next_leaves_without(target):
            self.require(target)

    def _next_leaves_without(self, variable: ir.Local) -> bool:
        """Say whether the next statement leaves the block if a variable has no value, at no cost.

        A comparison with true, false or null does: it asks which object the variable holds.
        """
        following = self.following
        if not isinstance(following, ir.Equal) or variable not in (following.left, following.right):
            return False
        other = following.right if following.left == variable else following.left
        return isinstance(other, ir.Constant) and (other.value is None or type(other.value) is bool)

    # Ways to leave the block

    def jump(self) -> str | None:
        """Give the Python statement that leaves the current block, or None where nested conditions do that."""
        jump = self.scopes.current.jump
        if jump is None:
            return None
        if jump.reads is not None:
            self.variable(jump.reads)
        return jump.code

    def go_on_if(self, condition: Condition) -> None:
        """Leave the current block unless a condition holds."""
        self.leave_if(condition.fails, condition.holds)

    def leave_if(self, condition: str, otherwise: str) -> None:
        """Leave the current block if a condition holds; `otherwise` is its contrary."""
        jump = self.jump()
        if jump is not None:
            self.writer.line(f"if {condition}: {jump}")
        else:
            self._open_if(otherwise)

    def _open_if(self, condition: str) -> None:
        """Open the suite of an `if`; right after another one of this block, that gets a further condition instead."""
        writer, scope = self.writer, self.scopes.current
        may_join = " if " not in condition and " or " not in condition
        if may_join and self._opened == (scope, len(writer.lines), writer.location):
            writer.lines[-1] = f"{writer.lines[-1][:-1]} and {condition}:"
            return
        writer.line(f"if {condition}:")
        writer.depth += 1
        self._opened = (scope, len(writer.lines), writer.location) if may_join else None

    def break_out(self, further: int) -> None:
        """Leave the current block and some further ones around it."""
        jump = self.jump()
        if jump is None:
            return  # the rest of the nested conditions is not written, and nothing else is to be left
        if further and not jump.startswith("return"):
            self.uses_leave = True
            self.writer.line(f"leave = {further}")
        self.writer.line(jump)
