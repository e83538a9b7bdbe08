"""What the compiler puts in the place of `print`, template strings, `trace` and test cases, and rule metadata.

The compiler hands each printed operand over as a set of its value, which is empty where the operand is undefined.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import (
    BuiltinError,
    LimitError,
    limit_size,
    limit_string,
    wrong_strings,
    wrong_type,
)
from webhook.rego.builtins.signatures import ANY, ARRAY, BOOLEAN, SET, STRING, ArrayOf
from webhook.rego.errors import EvaluationError
from webhook.rego.texts import format_value
from webhook.rego.values import RegoSet, type_name

_MAX_LINES = 10_000


def print_line(context: EvaluationContext, operands: Any) -> bool:
    """Print the operands, a line for each combination of their values."""
    for count, line in enumerate(itertools.product(*_choices(operands))):
        if count >= _MAX_LINES:
            raise LimitError(f"print: more than {_MAX_LINES} lines")
        context.print_sink(" ".join(line))
    return True


def print_values(context: EvaluationContext, *values: Any) -> bool:
    """Print defined values as one line."""
    context.print_sink(" ".join(map(_shown, values)))
    return True


def template_string(operands: Any) -> str:
    """Join the parts of a template string.

    Raises:
        EvaluationError: a part has several values.

    """
    texts, length = [], 0
    for choice in _choices(operands):
        if len(choice) > 1:
            raise EvaluationError("eval_conflict_error", "template-strings must not produce multiple outputs")
        length += len(choice[0])
        limit_string(length)
        texts += choice
    return "".join(texts)


def _choices(operands: Any) -> Iterator[list[str]]:
    if type(operands) is not list:
        raise wrong_type(1, operands, "array")
    for operand in operands:
        kind = type(operand)
        if kind is RegoSet:
            yield [_shown(value) for value in operand.ordered()] or ["<undefined>"]
        elif kind is list or kind is dict:
            raise EvaluationError("eval_internal_error", f"illegal argument type: {type_name(operand)}")
        else:
            yield [_shown(operand)]


def _shown(value: Any) -> str:
    if type(value) is str:
        return value
    limit_size(value)
    return format_value(value)


def trace(note: Any) -> bool:
    """Take a note and drop it: evaluations are not traced."""
    if type(note) is not str:
        wrong_strings(note)
    return True


def test_case(context: EvaluationContext, names: Any) -> bool:
    """Note the name of the test case that is being evaluated."""
    context.test_cases.append(names)
    return True


def _metadata(name: str) -> Builtin:
    def refuse() -> Any:
        raise BuiltinError(f"the '{name}' function must only be called within the scope of a rule")

    return declare(name, (), {"output": ANY}, refuse, deterministic=False)


BUILTINS: tuple[Builtin, ...] = (
    declare("print", (), None, print_values, variadic=ANY, needs_context=True, deterministic=False),
    declare("internal.print", (ArrayOf(SET),), None, print_line, needs_context=True, deterministic=False),
    declare("internal.template_string", (ARRAY,), STRING, template_string),
    declare("internal.test_case", (ARRAY,), None, test_case, needs_context=True, deterministic=False),
    declare("trace", {"note": STRING}, {"result": BOOLEAN}, trace, deterministic=False),
    _metadata("rego.metadata.chain"),
    _metadata("rego.metadata.rule"),
)
