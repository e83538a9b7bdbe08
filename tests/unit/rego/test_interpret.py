"""Each statement of the intermediate representation, through every engine."""

import pytest

from tests.support.rego_engines import engines, results
from webhook.rego import ir
from webhook.rego.errors import EvaluationError
from webhook.rego.values import RegoSet, Value

TWO, THREE, FOUR, FIVE = ir.Local(2), ir.Local(3), ir.Local(4), ir.Local(5)


def const(value: Value) -> ir.Constant:
    return ir.Constant(value)


def add(value: ir.Operand) -> ir.Statement:
    return ir.ResultSetAdd(value)


def test_an_undefined_statement_ends_its_block_and_the_next_block_runs() -> None:
    assert results([(ir.Dot(ir.INPUT, const("a"), TWO), add(const(1))), (add(const(2)),)], {}) == [2]


def test_the_results_come_in_order() -> None:
    block = (ir.Scan(ir.INPUT, TWO, THREE, (add(THREE),)),)

    assert results([block], RegoSet([3, 1, 2])) == [1, 2, 3]


@pytest.mark.parametrize("source", ["text", 7, None, [], {}, RegoSet()])
def test_a_scan_of_nothing_goes_on(source: Value) -> None:
    assert results([(ir.Scan(const(source), TWO, THREE, (add(THREE),)), add(const("after")))]) == ["after"]


def test_leaving_the_body_of_a_loop_starts_the_next_round() -> None:
    body = (ir.Equal(THREE, const(2)), add(THREE))

    assert results([(ir.Scan(ir.INPUT, TWO, THREE, body),)], [1, 2, 3, 2]) == [2, 2]


def test_a_loop_gives_indexes_keys_and_members() -> None:
    block = (ir.Scan(ir.INPUT, TWO, THREE, (add(TWO),)),)

    assert results([block], ["x", "y"]) == [0, 1]
    assert results([block], {"b": 1, "a": 2}) == ["a", "b"]
    assert results([block], RegoSet(["m"])) == ["m"]


def test_a_break_leaves_as_many_blocks_as_it_says() -> None:
    inner = ir.BlockStatement(((ir.Break(1), add(const("never"))), (add(const("skipped")),)))

    assert results([(inner, add(const("also skipped"))), (add(const("reached")),)]) == ["reached"]


def test_a_break_of_none_leaves_its_own_block() -> None:
    inner = ir.BlockStatement(((ir.Break(0), add(const("never"))), (add(const("next")),)))

    assert results([(inner, add(const("after")))]) == ["next", "after"]


def test_a_break_in_a_loop_within_blocks_leaves_only_this_round() -> None:
    choice = ir.BlockStatement(
        (
            (ir.BlockStatement(((ir.Equal(THREE, const(1)), ir.Break(1)),)), ir.Break(1)),
            (add(const("second")),),
        )
    )
    body = (choice, add(THREE))

    assert results([(ir.Scan(ir.INPUT, TWO, THREE, body),)], [1, 5]) == ["second", 1]


def test_negation_turns_undefined_around() -> None:
    found = ir.Not((ir.Dot(ir.INPUT, const("a"), TWO),))

    assert results([(found, add(const(1)))], {}) == [1]
    assert results([(found, add(const(1)))], {"a": False}) == []


def test_a_break_within_a_negation_leaves_the_blocks_around_it() -> None:
    negation = ir.Not((ir.BlockStatement(((ir.Break(1),),)),))

    assert results([(negation, add(const(1)))]) == [1]


def test_with_replaces_a_part_of_the_input_within_its_block_only() -> None:
    lookup = (ir.Dot(ir.INPUT, const("a"), TWO), add(TWO))
    replaced = ir.With(ir.INPUT, ("a",), const(9), lookup)

    assert results([(replaced, *lookup)], {"a": 1}) == [9, 1]


def test_with_is_undefined_when_its_block_is() -> None:
    replaced = ir.With(ir.INPUT, (), const(9), (ir.Equal(ir.INPUT, const(8)),))

    assert results([(replaced, add(const(1)))], {"a": 1}) == []


def test_with_can_put_the_former_input_back_even_a_missing_one() -> None:
    back = ir.With(ir.INPUT, (), TWO, (ir.IsUndefined(ir.INPUT), add(const("missing"))))

    assert results([(ir.AssignVar(ir.INPUT, TWO), ir.With(ir.INPUT, (), const(9), (back,)))]) == ["missing"]


def rule(*blocks: ir.Block) -> ir.Function:
    return ir.Function("rule", (ir.INPUT, ir.DATA), TWO, blocks, ("g0", "rule"))


def call(result: ir.Local = TWO) -> ir.Call:
    return ir.Call("rule", (ir.INPUT, ir.DATA), result)


def test_a_rule_is_evaluated_anew_for_other_documents() -> None:
    size = rule((ir.Len(ir.INPUT, TWO), ir.ReturnLocal(TWO)))
    again = ir.With(ir.INPUT, (), const("text"), (call(THREE), add(THREE)))

    assert results([(call(), add(TWO), again, call(FOUR), add(FOUR))], "xy", size) == [2, 4, 2]


def test_a_function_that_does_not_return_is_undefined() -> None:
    assert results([(call(), add(const(1))), (add(const(2)),)], {}, rule((ir.IsArray(ir.INPUT),))) == [2]


