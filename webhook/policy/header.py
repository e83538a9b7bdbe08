"""From the METADATA header of a module to PolicyMetadata: typed, with mistakes named by file, line and field.

Owns the keys under `custom` and their checks. Must not know how a header is found in a file.
"""

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from webhook.admission.review import Operation
from webhook.policy.errors import MetadataError, Place
from webhook.policy.likeness import nearest
from webhook.policy.metadata import (
    EnforcementAction,
    Engine,
    FailureAction,
    Match,
    PolicyMetadata,
    RelatedResource,
    Severity,
)
from webhook.policy.module import Header, PolicyModule
from webhook.policy.selector import KindSelector, NamespaceSelector

NAME_CHARACTERS = 63

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
_VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)
_KIND = re.compile(r"((?P<group>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)/)?(?P<kind>[A-Z][A-Za-z0-9]*|\*)")
_TYPO_LIKENESS = 0.75
"""How alike a free key must be to a known one to count as a slip of the pen; `owner` and `team` stay free."""

_Choice = TypeVar("_Choice", bound=enum.StrEnum)


class _Namespaces(msgspec.Struct, forbid_unknown_fields=True):
    include: tuple[str, ...] | str = ()
    exclude: tuple[str, ...] | str = ()


class _MatchKeys(msgspec.Struct, forbid_unknown_fields=True):
    kinds: tuple[str, ...] | str = ("Pod",)
    operations: tuple[str, ...] | str = ("CREATE", "UPDATE")
    namespaces: _Namespaces = msgspec.field(default_factory=_Namespaces)


class _CustomKeys(msgspec.Struct):
    """What `custom` may hold; other keys are the author's own."""

    name: str | None = None
    version: str = "0.0.0"
    severity: str = Severity.MEDIUM
    action: str = EnforcementAction.DENY
    match: _MatchKeys = msgspec.field(default_factory=_MatchKeys)
    parameters: dict[str, Any] = {}
    remediation: str = ""
    failure_action: str | None = None
    engine: str = Engine.GRADATE


def read_metadata(module: PolicyModule) -> PolicyMetadata:
    """Read the metadata of a policy; a module without a header gets the defaults.

    Raises:
        MetadataError: an unknown key, or a bad value.

    """
    header = module.header or Header(line=0)
    return _Reader(module, header).read()


def name_of_package(package: Sequence[str]) -> str:
    """Give the policy name that a package implies: `k8s.admission` is `k8s-admission`.

    A leading `gradate` says only whose convention it is, and is left out.
    """
    segments = package[1:] if len(package) > 1 and package[0] == "gradate" else package
    return _NOT_IN_NAME.sub("-", "-".join(segments).lower()).strip("-")


