"""How calls are written in Python: of the policy's own functions, of builtins, and of texts to format.

Owns what happens when a builtin fails. Knows nothing of other statements.
"""

from __future__ import annotations

from webhook.rego import controlflow, ir
from webhook.rego.emit import shortcuts
from webhook.rego.emit.builder import Builder
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
    b.scopes.assign(s.result, defined=False)
    b.require(s.result)


def write_holds(b: Builder, s: ir.Holds) -> None:
    """Go on when a call holds."""
    if s.function in b.unit.functions:
        b.require(*s.arguments[2:])
        result = b.new_name("t")
        _call_function(b, s, result)
    else:
        b.require(*s.arguments)
        test = shortcuts.test(b.unit, s.function, s.arguments, list(map(b.read, s.arguments)))
        if test is not None:
            b.go_on_if(test)
            return
        result = b.new_name("t")
        _guard(b, s, result, _builtin(b, s))
    b.leave_if(f"{result} is False or {result} is U", f"{result} is not False and {result} is not U")


def write_format(b: Builder, s: ir.CallFormat) -> None:
    """Set a variable to a formatted text."""
    b.require(*s.arguments)
    codes = list(map(b.read, s.arguments))
    arguments = f"[{', '.join(codes)}]"
    general = shortcuts.call(b.unit, "sprintf", [b.unit.constant(s.template), arguments])
    text = shortcuts.text(b.unit, s.template, s.arguments, codes)
    _guard(b, s, f"v{s.result}", f"{text} else {general}" if text else general)
    b.scopes.assign(s.result, defined=False)
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
    name, frame, slot = b.unit.names[s.function], b.documents.frame, b.unit.slots.get(s.function)
    if slot is None:
        b.writer.line(f"{result} = {name}({', '.join([frame, *map(b.read, s.arguments[2:])])})")
        return
    b.writer.line(f"{result} = {frame}[{slot}]")
    b.writer.line(f"if {result} is N: {result} = {frame}[{slot}] = {name}({frame})")


def _builtin(b: Builder, s: ir.Call | ir.Holds) -> str:
    """Give the expression that calls a builtin."""
    codes = list(map(b.read, s.arguments))
    if b.unit.builtins[s.function].needs_context:
        return shortcuts.call(b.unit, s.function, [f"{b.documents.frame}[{CONTEXT_SLOT}]", *codes])
    return shortcuts.value(b.unit, s.function, s.arguments, codes)


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
