"""One plan or function of the policy as one Python function.

A block that is undefined is left by a jump (`continue` in a loop, `return` at the end of a function), by nested
conditions, or, when a break leaves it or it has many exits, by `break` out of a `while True` around it.
Owns the control flow between blocks; single statements are written by `statements`.
"""

from __future__ import annotations

from typing import Any, Final

from webhook.rego import controlflow, dataflow, ir
from webhook.rego.emit import effects, runtime
from webhook.rego.emit.builder import Builder, Documents
from webhook.rego.emit.runtime import DATA_SLOT, HITS_SLOT, INPUT_SLOT, STEPS_SLOT
from webhook.rego.emit.scopes import Jump
from webhook.rego.emit.statements import test_of, write
from webhook.rego.emit.unit import Unit
from webhook.rego.emit.writer import Writer
from webhook.rego.values import Value, scan

_MOST_NESTED_EXITS: Final = 10
"""A block with more exits becomes a loop instead of nested conditions."""
_DEEPEST_NESTING: Final = 14
"""Python allows 20 statically nested blocks; beyond this many, a loop moves into a function of its own."""
_DEEPEST_INDENTATION: Final = 60
"""Python allows 100 levels of indentation; beyond this many, a loop moves into a function of its own."""
_CONTROL: Final = ir.NESTING | {ir.Break, ir.ExitLoop, ir.ReturnLocal}
"""Statements that decide where control goes."""


def emit_function(
    unit: Unit, name: str, function: ir.Function | ir.Plan, usage: dataflow.Usage, *, charged: bool = False
) -> list[Writer]:
    """Write a function of the policy, or a plan as a function that adds to the list `results`.

    `usage` is of its blocks and parameters. A charged function costs a step a call.
    """
    is_plan = isinstance(function, ir.Plan)
    params = (ir.INPUT, ir.DATA) if isinstance(function, ir.Plan) else function.params
    builder = FunctionBuilder(unit, params, usage)
    if unit.options.inline:
        builder.late_sets = effects.late_sets(usage)
    builder.write_body(function.blocks)
    arguments = [builder.documents.frame, *[f"v{param}" for param in params[2:]], *["results"] * is_plan]
    return [*builder.spilled, builder.finish(name, arguments, charged=charged)]