@dataclass(frozen=True, slots=True)
class _Reader:
    module: PolicyModule
    header: Header

    def read(self) -> PolicyMetadata:
        keys = self._convert()
        return PolicyMetadata(
            name=self._name(keys.name),
            title=self.header.title,
            description=self.header.description,
            version=self._version(keys.version),
            severity=self._choose(Severity, keys.severity, "custom.severity"),
            action=self._choose(EnforcementAction, keys.action, "custom.action"),
            match=self._match(keys.match),
            parameters=self._parameters(keys.parameters),
            remediation=keys.remediation.strip(),
            related_resources=tuple(
                RelatedResource(ref, text) for ref, text in self.header.related_resources
            ),
            failure_action=(
                None
                if keys.failure_action is None
                else self._choose(FailureAction, keys.failure_action, "custom.failure_action")
            ),
            engine=self._choose(Engine, keys.engine, "custom.engine"),
        )

    def _convert(self) -> _CustomKeys:
        custom = self.header.custom
        self._refuse_unknown(custom, _CustomKeys, "custom", _TYPO_LIKENESS)
        match = custom.get("match")
        if isinstance(match, Mapping):
            self._refuse_unknown(match, _MatchKeys, "custom.match")
            namespaces = match.get("namespaces")
            if isinstance(namespaces, Mapping):
                self._refuse_unknown(namespaces, _Namespaces, "custom.match.namespaces")
        try:
            return msgspec.convert(custom, _CustomKeys)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at ")
            field = "custom" + place.strip("`").removeprefix("$")
            hint = ' (quote it: "1.0.0")' if field == "custom.version" else ""
            raise self._mistake(field, reason[:1].lower() + reason[1:].replace("`", "") + hint) from error

    def _refuse_unknown(
        self, found: Mapping[str, Any], known: type[msgspec.Struct], field: str, likeness: float | None = None
    ) -> None:
        """Refuse keys that are not known; with a `likeness`, only those that look like a known one."""
        names = known.__struct_fields__
        for key in found:
            if key in names:
                continue
            meant = nearest(str(key), names, likeness or 0.0)
            if likeness is None or meant is not None:
                raise self._mistake(f"{field}.{key}", f"unknown key; did you mean {meant!r}?")

    def _name(self, name: str | None) -> str:
        if name is None:
            name = name_of_package(self.module.package)
        if not _NAME.fullmatch(name) or len(name) > NAME_CHARACTERS:
            raise self._mistake(
                "custom.name",
                f"{name!r} is no policy name: lower-case letters, digits, '-' and '.', "
                f"at most {NAME_CHARACTERS} characters",
            )
        return name

    def _version(self, version: str) -> str:
        if not _VERSION.fullmatch(version):
            raise self._mistake("custom.version", f"{version!r} is no semantic version such as 1.0.0")
        return version

    def _choose(self, choices: type[_Choice], value: str, field: str) -> _Choice:
        try:
            return choices(value)
        except ValueError:
            meant = nearest(value, choices)
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise self._mistake(field, f"{value!r} is not one of {', '.join(choices)}{hint}") from None

    def _match(self, keys: _MatchKeys) -> Match:
        kinds = tuple(self._kind(kind) for kind in _listed(keys.kinds))
        operations = frozenset(
            operation for text in _listed(keys.operations) for operation in self._operations(text)
        )
        if not kinds:
            raise self._mistake("custom.match.kinds", "must not be empty")
        if not operations:
            raise self._mistake("custom.match.operations", "must not be empty")
        namespaces = NamespaceSelector(_listed(keys.namespaces.include), _listed(keys.namespaces.exclude))
        if "" in (*namespaces.include, *namespaces.exclude):
            raise self._mistake("custom.match.namespaces", "a namespace pattern must not be empty")
        return Match(kinds, operations, namespaces)

    def _kind(self, text: str) -> KindSelector:
        found = _KIND.fullmatch(text)
        if found is None:
            raise self._mistake(
                "custom.match.kinds", f"{text!r} is no kind; write Kind, group/Kind, core/Kind, group/* or *"
            )
        group = found["group"]
        return KindSelector("" if group == "core" else group, found["kind"])

    def _operations(self, text: str) -> tuple[Operation, ...]:
        judged = (Operation.CREATE, Operation.UPDATE)
        if text == "*":
            return judged
        if text in judged:
            return (Operation(text),)
        if text in set(Operation):
            raise self._mistake("custom.match.operations", f"{text} is never judged; CREATE and UPDATE are")
        raise self._mistake("custom.match.operations", f"{text!r} is not one of CREATE, UPDATE, *")

    def _parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            plain = msgspec.json.decode(msgspec.json.encode(parameters))
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise self._mistake("custom.parameters", f"not JSON: {error}") from error
        if plain != parameters:
            raise self._mistake("custom.parameters", "not JSON: quote dates, binary values and keys")
        return parameters

    def _mistake(self, field: str, reason: str) -> MetadataError:
        line = find_line(self.module.source.text, self.header.line, re.split(r"[.\[]", field)[1:])
        return MetadataError(Place(self.module.source.path, line), field, reason)


def find_line(text: str, header_line: int, keys: Iterable[str]) -> int:
    """Find the line of a key in a header that begins at `header_line`, else of its closest parent."""
    lines = text.splitlines()
    line = header_line
    for key in keys:
        pattern = re.compile(rf"""[#\s{{,]["']?{re.escape(key)}["']?\s*:""")
        for number in range(max(line, 1), len(lines) + 1):
            if not lines[number - 1].startswith("#"):
                break
            if pattern.search(lines[number - 1]):
                line = number
                break
    return line


def _listed(value: tuple[str, ...] | str) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
