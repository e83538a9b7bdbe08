from webhook.rego.ast import Source
from webhook.rego.compiler import compile_modules


def test_many_negated_calls_in_one_body_do_not_share_what_is_evaluated_before_them() -> None:
    # Each argument is taken out of its `not` into a variable of its own; were two to share one, they would unify.
    statements = "\n".join(
        f"\tnot startswith(input.names[{index}], input.prefixes[{index}])" for index in range(40)
    )
    module = Source("a.rego", f"package a\nimport rego.v1\nr if {{\n{statements}\n}}\n")
    program = compile_modules([module], entrypoints=["data.a.r"])
    document = {
        "names": [f"n{index}" for index in range(40)],
        "prefixes": [f"p{index}" for index in range(40)],
    }
    assert program.evaluate(document) == [True]
