"""Text in other clothes: `base64.*`, `base64url.*`, `hex.*` and `urlquery.*`."""

import base64
import re
import urllib.parse
from typing import Any

from webhook.rego.builtins.declaration import Builtin, declare
from webhook.rego.builtins.failures import BuiltinError, OperandError, limit_size, wrong_strings, wrong_type
from webhook.rego.builtins.signatures import BOOLEAN, STRING, STRINGS, ObjectOf, OneOf, SetOf
from webhook.rego.texts import to_json
from webhook.rego.values import RegoObject

_STANDARD = re.compile(rb"[A-Za-z0-9+/]*")
_URL_SAFE = re.compile(rb"[A-Za-z0-9_-]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)
_STRAY_OCTET = re.compile("[\udc80-\udcff]")
_GROUP = 4
"""Characters of base64 that make up three octets."""


def base64_encode(text: Any) -> str:
    """Write text in base64."""
    return base64.b64encode(_octets(text)).decode()


def base64_decode(text: Any) -> str:
    """Read base64."""
    if type(text) is not str:
        wrong_strings(text)
    return _text(decode_base64(text))


def base64_is_valid(text: Any) -> bool:
    """Say whether a value is base64."""
    if type(text) is not str:
        return False
    try:
        decode_base64(text)
    except BuiltinError:
        return False
    return True


def base64url_encode(text: Any) -> str:
    """Write text in URL-safe base64."""
    return base64.urlsafe_b64encode(_octets(text)).decode()


def base64url_encode_no_pad(text: Any) -> str:
    """Write text in URL-safe base64 without padding."""
    return base64url_encode(text).rstrip("=")


def base64url_decode(text: Any) -> str:
    """Read URL-safe base64, padded or not."""
    if type(text) is not str:
        wrong_strings(text)
    return _text(decode_base64url(text))


def _text(octets: bytes) -> str:
    """Read UTF-8; each octet that is none becomes a replacement character of its own, as in Go's JSON."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return _STRAY_OCTET.sub("\ufffd", octets.decode(errors="surrogateescape"))


def decode_base64(text: str) -> bytes:
    """Read padded base64; line ends do not count.

    Raises:
        BuiltinError: the text is not base64.

    """
    return _decode(text, _STANDARD, b"+/")


def decode_base64url(text: str) -> bytes:
    """Read URL-safe base64, padded or not; line ends do not count.

    Raises:
        BuiltinError: the text is not URL-safe base64.

    """
    if not text.endswith("="):
        missing = -len(text) % _GROUP
        if missing == _GROUP - 1:
            raise BuiltinError(f"illegal base64url string: {text}")
        text += "=" * missing
    return _decode(text, _URL_SAFE, b"-_")


def _decode(text: str, alphabet: re.Pattern[bytes], others: bytes) -> bytes:
    """Read base64 strictly and name the first octet that is wrong, as Go does."""
    source = text.encode(errors="replace")
    compact = source.replace(b"\r", b"").replace(b"\n", b"")
    found = alphabet.match(compact)
    length = found.end() if found else 0
    padding = -length % _GROUP
    if padding < _GROUP - 1 and compact[length:] == b"=" * padding:
        return base64.b64decode(compact, altchars=others)
    wrong = length
    if compact[length:] in (b"", b"=") and (compact[length:] or length % _GROUP):
        wrong = length if compact[length:] else length - length % _GROUP
        wrong += len(compact[length:]) if padding == 2 and compact[length:] else 0
    elif padding and padding < _GROUP - 1 and compact[length : length + padding] == b"=" * padding:
        wrong = length + padding
    raise BuiltinError(f"illegal base64 data at input byte {_original_position(source, wrong)}")


def _original_position(source: bytes, position: int) -> int:
    """Give where the octet at a position came from, before line ends were dropped."""
    for index, octet in enumerate(source):
        if octet not in b"\r\n":
            if position == 0:
                return index
            position -= 1
    return len(source) + position


def hex_encode(text: Any) -> str:
    """Write text's octets in hexadecimal."""
    return _octets(text).hex()


def hex_decode(text: Any) -> str:
    """Read hexadecimal."""
    if type(text) is not str:
        wrong_strings(text)
    for character in text:
        if character not in "0123456789abcdefABCDEF":
            raise BuiltinError(f"encoding/hex: invalid byte: U+{ord(character):04X} '{character}'")
    if len(text) % 2:
        raise BuiltinError("encoding/hex: odd length hex string")
    return _text(bytes.fromhex(text))


def urlquery_encode(text: Any) -> str:
    """Write text so that it can stand in the query of a URL."""
    if type(text) is not str:
        wrong_strings(text)
    return urllib.parse.quote_plus(text, safe="", errors="replace")


def urlquery_decode(text: Any) -> str:
    """Read text from the query of a URL."""
    if type(text) is not str:
        wrong_strings(text)
    wrong = _BAD_ESCAPE.search(text)
    if wrong:
        raise BuiltinError(f'invalid URL escape "{wrong.group()}"')
    return _text(urllib.parse.unquote_to_bytes(text.replace("+", " ")))


def urlquery_encode_object(source: Any) -> str:
    """Write an object of strings, or arrays or sets of strings, as the query of a URL, keys sorted."""
    if type(source) is not dict:
        raise wrong_type(1, source, "object")
    limit_size(source)
    pairs: list[tuple[str, str]] = []
    for key, value in sorted(to_json(source).items()):
        for text in [value] if type(value) is str else value if type(value) is list else [None]:
            if type(text) is not str:
                raise OperandError("operand 1 values must be string, array[string], or set[string]")
            pairs.append((key, text))
    return "&".join(f"{urlquery_encode(key)}={urlquery_encode(value)}" for key, value in pairs)


def urlquery_decode_object(text: Any) -> RegoObject:
    """Read the query of a URL as an object of arrays."""
    if type(text) is not str:
        wrong_strings(text)
    result: RegoObject = {}
    for part in filter(None, text.split("&")):
        if ";" in part:
            raise BuiltinError("invalid semicolon separator in query")
        key, _, value = part.partition("=")
        result.setdefault(urlquery_decode(key), []).append(urlquery_decode(value))
    return result


def _octets(text: Any) -> bytes:
    if type(text) is not str:
        wrong_strings(text)
    encoded: bytes = text.encode(errors="replace")
    return encoded


_TEXT = {"x": STRING}
_OUTPUT = {"y": STRING}
_RESULT = {"result": BOOLEAN}
_VALUES = OneOf((STRING, STRINGS, SetOf(STRING)))

BUILTINS: tuple[Builtin, ...] = (
    declare("base64.encode", _TEXT, _OUTPUT, base64_encode),
    declare("base64.decode", _TEXT, _OUTPUT, base64_decode),
    declare("base64.is_valid", _TEXT, _RESULT, base64_is_valid),
    declare("base64url.encode", _TEXT, _OUTPUT, base64url_encode),
    declare("base64url.encode_no_pad", _TEXT, _OUTPUT, base64url_encode_no_pad),
    declare("base64url.decode", _TEXT, _OUTPUT, base64url_decode),
    declare("hex.encode", _TEXT, _OUTPUT, hex_encode),
    declare("hex.decode", _TEXT, _OUTPUT, hex_decode),
    declare("urlquery.encode", _TEXT, _OUTPUT, urlquery_encode),
    declare("urlquery.decode", _TEXT, _OUTPUT, urlquery_decode),
    declare("urlquery.encode_object", {"object": ObjectOf(STRING, _VALUES)}, _OUTPUT, urlquery_encode_object),
    declare("urlquery.decode_object", _TEXT, {"object": ObjectOf(STRING, STRINGS)}, urlquery_decode_object),
)
