"""Modules: package, imports, rules, and going on behind errors.

Owns the order of statements, which keywords are known, and how many errors one file reports.
"""

from typing import Final

import msgspec

from webhook.rego.annotations import annotate
from webhook.rego.ast import (
    Body,
    Import,
    LanguageVersion,
    Module,
    Node,
    Package,
    Ref,
    Rule,
    Source,
    String,
    Var,
    children,
)
from webhook.rego.errors import CompileError, Diagnostic, Location
from webhook.rego.lexer import ALL_KEYWORDS, EOF, FUTURE_KEYWORDS, IDENTIFIER, KEYWORDS, Token, Tokens
from webhook.rego.parse.cursor import ParseError
from webhook.rego.parse.rules import Phase, RuleParser

MAX_DIAGNOSTICS: Final = 100
"""More errors than a reader would look at; the parser stops there."""
MAX_TREE_DEPTH: Final = 200
"""Deepest tree of one rule, long chains of operators included; every later pass recurses over it."""

_STATEMENT_STARTS: Final = frozenset({IDENTIFIER, "package", "import", "default"})
_IMPORT_ROOTS: Final = ("data", "future", "input", "rego")


class ModuleParser(RuleParser):
    """Parser of whole files."""

    def __init__(self, source: Source, tokens: Tokens, *, version: LanguageVersion, fail_fast: bool) -> None:
        known = tokens.tokens.copy() if version == "v1" else _without_future_keywords(tokens.tokens)
        super().__init__(source, known)
        self.strict = version == "v1"
        self._failed_comprehensions = set()
        self._comments = tokens.comments
        self._fail_fast = fail_fast
        self._found: list[tuple[Phase, Diagnostic]] = []
        self._package: Package | None = None
        self._statements: list[Package | Import | Rule] = []

    def module(self) -> Module:
        """Parse all statements.

        Raises:
            CompileError: with all errors, or the first when failing fast.

        """
        if self.token.kind == EOF:
            self.report("empty module", self.place(self.token))
        while self.token.kind != EOF and len(self._found) < MAX_DIAGNOSTICS:
            self._parse_or_recover()
        statements, annotations, faults = annotate(self._statements, self._comments)
        for message, location in faults:
            self.report(message, location)
        if self._found or self._package is None:
            self._found.sort(key=lambda found: found[0])
            raise CompileError(tuple(diagnostic for _, diagnostic in self._found))
        return Module(
            source=self._source,
            package=self._package,
            imports=tuple(node for node in statements if isinstance(node, Import)),
            rules=tuple(node for node in statements if isinstance(node, Rule)),
            annotations=annotations,
            comments=self._comments,
            version="v1" if self.strict else "v0",
            location=self._package.location,
        )

    def lone_query(self) -> Body:
        """Parse the whole text as one query.

        Raises:
            CompileError: with the first error.

        """
        try:
            return self.query()
        except ParseError as fault:
            raise CompileError((self.diagnostic(fault.message, fault.location),)) from None
        except RecursionError:
            raise CompileError((self._too_deep(self.token),)) from None

    def report(self, message: str, location: Location, phase: Phase = Phase.SYNTAX) -> None:
        """Note an error; when failing fast, stop at it."""
        self._note(self.diagnostic(message, location), phase)

    def _note(self, diagnostic: Diagnostic, phase: Phase = Phase.SYNTAX) -> None:
        self._found.append((phase, diagnostic))
        if self._fail_fast:
            raise CompileError((diagnostic,))

    def _too_deep(self, token: Token) -> Diagnostic:
        return self.diagnostic("nesting too deep", self.place(token))

    def _parse_or_recover(self) -> None:
        """Parse one statement; behind an error go on at the next line that begins one."""
        first = self._index
        start = self.token
        try:
            self._statement_at(start)
        except ParseError as fault:
            self._note(self.diagnostic(fault.message, fault.location))
            if fault.cause is not None:
                self._note(self.diagnostic(fault.cause.message, fault.cause.location))
        except RecursionError:
            self._note(self._too_deep(self.token))
        else:
            return
        self._depth = 0
        self._index = max(self._index, first)
        while not self._begins_statement(first):
            self.advance()

    def _begins_statement(self, failed: int) -> bool:
        token = self.token
        at_margin = token.col == 1 and token.after_newline and token.kind in _STATEMENT_STARTS
        return token.kind == EOF or (at_margin and self._index > failed)

    def _statement_at(self, start: Token) -> None:
        first = self._index
        if self.at_keyword("package"):
            self._add_package()
            return
        if self._package is None:
            self.report("package expected", self.place(start), Phase.STATEMENT)
            self._package = Package(Ref(Var("data")), location=self.place(start))
        if self.at_keyword("import"):
            self._statements.append(self._import())
            return
        for rule in self.rules():
            if self._index - first > MAX_TREE_DEPTH and _is_too_deep(rule):
                self._note(self._too_deep(start))
            self._statements.append(rule)

    # -- Package and imports --

    def _add_package(self) -> None:
        start = self.advance()
        name, segments = self._dotted_path()
        root = Var("data", location=name.location)
        first = String(name.name, location=name.location)
        path = Ref(root, (first, *segments), location=name.location)
        package = Package(path, location=self.span(start))
        if self._package is not None:
            self.report("unexpected package", package.location, Phase.STATEMENT)
            return
        self._package = package
        self._statements.append(package)

    def _dotted_path(self, otherwise: str = "") -> tuple[Var, tuple[String, ...]]:
        """Parse a name and the constant path behind it; `otherwise` says that it is none."""
        start = self.token
        if start.kind in ALL_KEYWORDS:
            self.take_as_identifier()
        elif start.kind != IDENTIFIER:
            self.fail()
        name = self.variable()
        if not self.is_adjacent() or self.token.kind not in {".", "[", "("}:
            return name, ()
        reference = self.reference(start, name)
        if not isinstance(reference, Ref):
            if otherwise:
                self.fail_at(self.token, otherwise)
            self.fail()
        if reference.head is not name:
            self.fail_at(start, "unexpected call token: expecting var")
        segments: list[String] = []
        for segment in reference.path:
            if not isinstance(segment, String):
                sort = type(segment).__name__.lower()
                message = f"unexpected {sort} token: expecting string"
                raise ParseError(message, segment.location, self._index)
            segments.append(segment)
        return name, tuple(segments)

    def _import(self) -> Import:
        start = self.advance()
        name, segments = self._dotted_path("expected path")
        if name.name not in _IMPORT_ROOTS:
            roots = ", ".join(_IMPORT_ROOTS)
            message = f"unexpected import path, must begin with one of: {{{roots}}}, got: {name.name}"
            self.report(message, name.location)
        path = Ref(name, segments, location=name.location)
        alias = self._alias()
        found = Import(path, alias, location=self.span(start))
        reserved = ALL_KEYWORDS if self.strict else KEYWORDS
        if alias is None and name.name != "future" and found.name in reserved:
            message = f"unexpected import path, must not end with a keyword, got: {found.name}"
            place = segments[-1].location if segments else name.location
            self.report(f"{message} (hint: import a different path or use an alias)", place)
        if name.name == "future":
            self._import_future(found)
        elif name.name == "rego":
            self._import_rego(found, name, segments)
        return found

    def _alias(self) -> str | None:
        if not self.accept("as"):
            return None
        if self.token.kind != IDENTIFIER:
            self.fail("expected var")
        alias = self.term()
        if not isinstance(alias, Var):
            self.fail("expected var")
        return alias.name

    def _import_future(self, found: Import) -> None:
        segments = [segment.value for segment in found.path.path if isinstance(segment, String)]
        if segments[:1] != ["keywords"]:
            self.report("invalid import, must be `future.keywords`", found.path.location)
        elif found.alias is not None:
            self.report("`future` imports cannot be aliased", found.path.location)
        elif len(segments) > 1 and segments[1] not in FUTURE_KEYWORDS:
            known = " ".join(sorted(FUTURE_KEYWORDS))
            self.report(f"unexpected keyword, must be one of [{known}]", found.path.location)
        else:
            self._enable(frozenset(segments[1:2]) or FUTURE_KEYWORDS)

    def _import_rego(self, found: Import, name: Var, segments: tuple[String, ...]) -> None:
        if found.path.path != (String("v1"),):
            path = ".".join((name.name, *(segment.value for segment in segments)))
            self.report(f"invalid import `{path}`, must be `rego.v1`", found.path.location)
        elif found.alias is not None and not self.strict:
            self.report("`rego` imports cannot be aliased", found.path.location)
        else:
            self._enable(FUTURE_KEYWORDS)
            self.strict = True

    def _enable(self, keywords: frozenset[str]) -> None:
        """Let these words be keywords from here on; `every` brings `in` with it."""
        wanted = keywords | {"in"} if "every" in keywords else keywords
        for index in range(self._index, len(self._tokens)):
            token = self._tokens[index]
            if token.kind == IDENTIFIER and token.text in wanted:
                self._tokens[index] = msgspec.structs.replace(token, kind=token.text)
        self.token = self._tokens[self._index]


def _without_future_keywords(tokens: list[Token]) -> list[Token]:
    return [
        msgspec.structs.replace(token, kind=IDENTIFIER) if token.kind in FUTURE_KEYWORDS else token
        for token in tokens
    ]


def _is_too_deep(node: Node) -> bool:
    level = [node]
    for _ in range(MAX_TREE_DEPTH):
        level = [child for parent in level for child in children(parent)]
        if not level:
            return False
    return True
