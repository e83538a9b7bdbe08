"""What Gradate needs to know of one Rego module: its package, rules, references and METADATA header."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook.policy.errors import PolicySyntaxError
from webhook.rego.ast import Import, Module, Node, Ref, RuleKind, Source, String, Var
from webhook.rego.errors import CompileError
from webhook.rego.parser import parse_module

_PLAIN_SEGMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DATA = re.compile(r"\bdata\b", re.ASCII)
_HEADER_SCOPES = ("package", "subpackages")


@dataclass(frozen=True, slots=True)
class Header:
    """The METADATA block of a package."""

    line: int
    """Of the word METADATA; 0 where there is no block."""
    title: str = ""
    description: str = ""
    related_resources: tuple[tuple[str, str], ...] = ()
    """(ref, description) pairs."""
    custom: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyModule:
    """One module, as far as policies are concerned."""

    source: Source
    package: tuple[str, ...]
    """Segments, without `data`."""
    rules: frozenset[str]
    """Names of the rules it defines at its top level; functions left out."""
    references: frozenset[tuple[str, ...]]
    """Paths below `data` that it refers to, as far as they are constant, without `data`."""
    tree: Module
    """All of it."""
    header: Header | None = None

    @property
    def package_name(self) -> str:
        """The package as a reference, without `data`: `a.b`, `a["b-c"]`."""
        first, *rest = self.package
        return first + "".join(
            f".{segment}" if _PLAIN_SEGMENT.fullmatch(segment) else f"[{json.dumps(segment)}]"
            for segment in rest
        )


def read_module(source: Source) -> PolicyModule:
    """Read a module.

    Raises:
        PolicySyntaxError: it does not parse, or its METADATA is not what OPA calls metadata.

    """
    try:
        module = parse_module(source)
    except CompileError as error:
        raise PolicySyntaxError("\n".join(map(str, error.diagnostics))) from error
    return PolicyModule(
        source=source,
        package=module.package.segments,
        rules=frozenset(rule.head.name for rule in module.rules if rule.head.kind is not RuleKind.FUNCTION),
        references=frozenset(_find_references(module)),
        tree=module,
        header=_find_header(module),
    )


def _find_header(module: Module) -> Header | None:
    for scope in _HEADER_SCOPES:
        for block in module.annotations:
            if block.scope == scope:
                return Header(
                    line=block.location.row,
                    title=block.title,
                    description=block.description,
                    related_resources=tuple((link.ref, link.description) for link in block.related_resources),
                    custom=block.custom,
                )
    return None


def _find_references(module: Module) -> Iterator[tuple[str, ...]]:
    if not _DATA.search(module.source.text):
        # As in most policies, which look at their input alone: the whole tree need not be walked.
        return
    for found in module.imports:
        yield from _path_of(found)
    waiting: list[object] = list(module.rules)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node):
            yield from _path_of(node)
            waiting.extend(getattr(node, name) for name in node.__struct_fields__ if name != "location")
        elif isinstance(node, tuple):
            waiting.extend(node)


def _path_of(node: Node) -> Iterator[tuple[str, ...]]:
    """Give the path of a reference or import that begins with `data`."""
    ref = node.path if isinstance(node, Import) else node
    if not isinstance(ref, Ref) or not isinstance(ref.head, Var) or ref.head.name != "data":
        return
    path: list[str] = []
    for segment in ref.path:
        if not isinstance(segment, String):
            break
        path.append(segment.value)
    yield tuple(path)
