"""The cohort: in which namespaces a candidate acts, decided by one number that every replica shares.

Each namespace has a fixed place on a line of integers, from a keyed hash of its name; critical namespaces have
theirs behind all others. A cohort is everything below a threshold. So every replica agrees without talking, a
namespace that is new falls in or out by the same test, none ever flaps, and a higher threshold only adds.

Knows strategy and names; must not know rollouts, stores or time. The salt keeps tenants from choosing names that
stay out of every cohort.
"""

import fnmatch
import functools
import hashlib
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction

from webhook.rollout.strategy import NamespaceSelection

_HASH_BYTES = 6
_CRITICAL = 1 << (8 * _HASH_BYTES)
NOBODY = 0
"""The threshold of an empty cohort."""
EVERYBODY = _CRITICAL << 1
"""The threshold that takes in every eligible namespace, known or not. Below 2^53, so JSON carries it exactly."""
_OUTSIDE = EVERYBODY
_REMEMBERED = 1 << 16
_SALTS_TRIED = 128
_WILDCARDS = frozenset("*?[")


class Cohort:
    """The membership test of one rollout at one threshold."""

    __slots__ = ("contains",)

    contains: Callable[[str], bool]
    """Tell whether a namespace is in the cohort; a C-level look-up for the 65,536 namespaces seen first, one hash
    for others. The empty name, that of objects without a namespace, is a member only when everybody is."""

    def __init__(self, salt: str, selection: NamespaceSelection, threshold: int) -> None:
        self.contains = _Answers(_membership(salt, selection, threshold)).__getitem__


class _Answers(dict[str, bool]):
    """Answers of a membership test.

    Those beyond a number are not kept rather than old ones forgotten: finding an answer anew costs less than making
    room for it.
    """

    def __init__(self, ask: Callable[[str], bool]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, namespace: str) -> bool:
        answer = self._ask(namespace)
        if len(self) < _REMEMBERED:
            self[namespace] = answer
        return answer


@functools.lru_cache(maxsize=32)
def cohort_of(salt: str, selection: NamespaceSelection, threshold: int) -> Cohort:
    """Give the cohort with these numbers, the same object while it is in use, so that it remembers its members."""
    return Cohort(salt, selection, threshold)


def threshold_for(
    salt: str, selection: NamespaceSelection, percent: float, namespaces: Iterable[str]
) -> int | None:
    """Find the least threshold that takes in `percent` of the eligible namespaces, and at least one of them.

    Args:
        salt: the rollout's own; other salts give other cohorts.
        selection: which namespaces are eligible, and which are critical.
        percent: above 0; 100 takes in namespaces that are not known yet, too.
        namespaces: those known; repeated names count once.

    Returns:
        The threshold, or None when part of nothing is asked for: no eligible namespace is known.

    """
    if percent >= 100:
        return EVERYBODY
    place = _places(salt, selection)
    places = sorted(spot for spot in map(place, set(namespaces) - {""}) if spot != _OUTSIDE)
    if not places:
        return None
    # Exact arithmetic on the decimal that was written: 0.07 x 100 in binary is above 7.
    wanted = math.ceil(Fraction(repr(percent)) * len(places) / 100)
    return places[max(wanted, 1) - 1] + 1


def representative_salt(
    seed: str, selection: NamespaceSelection, percent: float, namespaces: Collection[str]
) -> str:
    """Choose a salt under which a small part of few namespaces is also a small part of those still to come.

    With one namespace known, "at least one" puts the threshold wherever its hash happens to lie: 5 percent could
    become 90 percent of the cluster once the others show up. So salts are tried until the part of the line below
    the threshold is at most twice the percentage, or the best of them is taken.

    Returns:
        `seed` followed by a number.

    """
    candidates = (f"{seed}.{attempt}" for attempt in range(_SALTS_TRIED))
    best_salt, best_threshold = f"{seed}.0", EVERYBODY
    for salt in candidates:
        threshold = threshold_for(salt, selection, percent, namespaces)
        if threshold is None or threshold < best_threshold:
            best_salt, best_threshold = salt, threshold or NOBODY
        if best_threshold <= 2 * _CRITICAL * percent / 100:
            break
    return best_salt


