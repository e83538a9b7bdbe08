"""Finds rules that cannot stand together at one path.

Owns OPA's messages on conflicting rules, packages and base documents. Must not know bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.rego.ast import Module, Rule, String
from webhook.rego.errors import Location
from webhook.rego.resolve.findings import Findings, Stage
from webhook.rego.resolve.shapes import Path, ResolvedRule, path_text
from webhook.rego.resolve.text import segment_text, term_text
from webhook.rego.resolve.tree import RuleNode


def check_conflicts(tree: RuleNode[ResolvedRule], modules: Iterable[Module], findings: Findings) -> None:
    """Note every path whose rules exclude one another."""
    packages = {module.source.path: module.package.location for module in modules}
    for node in tree.descend():
        if node.rules:
            _check_node(node, packages, findings)


def _check_node(node: RuleNode[ResolvedRule], packages: Mapping[str, Location], findings: Findings) -> None:
    """Note how a path's rules exclude one another; `packages` are the places of the files' packages."""
    # OPA names the rule that it looked at last.
    name = path_text(node.path) + "".join(map(segment_text, node.rules[-1].keys))
    first = node.rules[0]
    if node.children and any(not rule.keys for rule in node.rules):
        below = [path_text(child.path) for child in _nearest_rules(node)]
        if below:
            message = f"rule {name} conflicts with [{' '.join(sorted(below))}]"
            findings.mistype(message, first.location, Stage.CONFLICTS)
            return
    shapes = {(rule.is_set, rule.arity or 0) for rule in node.rules}
    whole = [rule for rule in node.rules if not rule.keys]
    if len(shapes) > 1 or 0 < len(whole) < len(node.rules):
        findings.mistype(f"conflicting rules {name} found", first.location, Stage.CONFLICTS)
        return
    defaults = [rule for rule in node.rules if rule.default]
    if len(defaults) > 1:
        places = ", ".join(f"{rule.location.file}:{rule.location.row}" for rule in defaults)
        message = f"multiple default rules {name} found at {places}"
        findings.mistype(message, packages[defaults[0].location.file], Stage.CONFLICTS)


def _nearest_rules(node: RuleNode[ResolvedRule]) -> Iterable[RuleNode[ResolvedRule]]:
    pending = list(node.children.values())
    while pending:
        below = pending.pop()
        if below.rules:
            yield below
        else:
            pending.extend(below.children.values())


def check_packages(modules: Iterable[Module], tree: RuleNode[Rule], findings: Findings) -> None:
    """Note rules, as they were written, that stand where a package does."""
    for package in {module.package.segments: None for module in modules}:
        node = tree.find(package)
        for rule in node.rules if node is not None else ():
            if all(isinstance(part, String) for part in rule.head.ref.path):
                name = f"package {'.'.join(package)}"
                place = f"{rule.location.file}:{rule.location.row}"
                message = f"{name} conflicts with rule {term_text(rule.head.ref)} defined at {place}"
                findings.mistype(message, rule.location, Stage.CONFLICTS)


def check_base_documents(tree: RuleNode[ResolvedRule], data: Mapping[Any, Any], findings: Findings) -> None:
    """Note rules that stand where a base document does."""
    for node in tree.descend():
        if node.rules and _exists(data, node.path):
            path = "/".join(node.path)
            message = f"conflicting rule for data path {path} found"
            findings.misuse(message, node.rules[0].location, Stage.CONFLICTS)


def _exists(data: Any, path: Path) -> bool:
    for segment in path:
        if not isinstance(data, Mapping) or segment not in data:
            return False
        data = data[segment]
    return True
