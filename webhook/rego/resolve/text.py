"""Writes resolved terms as Rego again, as OPA shows them in its messages.

Must not know any check; precision beyond what a message needs is not its aim.
"""

from __future__ import annotations

from webhook.rego.ast import (
    Array,
    ArrayComprehension,
    Boolean,
    Call,
    Null,
    Number,
    Object,
    ObjectComprehension,
    Ref,
    Set,
    SetComprehension,
    String,
    TemplateString,
    Term,
    Var,
)
from webhook.rego.resolve.shapes import is_name, source_name
from webhook.rego.texts import quote

_KIND_NAMES = {
    Null: "null",
    Boolean: "boolean",
    Number: "number",
    String: "string",
    Var: "var",
    Ref: "ref",
    Call: "call",
    Array: "array",
    Object: "object",
    Set: "set",
    ArrayComprehension: "arraycomprehension",
    SetComprehension: "setcomprehension",
    ObjectComprehension: "objectcomprehension",
    TemplateString: "templatestring",
}


def kind_name(term: Term) -> str:
    """Name the kind of a term as OPA does: `ref`, `arraycomprehension`."""
    return _KIND_NAMES[type(term)]


def term_text(term: Term) -> str:
    """Write a term; bodies of comprehensions are left out."""
    if isinstance(term, Var):
        return source_name(term.name)
    if isinstance(term, Ref):
        return term_text(term.head) + "".join(map(segment_text, term.path))
    if isinstance(term, Call):
        return f"{term_text(term.operator)}({', '.join(map(term_text, term.args))})"
    if isinstance(term, String):
        return quote(term.value)
    if isinstance(term, Number):
        return term.text
    if isinstance(term, Boolean):
        return "true" if term.value else "false"
    if isinstance(term, Null):
        return "null"
    return _composite_text(term)


def _composite_text(term: Term) -> str:
    if isinstance(term, Array):
        return f"[{', '.join(map(term_text, term.items))}]"
    if isinstance(term, Set):
        return f"{{{', '.join(map(term_text, term.items))}}}" if term.items else "set()"
    if isinstance(term, Object):
        return f"{{{', '.join(f'{term_text(key)}: {term_text(value)}' for key, value in term.items)}}}"
    if isinstance(term, ArrayComprehension):
        return f"[{term_text(term.term)} | …]"
    if isinstance(term, SetComprehension):
        return f"{{{term_text(term.term)} | …}}"
    if isinstance(term, ObjectComprehension):
        return f"{{{term_text(term.key)}: {term_text(term.value)} | …}}"
    return '$"…"'


def segment_text(term: Term) -> str:
    """Write a segment of a reference: `.name` or `["any text"]`."""
    if isinstance(term, String) and is_name(term.value):
        return f".{term.value}"
    return f"[{term_text(term)}]"
