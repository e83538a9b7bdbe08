"""Metadata blocks: `# METADATA` comments to annotations on packages and rules.

Owns finding the blocks, reading their YAML as OPA reads it, checking the fields and attaching scopes. Must not know
what any product makes of the `custom` field. Described at https://www.openpolicyagent.org/docs/policy-language#metadata.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
import yaml

from webhook.rego.ast import (
    Annotations,
    AnnotationScope,
    Author,
    Comment,
    Import,
    Package,
    RelatedResource,
    Rule,
    SchemaAnnotation,
)
from webhook.rego.errors import Location

Statement: TypeAlias = Package | Import | Rule
Fault: TypeAlias = tuple[str, Location]
"""What is wrong with a block, and where."""

MAX_YAML_DEPTH: Final = 50
_HEADER: Final = "METADATA"
_SCOPES: Final = ("rule", "document", "package", "subpackages")


class _BlockError(Exception):
    """A block that cannot be accepted; `line` counts the lines below the header from 0."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class _Block(msgspec.Struct):
    """The comments of one block: its header and the lines below."""

    header: Comment
    lines: list[Comment]


def annotate(
    statements: Sequence[Statement], comments: Sequence[Comment]
) -> tuple[list[Statement], tuple[Annotations, ...], list[Fault]]:
    """Return the statements with their rules annotated, all annotations, and what is wrong with blocks."""
    if not any(_HEADER in comment.text for comment in comments):
        return list(statements), (), []
    found: list[tuple[Annotations, Statement]] = []
    faults: list[Fault] = []
    for block in _blocks(comments):
        place = block.header.location
        try:
            target = _statement_below(statements, place.row)
            annotations = _read(block, target)
        except _BlockError as refusal:
            if refusal.line is not None and block.lines:
                place = block.lines[min(refusal.line, len(block.lines) - 1)].location
            faults.append((str(refusal), place))
        else:
            found.append((annotations, target))
    annotated = [_with_annotations(statement, found) for statement in statements]
    return annotated, tuple(annotations for annotations, _ in found), faults


def _blocks(comments: Sequence[Comment]) -> list[_Block]:
    """Group the comments that begin with the header and go on, line by line, at the margin."""
    blocks: list[_Block] = []
    current: _Block | None = None
    last_row = 0
    for comment in comments:
        continues = comment.location.row == last_row + 1 and comment.location.col == 1
        last_row = comment.location.row
        if current is not None and continues:
            current.lines.append(comment)
            continue
        current = None
        if comment.text.strip().startswith(_HEADER):
            current = _Block(comment, [])
            blocks.append(current)
    return blocks


def _statement_below(statements: Sequence[Statement], row: int) -> Statement:
    for statement in statements:
        if statement.location.row > row:
            return statement
    raise _BlockError("annotation must be followed by a package or rule")


def _with_annotations(statement: Statement, found: list[tuple[Annotations, Statement]]) -> Statement:
    """Give a rule its own annotations and those of its document."""
    if not isinstance(statement, Rule):
        return statement
    own = tuple(
        annotations
        for annotations, target in found
        if target is statement or (annotations.scope == "document" and _same_document(target, statement))
    )
    return msgspec.structs.replace(statement, annotations=own) if own else statement


def _same_document(one: Statement, other: Rule) -> bool:
    return isinstance(one, Rule) and one.head.ref == other.head.ref


# -- Fields --


def _read(block: _Block, target: Statement) -> Annotations:
    text = "".join(comment.text.removeprefix(" ") + "\n" for comment in block.lines)
    if not text.strip():
        raise _BlockError("expected METADATA block, found whitespace")
    fields = _load_yaml(text)
    if not isinstance(fields, dict):
        raise _BlockError("a METADATA block must be a YAML mapping")
    entrypoint = fields.get("entrypoint") or False
    if not isinstance(entrypoint, bool):
        raise _BlockError("entrypoint must be true or false")
    scope = _scope(_text(fields, "scope"), target, entrypoint=entrypoint)
    if entrypoint and scope not in {"document", "package"}:
        raise _BlockError(f"annotation entrypoint applied to non-document or package scope '{scope}'")
    return Annotations(
        scope=scope,
        title=_text(fields, "title"),
        description=_text(fields, "description"),
        entrypoint=entrypoint,
        organizations=tuple(_scalar_text("organizations", item) for item in _list(fields, "organizations")),
        related_resources=tuple(_related_resource(item) for item in _list(fields, "related_resources")),
        authors=tuple(_author(item) for item in _list(fields, "authors")),
        schemas=tuple(_schema(item) for item in _list(fields, "schemas")),
        custom=_custom(fields.get("custom")),
        location=block.header.location,
    )


