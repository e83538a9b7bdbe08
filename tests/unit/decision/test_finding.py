from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.reviews import pod
from webhook.decision.finding import (
    MESSAGE_CHARACTERS,
    Finding,
    mark_standing,
    message_text,
    read_findings,
)


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ("text", Finding("deny", "text")),
        ({"msg": "m"}, Finding("deny", "m")),
        ({"message": "m"}, Finding("deny", "m")),
        ({"msg": "m", "path": "spec.containers[0]"}, Finding("deny", "m", ("spec", "containers", 0))),
        ({"msg": "m", "path": ["a", 1]}, Finding("deny", "m", ("a", 1))),
        ({"msg": "m", "path": {"no": "path"}}, Finding("deny", "m")),
        (
            {"msg": "m", "details": {"a": 1}, "severity": "x"},
            Finding("deny", "m", (), {"a": 1, "severity": "x"}),
        ),
        ({"msg": "m", "details": [1]}, Finding("deny", "m", (), {"details": [1]})),
        ({"msg": ["a", 1]}, Finding("deny", '["a",1]')),
        ({"msg": ""}, Finding("deny", "")),
        ({"other": 1}, Finding("deny", '{"other":1}')),
        (["a", 1], Finding("deny", '["a",1]')),
        (7, Finding("deny", "7")),
        (True, Finding("deny", "rule deny holds")),
        ("", Finding("deny", "")),
    ],
)
def test_a_finding_is_read_from_whatever_a_rule_gives(value: Any, finding: Finding) -> None:
    assert read_findings({"deny": [value]}) == (finding,)


@pytest.mark.parametrize("value", [False, None])
def test_a_rule_that_says_no_gives_no_finding(value: Any) -> None:
    outputs: dict[str, Any] = {"deny": [value], "warn": value}

    assert read_findings(outputs) == ()


def test_a_complete_rule_is_one_finding() -> None:
    outputs: dict[str, Any] = {"deny": "no", "warn": True}

    assert read_findings(outputs) == (Finding("deny", "no"), Finding("warn", "rule warn holds"))


def test_rules_are_read_in_a_fixed_order_and_patches_are_none_of_them() -> None:
    outputs: dict[str, Any] = {
        "warn": ["w"],
        "patch": [{"op": "remove"}],
        "violation": [{"msg": "v"}],
        "deny": ["d"],
    }

    assert [finding.rule for finding in read_findings(outputs)] == ["deny", "violation", "warn"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain", "plain"),
        (" a\x00\x1bb\r\n", "a b"),
        ("two\nlines", "two\nlines"),
        ("", "rule deny holds"),
        (" \x07 ", "rule deny holds"),
        ("x" * 100_000, "x" * (MESSAGE_CHARACTERS - 1) + "…"),
    ],
)
def test_a_message_is_shown_clean_and_short(written: str, shown: str) -> None:
    # What hides values may give more than it was asked for.
    assert message_text(Finding("deny", written), lambda text, limit: text[: limit + 9]) == shown


def test_a_message_is_hidden_before_it_is_cleaned() -> None:
    assert message_text(Finding("deny", "a\x00b c"), lambda text, _: text.replace("a\x00b", "?")) == "? c"


@given(
    st.dictionaries(
        st.sampled_from(["deny", "warn", "violation"]),
        st.lists(
            st.from_type(object).map(lambda x: x)
            | st.text()
            | st.dictionaries(
                st.sampled_from(["msg", "path", "details"]), st.integers() | st.text() | st.lists(st.text())
            )
        ),
    )
)
def test_no_output_whatever_its_shape_raises(outputs: dict[str, list[object]]) -> None:
    assert all(isinstance(finding.message, str) for finding in read_findings(outputs))


def spec(*names: str) -> dict[str, Any]:
    return pod({"containers": [{"name": name} for name in names]})


def at(index: int, message: str = "m", **details: Any) -> Finding:
    return Finding("deny", message, ("spec", "containers", index), details)


def marks(new: list[Finding], judged: Any, old: list[Finding], old_judged: Any) -> list[bool]:
    return list(mark_standing(new, judged, old, old_judged))


def test_a_violation_of_the_old_object_stands() -> None:
    assert marks([at(0)], spec("a"), [at(0)], spec("a")) == [True]


def test_it_still_stands_when_its_index_shifts() -> None:
    assert marks([at(1)], spec("new", "a"), [at(0)], spec("a")) == [True]


def test_the_same_fault_in_another_container_is_new() -> None:
    assert marks([at(0), at(1)], spec("a", "b"), [at(0)], spec("a")) == [True, False]


def test_a_fault_that_moves_to_another_container_is_new() -> None:
    assert marks([at(1)], spec("a", "b"), [at(0)], spec("a", "b")) == [False]


def test_another_message_rule_or_detail_is_new() -> None:
    new = [at(0, "other"), Finding("warn", "m", at(0).path), at(0, x=1)]

    assert marks(new, spec("a"), [at(0)], spec("a")) == [False, False, False]


def test_each_old_violation_excuses_one_new_one() -> None:
    plain = Finding("deny", "m")

    assert marks([plain, plain], {}, [plain], {}) == [True, False]


def test_elements_without_names_are_any_of_their_list() -> None:
    old, new = Finding("deny", "m", ("args", 0)), Finding("deny", "m", ("args", 3))

    assert marks([new], {"args": ["a", "b", "c", "d"]}, [old], {"args": ["a"]}) == [True]


@pytest.mark.parametrize(
    "path", [("spec", "containers", 99), ("spec", 0, "x"), ("nowhere", "x", -5), ("spec", "containers", "a")]
)
def test_a_path_that_leads_nowhere_is_compared_without_error(path: tuple[str | int, ...]) -> None:
    finding = Finding("deny", "m", path)

    assert marks([finding], spec("a"), [finding], spec("a")) == [True]


PATHS = st.lists(st.sampled_from(["spec", "containers"]) | st.integers(-2, 3), max_size=4).map(tuple)
FINDINGS = st.lists(st.builds(Finding, st.just("deny"), st.sampled_from(["m", "n"]), PATHS), max_size=5)


@given(FINDINGS, FINDINGS)
def test_no_more_violations_stand_than_the_old_object_had(new: list[Finding], old: list[Finding]) -> None:
    assert sum(marks(new, spec("a", "b"), old, spec("a", "b"))) <= len(old)
    assert all(marks(new, spec("a", "b"), new, spec("a", "b")))
