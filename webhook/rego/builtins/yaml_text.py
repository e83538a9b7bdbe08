"""YAML text: `yaml.*`, by the rules of the library that OPA uses: plain scalars of YAML 1.1 without times and bases.

What is read is a JSON document: keys become text. Aliases are followed only as far as their expansion stays small.
"""

import re
from collections.abc import Callable, Hashable
from functools import cmp_to_key
from typing import Any

import yaml
from yaml.emitter import ScalarAnalysis

from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.failures import (
    MAX_ITEMS,
    BuiltinError,
    LimitError,
    limit_size,
    limit_string,
    wrong_strings,
)
from webhook.rego.builtins.go_numbers import shortest
from webhook.rego.texts import to_json

_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FORBIDDEN = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]")
_DIGITS = re.compile("[0-9]+")
_DIGITS_BEFORE = re.compile("[0-9]+$")
_BOOLEAN = re.compile(f"^(?:{'|'.join(sorted(_FALSE | _TRUE))})$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_INTEGER = re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_DOUBLE = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
_NO_NUMBER = re.compile(r"^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$")
_MERGE = re.compile(r"^<<$")
_UNSAFE_BREAK = re.compile("[\r\x85\u2028\u2029]")
"""Line breaks that a reader would turn into plain ones."""
_MAX_LENGTH = 1024 * 1024
_MAX_DEPTH = 300
_NODES_BETWEEN_CHECKS = 500
"""Values of one collection that are read between two looks at the clock."""
_MAX_DIGITS = 4000
_LEAST_INTEGER = -(1 << 63)
_GREATEST_INTEGER = (1 << 64) - 1
_QUOTED = re.compile(
    r"""^(?:
      [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})?)?
    | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?
    )$""",
    re.VERBOSE,
)
"""Text that other readers of YAML take for a time or a number to the base of 60."""
_POSITIONAL_LIMIT = 1e21
"""From here on Go writes a double with an exponent."""


def _resolvers() -> dict[str | None, list[tuple[str, re.Pattern[str]]]]:
    """List, by first character, the tags that plain scalars may have."""
    table: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, starts in (
        ("bool", _BOOLEAN, "yYnNtTfFoO"),
        ("null", _NULL, ["~", "n", "N", ""]),
        ("int", _INTEGER, "-+0123456789"),
        ("float", _DOUBLE, "-+.0123456789"),
        ("float", _NO_NUMBER, "-+."),
        ("merge", _MERGE, "<"),
    ):
        for start in starts:
            table.setdefault(start, []).append((f"tag:yaml.org,2002:{tag}", pattern))
    return table


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader that reads with libyaml, where PyYAML was built with it."""


class _Loader(_Base):  # type: ignore[misc]  # chosen above
    """PyYAML's safe loader with the scalars of Go's library."""

    yaml_implicit_resolvers = _resolvers()

    def __init__(self, text: str, check: Callable[[], None]) -> None:
        super().__init__(text)
        self.check = check

    def boolean(self, node: yaml.ScalarNode) -> bool:
        return self.construct_scalar(node) in _TRUE

    def integer(self, node: yaml.ScalarNode) -> int | float:
        text = str(self.construct_scalar(node)).replace("_", "")
        digits = text.lstrip("+-")
        if len(digits) > _MAX_DIGITS:
            raise yaml.constructor.ConstructorError(None, None, "number is too long", node.start_mark)
        if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
            digits = f"0o{digits}"
        return -int(digits, 0) if text[0] == "-" else int(digits, 0)

    def double(self, node: yaml.ScalarNode) -> int | float:
        """Read a double; one without a fraction is an integer, as it is in JSON that Go writes."""
        text = str(self.construct_scalar(node))
        number = float(text) if _DOUBLE.match(text) else float("inf")
        if number - number != 0:
            raise yaml.constructor.ConstructorError(None, None, f"unsupported value: {text}", node.start_mark)
        return int(number) if number.is_integer() and abs(number) < _POSITIONAL_LIMIT else number

    def binary(self, node: yaml.ScalarNode) -> str:
        octets: bytes = self.construct_yaml_binary(node)
        return octets.decode(errors="replace")

    def mapping(self, node: yaml.MappingNode) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        pairs: dict[Hashable, Any] = {}
        for index, (key_node, value_node) in enumerate(node.value):
            if index % _NODES_BETWEEN_CHECKS == 0:
                self.check()
            key = _key(self.construct_object(key_node, deep=True))
            pairs[key] = self.construct_object(value_node, deep=True)
        return pairs

    def sequence(self, node: yaml.SequenceNode) -> list[Any]:
        items = []
        for index, child in enumerate(node.value):
            if index % _NODES_BETWEEN_CHECKS == 0:
                self.check()
            items.append(self.construct_object(child, deep=True))
        return items

    def untyped(self, node: yaml.Node) -> Any:
        """Read a node whose tag is not known: a scalar is text."""
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        return self.sequence(node) if isinstance(node, yaml.SequenceNode) else self.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:bool", _Loader.boolean)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.double)
_Loader.add_constructor("tag:yaml.org,2002:binary", _Loader.binary)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _Loader.sequence)
_Loader.add_constructor("tag:yaml.org,2002:merge", _Loader.untyped)
_Loader.add_constructor(None, _Loader.untyped)


def _key(value: Any) -> str:
    """Write a mapping's key as text."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or type(value) is float:
        return repr(value)
    raise yaml.constructor.ConstructorError(
        None, None, f"unsupported key of type {type(value).__name__}", None
    )


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper that quotes as Go's library does and never writes aliases."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML declares it as it is
        start: [(tag, pattern) for tag, pattern in choices if pattern is not _MERGE]
        for start, choices in _Loader.yaml_implicit_resolvers.items()
    }

    def analyze_scalar(self, scalar: str) -> ScalarAnalysis:
        """Let characters beyond the first plane be escaped."""
        found: ScalarAnalysis = super().analyze_scalar(scalar)
        if any(character > "\uffff" for character in scalar):
            return ScalarAnalysis(
                scalar=scalar,
                empty=False,
                multiline=found.multiline,
                allow_flow_plain=False,
                allow_block_plain=False,
                allow_single_quoted=False,
                allow_double_quoted=True,
                allow_block=False,
            )
        return found

    def check_simple_key(self) -> bool:
        """Let the empty text be a key like any other."""
        is_empty = isinstance(self.event, yaml.ScalarEvent) and not self.event.value
        return is_empty or bool(super().check_simple_key())

    def mapping(self, data: dict[str, Any]) -> yaml.MappingNode:
        order = cmp_to_key(_compare_keys)
        pairs = sorted(data.items(), key=lambda pair: order(pair[0]))
        return self.represent_mapping("tag:yaml.org,2002:map", pairs)

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        if _FORBIDDEN.search(data):
            raise BuiltinError("yaml: control characters are not allowed")
        style = None
        if _UNSAFE_BREAK.search(data):
            style = '"'
        elif "\n" in data:
            style = "|"
        elif _QUOTED.match(data) or self._reads_otherwise(data):
            style = '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def _reads_otherwise(self, data: str) -> bool:
        patterns = self.yaml_implicit_resolvers.get(data[:1], ())
        return any(pattern.match(data) for _, pattern in patterns)

    def number(self, data: float) -> yaml.ScalarNode:
        """Write a double, or an integer that only a double can hold, in the shortest form."""
        if type(data) is int and _LEAST_INTEGER <= data <= _GREATEST_INTEGER:
            return self.represent_scalar("tag:yaml.org,2002:int", str(data))
        text = ("-" if data < 0 else "") + shortest(abs(float(data)))
        kind = "int" if _INTEGER.match(text) else "float"
        return self.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