def test_a_dynamic_call_finds_a_rule_by_its_path() -> None:
    dynamic = ir.CallDynamic((const("g0"), ir.INPUT), (ir.INPUT, ir.DATA), TWO)
    choice = ir.BlockStatement(
        ((ir.BlockStatement(((dynamic, add(TWO), ir.Break(1)), (add(const("base")), ir.Break(1)))),),)
    )

    assert results([(choice,)], "rule", rule((ir.ReturnLocal(const(7)),))) == [7]
    assert results([(choice,)], "other", rule((ir.ReturnLocal(const(7)),))) == ["base"]
    assert results([(choice,)], 3, rule((ir.ReturnLocal(const(7)),))) == ["base"]


def test_a_dynamic_call_of_an_undefined_rule_does_not_fall_back() -> None:
    dynamic = ir.CallDynamic((const("g0"), const("rule")), (ir.INPUT, ir.DATA), TWO)
    inner = ir.BlockStatement(((dynamic, ir.Break(1)), (add(const("base")), ir.Break(1))))
    choice = ir.BlockStatement(((inner, ir.Break(2)),))

    assert results([(choice, add(const("after"))), (add(const("end")),)], {}, rule()) == ["end"]


def test_collections_are_built_element_by_element() -> None:
    block = (
        ir.MakeArray(TWO),
        ir.ArrayAppend(TWO, const(1)),
        ir.ArrayAppend(TWO, ir.INPUT),
        ir.MakeSet(THREE),
        ir.SetAdd(THREE, TWO),
        ir.SetAdd(THREE, const(True)),
        ir.SetAdd(THREE, const(1)),
        ir.MakeObject(FOUR),
        ir.ObjectInsert(FOUR, const("set"), THREE),
        ir.ObjectInsert(FOUR, ir.INPUT, const(None)),
        add(FOUR),
    )

    assert results([block], "x") == [{"set": RegoSet([[1, "x"], True, 1]), "x": None}]


def test_what_is_undefined_is_added_to_nothing() -> None:
    block = (ir.MakeArray(TWO), ir.BlockStatement(((ir.ArrayAppend(TWO, ir.INPUT),),)), add(TWO))

    assert results([block]) == [[]]


def test_a_number_a_null_and_an_integer_are_made() -> None:
    block = (
        ir.MakeNumberRef("1.5", TWO),
        ir.MakeNull(THREE),
        ir.MakeNumberInt(-3, FOUR),
        ir.AssignInt(4, FIVE),
        add(TWO),
        add(THREE),
        add(FOUR),
        add(FIVE),
    )

    assert results([block]) == [1.5, None, -3, 4]


@pytest.mark.parametrize(
    ("source", "kinds"),
    [([], ["array"]), ({}, ["object"]), (RegoSet(), ["set"]), ("x", []), (None, [])],
)
def test_types_are_told_apart(source: Value, kinds: list[str]) -> None:
    blocks = [
        (ir.IsArray(ir.INPUT), add(const("array"))),
        (ir.IsObject(ir.INPUT), add(const("object"))),
        (ir.IsSet(ir.INPUT), add(const("set"))),
    ]

    assert results(blocks, source) == kinds


def test_objects_merge_and_the_left_one_wins() -> None:
    block = (ir.ObjectMerge(ir.INPUT, const({"a": 2, "b": 3}), TWO), add(TWO))

    assert results([block], {"a": 1}) == [{"a": 1, "b": 3}]


def failure(*blocks: ir.Block, functions: tuple[ir.Function, ...] = ()) -> str:
    """Give the message of the error that every engine ends with."""
    policy = ir.Policy((ir.Plan("plan", blocks),), functions)
    messages = set()
    for engine in engines(policy):
        with pytest.raises(EvaluationError) as caught:
            engine.query("plan", {})
        assert caught.value.code == "eval_conflict_error"
        messages.add(caught.value.message)
    (message,) = messages
    return message


def test_two_values_of_a_rule_are_a_conflict() -> None:
    conflicting = rule(
        (ir.AssignVarOnce(const(1), TWO),), (ir.AssignVarOnce(const(2), TWO), ir.ReturnLocal(TWO))
    )

    assert failure((call(),), functions=(conflicting,)) == "complete rules must not produce multiple outputs"


def test_two_values_of_a_function_are_a_conflict() -> None:
    conflicting = ir.Function(
        "f",
        (ir.INPUT, ir.DATA, TWO),
        THREE,
        ((ir.AssignVarOnce(const(1), THREE),), (ir.AssignVarOnce(TWO, THREE), ir.ReturnLocal(THREE))),
    )
    calls = (ir.Call("f", (ir.INPUT, ir.DATA, const(5)), TWO),)

    assert (
        failure(calls, functions=(conflicting,))
        == "functions must not produce multiple outputs for same inputs"
    )


def test_the_same_value_twice_is_no_conflict() -> None:
    agreeing = rule(
        (ir.AssignVarOnce(const(1), TWO),), (ir.AssignVarOnce(const(1.0), TWO), ir.ReturnLocal(TWO))
    )

    assert results([(call(), add(TWO))], {}, agreeing) == [1]


def test_two_values_for_a_key_are_a_conflict() -> None:
    message = failure(
        (
            ir.MakeObject(TWO),
            ir.ObjectInsertOnce(TWO, const("a"), const(1)),
            ir.ObjectInsertOnce(TWO, const("a"), const(True)),
            ir.ResultSetAdd(TWO),
        )
    )

    assert message == "object keys must be unique"
