"""The catalog: every policy version that a set of files defines.

Owns which modules are policies, libraries and tests. Must not know where the files are.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from webhook.policy.digest import compute_digest
from webhook.policy.errors import (
    BrokenPoliciesError,
    DuplicatePolicyError,
    MetadataError,
    Place,
    PolicyError,
    UnknownParameterError,
)
from webhook.policy.header import read_metadata
from webhook.policy.likeness import nearest
from webhook.policy.module import PolicyModule, read_module
from webhook.policy.version import RULES, PolicyVersion
from webhook.rego.ast import Source

_POLICY_KEYS = frozenset({"name", "action", "match"})
"""Keys of `custom` that only a policy has."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All policies, by path."""

    policies: tuple[PolicyVersion, ...] = ()
    tests: tuple[Source, ...] = ()
    """Modules whose package or file name ends in `_test`."""
    libraries: tuple[Source, ...] = ()
    """Modules without a rule that Gradate asks for."""

    def without_modules(self) -> "Catalog":
        """Let go of the parsed modules: once they are compiled, they only take room."""
        policies = tuple(dataclasses.replace(policy, modules=()) for policy in self.policies)
        return dataclasses.replace(self, policies=policies)

    def get(self, name: str) -> PolicyVersion | None:
        """Find a policy by name."""
        return next((policy for policy in self.policies if policy.name == name), None)


def read_catalog(sources: Sequence[Source]) -> Catalog:
    """Read every policy of a set of modules.

    Raises:
        PolicySyntaxError: a module does not parse.
        MetadataError: a header is wrong.
        DuplicatePolicyError: two files define one policy.
        BrokenPoliciesError: more than one of these.

    """
    modules: list[PolicyModule] = []
    broken: list[PolicyError] = []
    for source in sorted(sources, key=lambda source: source.path):
        try:
            modules.append(read_module(source))
        except PolicyError as error:
            broken.append(error)
    tests = [module for module in modules if _is_test(module)]
    policies = [module for module in modules if _is_policy(module) and not _is_test(module)]
    libraries = [module for module in modules if not _is_policy(module) and not _is_test(module)]
    broken += [error for error in map(_find_missing_rules, libraries) if error is not None]
    versions: dict[str, PolicyVersion] = {}
    for module in policies:
        try:
            version = _read_version(module, libraries)
            if version.name in versions:
                raise DuplicatePolicyError(version.name, versions[version.name].path, version.path)
            versions[version.name] = version
        except PolicyError as error:
            broken.append(error)
    if broken:
        raise broken[0] if len(broken) == 1 else BrokenPoliciesError(broken)
    return Catalog(
        tuple(versions.values()),
        tuple(module.source for module in tests),
        tuple(module.source for module in libraries),
    )


def override_parameters(catalog: Catalog, overrides: Mapping[str, Mapping[str, Any]]) -> Catalog:
    """Lay parameters over those of METADATA, by policy name.

    Raises:
        UnknownParameterError: no such policy, or a policy that declares parameters has none of this name.

    """
    for name in overrides:
        if catalog.get(name) is None:
            known = [policy.name for policy in catalog.policies]
            raise UnknownParameterError(f"parameters for policy {name!r}: no such policy{_hint(name, known)}")
    return dataclasses.replace(
        catalog,
        policies=tuple(
            _override(policy, overrides[policy.name]) if policy.name in overrides else policy
            for policy in catalog.policies
        ),
    )


def restore_version(
    name: str, sources: Sequence[Source], parameters: Mapping[str, Any], digest: str
) -> PolicyVersion:
    """Make a version of stored content again.

    Raises:
        PolicyError: the content is broken, defines no such policy, or does not have this digest.

    """
    policy = read_catalog(sources).get(name)
    if policy is None:
        raise PolicyError(f"the stored version {digest} holds no policy {name!r}")
    restored = dataclasses.replace(
        policy,
        parameters=parameters,
        digest=compute_digest(policy.sources, policy.metadata, parameters),
        modules=(),
    )
    if restored.digest != digest:
        raise PolicyError(f"the stored content of policy {name!r} does not have its digest {digest}")
    return restored


def _override(policy: PolicyVersion, overrides: Mapping[str, Any]) -> PolicyVersion:
    declared = policy.metadata.parameters
    for key in overrides:
        if declared and key not in declared:
            raise UnknownParameterError(
                f"parameters for policy {policy.name!r}: it has no parameter {key!r}{_hint(key, declared)}"
            )
    parameters = {**declared, **overrides}
    digest = compute_digest(policy.sources, policy.metadata, parameters)
    return dataclasses.replace(policy, parameters=parameters, digest=digest)


def _hint(word: str, known: Iterable[str]) -> str:
    meant = nearest(word, known)
    return f"; did you mean {meant!r}?" if meant else ""


def _is_test(module: PolicyModule) -> bool:
    return module.package[-1].endswith("_test") or PurePosixPath(module.source.path).stem.endswith("_test")


def _is_policy(module: PolicyModule) -> bool:
    return not module.rules.isdisjoint(RULES)


def _find_missing_rules(library: PolicyModule) -> PolicyError | None:
    """Tell whether a module without a policy's rules says that it is one: a misspelt `deny` must not pass for a library."""
    header = library.header
    if header is None or _POLICY_KEYS.isdisjoint(header.custom):
        return None
    asked = ", ".join(sorted(RULES))
    slips = [(found, rule) for found in sorted(library.rules) if (rule := nearest(found, RULES))]
    advice = f"; did you mean {slips[0][1]!r} where it says {slips[0][0]!r}?" if slips else ""
    place = Place(library.source.path, header.line)
    return MetadataError(
        place, "custom", f"the file has a policy's header but none of the rules {asked}{advice}"
    )


def _read_version(module: PolicyModule, libraries: Sequence[PolicyModule]) -> PolicyVersion:
    metadata = read_metadata(module)
    modules = (module, *_dependencies(module, libraries))
    sources = tuple(found.source for found in modules)
    return PolicyVersion(
        metadata=metadata,
        package=module.package_name,
        rules=module.rules.intersection(RULES),
        sources=sources,
        digest=compute_digest(sources, metadata, metadata.parameters),
        parameters=metadata.parameters,
        modules=tuple(found.tree for found in modules),
    )


def _dependencies(module: PolicyModule, libraries: Sequence[PolicyModule]) -> list[PolicyModule]:
    """Find the libraries that a policy needs, directly or by way of others, in the order of `libraries`."""
    needed: set[int] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        for index, library in enumerate(libraries):
            if index not in needed and _refers_to(current, library):
                needed.add(index)
                waiting.append(library)
    return [library for index, library in enumerate(libraries) if index in needed]


def _refers_to(module: PolicyModule, library: PolicyModule) -> bool:
    """Tell whether a module may read another's rules: by its path, a part of it, or from the same package."""
    path = library.package
    return module.package == path or any(
        reference[: len(path)] == path[: len(reference)] for reference in module.references
    )
