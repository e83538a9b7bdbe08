import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.reviews import POINTERS, pod, pod_spec, workload
from webhook.decision.redaction import MOST_HIDDEN, PLACEHOLDER, SHORTEST, Redactor


def redactor_for(*env: tuple[str, str]) -> Redactor:
    return Redactor.of(pod(pod_spec(env=[{"name": name, "value": value} for name, value in env])))


@pytest.mark.parametrize(
    ("value", "text", "redacted"),
    [
        ("hunter2", "PASSWORD=hunter2", "PASSWORD=[redacted]"),
        ("hunter2", "hunter2", "[redacted]"),
        (
            "AKIAIOSFODNN7EXAMPLE",
            "xAKIAIOSFODNN7EXAMPLEx twice AKIAIOSFODNN7EXAMPLE",
            "x[redacted]x twice [redacted]",
        ),
        ("pass", "the password pass", "the password [redacted]"),
        ("abc", "abc is too short to be a secret", "abc is too short to be a secret"),
        ("true", "set readOnlyRootFilesystem: true", "set readOnlyRootFilesystem: true"),
        ("a.b*c(d)", "regular a.b*c(d) expression", "regular [redacted] expression"),
        ("  padded-secret \n", "got padded-secret here", "got [redacted] here"),
        ('quo"te\\d', r'JSON {"v": "quo\"te\\d"}', 'JSON {"v": "[redacted]"}'),
        ("<&secret>", r'OPA {"v": "\u003c\u0026secret\u003e"}', 'OPA {"v": "[redacted]"}'),
        ("schlüssel1", r'ASCII {"v": "schl\u00fcssel1"}', 'ASCII {"v": "[redacted]"}'),
        ("first line\nsecond line", "only second line shown", "only [redacted] shown"),
        ("redacted", "text redacted", "text redacted"),
    ],
)
def test_the_value_of_a_secretive_variable_is_replaced(value: str, text: str, redacted: str) -> None:
    assert redactor_for(("APP_PASSWORD", value)).text(text) == redacted


def test_a_longer_value_is_replaced_before_the_shorter_one_inside_it() -> None:
    redactor = redactor_for(("TOKEN", "abcdefgh"), ("OTHER_TOKEN", "abcdefgh-ijkl"))

    assert redactor.text("abcdefgh-ijkl abcdefgh") == "[redacted] [redacted]"


def test_everyday_words_and_public_names_stay_readable_under_plain_variables() -> None:
    redactor = redactor_for(
        ("LOG_LEVEL", "debug"), ("SERVICE", "web"), ("POD", "web-1"), ("MODE", "turbo-mode")
    )

    assert redactor.text("debug build of web-1 in turbo-mode") == "debug build of web-1 in [redacted]"


def test_no_word_is_too_plain_under_a_secretive_variable() -> None:
    assert redactor_for(("DB_PASSWORD", "default")).text("not the default") == "not the [redacted]"


@pytest.mark.parametrize("kind", POINTERS)
@pytest.mark.parametrize("field", ["containers", "initContainers", "ephemeralContainers"])
def test_values_are_found_in_every_container_of_every_workload(kind: str, field: str) -> None:
    spec = {field: [{"name": "a"}, {"name": "b", "env": [{"name": "X", "value": "s3cret-value"}]}]}

    assert Redactor.of(workload(kind, spec)).text("x s3cret-value") == f"x {PLACEHOLDER}"


def test_values_of_the_old_object_are_hidden_too() -> None:
    old = pod(pod_spec(env=[{"name": "TOKEN", "value": "old-value-1"}]))

    assert Redactor.of(pod(), old).text("was old-value-1") == f"was {PLACEHOLDER}"


def test_values_are_found_in_custom_resources_that_embed_a_pod() -> None:
    rollout = {
        "kind": "Rollout",
        "spec": {"template": {"spec": pod_spec(env=[{"name": "X", "value": "s3cret-value"}])}},
    }

    assert Redactor.of(rollout).text("s3cret-value") == PLACEHOLDER


def test_secret_data_is_hidden_encoded_and_decoded() -> None:
    encoded = base64.b64encode(b"decoded-secret").decode()
    redactor = Redactor.of(
        {"kind": "Secret", "data": {"a": encoded, "b": 3}, "stringData": {"c": "plain-secret"}}
    )

    assert redactor.text(f"{encoded} decoded-secret plain-secret") == " ".join([PLACEHOLDER] * 3)


