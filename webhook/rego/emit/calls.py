"""How calls are written in Python: of the policy's own functions, of builtins, and of texts to format.

Owns what happens when a builtin fails. Knows nothing of other statements.
"""

from __future__ import annotations

from webhook.rego import controlflow, ir
from webhook.rego.builtins.registry import SLOW
from webhook.rego.emit import shortcuts
from webhook.rego.emit.builder import Builder
from webhook.rego.emit.expressions import Condition
from webhook.rego.emit.runtime import CONTEXT_SLOT, FREE_SIZE
from webhook.rego.emit.shortcuts import Failure, Result, Site


def write_call(b: Builder, s: ir.Call) -> None:
    """Set a variable to the result of a call."""
    if s.function in b.unit.functions:
        b.require(*s.arguments[2:])
        _call_own(b, s, f"v{s.result}")
        b.scopes.assign(s.result, defined=False)
        b.require_result(s.result)
    else:
        b.require(*s.arguments)
        _set_result(b, s, s.result, _builtin(b, s))


def write_format(b: Builder, s: ir.CallFormat) -> None:
    """Set a variable to a formatted text."""
    b.require(*s.arguments)
    _set_result(b, s, s.result, shortcuts.formatted(Site(b, "sprintf", s.arguments), s.template))


def write_holds(b: Builder, s: ir.Holds) -> None:
    """Go on when a call holds."""
    is_own = s.function in b.unit.functions
    b.require(*(s.arguments[2:] if is_own else s.arguments))
    b.go_on_if(condition_of(b, s))


def condition_of(b: Builder, s: ir.Holds, *, may_leave: bool = True) -> Condition:
    """Give the condition that a call with defined arguments holds, after writing what has to precede it.

    A builtin that fails leaves the block if that is the same as going on to find the condition false.
    """
    result = b.new_name("t")
    is_true = Condition(f"{result} is not False and {result} is not U", f"{result} is False or {result} is U")
    if s.function in b.unit.functions:
        if s.function in b.unit.truths and s.function not in b.unit.slots:
            call = _own_call(b, s)
            return Condition(f"{call} is not U", f"{call} is U")
        _call_own(b, s, result)
        return is_true
    test = shortcuts.test(Site(b, s.function, s.arguments))
    if test is not None:
        return test
    found = _builtin(b, s)
    _guard(b, s, result, found, jump=b.jump() if may_leave else None)
    if found.kind is bool:
        return Condition(f"{result} is True", f"{result} is not True")
    return is_true


def write_dynamic_call(b: Builder, s: ir.CallDynamic) -> None:
    """Set a variable to the value of the rule at a path."""
    b.require(*s.path)
    path = "".join(f"{b.read(part)}, " for part in s.path)
    b.assign(s.result, f"call_dynamic({b.documents.frame}, ({path}))", defined=False)
    b.leave_if(f"v{s.result} is N", f"v{s.result} is not N")
    with b.writer.block(f"if v{s.result} is U:"):
        b.break_out(controlflow.BLOCKS_LEFT_BY_DYNAMIC_CALL)
    b.scopes.define(s.result)


def _call_own(b: Builder, s: ir.Call | ir.Holds, result: str) -> None:
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


def _builtin(b: Builder, s: ir.Call | ir.Holds) -> Result:
    """Give the result of a builtin."""
    if s.function in SLOW:
        b.writer.line(f"tick({b.documents.frame})")
    if b.unit.builtins[s.function].needs_context:
        arguments = [f"{b.documents.frame}[{CONTEXT_SLOT}]", *map(b.read, s.arguments)]
        return Result(f"{b.unit.builtin(s.function)}({', '.join(arguments)})", failure=Failure.RAISED)
    return shortcuts.value(Site(b, s.function, s.arguments))


def _set_result(b: Builder, s: ir.Call | ir.CallFormat, target: ir.Local, found: Result) -> None:
    """Set a variable to what a builtin gives, or leave the block."""
    jump = b.jump()
    _guard(b, s, f"v{target}", found, jump=jump)
    leaves = found.failure is Failure.NONE or (found.failure is Failure.RAISED and jump is not None)
    b.scopes.assign(target, defined=leaves and found.kind is not None)
    b.note_kind(target, found.kind)
    b.require(target)
    _charge_size(b, s, f"v{target}", found)


def _charge_size(b: Builder, s: ir.Call | ir.CallFormat, result: str, found: Result) -> None:
    """Pay for a result that may be large."""
    frame = b.documents.frame
    if found.kind is str or found.kind is list:
        b.writer.line(f"if len({result}) > {FREE_SIZE}: charge_size({frame}, {result})")
    elif (
        found.kind is None and isinstance(s, ir.Call) and not shortcuts.is_small(b.unit.builtins[s.function])
    ):
        is_large = f"{result}.__class__ in SIZED and len({result}) > {FREE_SIZE}"
        b.writer.line(f"if {is_large}: charge_size({frame}, {result})")


def _guard(
    b: Builder, s: ir.Call | ir.Holds | ir.CallFormat, result: str, found: Result, *, jump: str | None
) -> None:
    """Set a Python variable to what a builtin gives; its failure jumps, or makes the variable undefined."""
    if found.failure is not Failure.RAISED:
        b.writer.line(f"{result} = {found.code}")
        return
    with b.writer.block("try:"):
        b.writer.line(f"{result} = {found.code}")
    if b.unit.options.strict_builtin_errors:
        name = "sprintf" if isinstance(s, ir.CallFormat) else s.function
        with b.writer.block("except BuiltinError as error:"):
            b.writer.line(f"raise builtin_failure({name!r}, error, {b.unit.location(s.location)}) from error")
    else:
        with b.writer.block("except BuiltinError:"):
            b.writer.line(jump or f"{result} = U")
