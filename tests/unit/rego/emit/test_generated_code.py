"""What the generated Python looks like, where that matters for safety or speed."""

import ast
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rego_engines import engines, plan, program
from webhook.rego import ir
from webhook.rego.builtins.registry import BUILTINS
from webhook.rego.emit.module import emit_module
from webhook.rego.emit.unit import Options
from webhook.rego.errors import Location
from webhook.rego.texts import to_json
from webhook.rego.values import RegoSet, Value

HOSTILE = "'''; import os\n\"\"\"\\N{DASH}{x}%s"


def names_and_constants(source: str) -> tuple[set[str], set[str]]:
    """Give the identifiers and the string constants of some Python."""
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return names, texts


def policy_of(text: str) -> ir.Policy:
    """Make a policy that has a text wherever a policy can have one."""
    place = Location(text, 1, 1)
    two, three = ir.Local(2), ir.Local(3)
    body: ir.Block = (
        ir.Dot(ir.INPUT, ir.Constant(text), two, location=place),
        ir.With(ir.INPUT, (text,), ir.Constant({text: text}), (ir.AssignVarOnce(ir.Constant(text), three),)),
        ir.MakeArrayOf((two, ir.Constant(text)), three),
        ir.CallFormat(text.replace("%", "") + "%v", (two,), three),
        ir.Holds("startswith", (two, ir.Constant(text))),
        ir.Holds("internal.member_2", (two, ir.Constant([text]))),
        ir.ReturnLocal(three),
    )
    function = ir.Function(text, (ir.INPUT, ir.DATA), two, (body,), (text,))
    call = ir.Call(text, (ir.INPUT, ir.DATA), two)
    return ir.Policy((ir.Plan(text, ((call, ir.ResultSetAdd(two)),)),), (function,))


@given((st.text() | st.just(HOSTILE)).filter(lambda text: text not in BUILTINS))
def test_no_text_of_a_policy_becomes_code(text: str) -> None:
    harmless = emit_module(policy_of("text"), {}, BUILTINS, Options()).source
    source = emit_module(policy_of(text), {}, BUILTINS, Options()).source

    assert names_and_constants(source)[0] == names_and_constants(harmless)[0]


def test_hostile_texts_are_values_like_any_other() -> None:
    policy = policy_of(HOSTILE)

    assert [engine.query(HOSTILE, {HOSTILE: HOSTILE}) for engine in engines(policy)[1:]]


def test_generated_code_has_no_builtins_of_python() -> None:
    compiled = program("package t\np := count(input)", "data.t.p")

    assert "__builtins__" not in compiled.source
    assert compiled.namespace["__builtins__"] == {}


def test_no_closure_is_made_and_no_document_copied() -> None:
    source = program(
        "package t\ndeny contains m if { some c in input.spec.containers; not c.ok; m := sprintf(`%v`, [c.name]) }",
        "data.t.deny",
    ).source

    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    assert not [inner for outer in functions for inner in ast.walk(outer) if isinstance(inner, ast.Lambda)]
    assert all(not isinstance(inner, ast.FunctionDef) for outer in functions for inner in outer.body)
    assert "copy" not in source


def nested_loops(depth: int, innermost: str) -> str:
    sources = ["input.items", *[f"x{index}" for index in range(depth - 1)]]
    loops = "; ".join(f"some x{index} in {source}" for index, source in enumerate(sources))
    return f"package t\np contains y if {{ {loops}; y := {innermost} }}"


def nested_lists(depth: int, leaf: Value) -> Value:
    for _ in range(depth):
        leaf = [leaf]
    return leaf


def test_loops_nested_beyond_the_limit_of_python_still_run() -> None:
    policy = plan(nested_loops(45, "x44"), "data.t.p")

    for engine in engines(policy):
        (result,) = engine.query("data.t.p", {"items": nested_lists(45, "deep")})
        assert list(result["result"]) == ["deep"]


def test_what_deep_loops_assign_reaches_the_outside() -> None:
    count = "x44" + "".join(f"; a{index} := x{index}" for index in range(45))
    text = nested_loops(45, count).replace("contains y if", "if").replace("y := x44", "x44 == `deep`")

    for engine in engines(plan(text, "data.t.p")):
        assert engine.query("data.t.p", {"items": nested_lists(45, "deep")}) == [{"result": True}]
        assert engine.query("data.t.p", {"items": nested_lists(45, "other")}) == []


def test_comprehensions_and_negations_nested_beyond_the_limit_still_run() -> None:
    term = "input.n"
    for index in range(25):
        term = f"[x{index} | some x{index} in [{term}]; not is_string(x{index})]"

    for engine in engines(plan(f"package t\np := {term}", "data.t.p")):
        assert engine.query("data.t.p", {"n": 1}) == [{"result": nested_lists(25, 1)}]


def test_a_rule_returns_out_of_loops_nested_beyond_the_limit() -> None:
    text = (
        nested_loops(45, "x44")
        .replace("contains y if", ":= y if")
        .replace("y := x44", "x44 == `deep`; y := 1")
    )
    policy = plan(text + "\np := 2 if input.other", "data.t.p")

    for engine in engines(policy):
        assert engine.query("data.t.p", {"items": nested_lists(45, "deep")}) == [{"result": 1}]
        assert engine.query("data.t.p", {"items": [], "other": True}) == [{"result": 2}]


