"""What `rego.metadata.rule()` and `rego.metadata.chain()` give: annotations as terms.

Owns the chain of annotations that govern a rule. Must not know how annotations are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from webhook.rego.ast import (
    Annotations,
    Array,
    Boolean,
    Module,
    Null,
    Number,
    Object,
    Rule,
    String,
    Term,
)
from webhook.rego.resolve.operators import METADATA_RULE
from webhook.rego.resolve.shapes import Path


class Metadata:
    """The annotations of a set of modules, found by what they govern."""

    def __init__(self, modules: Iterable[tuple[Module, Sequence[tuple[Rule, Path]]]]) -> None:
        self._documents: dict[Path, Annotations] = {}
        self._packages: dict[Path, Annotations] = {}
        self._subpackages: dict[Path, list[Annotations]] = {}
        for module, rules in modules:
            package = module.package.segments
            for block in module.annotations:
                if block.scope == "package":
                    self._packages.setdefault(package, block)
                elif block.scope == "subpackages":
                    self._subpackages.setdefault(package, []).append(block)
            for rule, path in rules:
                for block in rule.annotations:
                    if block.scope == "document":
                        self._documents.setdefault(path, block)

    def term(self, module: Module, rule: Rule, path: Path, builtin: str) -> Term:
        """Give what one of the two builtins returns within a rule."""
        own = [block for block in rule.annotations if block.scope == "rule"]
        own.sort(key=lambda block: -block.location.row)
        if builtin == METADATA_RULE:
            return _term(annotations_value(own[0]) if own else {})
        chain: list[dict[str, Any]] = [_link(path, block) for block in own] or [{"path": list(path)}]
        package = module.package.segments
        document = self._documents.get(path)
        if document is not None:
            chain.append(_link(path, document))
        if package in self._packages:
            chain.append(_link(package, self._packages[package]))
        for length in range(len(package), -1, -1):
            chain += [_link(package[:length], block) for block in self._subpackages.get(package[:length], ())]
        return _term(chain)


def _link(path: Path, block: Annotations) -> dict[str, Any]:
    return {"path": list(path), "annotations": annotations_value(block)}


def annotations_value(block: Annotations) -> dict[str, Any]:
    """Give a metadata block as the object that a policy sees."""
    value: dict[str, Any] = {"scope": block.scope}
    if block.title:
        value["title"] = block.title
    if block.description:
        value["description"] = block.description
    if block.entrypoint:
        value["entrypoint"] = True
    if block.organizations:
        value["organizations"] = list(block.organizations)
    if block.related_resources:
        value["related_resources"] = [
            {"ref": link.ref, **({"description": link.description} if link.description else {})}
            for link in block.related_resources
        ]
    if block.authors:
        value["authors"] = [
            {key: text for key, text in (("name", author.name), ("email", author.email)) if text}
            for author in block.authors
        ]
    if block.schemas:
        value["schemas"] = [
            _schema(schema.path, schema.schema, schema.definition) for schema in block.schemas
        ]
    if block.custom:
        value["custom"] = block.custom
    return value


def _schema(path: str, schema: str, definition: Any) -> dict[str, Any]:
    value: dict[str, Any] = {"path": path.split(".")}
    if schema:
        value["schema"] = schema.split(".")
    if definition is not None:
        value["definition"] = definition
    return value


def _term(value: Any) -> Term:
    if value is None:
        return Null()
    if isinstance(value, bool):
        return Boolean(value)
    if isinstance(value, int | float):
        return Number(repr(value))
    if isinstance(value, str):
        return String(value)
    if isinstance(value, dict):
        return Object(tuple((_term(key), _term(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return Array(tuple(map(_term, value)))
    return String(str(value))
