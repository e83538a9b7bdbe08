import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.path import FieldPath, parse_path, parse_pointer, render_path, render_pointer


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("spec.containers[0].env[3]", ("spec", "containers", 0, "env", 3)),
        ("/spec/containers/0/env/3", ("spec", "containers", 0, "env", 3)),
        (["spec", "containers", 0, "env", 3.0], ("spec", "containers", 0, "env", 3)),
        ("spec", ("spec",)),
        ("", ()),
        ([], ()),
        ('metadata.annotations["a.b/c"]', ("metadata", "annotations", "a.b/c")),
        ("metadata.annotations['a.b/c'].x", ("metadata", "annotations", "a.b/c", "x")),
        ("metadata.annotations[a.b/c]", ("metadata", "annotations", "a.b/c")),
        ("/metadata/annotations/a.b~1c~0d", ("metadata", "annotations", "a.b/c~d")),
        ("/x/01", ("x", "01")),
        (".spec.containers", ("spec", "containers")),
    ],
)
def test_a_path_is_read_from_every_form_that_policies_use(written: object, path: FieldPath) -> None:
    assert parse_path(written) == path


@pytest.mark.parametrize(
    "written", [None, 3, True, {"a": 1}, [True], [None], ["a", 1.5], [["a"]], "a..b", "a[", "]"]
)
def test_what_is_no_path_is_none(written: object) -> None:
    assert parse_path(written) is None


@pytest.mark.parametrize(
    ("path", "rendered"),
    [
        (("spec", "template", "spec", "containers", 0, "env", 3), "spec.template.spec.containers[0].env[3]"),
        (("metadata", "annotations", "a.b/c"), "metadata.annotations[a.b/c]"),
        ((), ""),
        ((0,), "[0]"),
    ],
)
def test_a_path_is_rendered_as_kubernetes_does(path: FieldPath, rendered: str) -> None:
    assert render_path(path) == rendered


KEYS = st.text(max_size=8)
INDICES = st.integers(0, 10_000)


def is_number(key: str) -> bool:
    return key.isascii() and key.isdigit()


@given(st.lists(KEYS.filter(lambda key: not is_number(key)) | INDICES))
def test_a_pointer_is_read_back_as_the_path_that_it_was_rendered_from(segments: list[str | int]) -> None:
    assert parse_pointer(render_pointer(tuple(segments))) == tuple(segments)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]*|[a-z]+\.[a-z]+/[a-z]+", fullmatch=True)


@given(st.lists(NAMES | INDICES, min_size=1).filter(lambda segments: isinstance(segments[0], str)))
def test_a_rendered_path_is_read_back(segments: list[str | int]) -> None:
    assert parse_path(render_path(tuple(segments))) == tuple(segments)


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_none(text: str) -> None:
    path = parse_path(text)

    assert path is None or all(isinstance(segment, str | int) for segment in path)
