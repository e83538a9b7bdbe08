"""Findings: what the rules of a policy gave, read tolerantly, and which of them stood before an UPDATE.

A rule may give a string, `{msg, path, details}` or anything else; nothing that it gives can raise. Paths are
those that the policy wrote, inside the Pod or object that it judged. Texts are as the policy wrote them, too: what must
be hidden has to be found before anything is cut or cleaned (`message_text`).
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from webhook.admission.path import FieldPath, parse_path

Outputs: TypeAlias = Mapping[str, Sequence[object]]
"""JSON values by rule name, as `webhook.ports.evaluator.Evaluation.outputs`."""

VIOLATION_RULES = ("deny", "violation", "warn")
MESSAGE_CHARACTERS = 2048
"""A longer message is cut."""
MOST_FINDINGS = 10_000
"""Of one rule; what it gives beyond is not read, so that an object cannot be made to keep a server busy."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")
_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=repr)
_OWN_KEYS = frozenset({"msg", "message", "path", "details"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation as the policy put it."""

    rule: str
    message: str
    """As the policy wrote it; `message_text` is what people may see."""
    path: FieldPath = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def read_findings(outputs: Outputs) -> tuple[Finding, ...]:
    """Read the findings of `deny`, `violation` and `warn`, in this order, at most `MOST_FINDINGS` of each."""
    return tuple(
        _read_finding(rule, value)
        for rule in VIOLATION_RULES
        for value in _listed(outputs.get(rule, ()))[:MOST_FINDINGS]
        if value is not None and value is not False
    )


def message_text(finding: Finding, hide: Callable[[str, int], str]) -> str:
    """Give the message for people; `hide` redacts a text and gives about as many of its first characters as asked."""
    return _clean(hide(finding.message, MESSAGE_CHARACTERS)) or f"rule {finding.rule} holds"


def are_complete(outputs: Outputs) -> bool:
    """Tell whether all that the rules gave is read."""
    return all(len(_listed(outputs.get(rule, ()))) < MOST_FINDINGS for rule in VIOLATION_RULES)


def mark_standing(
    findings: Sequence[Finding], judged: object, old_findings: Sequence[Finding], old_judged: object
) -> tuple[bool, ...]:
    """Tell of each finding whether the old object had it already.

    Findings are the same when rule, message, details and place are. A place is compared by the names of list
    elements where they have names (`containers[name=web].env[name=TOKEN]`), since an index shifts when an
    element before it is added or removed; an element without a name is any element of its list. Each old
    finding excuses one new finding, so a second container with the same fault is a new one.
    """
    excused = Counter(_identity(finding, old_judged) for finding in old_findings)
    marks = []
    for finding in findings:
        identity = _identity(finding, judged)
        marks.append(excused[identity] > 0)
        excused[identity] -= 1
    return tuple(marks)


def _listed(values: object) -> Sequence[object]:
    return values if isinstance(values, list | tuple) else (values,)


def _read_finding(rule: str, value: object) -> Finding:
    if isinstance(value, dict):
        return _read_object(rule, value)
    if value is True:
        return Finding(rule, f"rule {rule} holds")
    return Finding(rule, value if isinstance(value, str) else _render(value))


def _read_object(rule: str, value: dict[Any, Any]) -> Finding:
    message = value.get("msg", value.get("message"))
    if message is None:
        return Finding(rule, _render(value))
    details = value.get("details")
    others = {str(key): item for key, item in value.items() if key not in _OWN_KEYS}
    if isinstance(details, dict):
        others = {**{str(key): item for key, item in details.items()}, **others}
    elif details is not None:
        others["details"] = details
    text = message if isinstance(message, str) else _render(message)
    return Finding(rule, text, parse_path(value.get("path")) or (), others)


def _clean(text: str) -> str:
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= MESSAGE_CHARACTERS else text[: MESSAGE_CHARACTERS - 1] + "…"


def _render(value: object) -> str:
    try:
        return _ENCODER.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return "a value that is not JSON"


def _identity(finding: Finding, judged: object) -> tuple[object, ...]:
    return finding.rule, finding.message, _render(finding.details), _name_place(finding.path, judged)


def _name_place(path: FieldPath, judged: object) -> tuple[str, ...]:
    place: list[str] = []
    node = judged
    for segment in path:
        if isinstance(segment, int):
            node = node[segment] if type(node) is list and -len(node) <= segment < len(node) else None
            name = node.get("name") if type(node) is dict else None
            place.append(f"[name={name}]" if isinstance(name, str) else "[*]")
        else:
            node = node.get(segment) if type(node) is dict else None
            place.append(segment)
    return tuple(place)
