"""PEM, the text form of keys and certificates (RFC 7468), read as Go reads it: text around blocks is skipped."""

import base64
import binascii
import re
from dataclasses import dataclass

_BLOCK = re.compile(
    r"(?:^|(?<=\n))-----BEGIN ([^\n\r]*?)-----[ \t]*\r?\n"
    r"(?:(?:[^\n:-]+:[^\n]*\n)+\r?\n)?"
    r"([A-Za-z0-9+/=\s]*?)"
    r"-----END \1-----[ \t]*(?:\r?\n|$)"
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: what it says it is, and its content."""

    label: str
    octets: bytes


def decode_pem(text: str) -> tuple[Block | None, str]:
    """Give the first block in a text, None when there is none, and the text behind it."""
    for found in _BLOCK.finditer(text):
        try:
            octets = base64.b64decode("".join(found[2].split()), validate=True)
        except binascii.Error:
            continue
        return Block(found[1], octets), text[found.end() :]
    return None, text


def decode_all(text: str) -> list[Block]:
    """Give every block in a text."""
    blocks = []
    block, rest = decode_pem(text)
    while block is not None:
        blocks.append(block)
        block, rest = decode_pem(rest)
    return blocks
