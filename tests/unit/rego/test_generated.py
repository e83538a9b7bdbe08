"""Sources that nobody wrote: every evaluator of plans agrees on what they mean, for every input.

The generator writes policies as authors do, rule upon rule, over an input of any shape. What the compiler refuses is
of no interest here; what it accepts must give the same value, or the same error, interpreted and compiled, optimised
or not.
"""

from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.support.compiled_rego import engines_of, outcome
from tests.support.input_mutations import mutated, words_of
from webhook.rego import ir
from webhook.rego.ast import Source
from webhook.rego.compiler import load_modules, plan_entry_points
from webhook.rego.errors import CompileError

KEYS = ("a", "b", "c")
Draw = Any
"""Hypothesis' `draw`; its type says no more."""

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from(["", "a", "b", "ab"]),
    st.sampled_from([1.0, 1.5]),
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)
inputs = st.dictionaries(st.sampled_from(KEYS), documents, min_size=1, max_size=3)


class Writer:
    """Writes one policy; knows which names the place it has come to may use."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.rules: list[str] = []
        """References to rules that are written already."""
        self.functions: list[str] = []
        self.counter = 0

    def choose(self, *options: str) -> str:
        chosen: str = self.draw(st.sampled_from(options))
        return chosen

    def name(self) -> str:
        self.counter += 1
        return f"v{self.counter}"

    def scalar(self) -> str:
        return self.choose("1", "0", "2", '"a"', '"b"', "true", "false", "null", "1.5")

    def reference(self, scope: list[str]) -> str:
        root = self.choose("input.a", "input.b", "input", *scope[-3:], *self.rules[-3:])
        for _ in range(self.draw(st.integers(0, 2))):
            root += self.choose(
                ".a", ".b", "[0]", "[1]", '["c"]', *(f"[{name}]" for name in scope[-2:]), "[_]"
            )
        return root

    def term(self, scope: list[str], depth: int) -> str:
        kinds = ["scalar", "reference", "reference"]
        if depth:
            kinds += ["array", "object", "set", "comprehension", "call", "arithmetic"]
        kind = self.choose(*kinds)
        if kind == "scalar":
            return self.scalar()
        if kind == "reference":
            return self.reference(scope)
        if kind == "array":
            return f"[{self.term(scope, depth - 1)}, {self.term(scope, depth - 1)}]"
        if kind == "object":
            return f'{{"a": {self.term(scope, depth - 1)}, {self.scalar()}: {self.term(scope, depth - 1)}}}'
        if kind == "set":
            return f"{{{self.term(scope, depth - 1)}, {self.term(scope, depth - 1)}}}"
        if kind == "comprehension":
            return self.comprehension(scope, depth - 1)
        if kind == "arithmetic":
            return f"({self.term(scope, 0)} {self.choose('+', '-', '*')} {self.term(scope, 0)})"
        return self.call(scope, depth - 1)

    def comprehension(self, scope: list[str], depth: int) -> str:
        body, inner = self.body(scope, depth, 2)
        term = self.term(inner, depth)
        kind = self.choose("array", "set", "object")
        if kind == "array":
            return f"[{term} | {body}]"
        if kind == "set":
            return f"{{{term} | {body}}}"
        return f"{{{self.term(inner, 0)}: {term} | {body}}}"

    def call(self, scope: list[str], depth: int) -> str:
        name = self.choose("count", "type_name", "is_string", "json.marshal", "object.get", *self.functions)
        if name == "object.get":
            return f'object.get({self.term(scope, depth)}, "a", {self.term(scope, depth)})'
        return f"{name}({self.term(scope, depth)})"

    def body(self, scope: list[str], depth: int, most: int) -> tuple[str, list[str]]:
        scope = list(scope)
        statements = [self.statement(scope, depth) for _ in range(self.draw(st.integers(1, most)))]
        return "; ".join(statements), scope

    def statement(self, scope: list[str], depth: int) -> str:
        """Write a statement; what it declares is added to the scope."""
        kind = self.choose(
            "assign", "assign", "compare", "term", "not", "some", "some two", "every", "in", "with", "unify"
        )
        if kind == "assign":
            text = self.term(scope, depth)
            scope.append(self.name())
            return f"{scope[-1]} := {text}"
        if kind == "unify":
            text = self.term(scope, depth)
            scope += [self.name(), self.name()]
            return f"[{scope[-2]}, {scope[-1]}] := [{text}, {self.term(scope[:-2], 0)}]"
        if kind == "some":
            text = self.term(scope, depth)
            scope.append(self.name())
            return f"some {scope[-1]} in {text}"
        if kind == "some two":
            text = self.reference(scope)
            scope += [self.name(), self.name()]
            return f"some {scope[-2]}, {scope[-1]} in {text}"
        if kind == "every" and depth:
            name = self.name()
            inner, _ = self.body([*scope, name], depth - 1, 2)
            return f"every {name} in {self.reference(scope)} {{ {name} != {self.scalar()}; {inner} }}"
        if kind == "not":
            return f"not {self.condition(scope, depth)}"
        if kind == "with":
            target = self.choose("input", "input.a", "input.b.c", "data.base", "count", *self.rules[-1:])
            return f"{self.condition(scope, depth)} with {target} as {self.term(scope, 0)}"
        return self.condition(scope, depth)

    def condition(self, scope: list[str], depth: int) -> str:
        kind = self.choose("term", "compare", "in")
        left = self.term(scope, depth)
        if kind == "term":
            return left
        if kind == "in":
            return f"{left} in {self.term(scope, depth)}"
        return f"{left} {self.choose('==', '!=', '<', '>=', '=')} {self.term(scope, depth)}"

    def rule(self, index: int) -> str:
        kind = self.choose("complete", "complete", "set", "object", "nested", "function", "else", "default")
        name = f"r{index}"
        scope = ["x"] if kind == "function" else []
        body, inner = self.body(scope, 2, 3)
        value = self.term(inner, 1)
        if kind == "function":
            self.functions.append(name)
            return f"{name}(x) := {value} if {{ {body} }}"
        self.rules.append(f"data.generated.{name}")
        if kind == "set":
            return f"{name} contains {value} if {{ {body} }}"
        if kind == "object":
            return f"{name}[{self.term(inner, 0)}] := {value} if {{ {body} }}"
        if kind == "nested":
            return f"{name}[{self.term(inner, 0)}].a contains {value} if {{ {body} }}\n{name}.b.c := 1"
        if kind == "else":
            other, more = self.body([], 1, 2)
            return f"{name} := {value} if {{ {body} }} else := {self.term(more, 1)} if {{ {other} }}"
        default = f"default {name} := {self.scalar()}\n" if kind == "default" else ""
        return f"{default}{name} := {value} if {{ {body} }}"


@st.composite
def policies(draw: Draw) -> str:
    writer = Writer(draw)
    rules = [writer.rule(index) for index in range(draw(st.integers(1, 4)))]
    return "package generated\n\n" + "\n\n".join(rules) + "\n"


def planned(source: str) -> ir.Policy | None:
    """Plan a policy, or give nothing when the compiler refuses it."""
    try:
        resolution = load_modules([Source("generated.rego", source)], version="v1")
        entry_points = [
            f"data.generated.{node.path[-1]}"
            for node in resolution.tree.descend()
            if node.rules and node.rules[0].arity is None and len(node.path) == 2
        ]
        return plan_entry_points(resolution, [*entry_points, "data.generated"])
    except CompileError:
        return None


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=policies(), documents=st.lists(inputs, min_size=1, max_size=3), base=inputs, changes=st.data())
def test_every_evaluator_gives_the_same_answers(
    source: str, documents: list[Any], base: Any, changes: st.DataObject
) -> None:
    policy = planned(source)
    if policy is None:
        event("refused")
        return
    event("compiled")
    changed = changes.draw(mutated(documents, words_of(source)))
    first, *others = engines_of(policy)
    for document in [*documents, changed]:
        for plan in policy.plans:
            expected = outcome(first, plan.name, document, {"base": base})
            assert [outcome(engine, plan.name, document, {"base": base}) for engine in others] == [
                expected,
                expected,
            ], plan.name
