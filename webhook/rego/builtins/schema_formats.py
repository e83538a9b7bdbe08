"""The formats of strings that JSON Schemas may ask for; one that is not known here is always met."""

import datetime as dt
import ipaddress
import re
import urllib.parse
import uuid
from collections.abc import Callable

from jsonschema import FormatChecker

from webhook.rego.builtins.regex import is_valid as is_pattern

_LABEL = re.compile(r"(?!-)[a-zA-Z0-9-]{1,63}(?<!-)", re.ASCII)
_TIME = re.compile(
    r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_POINTER = re.compile(r"(/([^~/]|~[01])*)*")
_RELATIVE_POINTER = re.compile(r"(0|[1-9]\d*)(#|(/([^~/]|~[01])*)*)", re.ASCII)
_TEMPLATE = re.compile(r"([^{}]|\{[^{}]*\})*")


def _is_date(text: str) -> bool:
    dt.date.fromisoformat(text)
    return len(text) == len("2006-01-02")


def _is_moment(text: str) -> bool:
    return text[10:11] in ("T", "t", " ") and _is_date(text[:10]) and _TIME.fullmatch(text[11:]) is not None


def _is_host(text: str) -> bool:
    return 0 < len(text) < 256 and all(_LABEL.fullmatch(label) for label in text.removesuffix(".").split("."))


def _is_email(text: str) -> bool:
    name, _, domain = text.rpartition("@")
    return bool(name) and bool(domain) and not re.search(r"\s", text)


def _is_reference(text: str) -> bool:
    urllib.parse.urlsplit(text)
    return "\\" not in text


def _is_uri(text: str) -> bool:
    return bool(urllib.parse.urlsplit(text).scheme) and _is_reference(text)


def _is_uuid(text: str) -> bool:
    return str(uuid.UUID(text)) == text.lower()


_CHECKS: dict[str, Callable[[str], object]] = {
    "date": _is_date,
    "time": _TIME.fullmatch,
    "date-time": _is_moment,
    "hostname": _is_host,
    "email": _is_email,
    "idn-email": _is_email,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uri": _is_uri,
    "iri": _is_uri,
    "uri-reference": _is_reference,
    "iri-reference": _is_reference,
    "uri-template": _TEMPLATE.fullmatch,
    "uuid": _is_uuid,
    "regex": is_pattern,
    "json-pointer": _POINTER.fullmatch,
    "relative-json-pointer": _RELATIVE_POINTER.fullmatch,
}


def _checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, check in _CHECKS.items():
        checker.checkers = {**checker.checkers, name: (_for_text(check), ValueError)}
    return checker


def _for_text(check: Callable[[str], object]) -> Callable[[object], bool]:
    """Apply a check to text only: a format says nothing of other values."""
    return lambda value: type(value) is not str or bool(check(value))


FORMATS = _checker()
"""Checker of every known format."""
