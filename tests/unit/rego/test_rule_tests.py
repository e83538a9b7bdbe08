"""Which rules are tests, and what is done to modules before they run."""

from tests.support.rego_syntax import array, body, call, parsed_module, ref
from webhook.rego.ast import Expr, Module, SomeIn, Source, Var
from webhook.rego.parser import parse_module
from webhook.rego.rule_tests import RuleTest, only_case, prepare, term_of
from webhook.rego.values import RegoSet, make_object


def found(text: str) -> tuple[Module, list[RuleTest]]:
    (module,), tests = prepare([parsed_module(text)])
    return module, tests


def test_rules_with_the_prefix_are_tests_in_source_order() -> None:
    _, tests = found(
        "test_b if true\nhelper := 1\ntest_a := true\nattest_c := 1\na.test_d if true\ntest_e.x := 1"
    )

    assert [test.name for test in tests] == ["test_b", "test_a", "a.test_d", "test_e"]
    assert [test.path for test in tests][:3] == ["data.test.test_b", "data.test.test_a", "data.test.a.test_d"]


def test_tests_still_to_be_written_are_skipped() -> None:
    _, tests = found("todo_test_a if false\ntodo_b if false")

    assert [(test.name, test.skipped) for test in tests] == [("todo_test_a", True)]


def test_rules_of_one_name_are_tests_of_their_own() -> None:
    module, tests = found("test_a if false\ntest_a if true\na.test_b if true\na.test_b if false")

    assert [test.name for test in tests] == ["test_a", "test_a#01", "a.test_b", "a.test_b#01"]
    assert tests[1].path == 'data.test["test_a#01"]'
    assert tests[3].path == 'data.test.a["test_b#01"]'
    assert len({rule.head.ref for rule in module.rules}) == 4


def test_rules_of_one_name_in_two_packages_keep_it() -> None:
    modules = [parse_module(Source(name, f"package {name}\ntest_a := true")) for name in ("one", "two")]

    _, tests = prepare(modules)

    assert [test.path for test in tests] == ["data.one.test_a", "data.two.test_a"]


def test_a_test_with_named_cases_notes_each_as_soon_as_its_name_is_known() -> None:
    module, (test,) = found("test_a[note] if {\n  some note, x in input\n  x > 1\n}")

    assert test.has_cases
    assert module.rules[0].body == (
        Expr(SomeIn(Var("note"), Var("x"), ref("input"))),
        Expr(call("internal.test_case", array("note"))),
        *body(call("gt", "x", 1)),
    )


def test_one_case_can_be_singled_out() -> None:
    module, (test,) = found("test_a[note] if {\n  some note, x in input\n  x > 1\n}")

    narrowed = only_case(module, test, ["one"])

    assert narrowed.rules[0].body[2] == Expr(call("equal", array("note"), array('"one"')))


def test_every_value_has_a_constant_term() -> None:
    value = [None, True, 1, 1.5, "x", make_object([("a", 1), (2, [3])]), RegoSet([1, 2])]

    module = parsed_module('p := [null, true, 1, 1.5, "x", {2: [3], "a": 1}, {1, 2}]')

    assert term_of(value) == module.rules[0].head.value