@pytest.mark.parametrize(
    "env", [None, "x", {}, ["x"], [None], [{}], [{"name": 1}], [{"value": {"a": 1}}], [{"value": True}]]
)
def test_an_env_of_any_shape_is_read_without_error(env: Any) -> None:
    assert Redactor.of(pod(pod_spec(env=env))).text("text") == "text"


def test_every_string_of_a_json_value_is_redacted() -> None:
    value = {"s3cret-value": ["s3cret-value", {"x": "a s3cret-value"}], "n": 1, "b": True, "none": None}
    before = copy.deepcopy(value)

    redacted = redactor_for(("TOKEN", "s3cret-value")).value(value)

    assert redacted == {
        PLACEHOLDER: [PLACEHOLDER, {"x": f"a {PLACEHOLDER}"}],
        "n": 1,
        "b": True,
        "none": None,
    }
    assert value == before


LONG_SECRETS = st.builds(
    "{}x{}y{}".format,
    st.sampled_from(["", " ", "\n"]),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters=PLACEHOLDER[0] + PLACEHOLDER[-1]),
        min_size=6,
    ),
    st.sampled_from(["", " ", "\n"]),
)
TEXTS = st.lists(st.text(max_size=8), max_size=4)


@given(st.lists(LONG_SECRETS, min_size=1, max_size=5), TEXTS, st.randoms(use_true_random=False))
def test_no_long_value_survives_in_any_text(values: list[str], words: list[str], random: Any) -> None:
    forms = [
        form
        for value in values
        for form in (value, value.strip(), json.dumps(value), json.dumps(value, ensure_ascii=False))
    ]
    pieces = [*words, *forms]
    random.shuffle(pieces)
    redactor = redactor_for(*((f"TOKEN_{number}", value) for number, value in enumerate(values)))

    text = redactor.text("".join(pieces))

    assert not any(value in text for value in values)


@given(
    LONG_SECRETS,
    st.recursive(st.none() | st.just("VALUE"), lambda c: st.lists(c) | st.dictionaries(st.just("VALUE"), c)),
)
def test_no_long_value_survives_in_any_details(secret: str, shape: Any) -> None:
    details = json.loads(json.dumps(shape).replace('"VALUE"', json.dumps(secret)))

    redacted = redactor_for(("X_TOKEN", secret)).value(details)

    assert json.loads(json.dumps(shape).replace("VALUE", PLACEHOLDER)) == redacted


@given(
    st.text(min_size=SHORTEST, max_size=7, alphabet="abc123-_é"), st.text(alphabet="abc123 =:", max_size=12)
)
def test_a_short_value_never_stands_alone(secret: str, text: str) -> None:
    assume(secret not in PLACEHOLDER)

    redacted = redactor_for(("X_TOKEN", secret)).text(f"{text} {secret} {text}={secret}")

    assert f" {secret} " not in redacted
    assert not redacted.endswith(f"={secret}")


@given(st.text())
def test_a_text_without_values_stays_as_it_is(text: str) -> None:
    assert redactor_for(("TOKEN", "0123456789abcdef")).text(text) == text


def test_with_too_many_values_to_look_for_texts_are_withheld() -> None:
    redactor = redactor_for(*(("TOKEN", f"s3cret-{number}") for number in range(MOST_HIDDEN + 1)))

    assert redactor.value({"a": ["any text", ""]}) == {PLACEHOLDER: [PLACEHOLDER, ""]}


@given(
    before=st.text("ab \n", max_size=30),
    value=st.text("0123456789", min_size=8, max_size=60),
    after=st.text("cd \n", max_size=30),
    characters=st.integers(0, 120),
)
def test_of_a_value_that_is_cut_off_nothing_is_left(
    before: str, value: str, after: str, characters: int
) -> None:
    shown = Redactor([value]).beginning(before + value + after, characters)
    assert not set(shown) & set("0123456789")
    assert (before + PLACEHOLDER + after).startswith(shown.removesuffix(PLACEHOLDER))
    assert len(shown) <= characters + len(PLACEHOLDER)


def test_the_beginning_of_a_text_is_withheld_where_values_are_too_long_to_search_for() -> None:
    redactor = Redactor([f"{number}" * 300_000 for number in range(100, 120)])
    assert redactor.beginning("x" * 5_000, 2_000) == PLACEHOLDER
    assert redactor.beginning("short", 2_000) == "short"
