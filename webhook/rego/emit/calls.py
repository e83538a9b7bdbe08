"""How calls are written in Python: of the policy's own functions, of builtins, and of texts to format.

Owns what happens when a builtin fails. Knows nothing of other statements.
"""

from __future__ import annotations

from dataclasses import replace

from webhook.rego import controlflow, ir
from webhook.rego.emit import shortcuts
from webhook.rego.emit.builder import Builder
from webhook.rego.emit.expressions import Condition
from webhook.rego.emit.runtime import CONTEXT_SLOT


def write_call(b: Builder, s: ir.Call) -> None:
    """Set a variable to the result of a call."""
    result = f"v{s.result}"
    if s.function in b.unit.functions:
        b.require(*s.arguments[2:])
        _call_function(b, s, result)
    else:
        b.require(*s.arguments)
        _guard(b, s, result, _builtin(b, s))
    is_defined = s.function in shortcuts.ALWAYS_DEFINED and b.jump() is not None
    b.scopes.assign(s.result, defined=is_defined)
    if s.function in shortcuts.TEXTS:
        b.note_text(s.result)
    b.require(s.result)


def write_holds(b: Builder, s: ir.Holds) -> None:
    """Go on when a call holds."""
    is_own = s.function in b.unit.functions
    b.require(*(s.arguments[2:] if is_own else s.arguments))
    condition = condition_of(b, s)
    if condition is None:
        result = b.new_name("t")
        _guard(b, s, result, _builtin(b, s))
        condition = _is_true(result)
    b.go_on_if(condition)


def condition_of(b: Builder, s: ir.Holds) -> Condition | None:
    """Give the condition that a call with defined arguments holds; None where a failure has to be caught."""
    if s.function not in b.unit.functions:
        return shortcuts.test(_site(b, s.function, s.arguments))
    if s.function in b.unit.truths and s.function not in b.unit.slots:
        call = _own_call(b, s)
        return Condition(f"{call} is not U", f"{call} is U")
    result = b.new_name("t")
    _call_function(b, s, result)
    return _is_true(result)


def _is_true(result: str) -> Condition:
    return Condition(f"{result} is not False and {result} is not U", f"{result} is False or {result} is U")


def write_format(b: Builder, s: ir.CallFormat) -> None:
    """Set a variable to a formatted text."""
    b.require(*s.arguments)
    site = _site(b, "sprintf", s.arguments)
    _guard(b, s, f"v{s.result}", shortcuts.formatted(site, s.template))
    b.scopes.assign(s.result, defined=b.jump() is not None)
    b.note_text(s.result)
    b.require(s.result)


def write_dynamic_call(b: Builder, s: ir.CallDynamic) -> None:
    """Set a variable to the value of the rule at a path."""
    b.require(*s.path)
    path = "".join(f"{b.read(part)}, " for part in s.path)
    b.assign(s.result, f"call_dynamic({b.documents.frame}, ({path}))", defined=False)
    b.leave_if(f"v{s.result} is N", f"v{s.result} is not N")
    with b.writer.block(f"if v{s.result} is U:"):
        b.break_out(controlflow.BLOCKS_LEFT_BY_DYNAMIC_CALL)
    b.scopes.define(s.result)


def _call_function(b: Builder, s: ir.Call | ir.Holds, result: str) -> None:
    """Call a function of the policy, or take what its memo slot holds."""
    frame, slot = b.documents.frame, b.unit.slots.get(s.function)
    if slot is None:
        b.writer.line(f"{result} = {_own_call(b, s)}")
        return
    b.writer.line(f"{result} = {frame}[{slot}]")
    b.writer.line(f"if {result} is N: {result} = {frame}[{slot}] = {_own_call(b, s)}")


def _own_call(b: Builder, s: ir.Call | ir.Holds) -> str:
    """Give the call of a function of the policy."""
    return f"{b.unit.names[s.function]}({', '.join([b.documents.frame, *map(b.read, s.arguments[2:])])})"


def _site(b: Builder, name: str, operands: tuple[ir.Operand, ...]) -> shortcuts.Site:
    return shortcuts.Site(b.unit, name, operands, list(map(b.read, operands)), b.is_text)


def _builtin(b: Builder, s: ir.Call | ir.Holds) -> str:
    """Give the expression that calls a builtin."""
    site = _site(b, s.function, s.arguments)
    if b.unit.builtins[s.function].needs_context:
        return replace(site, codes=[f"{b.documents.frame}[{CONTEXT_SLOT}]", *site.codes]).call()
    return shortcuts.value(site)


def _guard(b: Builder, s: ir.Call | ir.Holds | ir.CallFormat, result: str, code: str) -> None:
    """Set a Python variable to what a builtin gives, and handle its failure."""
    name = "sprintf" if isinstance(s, ir.CallFormat) else s.function
    with b.writer.block("try:"):
        b.writer.line(f"{result} = {code}")
    if b.unit.options.strict_builtin_errors:
        with b.writer.block("except BuiltinError as error:"):
            b.writer.line(f"raise builtin_failure({name!r}, error, {b.unit.location(s.location)}) from error")
    else:
        with b.writer.block("except BuiltinError:"):
            b.writer.line(b.jump() or f"{result} = U")
