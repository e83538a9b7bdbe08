"""Finds rules that cannot stand together at one path.

Owns OPA's messages on conflicting rules, packages and base documents. Must not know bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

from webhook.rego.ast import Module, Rule, String, Term
from webhook.rego.errors import Location
from webhook.rego.resolve.findings import Findings, Stage
from webhook.rego.resolve.shapes import SCALARS, Path, ResolvedRule, path_text
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
    groups = _by_constant_keys(node.rules)
    for fixed, rules in groups.items():
        below = [_name(node, others[-1]) for keys, others in groups.items() if _extends(keys, fixed)]
        if not fixed:
            below += [path_text(child.path) for child in _nearest_rules(node)]
        if below and any(len(rule.keys) == len(fixed) for rule in rules):
            message = f"rule {_name(node, rules[-1])} conflicts with [{' '.join(sorted(below))}]"
            findings.mistype(message, rules[0].location, Stage.CONFLICTS)
        else:
            _check_group(_name(node, rules[-1]), rules, len(fixed), packages, findings)


def _by_constant_keys(rules: Iterable[ResolvedRule]) -> dict[tuple[Term, ...], list[ResolvedRule]]:
    """Gather rules whose keys begin with the same constants: OPA takes these for segments of a path."""
    groups: dict[tuple[Term, ...], list[ResolvedRule]] = {}
    for rule in rules:
        fixed = tuple(takewhile(lambda key: type(key) in SCALARS, rule.keys))
        groups.setdefault(fixed, []).append(rule)
    return groups


def _extends(keys: tuple[Term, ...], fixed: tuple[Term, ...]) -> bool:
    return len(keys) > len(fixed) and keys[: len(fixed)] == fixed


def _name(node: RuleNode[ResolvedRule], rule: ResolvedRule) -> str:
    """Name a path by one of its rules; OPA names the one that it looked at last."""
    return path_text(node.path) + "".join(map(segment_text, rule.keys))


def _check_group(
    name: str,
    rules: list[ResolvedRule],
    fixed: int,
    packages: Mapping[str, Location],
    findings: Findings,
) -> None:
    """Note rules of different shapes and repeated defaults; `fixed` keys are the same constants in all."""
    shapes = {(rule.is_set, rule.arity or 0) for rule in rules}
    whole = [rule for rule in rules if len(rule.keys) == fixed]
    if len(shapes) > 1 or 0 < len(whole) < len(rules):
        findings.mistype(f"conflicting rules {name} found", rules[0].location, Stage.CONFLICTS)
        return
    defaults = [rule for rule in rules if rule.default]
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
    """Note rules that stand where a base document does, or below one that is no object."""
    for node in tree.descend():
        if node.rules and _is_taken(data, node.path):
            path = "/".join(node.path)
            message = f"conflicting rule for data path {path} found"
            findings.misuse(message, node.rules[0].location, Stage.CONFLICTS)


def _is_taken(data: Any, path: Path) -> bool:
    """Whether a base document stands at a path, or something above it that can hold no rules."""
    for segment in path:
        if not isinstance(data, Mapping):
            return True
        if segment not in data:
            return False
        data = data[segment]
    return True
