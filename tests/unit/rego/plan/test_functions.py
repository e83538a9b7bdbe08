"""Which functions a plan consists of."""

from tests.support.compiled_rego import answer, plan_of


def names(module: str) -> set[str]:
    return {function.name for function in plan_of(module).functions}


def test_only_what_a_query_needs_is_planned() -> None:
    assert names("package test\np := q\nq := 1\nr := 2") == {"g0.data.test.p", "g0.data.test.q"}


def test_rules_are_planned_again_only_where_a_replacement_can_matter_to_them() -> None:
    module = (
        "package test\np := x if { x := [near, far] with time.now_ns as 1 }\nfar := 1\nnear := time.now_ns()"
    )

    assert names(module) == {"g0.data.test.p", "g0.data.test.far", "g1.data.test.near"}


def test_the_same_replacement_in_many_places_is_planned_once() -> None:
    tests = "\n".join(f"t{index} if near == 1 with time.now_ns as 1" for index in range(20))
    module = f"package test\np := [{', '.join(f't{index}' for index in range(20))}]\n{tests}\nnear := time.now_ns()"

    assert sum(name.endswith(".near") for name in names(module)) == 1
    assert answer(module) == [True] * 20


def test_paths_that_read_alike_are_different_functions() -> None:
    module = 'package test\np := [data.lib["a.b"], data.lib.a.b]'

    assert answer([module, 'package lib\na["b"] := 2', 'package lib["a.b"]\nc := 1']) == [{"c": 1}, 2]
