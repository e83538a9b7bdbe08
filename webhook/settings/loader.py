"""Settings read from YAML, the environment and flags, the later ones winning, each value with its origin.

Knows the groups; must not know who uses them.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec
import yaml

from webhook.settings.errors import SettingsError
from webhook.settings.groups import Settings

ENVIRONMENT_PREFIX = "GRADATE_"
# Kubernetes injects these for a Service that happens to be called gradate…; they are not settings.
_SERVICE_LINK = re.compile(r"^GRADATE_(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT)|PORT)(?:_.*)?$")
# Read by the tests and the conformance harness, not by the product.
_FOREIGN = frozenset({"GRADATE_CONFORMANCE"})

Tree = dict[str, Any]
KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and where each value that is not a default came from."""

    settings: Settings
    origins: Mapping[KeyPath, str]
    """Origin by key path in camelCase, e.g. `("server", "listen")` → `flag --listen`."""


def load_settings(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[KeyPath, tuple[str, Any]]
) -> LoadedSettings:
    """Lay environment over the file and flags over both.

    Args:
        path: YAML file, or None.
        environment: process environment; only `GRADATE_…` is looked at.
        flags: by camelCase key path, the flag's name and its value; None values are not set.

    Raises:
        SettingsError: unreadable file, unknown key, wrong type or value out of range.

    """
    tree: Tree = {}
    origins: dict[KeyPath, str] = {}
    if path is not None:
        _overlay_file(tree, origins, path)
    for key_path, value, origin in _environment_values(environment):
        _overlay(tree, origins, key_path, value, origin)
    for key_path, (flag, value) in flags.items():
        if value is not None:
            _overlay(tree, origins, key_path, value, f"flag {flag}")
    return LoadedSettings(_convert(tree, origins), origins)


def setting_paths() -> tuple[KeyPath, ...]:
    """List the camelCase key path of every setting."""
    return tuple(
        (group.encode_name, leaf.encode_name)
        for group in msgspec.structs.fields(Settings)
        for leaf in msgspec.structs.fields(group.type)
    )


def environment_name(key_path: KeyPath) -> str:
    """Name the environment variable of a setting: `("server", "tlsCert")` → `GRADATE_SERVER_TLS_CERT`."""
    words = (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key) for key in key_path)
    return ENVIRONMENT_PREFIX + "_".join(words).upper()


def _overlay_file(tree: Tree, origins: dict[KeyPath, str], path: Path) -> None:
    try:
        document = yaml.load(path.read_bytes(), _Yaml)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the settings file: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "it is not text"
        raise SettingsError(f"{place}: not valid YAML: {problem}") from error
    if document is None:
        return
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: settings are a mapping of groups, not a {type(document).__name__}")
    groups = {group.encode_name: group.type for group in msgspec.structs.fields(Settings)}
    for name, group in document.items():
        _refuse_unknown(str(name), groups, str(path), "group")
        if group is None:
            continue
        if not isinstance(group, dict):
            raise SettingsError(f"{path}: `{name}` is a mapping of settings, not a {type(group).__name__}")
        leaves = {leaf.encode_name for leaf in msgspec.structs.fields(groups[name])}
        for key, value in group.items():
            _refuse_unknown(str(key), leaves, f"{path}: {name}", "setting")
            _overlay(tree, origins, (name, key), value, str(path))


def _environment_values(environment: Mapping[str, str]) -> Iterator[tuple[KeyPath, Any, str]]:
    known = {environment_name(key_path): key_path for key_path in setting_paths()}
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX) or name in _FOREIGN:
            continue
        if name in known:
            yield (
                known[name],
                _read_variable(name, environment[name], known[name]),
                f"environment variable {name}",
            )
        elif not _SERVICE_LINK.match(name):
            _refuse_unknown(name, known, "environment", "variable")


def _read_variable(name: str, text: str, key_path: KeyPath) -> Any:
    """Read text as it stands where text is asked for, so that `[::]:8443` is no list; all else as YAML."""
    kinds = _kinds(_type_of(key_path))
    takes_none = any(isinstance(kind, msgspec.inspect.NoneType) for kind in kinds)
    if any(isinstance(kind, msgspec.inspect.StrType | msgspec.inspect.LiteralType) for kind in kinds):
        return None if takes_none and not text else text
    try:
        return yaml.load(text, _Yaml)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "it is not text"
        raise SettingsError(f"environment variable {name}: not a valid value: {problem}") from error


def _refuse_unknown(name: str, known: Mapping[str, Any] | set[str], place: str, noun: str) -> None:
    if name in known:
        return
    nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    advice = f"did you mean `{nearest[0]}`?" if nearest else f"known: {', '.join(sorted(known))}"
    raise SettingsError(f"{place}: unknown {noun} `{name}`; {advice}")


def _overlay(tree: Tree, origins: dict[KeyPath, str], key_path: KeyPath, value: Any, origin: str) -> None:
    group, key = key_path
    tree.setdefault(group, {})[key] = value
    origins[key_path] = origin


def _convert(tree: Tree, origins: Mapping[KeyPath, str]) -> Settings:
    try:
        return msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        reason, _, at = str(error).partition(" - at `$.")
        dotted = at.rstrip("`")
        group, _, rest = dotted.partition(".")
        key_path = (group, re.split(r"[.\[]", rest)[0])
        origin = origins.get(key_path, "settings")
        raise SettingsError(f"{origin}: `{dotted}`: {_explain(reason, _type_of(key_path))}") from error


def _explain(reason: str, kind: Any) -> str:
    """Say what would be right where the decoder only says what is wrong."""
    if "matching regex" in reason:
        return f"write it like {' or '.join(_examples(kind))}"
    said = reason[0].lower() + reason[1:]
    values = [
        str(value)
        for one in _kinds(kind)
        if isinstance(one, msgspec.inspect.LiteralType)
        for value in one.values
    ]
    return f"{said}; known: {', '.join(values)}" if values else said


def _type_of(key_path: KeyPath) -> Any:
    group, key = key_path
    groups = {one.encode_name: one.type for one in msgspec.structs.fields(Settings)}
    return next(one.type for one in msgspec.structs.fields(groups[group]) if one.encode_name == key)


def _kinds(kind: Any) -> tuple[msgspec.inspect.Type, ...]:
    """List what a setting may hold."""
    waiting, found = [msgspec.inspect.type_info(kind)], []
    while waiting:
        one = waiting.pop()
        if isinstance(one, msgspec.inspect.UnionType):
            waiting.extend(one.types)
        elif isinstance(one, msgspec.inspect.Metadata):
            waiting.append(one.type)
        else:
            found.append(one)
    return tuple(found)


def _examples(kind: Any) -> list[str]:
    metas = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, msgspec.Meta)]
    own = [example for meta in metas for example in meta.examples or ()]
    return own or [example for part in get_args(kind) for example in _examples(part)]


class _Yaml(yaml.SafeLoader):
    """YAML in which no mapping may hold a key twice: silently, the first would be forgotten."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"the key `{key.value}` stands twice"
                    raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)
