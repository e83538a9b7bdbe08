from webhook.rollout.strategy import NamespaceSelection, Strategy, narrow_strategy


def narrowed(
    selection: NamespaceSelection, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> object:
    return narrow_strategy(Strategy(namespaces=selection), include, exclude).namespaces


def test_a_strategy_touches_only_what_its_policy_judges() -> None:
    everywhere = NamespaceSelection(critical=("payments",))
    assert narrowed(everywhere) == everywhere
    assert narrowed(everywhere, ("team-*",), ("team-9",)) == NamespaceSelection(
        ("team-*",), ("team-9",), ("payments",)
    )


def test_what_a_strategy_names_itself_stays_and_exclusions_add_up() -> None:
    own = NamespaceSelection(include=("team-1*",), exclude=("team-10",))
    assert narrowed(own, ("team-*",), ("team-11", "team-10")) == NamespaceSelection(
        ("team-1*",), ("team-10", "team-11")
    )
