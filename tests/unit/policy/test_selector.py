import pytest

from webhook.policy.selector import KindSelector, NamespaceSelector


@pytest.mark.parametrize(
    ("include", "exclude", "namespace", "selected"),
    [
        ((), (), "shop", True),
        ((), (), "", True),
        (("team-*",), (), "team-a", True),
        (("team-*",), (), "steam-a", False),
        (("team-*",), (), "", False),
        (("*",), (), "", True),
        (("team-[ab]", "x?"), (), "team-c", False),
        (("team-[ab]", "x?"), (), "xy", True),
        ((), ("kube-*",), "kube-public", False),
        (("team-*",), ("team-x",), "team-x", False),
        (("Team",), (), "team", False),
    ],
)
def test_a_namespace_is_selected_by_globs_and_exclusion_wins(
    include: tuple[str, ...], exclude: tuple[str, ...], namespace: str, selected: bool
) -> None:
    assert NamespaceSelector(include, exclude).matches(namespace) is selected


def test_a_kind_selector_is_written_as_it_was_read() -> None:
    selectors = (KindSelector(None, "Pod"), KindSelector("", "Pod"), KindSelector("apps", "*"))

    assert [str(selector) for selector in selectors] == ["Pod", "core/Pod", "apps/*"]
