"""Rego source to syntax tree.

Owns the entry points and the choice between v0 and v1. Must not know the grammar, which is in `parse/`, nor what
a tree means.
"""

from typing import Literal, TypeAlias

from webhook.rego.ast import Body, Module, Ref, Source, Var
from webhook.rego.errors import PARSE_ERROR, CompileError, Diagnostic, Location
from webhook.rego.lexer import Tokens, tokenize
from webhook.rego.parse.modules import ModuleParser

VersionChoice: TypeAlias = Literal["auto", "v0", "v1"]
"""`auto` reads a file as v1 and, if that fails, as v0."""


def parse_module(source: Source, *, version: VersionChoice = "auto") -> Module:
    """Parse one file.

    With `auto`, a file that neither language accepts is reported in the language it seems to be written in.

    Raises:
        CompileError: with every syntax error found; its diagnostics have the code `rego_parse_error`.

    """
    tokens = tokenize(source)
    if version != "auto":
        return ModuleParser(source, tokens, version=version, fail_fast=False).module()
    try:
        return ModuleParser(source, tokens, version="v1", fail_fast=True).module()
    except CompileError:
        if _seems_v1(tokens):
            return _parse_v1_unless_v0_works(source, tokens)
    return ModuleParser(source, tokens, version="v0", fail_fast=False).module()


def _parse_v1_unless_v0_works(source: Source, tokens: Tokens) -> Module:
    """Read a file that failed as v1 as v0; if that fails too, report what is wrong with it as v1."""
    try:
        return ModuleParser(source, tokens, version="v0", fail_fast=True).module()
    except CompileError:
        return ModuleParser(source, tokens, version="v1", fail_fast=False).module()


def parse_query(text: str, *, path: str = "<query>") -> Body:
    """Parse a query, which is a body without braces, such as `data.x.deny; count(input.xs) > 1`.

    Raises:
        CompileError: with the first syntax error.

    """
    source = Source(path, text)
    return ModuleParser(source, tokenize(source), version="v1", fail_fast=True).lone_query()


def parse_ref(text: str, *, path: str = "<ref>") -> Ref:
    """Parse a reference on its own, such as `data.x.deny` or `input.request["kind"]`.

    Raises:
        CompileError: the text is no reference.

    """
    body = parse_query(text, path=path)
    terms = body[0].terms if len(body) == 1 and not body[0].negated and not body[0].replacements else None
    if isinstance(terms, Var):
        return Ref(terms, location=terms.location)
    if not isinstance(terms, Ref):
        message = f"expected a reference, got: {text}"
        raise CompileError((Diagnostic(PARSE_ERROR, message, Location(path, 1, 1), text),))
    return terms


def _seems_v1(tokens: Tokens) -> bool:
    """Whether keywords of v1 are used as such: `if` and `every` anywhere, `contains` other than as a function."""
    following = iter(tokens.tokens)
    next(following)
    for token, successor in zip(tokens.tokens, following, strict=False):
        if token.kind in {"if", "every"} or (token.kind == "contains" and successor.kind != "("):
            return True
    return False
