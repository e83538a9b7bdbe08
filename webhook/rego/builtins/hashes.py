"""Digests and message authentication codes: `crypto.md5`, `crypto.sha*` and `crypto.hmac.*`."""

import hashlib
import hmac
from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import wrong_strings
from webhook.rego.builtins.signatures import BOOLEAN, STRING


def _digest(algorithm: str) -> Builtin:
    def digest(text: Any) -> str:
        if type(text) is not str:
            wrong_strings(text)
        return hashlib.new(algorithm, text.encode(errors="replace"), usedforsecurity=False).hexdigest()

    return declare(f"crypto.{algorithm}", {"x": STRING}, {"y": STRING}, digest)


def _code(algorithm: str) -> Builtin:
    def code(text: Any, key: Any) -> str:
        if type(text) is not str or type(key) is not str:
            wrong_strings(text, key)
        return hmac.new(key.encode(errors="replace"), text.encode(errors="replace"), algorithm).hexdigest()

    return declare(f"crypto.hmac.{algorithm}", {"x": STRING, "key": STRING}, {"y": STRING}, code)


def is_equal(first: Any, second: Any) -> bool:
    """Compare two codes in a time that does not tell where they differ."""
    if type(first) is not str or type(second) is not str:
        wrong_strings(first, second)
    return hmac.compare_digest(first.encode(errors="replace"), second.encode(errors="replace"))


BUILTINS: tuple[Builtin, ...] = (
    *map(_digest, ("md5", "sha1", "sha256")),
    *map(_code, ("md5", "sha1", "sha256", "sha512")),
    declare("crypto.hmac.equal", {"mac1": STRING, "mac2": STRING}, {"result": BOOLEAN}, is_equal),
)