def test_many_exits_in_one_body_do_not_nest() -> None:
    checks = "; ".join(f"input.x{index} == {index}" for index in range(80))
    text = f"package t\np contains 1 if {{ {checks} }}\np contains 2"
    document = {f"x{index}": index for index in range(80)}

    for engine in engines(plan(text, "data.t.p")):
        assert engine.query("data.t.p", document)[0]["result"].ordered() == [1, 2]
        assert engine.query("data.t.p", {})[0]["result"].ordered() == [2]


def test_a_path_of_the_input_that_rules_share_is_looked_up_once() -> None:
    source = program(
        "package t\np contains 1 if input.request.object.a\np contains 2 if input.request.object.b",
        "data.t.p",
    ).source

    assert source.count("'object'") == 2  # the lookup and its fallback


def test_a_rule_used_once_has_no_memo_and_one_used_twice_has() -> None:
    once = program("package t\np if count(q) > 1\nq contains x if some x in input.xs", "data.t.p").source
    twice = program(
        "package t\np contains 1 if count(q) > 1\np contains 2 if count(q) > 2\nq contains x if some x in input.xs",
        "data.t.p",
    )

    assert " is N" not in once
    assert " is N" in twice.source


@pytest.mark.parametrize("length", [0, 1, 15, 16, 1000, 1001])
@pytest.mark.parametrize(
    "collection",
    [list, lambda numbers: {str(number): number for number in numbers}, RegoSet],
    ids=["array", "object", "set"],
)
def test_a_loop_makes_all_its_rounds_however_many(collection: Callable[[range], Value], length: int) -> None:
    document = {"xs": collection(range(length)), "one": [1]}
    text = """package t
        p := [elements, pairs, inner_elements, inner_pairs]
        elements := count([x | some x in input.xs])
        pairs := sum([x | some k, x in input.xs; k != "no"])
        inner_elements := count([x | some _ in input.one; some x in input.xs])
        inner_pairs := sum([x | some _ in input.one; some k, x in input.xs; k != "no"])
    """
    total = sum(range(length))

    for engine in engines(plan(text, "data.t.p")):
        assert engine.query("data.t.p", document) == [{"result": [length, total, length, total]}]


def test_what_has_had_a_text_looked_up_is_not_checked_again() -> None:
    source = program("package t\np if { some x in input.xs; x.a == 1; x.b == 2 }", "data.t.p").source

    assert source.count("'a'") == 2  # the lookup and its fallback
    assert source.count("'b'") == 1


def test_a_comparison_with_true_needs_no_test_that_there_is_something() -> None:
    rules = "package t\np contains x.a if { some x in input.xs; x.b == true; x.c == null; x.d == false }"

    assert program(rules, "data.t.p").source.count(" is U: continue") == 1  # for x.a
    for engine in engines(plan(rules, "data.t.p")):
        document = {"xs": [{"a": n, "b": b, "c": None, "d": False} for n, b in enumerate((True, 1, None))]}
        assert engine.query("data.t.p", document)[0]["result"].ordered() == [0]
        assert (
            engine.query("data.t.p", {"xs": [{"a": 1}, {"a": 1, "b": True, "d": False}]})[0]["result"]
            == RegoSet()
        )


def test_conditions_of_one_statement_are_joined() -> None:
    rules = "package t\np if input.a.b\np if input.a.c"

    assert " is not U and v" in program(rules, "data.t.p").source
    for engine in engines(plan(rules, "data.t.p")):
        assert engine.query("data.t.p", {"a": {"b": False, "c": 1}}) == [{"result": True}]
        assert engine.query("data.t.p", {"a": {"b": False, "c": False}}) == []


def test_a_negation_that_may_be_left_at_once_has_no_flag() -> None:
    rules = "package t\np contains x if { some x in input.xs; not bad(x) }\nbad(x) if { x.a.b; x.c[_] > 1 }"

    assert "not n" not in program(rules, "data.t.p").source
    for engine in engines(plan(rules, "data.t.p")):
        document = {"xs": [{"a": {"b": 1}, "c": [0, 2]}, {"a": {"b": 1}, "c": [1]}, {"c": [3]}]}
        assert to_json(engine.query("data.t.p", document)[0]["result"]) == [
            {"a": {"b": 1}, "c": [1]},
            {"c": [3]},
        ]


def test_whether_a_collection_made_here_is_one_is_not_asked() -> None:
    rules = "package t\np if every x in [y | some y in input.xs] { x > 1 }"

    assert "type(" not in program(rules, "data.t.p").source
    for engine in engines(plan(rules, "data.t.p")):
        assert engine.query("data.t.p", {"xs": [2, 3]}) == [{"result": True}]
        assert engine.query("data.t.p", {"xs": [2, 1]}) == []


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("[5, 6]", [[0, 5], [1, 6]]),
        ('{"b": 1, "a": 2}', [["a", 2], ["b", 1]]),
        ('{"b", "a"}', [["a", "a"], ["b", "b"]]),
        ("{[1]: 2, true: 3}", [[True, 3], [[1], 2]]),
        ("[]", []),
    ],
)
def test_a_loop_over_a_constant_has_its_keys(domain: str, expected: Value) -> None:
    for engine in engines(plan(f"package t\np := [[k, v] | some k, v in {domain}]", "data.t.p")):
        assert to_json(engine.query("data.t.p")[0]["result"]) == expected


@pytest.mark.parametrize("domain", ["1", "-2.5", '"ab"', "null", "true"])
def test_a_loop_over_a_constant_that_is_no_collection_makes_no_round(domain: str) -> None:
    for engine in engines(plan(f"package t\np if {{ every k, v in {domain} {{ k == v }} }}", "data.t.p")):
        assert engine.query("data.t.p") == []