def _digits_at(text: str, start: int) -> str:
    found = _DIGITS.match(text, start)
    return found[0] if found is not None else ""


def _compare_keys(one: str, other: str) -> int:
    """Order keys as Go's library does: letters behind everything else, runs of digits by their number."""
    start = next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    a, b = one[start : start + 1], other[start : start + 1]
    if not a or not b or (a.isalpha() and b.isalpha()):
        return (a > b) - (a < b)
    if a.isalpha() or b.isalpha():
        return 1 if a.isalpha() else -1
    shared = _DIGITS_BEFORE.search(one[:start]) if "0" in (a, b) else None
    prefix = "1" if shared is not None and shared[0].strip("0") else ""
    digits, others = _digits_at(one, start), _digits_at(other, start)
    left = (int(prefix + digits or "0"), len(digits), a)
    right = (int(prefix + others or "0"), len(others), b)
    return (left > right) - (left < right)


_Dumper.add_representer(dict, _Dumper.mapping)
_Dumper.add_representer(str, _Dumper.text)
_Dumper.add_representer(int, _Dumper.number)
_Dumper.add_representer(float, _Dumper.number)


def marshal(value: Any) -> str:
    """Write a value as YAML, keys sorted."""
    limit_size(value)
    text: str = yaml.dump(
        to_json(value), Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=float("inf")
    )
    text = text.removesuffix("...\n")
    limit_string(len(text))
    return text


def unmarshal(context: EvaluationContext, text: Any) -> Any:
    """Read YAML as a JSON document."""
    if type(text) is not str:
        wrong_strings(text)
    return read_yaml(text, context.check)


def read_yaml(text: str, check: Callable[[], None]) -> Any:
    """Read YAML text as a JSON document; `check` is called now and then, to stop what takes too long.

    Raises:
        BuiltinError: it is no YAML.
        LimitError: it is too long.

    """
    if len(text) > _MAX_LENGTH:
        raise LimitError(f"yaml.unmarshal: text of {len(text)} characters is over the limit of {_MAX_LENGTH}")
    try:
        _check_depth(text, check)
        loader = _Loader(text, check)
        document = loader.get_data() if loader.check_data() else None
    except RecursionError as error:
        raise BuiltinError("yaml: exceeded max depth") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BuiltinError(f"yaml: line {line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise BuiltinError(f"yaml: {error}") from error
    _count_items(document, {})
    return document


def _check_depth(text: str, check: Callable[[], None]) -> None:
    """Refuse text that is nested so deeply that building a document would overflow the stack.

    Raises:
        BuiltinError: it is.

    """
    depth = 0
    for index, event in enumerate(yaml.parse(text, Loader=_Base)):
        if index % _NODES_BETWEEN_CHECKS == 0:
            check()
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise BuiltinError("yaml: exceeded max depth")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _count_items(document: Any, counted: dict[int, int]) -> int:
    """Count a document's values with aliases expanded, each shared part walked once.

    Raises:
        BuiltinError: there are too many.

    """
    if type(document) is not list and type(document) is not dict:
        return 1
    if id(document) not in counted:
        counted[id(document)] = MAX_ITEMS + 1
        children = document.values() if type(document) is dict else document
        counted[id(document)] = 1 + sum(_count_items(child, counted) for child in children)
    if counted[id(document)] > MAX_ITEMS:
        raise BuiltinError("yaml: document contains excessive aliasing")
    return counted[id(document)]


def is_valid(context: EvaluationContext, text: Any) -> bool:
    """Say whether a value is YAML text."""
    if type(text) is not str:
        return False
    try:
        read_yaml(text, context.check)
    except BuiltinError:
        return False
    return True
