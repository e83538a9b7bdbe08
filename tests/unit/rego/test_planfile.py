from typing import Any

import msgspec
import pytest

from webhook.rego import ir
from webhook.rego.errors import CompileError, Location
from webhook.rego.planfile import load_plan


def local(number: int) -> dict[str, Any]:
    return {"type": "local", "value": number}


def document(*statements: dict[str, Any], **functions: list[dict[str, Any]]) -> bytes:
    """Write a plan of one block; the strings are `a` and `2.5`."""
    return msgspec.json.encode(
        {
            "static": {
                "strings": [{"value": "a"}, {"value": "2.5"}],
                "files": [{"value": "t.rego"}],
                "builtin_funcs": [{"name": "count", "decl": {}}],
            },
            "plans": {"plans": [{"name": "t/p", "blocks": [{"stmts": statements}]}]},
            "funcs": {
                "funcs": [
                    {
                        "name": name,
                        "params": [0, 1],
                        "return": 2,
                        "blocks": [{"stmts": body}],
                        "path": ["g0", name],
                    }
                    for name, body in functions.items()
                ]
            },
        }
    )


def statement(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "stmt": {"file": 0, "row": 3, "col": 2, **fields}}


def call(function: str) -> dict[str, Any]:
    return statement("CallStmt", func=function, args=[local(0), local(1)], result=3)


def test_a_plan_is_decoded_with_constants_and_places() -> None:
    policy = load_plan(
        document(
            statement("DotStmt", source=local(0), key={"type": "string_index", "value": 0}, target=2),
            statement("MakeNumberRefStmt", Index=1, target=3),
            statement("NotEqualStmt", a=local(2), b={"type": "bool", "value": False}),
            statement("NotStmt", block={"stmts": None}),
            statement("WithStmt", local=0, path=[0], value=local(3), block={"stmts": []}),
        )
    )

    place = Location("t.rego", 3, 2)
    assert policy.plans == (
        ir.Plan(
            "t/p",
            (
                (
                    ir.Dot(ir.INPUT, ir.Constant("a"), ir.Local(2), location=place),
                    ir.MakeNumberRef("2.5", ir.Local(3), location=place),
                    ir.NotEqual(ir.Local(2), ir.Constant(False), location=place),
                    ir.Not((), location=place),
                    ir.With(ir.INPUT, ("a",), ir.Local(3), (), location=place),
                ),
            ),
        ),
    )
    assert policy.builtins == ("count",)


def test_functions_keep_the_path_that_dynamic_calls_use() -> None:
    policy = load_plan(document(call("p"), p=[statement("ReturnLocalStmt", source=2)]))

    assert [function.path for function in policy.functions] == [("g0", "p")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "plan.json"),
        (b"[]", "not an object"),
        (b"{}", "there is no plan"),
        (b"[" * 100_000, "nested too deeply"),
        (document(statement("JumpStmt")), "plan t/p: unknown statement JumpStmt"),
        (
            document(statement("DotStmt", source=local(0), key=local(-1), target=2)),
            "DotStmt: value is not a local",
        ),
        (
            document(statement("DotStmt", source=local(0), key=local(2), target="x")),
            "target is not an integer",
        ),
        (
            document(statement("AssignVarStmt", source={"type": "string_index", "value": 9}, target=2)),
            "no string 9",
        ),
        (
            document(statement("AssignVarStmt", source={"type": "bool", "value": 1}, target=2)),
            "bool is no kind",
        ),
        (document(statement("MakeNumberRefStmt", Index=0, target=2)), "'a' is not a number"),
        (document(statement("NopStmt", file=7)), "no file 7"),
        (document(statement("BreakStmt", index=1)), "leaves 2 blocks of 1"),
        (
            document(
                statement(
                    "ScanStmt", source=2, key=3, value=4, block={"stmts": [statement("BreakStmt", index=1)]}
                )
            ),
            "leaves 2 blocks of 1",
        ),
        (
            document(statement("CallDynamicStmt", path=[local(2)], args=[0, 1], result=3)),
            "leaves 3 blocks of 1",
        ),
        (document(call("missing")), "there is no function missing"),
        (document(statement("CallStmt", func="p", args=[], result=3), p=[]), "wrong arguments"),
        (document(statement("WithStmt", local=4, path=[], value=local(3), block={})), "no document"),
        (document(p=[call("q")], q=[call("p")]), "in a circle"),
        (document(p=[call("p")]), "in a circle"),
    ],
)
def test_a_broken_plan_is_refused_with_the_place_and_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        load_plan(content)

    assert message in caught.value.diagnostics[0].message