def _scope(written: str, target: Statement, *, entrypoint: bool) -> AnnotationScope:
    """Return the scope, which has to fit the statement below the block."""
    if isinstance(target, Rule):
        default = "document" if entrypoint else "rule"
        sort = "rule"
    else:
        sort = "package" if isinstance(target, Package) else "import"
        default = sort
    scope = written or default
    if scope in {"rule", "document"}:
        wanted = "rule"
    elif scope in {"package", "subpackages"}:
        wanted = "package"
    else:
        raise _BlockError(
            f"invalid annotation scope '{scope}'. Use one of 'rule', 'document', 'package', or 'subpackages'"
        )
    if wanted != sort:
        raise _BlockError(f"annotation scope '{scope}' must be applied to {wanted} (have {sort})")
    return next(known for known in _SCOPES if known == scope)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else _scalar_text(name, value)


def _scalar_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise _BlockError(f"{name} must be text")


def _list(fields: Mapping[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _BlockError(f"{name} must be a list")
    return value


def _related_resource(value: Any) -> RelatedResource:
    if isinstance(value, str):
        if not value:
            raise _BlockError("invalid related-resource definition: ref URL may not be empty string")
        return RelatedResource(value)
    if not isinstance(value, dict):
        raise _BlockError("invalid related-resource definition: invalid value type, must be string or map")
    ref, description = _stripped(value, "ref"), _stripped(value, "description")
    if not ref:
        raise _BlockError("invalid related-resource definition: 'ref' value required in object")
    return RelatedResource(ref, description)


def _author(value: Any) -> Author:
    if isinstance(value, str):
        return _author_from_text(value)
    if not isinstance(value, dict):
        raise _BlockError("invalid author definition: invalid value type, must be string or map")
    name, email = _stripped(value, "name"), _stripped(value, "email")
    if not name and not email:
        raise _BlockError("invalid author definition: 'name' and/or 'email' values required in object")
    return Author(name, email)


def _author_from_text(text: str) -> Author:
    """Split `Some Name <mail@example.com>`."""
    words = text.split()
    if not words:
        raise _BlockError("invalid author definition: author is an empty string")
    email = ""
    if words[-1].startswith("<") and words[-1].endswith(">"):
        email = words.pop()[1:-1]
    return Author(" ".join(words), email)


def _stripped(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def _schema(value: Any) -> SchemaAnnotation:
    if not isinstance(value, dict) or len(value) != 1:
        raise _BlockError("invalid schema declaration: must be one pair of path and schema")
    path, schema = next(iter(value.items()))
    if isinstance(schema, str):
        if schema.partition(".")[0].partition("[")[0] != "schema":
            raise _BlockError("invalid schema reference")
        return SchemaAnnotation(str(path), schema=schema)
    if not isinstance(schema, dict):
        raise _BlockError(f'invalid schema declaration for path "{path}"')
    return SchemaAnnotation(str(path), definition=_json_like(schema, ()))


def _custom(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _BlockError("custom must be a mapping")
    converted: dict[str, Any] = _json_like(value, ())
    return converted


def _json_like(value: Any, path: tuple[str, ...]) -> Any:
    """Return the value if JSON could say it too."""
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise _BlockError(f"invalid map key type(s): {'/'.join(path)}")
        return {key: _json_like(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_like(item, (*path, str(index))) for index, item in enumerate(value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise _BlockError(f"invalid value type: {'/'.join(path)}")


# -- YAML --


class _Loader(yaml.CSafeLoader):
    """YAML as OPA reads it: only JSON's types are recognised, and a key may stand only once."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own spelling of a class table

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                mark = key.start_mark
                raise yaml.constructor.ConstructorError(
                    problem=f'mapping key "{key.value}" already defined', problem_mark=mark
                )
            seen.add(getattr(key, "value", ""))
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


def _load_yaml(text: str) -> Any:
    """Load a document of bounded depth and without aliases, which could stand for any amount of data."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise _BlockError("yaml: aliases are not supported", _line(event.start_mark))
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_YAML_DEPTH:
                raise _BlockError("yaml: nesting too deep", _line(event.start_mark))
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - derives from the safe loader
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark)
        raise _BlockError(f"yaml: line {line + 1}: {error.problem or error.context}", line) from None
    except (yaml.YAMLError, ValueError) as error:
        raise _BlockError(f"yaml: {error}", 0) from None


def _line(mark: object) -> int:
    """Return the line of a mark of PyYAML or of its C parser, 0 where there is none."""
    return int(getattr(mark, "line", 0))
