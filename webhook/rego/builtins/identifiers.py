"""UUIDs: `uuid.*`."""

import re
import uuid
from typing import Any

from webhook.rego.builtins.context import EvaluationContext
from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import wrong_strings
from webhook.rego.builtins.signatures import RECORD, STRING
from webhook.rego.values import UNDEFINED, RegoObject, Value

_HEX = "[0-9a-fA-F]"
_DASHED = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_FORMS = re.compile(f"(?:[uU][rR][nN]:[uU][uU][iI][dD]:)?({_DASHED})|.({_DASHED}).|({_HEX}{{32}})", re.DOTALL)
_GREGORIAN_TICKS = 0x01B21DD213814000
"""Ticks of 100 ns between the Gregorian reform, where UUID times begin, and 1970."""
_VARIANTS = {
    uuid.RFC_4122: "RFC4122",
    uuid.RESERVED_NCS: "Reserved",
    uuid.RESERVED_MICROSOFT: "Microsoft",
    uuid.RESERVED_FUTURE: "Future",
}
_DOMAINS = {0: "Person", 1: "Group", 2: "Org"}


def generate(context: EvaluationContext, key: Any) -> str:
    """Draw a version 4 UUID, the same for the same key throughout an evaluation."""
    if type(key) is not str:
        wrong_strings(key)
    return context.random_uuid(key)


def parse(text: Any) -> Value:
    """Read a UUID in one of its usual forms, else give UNDEFINED; versions 1 and 2 tell when and where they were made."""
    if type(text) is not str:
        wrong_strings(text)
    found = _FORMS.fullmatch(text)
    if found is None:
        return UNDEFINED
    identifier = uuid.UUID(next(filter(None, found.groups())))
    version = identifier.int >> 76 & 0xF
    fields: RegoObject = {"version": version, "variant": _VARIANTS[identifier.variant]}
    if version in (1, 2):
        fields |= {
            "time": (identifier.time - _GREGORIAN_TICKS) * 100,
            "macvariables": _address_kind(identifier.bytes[10]),
            "nodeid": identifier.bytes[10:].hex("-"),
            "clocksequence": identifier.clock_seq,
        }
    if version == 2:
        domain = identifier.clock_seq_low
        fields |= {"id": identifier.time_low, "domain": _DOMAINS.get(domain, f"Domain{domain}")}
    return fields


def _address_kind(first_octet: int) -> str:
    scope = "local" if first_octet & 2 else "global"
    return f"{scope}:{'multicast' if first_octet & 1 else 'unicast'}"


BUILTINS: tuple[Builtin, ...] = (
    declare(
        "uuid.rfc4122", {"k": STRING}, {"output": STRING}, generate, needs_context=True, deterministic=False
    ),
    declare("uuid.parse", {"uuid": STRING}, {"result": RECORD}, parse),
)