def members(cohort: Cohort, namespaces: Collection[str]) -> list[str]:
    """List the known namespaces inside a cohort, in order of name."""
    return sorted(filter(cohort.contains, namespaces))


def eligible_members(salt: str, selection: NamespaceSelection, namespaces: Iterable[str]) -> list[str]:
    """List the known namespaces that a rollout may ever touch, in order of name."""
    return members(cohort_of(salt, selection, EVERYBODY), [name for name in namespaces if name])


def _membership(salt: str, selection: NamespaceSelection, threshold: int) -> Callable[[str], bool]:
    """Give the test for a place below the threshold, asking first what most often settles it.

    Outside a small cohort, the hash alone does; and hashes compare as the bytes that they are.
    """
    included, excluded, critical = _matchers(selection)
    copy = _keyed(salt).copy
    bound = _to_bytes(min(threshold, _CRITICAL))
    critical_bound = _to_bytes(max(threshold - _CRITICAL, 0))

    def contains_some(namespace: str) -> bool:
        digest = copy()
        digest.update(namespace.encode())
        return (
            digest.digest() < bound
            and namespace != ""
            and included(namespace)
            and not excluded(namespace)
            and not critical(namespace)
        )

    def contains_all_but_some(namespace: str) -> bool:
        if not namespace:
            return threshold >= EVERYBODY
        if excluded(namespace) or not included(namespace):
            return False
        if not critical(namespace):
            return True
        digest = copy()
        digest.update(namespace.encode())
        return digest.digest() < critical_bound

    return contains_some if threshold <= _CRITICAL else contains_all_but_some


def _to_bytes(bound: int) -> bytes:
    """Give a number between 0 and 2^48 in the order of the hashes; the last one is above all of them."""
    return bound.to_bytes(_HASH_BYTES, "big") if bound < _CRITICAL else b"\xff" * (_HASH_BYTES + 1)


def _places(salt: str, selection: NamespaceSelection) -> Callable[[str], int]:
    keyed = _keyed(salt)
    included, excluded, critical = _matchers(selection)

    def place(namespace: str) -> int:
        if not namespace:
            # Nobody can review by namespace what has none: it waits for the step that is for everybody.
            return EVERYBODY - 1
        if excluded(namespace) or not included(namespace):
            return _OUTSIDE
        digest = keyed.copy()
        digest.update(namespace.encode())
        spot = int.from_bytes(digest.digest(), "big")
        return spot + _CRITICAL if critical(namespace) else spot

    return place


def _keyed(salt: str) -> hashlib.blake2b:
    return hashlib.blake2b(key=hashlib.sha256(salt.encode()).digest(), digest_size=_HASH_BYTES)


def _matchers(selection: NamespaceSelection) -> Sequence[Callable[[str], bool]]:
    return [_matcher(patterns) for patterns in (selection.include, selection.exclude, selection.critical)]


def _matcher(patterns: Collection[str]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _: False
    if "*" in patterns:
        return lambda _: True
    names = frozenset(pattern for pattern in patterns if _WILDCARDS.isdisjoint(pattern))
    families = frozenset(
        pattern for pattern in patterns if pattern[-1:] == "*" and _WILDCARDS.isdisjoint(pattern[:-1])
    )
    prefixes = tuple(pattern[:-1] for pattern in families)
    others = frozenset(patterns) - names - families

    def is_listed(name: str) -> bool:
        return name in names or name.startswith(prefixes)

    if not others:
        return is_listed
    matches = re.compile("|".join(map(fnmatch.translate, others))).match
    return lambda name: is_listed(name) or matches(name) is not None