class FunctionBuilder(Builder):
    """Writes the body of one Python function, block by block."""

    def __init__(self, unit: Unit, params: tuple[ir.Local, ...], usage: dataflow.Usage) -> None:
        super().__init__(unit, params, usage)
        self.spilled: list[Writer] = []
        """Functions that hold what would be nested too deeply."""
        self._nesting = 0
        self._loops = 0
        self._outputs_of_spill: list[str] | None = None
        """In a spilled function, the variables that its caller gets back besides a value to return."""

    def write_body(self, blocks: tuple[ir.Block, ...]) -> None:
        """Write the blocks of the function."""
        for index, block in enumerate(blocks):
            jump = self._tail(blocks, index + 1)
            completes = self._block(block, jump=jump)
            if not completes and (jump or not controlflow.may_leave(block)):
                return
        self.writer.line("return U")

    def finish(self, name: str, arguments: list[str], *, charged: bool) -> Writer:
        """Put the header before the body."""
        head = Writer()
        head.line(f"def {name}({', '.join(arguments)}):")
        head.depth = 1
        frame = self.documents.frame
        if charged:
            head.line(f"{frame}[{STEPS_SLOT}] -= 1")
            head.line(f"if {frame}[{STEPS_SLOT}] < 0: refill({frame})")
        if ir.INPUT in self.used_documents:
            head.line(f"{self.documents.input} = {frame}[{INPUT_SLOT}]")
        if ir.DATA in self.used_documents:
            head.line(f"{self.documents.data} = {frame}[{DATA_SLOT}]")
        if self.uninitialised:
            head.line("".join(f"v{variable} = " for variable in sorted(self.uninitialised)) + "U")
        if self.uses_leave:
            head.line("leave = 0")
        head.extend(self.writer)
        return head

    def _tail(self, blocks: tuple[ir.Block, ...], start: int) -> Jump | None:
        """Give the `return` that is all there is to do in the blocks from `start` on, if it is."""
        first = next((blocks[index][0] for index in range(start, len(blocks)) if blocks[index]), None)
        if first is None:
            return Jump("return U")
        if not isinstance(first, ir.ReturnLocal):
            return None
        if isinstance(first.source, ir.Constant) or first.source in (ir.INPUT, ir.DATA):
            return Jump(f"return {self.read(first.source)}")
        return Jump(f"return v{first.source}", first.source)

    def _block(self, block: ir.Block, *, jump: Jump | None = None, done: str | None = None) -> bool:
        """Write a block and, at its end, the line `done`; say whether its end can be reached."""
        if jump is not None or not _needs_loop(block):
            return self._statements(block, jump, done)
        self._nesting += 1
        with self.writer.block("while True:"):
            completes = self._statements(block, Jump("break"), done)
            if completes:
                self.writer.line("break")
        self._nesting -= 1
        return completes

    def _statements(self, block: ir.Block, jump: Jump | None, done: str | None) -> bool:
        """Write the statements of a block; say whether its end can be reached."""
        scope = self.scopes.enter(jump)
        depth = self.writer.depth
        completes, is_certain = True, True
        for index, statement in enumerate(block):
            is_certain = is_certain and controlflow.is_passed(statement)
            if not is_certain:
                scope.close_certain()
            self.writer.location = statement.location or self.writer.location
            if self.unit.options.instrument:
                self._count(statement)
            self.following = block[index + 1] if index + 1 < len(block) else None
            completes = self._statement(statement, is_last=index + 1 == len(block) and done is None)
            if not completes:
                break
        if completes and done is not None:
            self.writer.line(done)
        self.writer.close(depth)
        returns = jump is not None and jump.code.startswith("return")
        self.scopes.leave(certainly_completed=completes and (is_certain or returns))
        return completes

    def _count(self, statement: ir.Statement) -> None:
        """Note that the statement runs."""
        if statement.location is not None:
            number = self.unit.statement_number(statement.location)
            self.writer.line(f"{self.documents.frame}[{HITS_SLOT}][{number}] = 1")

    def _statement(self, statement: ir.Statement, *, is_last: bool) -> bool:
        """Write one statement; say whether what follows it can be reached."""
        if type(statement) not in _CONTROL:
            write(self, statement)
            return True
        if isinstance(statement, ir.BlockStatement):
            for block in statement.blocks:
                self._block(block)
                self._after(block)
        elif isinstance(statement, ir.Not):
            self._not(statement)
        elif isinstance(statement, ir.With):
            self._with(statement, is_last=is_last)
        elif isinstance(statement, ir.Scan):
            self._scan(statement, is_last=is_last)
        elif isinstance(statement, ir.Break):
            self.break_out(statement.index)
            return False
        elif isinstance(statement, ir.ExitLoop):
            self.writer.line("break")
            return False
        elif isinstance(statement, ir.ReturnLocal):
            self._return(self.read(statement.source))
            return False
        return True

    def _after(self, block: ir.Block) -> None:
        """Go on leaving blocks after a nested one that a break may have left for good."""
        if controlflow.escapes(block) > 0:
            self.uses_leave = True
            with self.writer.block("if leave:"):
                self.writer.line("leave -= 1")
                self.break_out(0)

    def _not(self, s: ir.Not) -> None:
        condition = test_of(self, s.block[0]) if len(s.block) == 1 else None
        if condition is not None:
            self.leave_if(condition.holds, condition.fails)
            return
        jump = self.jump()
        if jump is not None and not _needs_loop(s.block):
            self._block(s.block, done=jump)
            return
        flag = self.new_name("n")
        self.writer.line(f"{flag} = True")
        self._block(s.block, done=f"{flag} = False")
        self._after(s.block)
        self.leave_if(f"not {flag}", flag)

    def _with(self, s: ir.With, *, is_last: bool) -> None:
        frame = self.documents.frame
        suffix = self.new_name("")
        inner = Documents(f"m{suffix}", f"i{suffix}", f"d{suffix}")
        if s.path:
            self.require(s.value)
        self.writer.line(f"{inner.input}, {inner.data} = {', '.join(self._replaced(s))}")
        self.writer.line(f"{inner.frame} = branch({frame}, {inner.input}, {inner.data})")
        flag = f"w{suffix}"
        if not is_last:
            self.writer.line(f"{flag} = False")
        self._within(inner, s, None if is_last else f"{flag} = True")
        self.writer.line(f"{frame}[{STEPS_SLOT}] = {inner.frame}[{STEPS_SLOT}]")
        self._after(s.block)
        if not is_last:
            self.leave_if(f"not {flag}", flag)

    def _replaced(self, s: ir.With) -> tuple[str, str]:
        """Give the expressions of the documents that a `with` puts in force."""
        value = self.read(s.value)
        if s.path:
            value = f"replace_at({self.variable(s.local)}, {s.path!r}, {value})"
        if s.local == ir.INPUT:
            return value, self.variable(ir.DATA)
        return self.variable(ir.INPUT), value

    def _within(self, documents: Documents, s: ir.With, done: str | None) -> None:
        """Write the block of a `with` for the documents it puts in force."""
        outer, was_defined = self.documents, self.scopes.is_defined(s.local)
        is_defined = bool(s.path) or self.is_defined(s.value)
        self.documents = documents
        self.scopes.enter(None)
        self.scopes.forget([s.local])
        if is_defined:
            self.scopes.define(s.local)
        self._block(s.block, done=done)
        self.scopes.leave()
        if was_defined:
            self.scopes.define(s.local)
        self.documents = outer

    def _scan(self, s: ir.Scan, *, is_last: bool) -> None:
        if self._nesting >= _DEEPEST_NESTING or self.writer.depth >= _DEEPEST_INDENTATION:
            self._spill(s)
            return
        if not is_last:
            self.require(s.source)
        inside = dataflow.Usage((s.block,))
        header = self._loop_header(s, inside)
        self.scopes.forget(effects.undefined_within(inside))
        self._nesting += 1
        self._loops += 1
        with self.writer.block(header):
            self.scopes.enter(None)
            if isinstance(s.source, ir.Constant):
                self.note_kind(s.value, runtime.common_kind(s.source.value))
            self.scopes.assign(s.key)
            self.scopes.assign(s.value)
            self._statements(s.block, Jump("continue"), None)
            self.scopes.leave()
        self._loops -= 1
        self._nesting -= 1

    def _loop_header(self, s: ir.Scan, inside: dataflow.Usage) -> str:
        """Write what precedes a loop, the charge for its rounds included; give the `for` line."""
        shows = self.unit.prints or effects.order_matters(inside, self._outputs(s, inside))
        source, needs_key = self.read(s.source), bool(self.usage.read[s.key])
        if isinstance(s.source, ir.Constant):
            return self._constant_loop_header(s, s.source.value, needs_key=needs_key)
        variables = f"v{s.key}, v{s.value}" if needs_key else f"v{s.value}"
        general = "pairs" if needs_key else "elements"
        general = f"ordered_{general}({self.documents.frame}, {source})" if shows else f"{general}({source})"
        if self._loops:
            items = self._inner_items(s.source, general)
            numbered = f"enumerate({items}) if {items} is {source} else {items}"
            return f"for {variables} in {numbered if needs_key else items}:"
        short = f"enumerate({source})" if needs_key else source
        paid = f"rounds({self.documents.frame}, {general})"
        return f"for {variables} in {self._of_array(s.source, runtime.FREE_ROUNDS, short, paid)}:"

    def _inner_items(self, source: ir.Operand, general: str) -> str:
        """Write what precedes a loop within another; give the name of what it goes through."""
        items = self.new_name("s")
        long = f"inner_rounds({self.documents.frame}, {general})"
        found = self._of_array(source, runtime.LONG_LOOP, self.read(source), long)
        self.writer.line(f"{items} = {found}")
        self._charge_inner_rounds(f"len({items})")
        return items

    def _of_array(self, source: ir.Operand, length: int, fast: str, general: str) -> str:
        """Give an expression that is right for arrays up to a length, and another one for the rest."""
        code, kind = self.read(source), self.kind(source) if self.is_defined(source) else None
        if kind is not None and kind is not list:
            return general
        is_array = "" if kind is list else f"{code}.__class__ is list and "
        return f"{fast} if {is_array}len({code}) <= {length} else {general}"

    def _constant_loop_header(self, s: ir.Scan, source: Value, *, needs_key: bool) -> str:
        """Do the same for a loop over what is known: its rounds are laid out, in order."""
        items: list[Any] = list(scan(source))
        variables = f"v{s.key}, v{s.value}"
        if not needs_key:
            items = [element for _, element in items]
            variables = f"v{s.value}"
        if self._loops:  # else it makes as many rounds as the policy's text says
            self._charge_inner_rounds(str(len(items)))
        rounds = self.unit.intern("K", items)
        if len(items) > runtime.LONG_LOOP:
            rounds = f"watched({self.documents.frame}, {rounds})"
        return f"for {variables} in {rounds}:"

    def _charge_inner_rounds(self, rounds: str) -> None:
        frame = self.documents.frame
        self.writer.line(f"{frame}[{STEPS_SLOT}] -= {rounds}")
        self.writer.line(f"if {frame}[{STEPS_SLOT}] < 0: refill({frame})")

    def _outputs(self, s: ir.Scan, inside: dataflow.Usage) -> list[ir.Local]:
        """Give the variables that a loop sets and that are read elsewhere."""
        return sorted(
            variable
            for variable in (inside.set.keys() | inside.reset.keys()) - {s.key, s.value}
            if self.usage.read[variable] > inside.read[variable]
        )

    def _spill(self, s: ir.Scan) -> None:
        """Write a loop that would be nested too deeply as a function of its own, and call it."""
        inside = dataflow.Usage(((s,),))
        shared = sorted(
            variable
            for variable in inside.variables() - {s.key, s.value, ir.INPUT, ir.DATA}
            if self.usage.total(variable) > inside.total(variable)
        )
        own_outputs = self._outputs(s, dataflow.Usage((s.block,)))
        outputs = [
            f"v{variable}" for variable in sorted({*own_outputs, *(self.late_sets & inside.changed.keys())})
        ]
        builder = FunctionBuilder(self.unit, (ir.INPUT, ir.DATA, *shared), self.usage)
        builder.scopes.forget([variable for variable in shared if not self.scopes.is_defined(variable)])
        builder.writer.location = self.writer.location
        builder.late_sets = self.late_sets
        builder._loops = self._loops
        builder._outputs_of_spill = outputs
        builder._statements((s,), None, None)
        builder._return("N")
        name = self.unit.new_name("g")
        parameters = [builder.documents.frame, *[f"v{variable}" for variable in shared]]
        self.spilled += [*builder.spilled, builder.finish(name, parameters, charged=False)]
        returned = self.new_name("r")
        arguments = ", ".join([self.documents.frame, *map(self.variable, shared)])
        self.writer.line(f"{', '.join([returned, *outputs])}, = {name}({arguments})")
        with self.writer.block(f"if {returned} is not N:"):
            self._return(returned)
        self.scopes.forget(inside.set.keys() | inside.reset.keys())

    def _return(self, code: str) -> None:
        """Leave the function with a value; `N` is none to return, for the caller of a spilled function."""
        if self._outputs_of_spill is None:
            self.writer.line(f"return {code}")
        else:
            self.writer.line(f"return {', '.join([code, *self._outputs_of_spill])},")


def _needs_loop(block: ir.Block) -> bool:
    """Say whether a block must be a loop to be left, in the middle of a function."""
    if len(block) > _MOST_NESTED_EXITS and controlflow.exits(block) > _MOST_NESTED_EXITS:
        return True
    return controlflow.escapes(block) >= 0
