import fnmatch
import math
import timeit
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from webhook.rollout.cohort import EVERYBODY, NOBODY, Cohort, members, representative_salt, threshold_for
from webhook.rollout.strategy import NamespaceSelection

ALL = NamespaceSelection()
NAMESPACES = [f"team-{number}" for number in range(200)]
names = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True), min_size=1, max_size=40, unique=True)
percents = st.floats(0.01, 100)


def cohort_of(
    percent: float, namespaces: list[str], selection: NamespaceSelection = ALL, salt: str = "s"
) -> Cohort:
    threshold = threshold_for(salt, selection, percent, namespaces)
    assert threshold is not None
    return Cohort(salt, selection, threshold)


@given(names, percents)
def test_it_holds_the_asked_share_rounded_up_and_at_least_one(namespaces: list[str], percent: float) -> None:
    inside = members(cohort_of(percent, namespaces), namespaces)
    assert len(inside) == max(1, math.ceil(Fraction(repr(percent)) * len(namespaces) / 100))


def test_a_percentage_is_taken_as_the_decimal_that_was_written() -> None:
    namespaces = [f"n{number}" for number in range(3000)]
    assert (
        len(members(cohort_of(1.1, namespaces), namespaces)) == 33
    )  # 1.1 * 30 is 33.000000000000004 in binary


@given(names, percents, percents)
def test_a_smaller_percentage_is_a_subset(namespaces: list[str], one: float, other: float) -> None:
    small, large = sorted([one, other])
    assert set(members(cohort_of(small, namespaces), namespaces)) <= set(
        members(cohort_of(large, namespaces), namespaces)
    )


@given(names, percents)
def test_every_replica_agrees(namespaces: list[str], percent: float) -> None:
    mine, theirs = cohort_of(percent, namespaces), cohort_of(percent, list(reversed(namespaces)))
    assert members(mine, namespaces) == members(theirs, namespaces)


@given(names, names, percents)
def test_no_namespace_flaps_when_others_come(known: list[str], new: list[str], percent: float) -> None:
    cohort = cohort_of(percent, known)
    before = {namespace: cohort.contains(namespace) for namespace in known}
    after = Cohort("s", ALL, threshold_for("s", ALL, percent, known) or NOBODY)
    for namespace in new:
        after.contains(namespace)
    assert {namespace: after.contains(namespace) for namespace in known} == before


def test_namespaces_still_to_come_fall_in_at_about_the_same_share() -> None:
    cohort = cohort_of(25, NAMESPACES)
    later = [f"later-{number}" for number in range(4_000)]
    assert 0.18 < len(members(cohort, later)) / len(later) < 0.32


def test_another_salt_draws_another_cohort() -> None:
    drawn = {tuple(members(cohort_of(5, NAMESPACES, salt=str(salt)), NAMESPACES)) for salt in range(20)}
    assert len(drawn) == 20


def test_everybody_is_in_a_cohort_of_100_percent_even_if_unknown() -> None:
    cohort = cohort_of(100, [])
    assert cohort.contains("never-seen")
    assert cohort.contains("")


def test_objects_without_a_namespace_wait_for_100_percent() -> None:
    assert not cohort_of(99.99, NAMESPACES).contains("")


def test_nothing_known_means_no_cohort() -> None:
    assert threshold_for("s", ALL, 5, []) is None
    assert threshold_for("s", NamespaceSelection(include=("prod-*",)), 5, NAMESPACES) is None
    assert not Cohort("s", ALL, NOBODY).contains("team-1")


def test_excluded_namespaces_are_never_members_and_not_counted() -> None:
    selection = NamespaceSelection(include=("team-1*",), exclude=("team-1?",))
    everyone = Cohort("s", selection, EVERYBODY)
    eligible = members(everyone, NAMESPACES)
    assert eligible == sorted(["team-1", *(f"team-{number}" for number in range(100, 200))])
    assert len(members(cohort_of(50, NAMESPACES, selection), NAMESPACES)) == 51


def test_critical_namespaces_join_last() -> None:
    selection = NamespaceSelection(critical=("team-1*",))
    ordinary = [namespace for namespace in NAMESPACES if not namespace.startswith("team-1")]
    share = 100 * len(ordinary) / len(NAMESPACES)
    assert members(cohort_of(share, NAMESPACES, selection), NAMESPACES) == sorted(ordinary)
    assert len(members(cohort_of(share + 1, NAMESPACES, selection), NAMESPACES)) == len(ordinary) + 2


