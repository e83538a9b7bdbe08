"""Strategies for small valid Rego modules and for inputs that their rules match now and then.

A body is built literal by literal from the variables bound so far, so every module is safe by construction.
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from webhook.rego.values import Value

PACKAGE = "generated"
_KEYS = ("a", "b", "c")
_CONSTANTS = (
    "0",
    "1",
    "2",
    "true",
    "false",
    "null",
    '"a"',
    '"b"',
    '""',
    "[]",
    "{}",
    "[1]",
    '{"a": 1}',
    "1.0",
)
SAMPLES: dict[str, Value] = {
    "null": None,
    "no": False,
    "yes": True,
    "zero": 0,
    "one": 1,
    "two": 2.0,
    "text": "ab",
    "list": [1, "a", True, [1]],
    "object": {"a": 1, "b": "ab"},
}
"""What every input has at `k`: values whose types the type checker does not see."""
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=")


def inputs() -> st.SearchStrategy[Value]:
    """Give JSON documents with few keys and values, so that lookups and comparisons succeed often."""
    scalars = st.sampled_from([None, False, True, 0, 1, 2, 1.0, "", "a", "b", "ab"])
    documents = st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=3)
        ),
        max_leaves=12,
    )
    return st.dictionaries(st.sampled_from(_KEYS), documents, max_size=3).map(
        lambda document: {**document, "k": SAMPLES}
    )


@dataclass
class _Scope:
    """Variables bound in a body and in the bodies around it."""

    variables: list[str] = field(default_factory=list)
    untyped: list[str] = field(default_factory=list)
    """Those of which the type checker knows nothing, so that it accepts them everywhere."""

    def inner(self) -> "_Scope":
        return _Scope(list(self.variables), list(self.untyped))

    def bind(self, name: str, *, untyped: bool) -> None:
        self.variables.append(name)
        if untyped:
            self.untyped.append(name)


@dataclass
class _Module:
    """What a module under construction has."""

    draw: st.DrawFn
    rules: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    names: int = 0

    def new_name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def pick(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def untyped(self, scope: _Scope) -> str:
        """Give a term that may have any type."""
        if self.draw(st.booleans()) and scope.untyped:
            return self.pick(*scope.untyped) + self.pick("", "", ".a", ".b", "[0]", "[1]")
        if self.draw(st.booleans()):
            return f"input.k.{self.pick(*SAMPLES)}"
        return "input." + ".".join(self.pick(*_KEYS) for _ in range(self.draw(st.integers(1, 3))))

    def term(self, scope: _Scope, depth: int = 2) -> str:
        kinds = ["constant", "input", "input"]
        kinds += ["variable", "variable"] * bool(scope.variables)
        kinds += ["rule"] * bool(self.rules)
        kinds += ["call", "array", "object", "builtin", "comprehension"] * (depth > 0)
        match self.pick(*kinds):
            case "constant":
                return self.pick(*_CONSTANTS)
            case "input":
                return self.untyped(scope)
            case "variable":
                return self.pick(*scope.variables)
            case "rule":
                return self.pick(*self.rules)
            case "call" if self.functions:
                return f"{self.pick(*self.functions)}({self.term(scope, depth - 1)})"
            case "array" | "call":
                return f"[{self.term(scope, depth - 1)}, {self.term(scope, depth - 1)}]"
            case "object":
                return f'{{"{self.pick(*_KEYS)}": {self.term(scope, depth - 1)}}}'
            case "builtin":
                return self.builtin(scope)
        return self.comprehension(scope, depth - 1)

    def builtin(self, scope: _Scope) -> str:
        one, two = self.untyped(scope), self.untyped(scope)
        return self.pick(
            f"count({one})",
            f"startswith({one}, {two})",
            f'startswith({one}, "a")',
            f'endswith({one}, "b")',
            f"contains({one}, {two})",
            f'sprintf("%v and %v", [{one}, {two}])',
            f'sprintf("{{%s}} %d", [{one}, {two}])',
            f'object.get({one}, "a", {two})',
            f"({one} + {two})",
            f"({one} - 1)",
            f"is_string({one})",
            f"type_name({one})",
            f"upper({one})",
        )

    def comprehension(self, scope: _Scope, depth: int) -> str:
        inner = scope.inner()
        body = self.body(inner, depth, 2)
        one, two = self.term(inner, 0), self.term(inner, 0)
        return self.pick(f"[{one} | {body}]", f"{{{one} | {body}}}", f"{{{one}: {two} | {body}}}")

    def body(self, scope: _Scope, depth: int = 2, longest: int = 4) -> str:
        count = self.draw(st.integers(1, longest))
        return "; ".join(self.literal(scope, depth) for _ in range(count))

    def literal(self, scope: _Scope, depth: int) -> str:
        kinds = ["compare", "compare", "truth", "assign", "some", "some", "member", "not"]
        kinds += ["every", "with", "unify"] * (depth > 0)
        match self.pick(*kinds):
            case "compare":
                return f"{self.term(scope, depth)} {self.pick(*_OPERATORS)} {self.term(scope, depth)}"
            case "truth":
                return self.term(scope, depth)
            case "assign":
                is_untyped = self.draw(st.booleans())
                value = self.untyped(scope) if is_untyped else self.term(scope, depth)
                name = self.new_name("v")
                scope.bind(name, untyped=is_untyped)
                return f"{name} := {value}"
            case "some":
                return self.iteration(scope, 1)
            case "member":
                return f"{self.term(scope, depth)} in {self.untyped(scope)}"
            case "not":
                return f"not {self.term(scope, depth)}"
            case "every":
                domain, name, inner = self.untyped(scope), self.new_name("v"), scope.inner()
                inner.bind(name, untyped=True)
                return f"every {name} in {domain} {{ {name} != 1; {self.body(inner, depth - 1, 2)} }}"
            case "with":
                target = self.pick("input", "input.a", "input.b.c", "data.x")
                return f"{self.term(scope, 1)} with {target} as {self.term(scope, 1)}"
        value, one, two = self.untyped(scope), self.new_name("v"), self.new_name("v")
        scope.bind(one, untyped=True)
        scope.bind(two, untyped=True)
        return f"[{one}, {two}] = {value}"

    def iteration(self, scope: _Scope, depth: int) -> str:
        untyped = self.draw(st.integers(0, 3)) > 0
        domain = self.untyped(scope) if untyped else f"[{self.term(scope, depth)}, {self.term(scope, depth)}]"
        key, value = self.new_name("v"), self.new_name("v")
        scope.bind(value, untyped=untyped)
        if self.draw(st.booleans()):
            return f"some {value} in {domain}"
        scope.bind(key, untyped=untyped)
        return f"some {key}, {value} in {domain}"

    def rule(self) -> None:
        name, scope = self.new_name("r"), _Scope()
        match self.pick("true", "value", "set", "object", "default", "else", "several", "nested"):
            case "true":
                lines = [f"{name} if {{ {self.body(scope)} }}", f"{name} if {{ {self.body(_Scope())} }}"]
            case "value":
                lines = [f"{name} := {self.value(scope)}"]
            case "set":
                lines = [f"{name} contains {self.value(_Scope())}" for _ in range(2)]
            case "object":
                body = self.body(scope)
                lines = [f"{name}[{self.term(scope, 0)}] := {self.term(scope, 0)} if {{ {body} }}"]
            case "default":
                lines = [f"default {name} := false", f"{name} := {self.value(scope)}"]
            case "else":
                lines = [f"{name} := {self.value(scope)} else := {self.value(_Scope())}"]
            case "several":
                lines = [f"{name} := {self.value(_Scope())}" for _ in range(2)]
            case _:
                body = self.body(scope)
                lines = [f"{name}[{self.term(scope, 0)}].b contains {self.term(scope, 0)} if {{ {body} }}"]
                lines.append(f'{name}["a"].b contains 7 if {{ {self.body(_Scope())} }}')
        self.text += lines
        self.rules.append(name)

    def value(self, scope: _Scope) -> str:
        body = self.body(scope)
        return f"{self.term(scope)} if {{ {body} }}"

    def function(self) -> None:
        name, lines = self.new_name("f"), []
        for _ in range(self.draw(st.integers(1, 2))):
            scope = _Scope(["x"], ["x"])
            result = self.pick("", f" := {self.term(scope, 1)}")
            lines.append(f"{name}(x){result} if {{ {self.body(scope)} }}")
        self.text += lines
        self.functions.append(name)


@st.composite
def modules(draw: st.DrawFn) -> str:
    """Give the text of a module in the package `generated`; most compile, a few are refused for their types."""
    module = _Module(draw)
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.integers(0, 2)):
            module.rule()
        else:
            module.function()
    return "\n".join([f"package {PACKAGE}", "import rego.v1", *module.text, ""])
