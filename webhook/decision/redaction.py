"""Redaction: literal environment values and Secret data never leave in a text.

Policies are asked not to print values; this holds when one does. It is a net, not a proof: a policy that prints
half of a value, or encodes it, gets past. Must not know policies or decisions.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from webhook.admission.path import FieldPath, render_path, render_pointer

PLACEHOLDER: Final = "[redacted]"

SHORTEST: Final = 4
"""Shorter values are no secrets, and occur everywhere by chance."""

_SHORTEST_ANYWHERE: Final = 8
"""Values of this length are replaced wherever they stand; shorter ones only where they stand alone, so that the
value `pass` leaves the word `password` whole."""

MOST_HIDDEN: Final = 4_000
"""With more forms to look for, texts are withheld as a whole: the search must not keep a server busy."""

_MOST_SEARCHED: Final = 16_000_000
"""Characters that one shortened text may cost: as many texts are withheld as a whole as with too many forms."""

_SECRETIVE_NAME: Final = re.compile(
    r"pass|pwd|secret|token|key|cred|auth|private|cert|salt|sign|dsn|conn", re.IGNORECASE
)

_ESCAPED: Final = re.compile(r"""[\x00-\x1f\x7f"\\<>&]""")
"""ASCII characters that some JSON encoder writes differently."""

_NEVER_SECRET: Final = frozenset({"true", "false", "null", "none"})

# fmt: off
_EVERYDAY_WORDS: Final = frozenset(
    {
        "auto", "info", "debug", "trace", "warn", "warning", "error", "fatal", "text", "json", "http", "https", "always", "never", "enabled", "disabled",
        "default", "local", "localhost", "test", "testing", "staging", "production", "development",
    }
)
# fmt: on
"""Values that say nothing, unless the variable's name says that they do: hiding them would ruin many messages."""

_IDENTIFIERS: Final = frozenset({"name", "generateName", "namespace", "serviceAccountName", "containerName"})


class Redactor:
    """Replaces the literal values of an object wherever they occur in a text."""

    __slots__ = ("_hidden", "_known", "_longest", "_withholds")

    def __init__(self, values: Iterable[str]) -> None:
        """Take the values to hide; those shorter than `SHORTEST` are passed over."""
        forms = {form for value in values for form in _forms(value)}
        self._hidden = sorted(
            (
                form
                for form in forms
                if len(form) >= SHORTEST and form not in PLACEHOLDER and form.lower() not in _NEVER_SECRET
            ),
            key=len,
            reverse=True,
        )
        self._longest = len(self._hidden[0]) if self._hidden else 0
        self._withholds = len(self._hidden) > MOST_HIDDEN
        # Paths and keys repeat themselves.
        self._known: dict[str, str] = {}

    @classmethod
    def of(cls, *objects: object) -> "Redactor":
        """Hide the environment values and Secret data found anywhere in `objects`."""
        return cls(_collect(objects))

    def text(self, text: str) -> str:
        """Redact one text."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._redact(text, len(text))
        return known

    def beginning(self, text: str, characters: int) -> str:
        """Redact the first characters of a text; of a value that begins among them nothing is left, however long."""
        if len(text) <= characters:
            return self.text(text)
        if len(self._hidden) * (characters + self._longest) > _MOST_SEARCHED:
            return PLACEHOLDER
        return self._redact(text[: characters + self._longest], characters)

    def place(self, path: FieldPath) -> FieldPath:
        """Redact a path; where a value was taken for several segments, nothing of it is left."""
        hidden = tuple(self.text(segment) if isinstance(segment, str) else segment for segment in path)
        if any(self.text(whole) != whole for whole in (render_path(hidden), render_pointer(hidden))):
            return (PLACEHOLDER,)
        return hidden

    def _redact(self, text: str, characters: int) -> str:
        if self._withholds:
            return PLACEHOLDER if text else text
        found = [value for value in self._hidden if value in text]
        if not found:
            return text[:characters]
        parts: list[str] = []
        position = 0
        # Longest first, in one pass: a value inside another one must not leave the rest of it behind.
        for match in re.finditer("|".join(map(_pattern, found)), text):
            if match.start() >= characters:
                break
            parts += (text[position : match.start()], PLACEHOLDER)
            position = match.end()
        return "".join((*parts, text[position:characters]))

    def value(self, value: Any) -> Any:
        """Redact every string and number of a JSON value, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if type(value) is int or type(value) is float:
            # A policy may have made a number of a value.
            written = str(value)
            return value if self.text(written) == written else PLACEHOLDER
        if isinstance(value, dict):
            return {
                self.text(key) if isinstance(key, str) else key: self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


def _pattern(value: str) -> str:
    escaped = re.escape(value)
    return escaped if len(value) >= _SHORTEST_ANYWHERE else rf"(?<!\w){escaped}(?!\w)"


def _forms(value: str) -> Iterator[str]:
    """Give the forms in which a policy may print a value: as it is, trimmed, as a JSON string, line by line."""
    yield value
    yield value.strip()
    if value.isascii() and not _ESCAPED.search(value):
        return
    for ensure_ascii in (False, True):
        escaped = json.dumps(value, ensure_ascii=ensure_ascii)[1:-1]
        yield escaped
        # OPA's own JSON escapes these too.
        yield escaped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST_ANYWHERE)


def _collect(objects: Iterable[object]) -> Iterator[str]:
    """Give what must be hidden: values of secretive names always, others unless they are public anyway."""
    public = set(_EVERYDAY_WORDS)
    entries: list[tuple[str, str]] = []
    waiting: list[object] = list(objects)
    for root in waiting:
        if type(root) is dict and root.get("kind") == "Secret":
            yield from _read_secret(root)
    while waiting:
        node = waiting.pop()
        if type(node) is dict:
            for key, child in node.items():
                if type(child) is dict or type(child) is list:
                    waiting.append(child)
                    if key == "env" and type(child) is list:
                        entries += _read_env(child)
                elif key in _IDENTIFIERS and type(child) is str:
                    public.add(child)
        elif type(node) is list:
            waiting += node
    for name, value in entries:
        if value not in public or _SECRETIVE_NAME.search(name):
            yield value


def _read_env(env: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for entry in env:
        value = entry.get("value") if type(entry) is dict else None
        if value is not None and type(value) is not bool:
            yield str(entry.get("name")), str(value)


def _read_secret(secret: dict[str, Any]) -> Iterator[str]:
    for field in ("stringData", "data"):
        entries = secret.get(field)
        for value in entries.values() if type(entries) is dict else ():
            if type(value) is str:
                yield value
                if field == "data":
                    yield _decode(value)


def _decode(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