def test_a_threshold_survives_json_in_every_language() -> None:
    assert EVERYBODY < 2**53


def test_one_known_namespace_does_not_put_most_of_the_unknown_ones_at_risk() -> None:
    later = [f"later-{number}" for number in range(2_000)]
    for seed in range(20):
        salt = representative_salt(str(seed), ALL, 5, ["only-one"])
        cohort = cohort_of(5, ["only-one"], salt=salt)
        assert cohort.contains("only-one")
        assert len(members(cohort, later)) / len(later) <= 0.13


def test_choosing_a_salt_ends_when_there_is_nothing_to_choose_from() -> None:
    assert representative_salt("seed", ALL, 5, []) == "seed.0"
    only_critical = NamespaceSelection(critical=("*",))
    assert representative_salt("seed", only_critical, 5, ["a"]).startswith("seed.")


patterns = st.lists(
    st.sampled_from(["*", "a*", "ab", "b?", "*c", "[a-c]*", "c[!a]*", "aa*", "b", "c"]),
    max_size=3,
    unique=True,
)
selections = st.builds(
    lambda include, exclude, critical: NamespaceSelection(
        tuple(include) or ("*",), tuple(exclude), tuple(critical)
    ),
    patterns,
    patterns,
    patterns,
)


@given(st.lists(st.text("abc", max_size=4), min_size=1, max_size=30, unique=True), selections, percents)
def test_whatever_the_selection_the_share_counts_those_eligible_and_takes_ordinary_ones_first(
    namespaces: list[str], selection: NamespaceSelection, percent: float
) -> None:
    def matches(name: str, patterns: tuple[str, ...]) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    eligible = [
        name
        for name in namespaces
        if name and matches(name, selection.include) and not matches(name, selection.exclude)
    ]
    ordinary = [name for name in eligible if not matches(name, selection.critical)]
    threshold = threshold_for("s", selection, percent, namespaces)
    if percent < 100 and not eligible:
        assert threshold is None
        return
    inside = members(Cohort("s", selection, threshold or NOBODY), [name for name in namespaces if name])
    wanted = max(1, math.ceil(Fraction(repr(percent)) * len(eligible) / 100)) if eligible else 0
    assert len(inside) == wanted
    assert set(inside) <= set(eligible)
    assert set(inside) <= set(ordinary) or set(ordinary) <= set(inside)


def test_what_was_stored_by_an_earlier_release_still_means_the_same() -> None:
    """Thresholds and salts are persisted: a namespace must not change sides with the release."""
    assert threshold_for("s", ALL, 25, NAMESPACES) == 84057153354161
    assert threshold_for("s", NamespaceSelection(critical=("team-1*",)), 95, NAMESPACES) == 541990714161747
    places = {"default": 33077543892690, "team-2": 17163159749758, "größe": 238946577617175}
    for namespace, place in places.items():
        assert not Cohort("credential-env@2.7", ALL, place).contains(namespace)
        assert Cohort("credential-env@2.7", ALL, place + 1).contains(namespace)
    critical = NamespaceSelection(critical=("payments",))
    assert not Cohort("credential-env@2.7", critical, 431997810775145).contains("payments")
    assert Cohort("credential-env@2.7", critical, 431997810775146).contains("payments")


def test_the_membership_test_takes_less_than_a_microsecond() -> None:
    selection = NamespaceSelection(exclude=("kube-*",), critical=("payments", "team-1*"))
    contains = cohort_of(25, NAMESPACES, selection).contains
    best = min(timeit.repeat(lambda: contains("team-17"), number=20_000, repeat=5)) / 20_000
    assert best < 1e-6


def test_namespaces_beyond_those_remembered_are_answered_alike() -> None:
    cohort = cohort_of(25, NAMESPACES)
    before = {namespace: cohort.contains(namespace) for namespace in NAMESPACES}
    beyond = [f"later-{number}" for number in range(70_000)]
    first = members(cohort, beyond)
    assert members(cohort, beyond) == first
    assert 0.28 < len(first) / len(beyond) < 0.32  # the threshold lies there, for 200 known namespaces
    assert {namespace: cohort.contains(namespace) for namespace in NAMESPACES} == before
