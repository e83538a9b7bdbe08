"""The syntax tree of a Rego module, in OPA's terms.

Owns the shapes: module, rule, head, expression and term nodes, each with its place in the source. Must not
know how text becomes a tree, nor what a tree means.

Two nodes are equal when they say the same, wherever they stand: the location takes no part in equality or
hashing. As in OPA, every operator is a call (`x == y` is `equal(x, y)`), a wildcard `_` is a variable with a
name of its own (`$0`, `$1`, …), and a name alone is a `Var`, not a `Ref`, except `input` and `data`.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from math import isinf
from typing import Any, Literal, TypeAlias

import msgspec

from webhook.rego.errors import NOWHERE, PARSE_ERROR, CompileError, Diagnostic, Location

LanguageVersion: TypeAlias = Literal["v0", "v1"]


class Source(msgspec.Struct, frozen=True):
    """One Rego file as it was read."""

    path: str
    """Name used in locations; nothing is opened by it."""
    text: str

    @classmethod
    def decode(cls, path: str, content: bytes) -> "Source":
        """Return the source that a file's content holds.

        Raises:
            CompileError: the content is not UTF-8.

        """
        try:
            return cls(path, content.decode())
        except UnicodeDecodeError as error:
            before = content[: error.start].decode()
            line_start = before.rfind("\n") + 1
            row = before.count("\n") + 1
            place = Location(path, row, len(before) - line_start + 1, len(before), len(before))
            raise CompileError((Diagnostic(PARSE_ERROR, "illegal utf-8 character", place),)) from None


class Node(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Base of all nodes: holds the location and leaves it out of comparisons."""

    location: Location = NOWHERE

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        return all(
            getattr(self, name) == getattr(other, name)
            for name in self.__struct_fields__
            if name != "location"
        )

    def __hash__(self) -> int:
        content = (getattr(self, name) for name in self.__struct_fields__ if name != "location")
        return hash((type(self).__name__, *content))


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes directly below a node, in source order."""
    for name in node.__struct_fields__:
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif type(value) is tuple:
            yield from _nodes_in(value)


def _nodes_in(items: tuple[object, ...]) -> Iterator[Node]:
    for item in items:
        if isinstance(item, Node):
            yield item
        elif type(item) is tuple:
            yield from _nodes_in(item)


# -- Terms that are scalars --


class Null(Node, frozen=True, eq=False):
    """`null`."""


class Boolean(Node, frozen=True, eq=False):
    """`true` or `false`."""

    value: bool


class Number(Node, frozen=True, eq=False):
    """A number, kept as it was written so that no digit is lost."""

    text: str

    @property
    def value(self) -> int | float:
        """The number: an `int` of any size when written without fraction and exponent, or too big for a `float`."""
        if self.text.lstrip("-").isdigit():
            return int(self.text)
        number = float(self.text)
        return int(Decimal(self.text)) if isinf(number) else number


class String(Node, frozen=True, eq=False):
    """A string with its escapes resolved."""

    value: str


# -- Terms that name or call --


class Var(Node, frozen=True, eq=False):
    """A variable, or the name of a rule, function or import."""

    name: str

    @property
    def is_wildcard(self) -> bool:
        """Whether this was written `_`."""
        return self.name.startswith("$")


class Ref(Node, frozen=True, eq=False):
    """`head.a["b"][c]`: a head followed by operands; `.a` is the operand `String("a")`."""

    head: "Term"
    """Most often a `Var`; calls, literals and comprehensions may be indexed too."""
    path: "tuple[Term, ...]" = ()


class Call(Node, frozen=True, eq=False):
    """`operator(args…)`, also for infix operators.

    `=` is `eq`, `:=` is `assign`, `==` `equal`, `!=` `neq`, `<` `lt`, `<=` `lte`, `>` `gt`, `>=` `gte`,
    `+` `plus`, `-` `minus`, `*` `mul`, `/` `div`, `%` `rem`, `&` `and`, `|` `or`, `x in xs`
    `internal.member_2` and `k, v in xs` `internal.member_3`.
    """

    operator: Ref
    args: "tuple[Term, ...]"

    @property
    def name(self) -> str:
        """The operator as a dotted name, such as `io.jwt.decode`; parts that are not names are left out."""
        parts = (self.operator.head, *self.operator.path)
        return ".".join(
            part.name if isinstance(part, Var) else part.value
            for part in parts
            if isinstance(part, (Var, String))
        )


# -- Terms made of terms --


class Array(Node, frozen=True, eq=False):
    """`[a, b]`."""

    items: "tuple[Term, ...]"


class Object(Node, frozen=True, eq=False):
    """`{k: v}`; pairs in source order, duplicates kept."""

    items: "tuple[tuple[Term, Term], ...]"


class Set(Node, frozen=True, eq=False):
    """`{a, b}` or `set()`; items in source order, duplicates kept."""

    items: "tuple[Term, ...]"


class ArrayComprehension(Node, frozen=True, eq=False):
    """`[term | body]`."""

    term: "Term"
    body: "Body"


class SetComprehension(Node, frozen=True, eq=False):
    """`{term | body}`."""

    term: "Term"
    body: "Body"


class ObjectComprehension(Node, frozen=True, eq=False):
    """`{key: value | body}`."""

    key: "Term"
    value: "Term"
    body: "Body"


class TemplateString(Node, frozen=True, eq=False):
    """`$"text {expression} text"`: literal text, constants and expressions in order."""

    parts: "tuple[Scalar | Expr, ...]"
    raw: bool = False
    """Whether it was written with backticks."""


Scalar: TypeAlias = Null | Boolean | Number | String
Comprehension: TypeAlias = ArrayComprehension | SetComprehension | ObjectComprehension
Term: TypeAlias = Scalar | Var | Ref | Call | Array | Object | Set | Comprehension | TemplateString


def variable_names(node: Node) -> set[str]:
    """Give the names of all variables within a node, those of functions and rules included."""
    names: set[str] = set()
    pending = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, Var):
            names.add(found.name)
        pending.extend(children(found))
    return names


# -- Expressions --


class With(Node, frozen=True, eq=False):
    """`with target as value`."""

    target: Term
    """A `Var` or `Ref` to input, data, a rule, a function or a builtin."""
    value: Term


class SomeDecl(Node, frozen=True, eq=False):
    """`some x, y`: declares variables in the enclosing body."""

    variables: tuple[Var, ...]


class SomeIn(Node, frozen=True, eq=False):
    """`some x in xs` or `some k, v in xs`: declares the variables of key and value and iterates."""

    key: Term | None
    value: Term
    domain: Term


class Every(Node, frozen=True, eq=False):
    """`every v in xs { … }` or `every k, v in xs { … }`."""

    key: Var | None
    value: Var
    domain: Term
    body: "Body"


class Expr(Node, frozen=True, eq=False):
    """One statement of a body, possibly negated and with replacements."""

    terms: Term | SomeDecl | SomeIn | Every
    negated: bool = False
    replacements: tuple[With, ...] = ()
    """The `with` modifiers, in source order."""


Body: TypeAlias = tuple[Expr, ...]


# -- Rules --


class RuleKind(Enum):
    """What a rule adds to: one value, a set, an object, or the results of a function."""

    COMPLETE = "complete"
    PARTIAL_SET = "partial set"
    PARTIAL_OBJECT = "partial object"
    FUNCTION = "function"


class Head(Node, frozen=True, eq=False):
    """What a rule defines."""

    ref: Ref
    """`p`, `p.q`, `p[x].r`; the head is always a `Var`. The element of a set is in `key`, not in here."""
    args: tuple[Term, ...] | None = None
    """Parameters of a function, else `None`."""
    key: Term | None = None
    """The element of a partial set: `p contains key`, in v0 `p[key] { … }`."""
    value: Term | None = None
    """The value, `true` when none was written; `None` for a partial set."""
    assign: bool = False
    """Whether the value was given with `:=` rather than `=`."""

    @property
    def name(self) -> str:
        """The first segment of the reference."""
        return self.ref.head.name if isinstance(self.ref.head, Var) else ""

    @property
    def kind(self) -> RuleKind:
        """What the written form defines; constant segments (`p.q`, `p["q"]`) make no object of `p`."""
        if self.args is not None:
            return RuleKind.FUNCTION
        if self.key is not None:
            return RuleKind.PARTIAL_SET
        if all(isinstance(segment, String) for segment in self.ref.path):
            return RuleKind.COMPLETE
        return RuleKind.PARTIAL_OBJECT


class Branch(Node, frozen=True, eq=False):
    """One `else` of a rule, tried when every branch before it is undefined."""

    value: Term
    body: Body = ()
    """Empty when the branch is unconditional."""


class Rule(Node, frozen=True, eq=False):
    """One rule; a v0 rule with chained bodies is several rules with equal heads."""

    head: Head
    body: Body = ()
    """Empty when the rule is unconditional."""
    otherwise: tuple[Branch, ...] = ()
    """The `else` chain, in order."""
    default: bool = False
    annotations: "tuple[Annotations, ...]" = ()
    """Metadata blocks with the scopes rule and document that stand right before this rule."""


# -- Modules --


class Package(Node, frozen=True, eq=False):
    """`package a.b`; the path is a reference that begins with `data`."""

    path: Ref

    @property
    def segments(self) -> tuple[str, ...]:
        """The path without `data`."""
        return tuple(part.value for part in self.path.path if isinstance(part, String))


class Import(Node, frozen=True, eq=False):
    """`import data.a.b as c`; `import rego.v1` and future keywords are kept as written."""

    path: Ref
    alias: str | None = None

    @property
    def name(self) -> str:
        """The name by which the import is used in the module."""
        if self.alias is not None:
            return self.alias
        last = self.path.path[-1] if self.path.path else self.path.head
        if isinstance(last, Var):
            return last.name
        return last.value if isinstance(last, String) else ""


class Comment(Node, frozen=True, eq=False):
    """A comment without its `#`."""

    text: str


class RelatedResource(msgspec.Struct, frozen=True):
    """A link of a metadata block."""

    ref: str
    description: str = ""


class Author(msgspec.Struct, frozen=True):
    """A person or group named in a metadata block; one of the two is never empty."""

    name: str = ""
    email: str = ""


class SchemaAnnotation(msgspec.Struct, frozen=True):
    """A schema for the document at `path`: by reference (`schema.input`) or given inline."""

    path: str
    schema: str = ""
    definition: Any = None


AnnotationScope: TypeAlias = Literal["rule", "document", "package", "subpackages"]


class Annotations(msgspec.Struct, frozen=True, kw_only=True):
    """One `# METADATA` block."""

    scope: AnnotationScope
    title: str = ""
    description: str = ""
    entrypoint: bool = False
    organizations: tuple[str, ...] = ()
    related_resources: tuple[RelatedResource, ...] = ()
    authors: tuple[Author, ...] = ()
    schemas: tuple[SchemaAnnotation, ...] = ()
    custom: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """JSON-like values as the author wrote them."""
    location: Location = NOWHERE


class Module(Node, frozen=True, eq=False):
    """One parsed file."""

    source: Source
    package: Package
    imports: tuple[Import, ...] = ()
    rules: tuple[Rule, ...] = ()
    annotations: tuple[Annotations, ...] = ()
    """Every metadata block of the file, in source order, those of rules included."""
    comments: tuple[Comment, ...] = ()
    version: LanguageVersion = "v1"
    """The language the module was read as."""
