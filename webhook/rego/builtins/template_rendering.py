"""`strings.render_template`: Go's text templates over a policy's variables.

As in OPA, numbers from the policy are text to the template, except to `printf`'s width; keys that are missing show as
`<undefined>`.
"""

import html
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from webhook.rego.builtins.failures import BuiltinError, LimitError, limit_size, limit_string, wrong_type
from webhook.rego.builtins.formatting import sprintf
from webhook.rego.builtins.go_numbers import shortest
from webhook.rego.builtins.template_parsing import (
    MAX_NESTING,
    Action,
    Block,
    Call,
    Chain,
    Function,
    Jump,
    Literal,
    Node,
    Operand,
    Pipeline,
    Template,
    parse_template,
)
from webhook.rego.texts import dump_json, to_json

_MAX_STEPS = 1_000_000
_MISSING = "<undefined>"


class Number(str):
    """A number from the policy: text to everything but its type."""

    __slots__ = ()


class _JumpSignal(Exception):  # noqa: N818 - a signal, not an error
    """Leaves the body of a loop."""

    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


def render_template(text: Any, variables: Any) -> str:
    """Fill a template with an object's values."""
    if type(text) is not str:
        raise wrong_type(1, text, "string")
    if type(variables) is not dict:
        raise wrong_type(2, variables, "object")
    limit_size(variables)
    return _Renderer(parse_template(text), _prepared(to_json(variables))).render()


def _prepared(value: Any) -> Any:
    """Give a JSON value with its numbers as text."""
    if type(value) is dict:
        return {key: _prepared(item) for key, item in value.items()}
    if type(value) is list:
        return [_prepared(item) for item in value]
    return Number(dump_json(value)) if type(value) is int or type(value) is float else value


def shown(value: Any) -> str:
    """Write a value as Go's `%v` does."""
    if value is None:
        return "<nil>"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is float:
        return f"-{shortest(-value)}" if value < 0 else shortest(value)
    if type(value) is list:
        return f"[{' '.join(map(shown, value))}]"
    if type(value) is dict:
        return f"map[{' '.join(f'{key}:{shown(value[key])}' for key in sorted(value))}]"
    return str(value)


def _is_true(value: Any) -> bool:
    return bool(value)


class _Renderer:
    """Runs a template: writes text, and keeps the dot and the variables."""

    def __init__(self, template: Template, data: Any) -> None:
        self.template = template
        self.output: list[str] = []
        self.length = self.steps = self.calls = 0
        self.variables: list[tuple[str, Any]] = [("$", data)]
        self.data = data

    def render(self) -> str:
        self._run(self.template.body, self.data)
        return "".join(self.output)

    def _write(self, text: str) -> None:
        self.length += len(text)
        limit_string(self.length)
        self.output.append(text)

    def _run(self, nodes: Sequence[Node], dot: Any) -> None:
        scope = len(self.variables)
        for node in nodes:
            self.steps += 1
            if self.steps > _MAX_STEPS:
                raise LimitError("template: too many steps")
            self._node(node, dot)
        del self.variables[scope:]

    def _node(self, node: Node, dot: Any) -> None:
        if isinstance(node, str):
            self._write(node)
        elif isinstance(node, Action):
            value = self._value(node.pipeline, dot)
            if not node.pipeline.variables:
                self._write(_MISSING if value is None else shown(value))
        elif isinstance(node, Jump):
            raise _JumpSignal(node.keyword)
        elif isinstance(node, Call):
            self._call(node, dot)
        elif node.keyword == "range":
            self._range(node, dot)
        else:
            self._condition(node, dot)

    def _call(self, node: Call, dot: Any) -> None:
        if node.name not in self.template.named:
            raise BuiltinError(f'template: template "{node.name}" not defined')
        self.calls += 1
        if self.calls > MAX_NESTING:
            raise LimitError("template: templates are nested too deeply")
        value = self._value(node.pipeline, dot) if node.pipeline else None
        outer, self.variables = self.variables, [("$", value)]
        self._run(self.template.named[node.name], value)
        self.variables = outer
        self.calls -= 1

    def _condition(self, node: Block, dot: Any) -> None:
        scope = len(self.variables)
        value = self._value(node.pipeline, dot)
        if _is_true(value):
            self._run(node.body, value if node.keyword == "with" else dot)
        else:
            self._run(node.alternative, dot)
        del self.variables[scope:]

    def _range(self, node: Block, dot: Any) -> None:
        scope = len(self.variables)
        pairs = list(self._pairs(self._value(node.pipeline, dot, bind=False)))
        names = node.pipeline.variables
        for key, value in pairs:
            if names:
                self._bind(node.pipeline, [value] if len(names) == 1 else [key, value])
            inner = len(self.variables)
            try:
                self._run(node.body, value)
            except _JumpSignal as signal:
                del self.variables[inner:]
                if signal.keyword == "break":
                    break
            if node.pipeline.declares:
                del self.variables[scope:]
        if not pairs:
            self._run(node.alternative, dot)
        del self.variables[scope:]

    def _pairs(self, value: Any) -> Iterator[tuple[Any, Any]]:
        if type(value) is list:
            return iter(enumerate(value))
        if type(value) is dict:
            return iter(sorted(value.items()))
        if type(value) is int and value <= _MAX_STEPS:
            return ((index, index) for index in range(value))
        if value is None:
            return iter(())
        raise BuiltinError(f"template: range can't iterate over {shown(value)[:40]}")

    def _value(self, pipeline: Pipeline, dot: Any, *, bind: bool = True) -> Any:
        value: Any = None
        for position, command in enumerate(pipeline.commands):
            value = self._command(command, dot, [value] if position else [])
        if bind and pipeline.variables:
            self._bind(pipeline, [value])
        return value

    def _bind(self, pipeline: Pipeline, values: Sequence[Any]) -> None:
        for name, value in zip(pipeline.variables, values, strict=False):
            if pipeline.declares:
                self.variables.append((name, value))
            else:
                self.variables[self._place(name)] = (name, value)

    def _place(self, name: str) -> int:
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == name:
                return index
        raise BuiltinError(f'template: undefined variable "{name}"')

    def _command(self, command: Sequence[Operand], dot: Any, piped: list[Any]) -> Any:
        first, *rest = command
        if isinstance(first, Function):
            if first.name in ("and", "or"):
                return self._shortcut(first.name, rest, dot, piped)
            if first.name not in FUNCTIONS:
                raise BuiltinError(f'template: function "{first.name}" not defined')
            arguments = [self._operand(operand, dot) for operand in rest] + piped
            try:
                return FUNCTIONS[first.name](*arguments)
            except (TypeError, IndexError, KeyError, ValueError) as error:
                raise BuiltinError(f"template: error calling {first.name}: {error}") from error
        if rest or piped:
            raise BuiltinError("template: can't give argument to non-function")
        return self._operand(first, dot)

    def _shortcut(self, name: str, operands: Sequence[Operand], dot: Any, piped: list[Any]) -> Any:
        """Evaluate `and` or `or` only as far as it takes."""
        value: Any = None
        for operand in [*operands, *map(Literal, piped)]:
            value = self._operand(operand, dot)
            if _is_true(value) == (name == "or"):
                break
        return value

    def _operand(self, operand: Operand, dot: Any) -> Any:
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Function):
            return self._command([operand], dot, [])
        return self._chain(operand, dot)

    def _chain(self, chain: Chain, dot: Any) -> Any:
        if isinstance(chain.base, Pipeline):
            value = self._value(chain.base, dot)
        else:
            value = dot if chain.base == "." else self.variables[self._place(chain.base)][1]
        for name in chain.fields:
            if value is None:
                return None
            if type(value) is not dict:
                raise BuiltinError(f"template: can't evaluate field {name}")
            value = value.get(name)
        return value


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if type(value) is dict:
            value = value.get(key)
        else:
            if type(key) is not int or not 0 <= key < len(value):
                raise BuiltinError(f"template: error calling index: index out of range: {shown(key)}")
            value = value[key] if type(value) is list else ord(value[key])
    return value


