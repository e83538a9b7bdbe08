"""Resolves a set of modules: the order of the stages, and what each hands to the next.

Owns nothing but that order. Errors are collected over all stages that do not depend on one another, so that an author
sees them together; types are inferred only when everything else is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec

from webhook.rego.ast import Module, Rule, Term
from webhook.rego.errors import NOWHERE, nested_too_deeply
from webhook.rego.resolve.conflicts import check_base_documents, check_conflicts, check_packages
from webhook.rego.resolve.findings import Findings, Stage
from webhook.rego.resolve.graph import RuleGraph
from webhook.rego.resolve.metadata import Metadata
from webhook.rego.resolve.names import (
    ModuleNames,
    check_imports,
    check_root_shadowing,
    check_unused_imports,
    head_path,
    module_names,
)
from webhook.rego.resolve.operators import Arities, Operators, function_arities
from webhook.rego.resolve.replacements import Replacements
from webhook.rego.resolve.rules import RuleResolver
from webhook.rego.resolve.safety import Safety
from webhook.rego.resolve.scopes import NameSource
from webhook.rego.resolve.shapes import Path, ResolvedRule
from webhook.rego.resolve.terms import Surroundings
from webhook.rego.resolve.tree import RuleNode
from webhook.rego.resolve.typing import TypeCheck

_Head: TypeAlias = tuple[Rule, Path, tuple[Term, ...]]


class Options(msgspec.Struct, frozen=True):
    """How strictly to resolve, and what to keep."""

    strict: bool = False
    """Unused variables, arguments and imports are errors."""
    print_enabled: bool = False
    """Calls of `print` are kept; otherwise they are left out."""
    for_tests: bool = False
    """Builtins that are not available may be called where `with` replaces them; planning refuses them elsewhere."""


DEFAULT_OPTIONS: Final = Options()


class Resolution(msgspec.Struct, frozen=True):
    """Modules whose rules are resolved and checked, ready to be planned."""

    tree: RuleNode[ResolvedRule]
    types: TypeCheck
    sources: RuleNode[Rule]
    """The rules as they were written."""
    arities: Arities
    options: Options
    texts: Mapping[str, str]
    """Source text by file, to quote lines from."""


def resolve(
    modules: Sequence[Module], *, options: Options = DEFAULT_OPTIONS, data: Mapping[Any, Any] | None = None
) -> Resolution:
    """Resolve and check modules, by all rules of the language; `data` are base documents known now.

    Raises:
        CompileError: something is wrong; it carries everything found.

    """
    resolver = _Resolver(modules, options)
    try:
        return resolver.run(data or {})
    except RecursionError:
        raise nested_too_deeply(resolver.place).quoting(resolver.texts) from None


class _Resolver:
    def __init__(self, modules: Sequence[Module], options: Options) -> None:
        self._modules = tuple(modules)
        self._options = options
        self.place = modules[0].location if modules else NOWHERE
        """The rule that is being looked at."""
        self._findings = Findings()
        self._names = NameSource()
        self.texts = {module.source.path: module.source.text for module in modules}
        self._sources: RuleNode[Rule] = RuleNode(())
        self._tree: RuleNode[ResolvedRule] = RuleNode(())
        self._heads = [[(rule, *head_path(module, rule)) for rule in module.rules] for module in modules]

    def run(self, data: Mapping[Any, Any]) -> Resolution:
        """Go through all stages."""
        self._plant()
        metadata = Metadata(
            (module, [(rule, path) for rule, path, _ in heads])
            for module, heads in zip(self._modules, self._heads, strict=True)
        )
        arities = function_arities(self._sources)
        for module, heads, names in zip(self._modules, self._heads, self._module_names(), strict=True):
            self._resolve_module(module, heads, names, metadata, arities)
        check_conflicts(self._tree, self._modules, self._findings)
        check_packages(self._modules, self._sources, self._findings)
        if data:
            check_base_documents(self._tree, data, self._findings)
        graph = RuleGraph(self._tree)
        graph.check_recursion(self._findings)
        self._findings.raise_any(self.texts, through=Stage.RECURSION)
        types = TypeCheck(self._findings)
        for node in graph.ordered():
            for rule in node.rules:
                self.place = rule.location
                types.check_rule(rule)
        self._findings.raise_any(self.texts)
        return Resolution(self._tree, types, self._sources, arities, self._options, self.texts)

    def _plant(self) -> None:
        for module, heads in zip(self._modules, self._heads, strict=True):
            self._sources.make(module.package.segments)
            self._tree.make(module.package.segments)
            for rule, path, _ in heads:
                self._sources.make(path).rules.append(rule)

    def _module_names(self) -> list[ModuleNames]:
        exports: dict[Path, dict[str, None]] = {}
        for module in self._modules:
            names = exports.setdefault(module.package.segments, {})
            names.update((rule.head.name, None) for rule in module.rules)
        return [module_names(module, exports[module.package.segments]) for module in self._modules]

    def _resolve_module(
        self, module: Module, heads: Sequence[_Head], names: ModuleNames, metadata: Metadata, arities: Arities
    ) -> None:
        strict = self._options.strict
        is_v1 = module.version == "v1"
        if is_v1 or strict:
            check_imports(module, self._findings)
            for rule in module.rules:
                check_root_shadowing(rule, self._findings)
        operators = Operators(self._sources, self._findings, for_tests=self._options.for_tests)
        around = Surroundings(
            names=names,
            operators=operators,
            replacements=Replacements(self._sources, operators, self._findings),
            findings=self._findings,
            source=self._names,
            strict=strict,
            print_enabled=self._options.print_enabled,
            is_v1=is_v1,
        )
        resolver = RuleResolver(around, Safety(arities, around.captures, self._findings))
        for rule, path, keys in heads:
            self.place = rule.location
            resolved = resolver.resolve(rule, path, keys, partial(metadata.term, module, rule, path))
            self._tree.make(path).rules.append(resolved)
        if strict:
            check_unused_imports(module, names, self._findings)