def _slice(value: Any, *bounds: int) -> Any:
    if any(not 0 <= bound <= len(value) for bound in bounds):
        raise BuiltinError("template: error calling slice: index out of range")
    return value[slice(*bounds, *([None] * (2 - len(bounds))))]


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise BuiltinError("template: error calling eq: missing argument for comparison")
    return any(_comparable(first, other) and first == other for other in others)


def _comparable(first: Any, other: Any) -> bool:
    kinds = [str if isinstance(value, str) else type(value) for value in (first, other)]
    if None in (first, other) or kinds[0] is kinds[1]:
        return True
    raise BuiltinError("template: incompatible types for comparison")


def _less(first: Any, other: Any) -> bool:
    _comparable(first, other)
    return bool(first < other)


def _print(*values: Any) -> str:
    """Write values with a space between two of which neither is text."""
    text = ""
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            text += " "
        text += shown(value)
    return text


def _printf(template: str, *values: Any) -> str:
    return sprintf(
        str(template), [str(value) if isinstance(value, str) else _printable(value) for value in values]
    )


def _printable(value: Any) -> Any:
    return shown(value) if value is None or type(value) is list or type(value) is dict else value


def _html(*values: Any) -> str:
    return (
        html.escape(_print(*values))
        .replace("&quot;", "&#34;")
        .replace("&#x27;", "&#39;")
        .replace("\0", "\ufffd")
    )


def _javascript(*values: Any) -> str:
    escapes = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\u000A", "\r": "\\u000D", "\t": "\\u0009"}
    escapes |= {sign: f"\\u{ord(sign):04X}" for sign in "<>&="}
    return "".join(escapes.get(character, character) for character in _print(*values))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "not": lambda value: not _is_true(value),
    "len": len,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": lambda *values: " ".join(map(shown, values)) + "\n",
    "printf": _printf,
    "html": _html,
    "js": _javascript,
    "urlquery": lambda *values: urllib.parse.quote_plus(_print(*values), safe=""),
    "eq": _equal,
    "ne": lambda first, other: not _equal(first, other),
    "lt": _less,
    "le": lambda first, other: not _less(other, first),
    "gt": lambda first, other: _less(other, first),
    "ge": lambda first, other: not _less(first, other),
}
"""The functions that every template has, but for `and` and `or`."""
