from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.policies import version_of
from tests.support.reviews import POINTERS, TYPES
from webhook.admission.review import AdmissionRequest, GroupVersionKind, GroupVersionResource, Operation
from webhook.policy.index import MatchIndex
from webhook.policy.metadata import Match
from webhook.policy.selector import KindSelector, NamespaceSelector
from webhook.policy.version import PolicyVersion

BOTH = frozenset({Operation.CREATE, Operation.UPDATE})


def ask(kind: str, **fields: Any) -> AdmissionRequest:
    group, version, resource = TYPES.get(kind, ("example.com", "v1", f"{kind.lower()}s"))
    group = fields.pop("group", group)
    return AdmissionRequest(
        uid="u",
        kind=GroupVersionKind(group, version, kind),
        resource=GroupVersionResource(group, version, resource),
        **{"operation": Operation.CREATE, "namespace": "shop", **fields},
    )


def policy(name: str, *kinds: KindSelector, **match: Any) -> PolicyVersion:
    return version_of(name, match=Match(kinds or (KindSelector(None, "Pod"),), **match))


def answer(policies: Sequence[PolicyVersion], request: AdmissionRequest) -> list[tuple[str, bool]]:
    matches = MatchIndex(policies).find(request)
    assert all(policies[match.position] is match.policy for match in matches)
    return [(match.policy.name, match.as_pod) for match in matches]


@pytest.mark.parametrize("kind", POINTERS)
def test_a_policy_for_pods_judges_the_pod_of_every_workload(kind: str) -> None:
    assert answer([policy("p")], ask(kind)) == [("p", True)]


@pytest.mark.parametrize(
    "request_", [ask("ConfigMap"), ask("Deployment", group="example.com"), ask("Widget")]
)
def test_a_policy_for_pods_judges_nothing_else(request_: AdmissionRequest) -> None:
    assert answer([policy("p")], request_) == []


def test_a_policy_that_names_a_workload_gets_the_object_as_it_was_sent() -> None:
    policies = [
        policy("d", KindSelector(None, "Deployment")),
        policy("both", KindSelector(None, "Deployment"), KindSelector(None, "Pod")),
    ]

    assert answer(policies, ask("Deployment")) == [("d", False), ("both", False)]
    assert answer(policies, ask("StatefulSet")) == [("both", True)]


def test_a_well_known_kind_means_its_own_group_and_another_kind_any_group() -> None:
    policies = [
        policy("deployment", KindSelector(None, "Deployment")),
        policy("widget", KindSelector(None, "Widget")),
    ]

    assert answer(policies, ask("Deployment", group="example.com")) == []
    assert answer(policies, ask("Widget", group="a")) == [("widget", False)]
    assert answer(policies, ask("Widget", group="b")) == [("widget", False)]


def test_groups_and_wildcards_are_respected() -> None:
    policies = [
        policy("apps", KindSelector("apps", "*")),
        policy("core", KindSelector("", "*")),
        policy("all", KindSelector(None, "*")),
        policy("a-widget", KindSelector("a", "Widget")),
    ]

    assert answer(policies, ask("Deployment")) == [("apps", False), ("all", False)]
    assert answer(policies, ask("Secret")) == [("core", False), ("all", False)]
    assert answer(policies, ask("Pod")) == [("core", True), ("all", True)]
    assert answer(policies, ask("Widget", group="a")) == [("all", False), ("a-widget", False)]


@pytest.mark.parametrize(
    ("fields", "matched"),
    [
        ({"operation": Operation.UPDATE}, True),
        ({"operation": Operation.DELETE}, False),
        ({"operation": Operation.CONNECT, "sub_resource": "exec"}, False),
        ({"operation": Operation.UPDATE, "sub_resource": "ephemeralcontainers"}, True),
        ({"operation": Operation.UPDATE, "sub_resource": "resize"}, True),
        ({"operation": Operation.UPDATE, "sub_resource": "status"}, False),
    ],
)
def test_only_judged_requests_match(fields: dict[str, Any], matched: bool) -> None:
    assert bool(answer([policy("all", KindSelector(None, "*"))], ask("Pod", **fields))) is matched


def test_namespaces_choose_among_matching_policies() -> None:
    policies = [
        policy("in", namespaces=NamespaceSelector(("shop",))),
        policy("out", namespaces=NamespaceSelector((), ("shop",))),
    ]
    index = MatchIndex(policies)

    names = {
        ns: [match.policy.name for match in index.find(ask("Pod", namespace=ns))]
        for ns in ("shop", "bank", "shop")
    }

    assert names == {"shop": ["in"], "bank": ["out"]}


def test_more_namespaces_than_are_remembered_are_answered_right() -> None:
    index = MatchIndex([policy("in", namespaces=NamespaceSelector(("team-*",)))])

    for number in range(10_000):
        assert len(index.find(ask("Pod", namespace=f"team-{number}"))) == 1
        assert not index.find(ask("Pod", namespace=f"other-{number}"))


def covers(selector: KindSelector, request: AdmissionRequest) -> str | None:
    """Say how a selector covers a request's type, in the plainest way."""
    group, kind = request.kind.group, request.kind.kind
    is_workload = kind in POINTERS and TYPES[kind][0] == group and request.resource.resource == TYPES[kind][2]
    if selector.kind == "Pod" and selector.group in {None, ""}:
        return "pod" if is_workload else None
    wanted = selector.group
    if wanted is None and selector.kind in POINTERS:
        wanted = TYPES[selector.kind][0]
    if selector.kind in {"*", kind} and wanted in {None, group}:
        return "pod" if is_workload and kind == "Pod" else "object"
    return None


def naive(policies: Sequence[PolicyVersion], request: AdmissionRequest) -> list[tuple[str, bool]]:
    found = []
    for candidate in policies:
        match = candidate.metadata.match
        ways = {covers(selector, request) for selector in match.kinds} - {None}
        judged = request.operation in BOTH and (
            not request.sub_resource
            or (
                request.sub_resource in {"resize", "ephemeralcontainers"}
                and covers(KindSelector("", "Pod"), request) == "pod"
                and request.kind.kind == "Pod"
            )
        )
        if (
            ways
            and judged
            and request.operation in match.operations
            and match.namespaces.matches(request.namespace)
        ):
            found.append((candidate.name, "object" not in ways))
    return found


KINDS = st.sampled_from(["Pod", "Deployment", "CronJob", "ConfigMap", "Widget"])
GROUPS = st.sampled_from(["", "apps", "batch", "example.com"])
NAMESPACES = st.sampled_from(["", "shop", "team-a", "team-b"])
GLOBS = st.lists(st.sampled_from(["shop", "team-*", "*", "team-?", "t*b"]), max_size=2).map(tuple)
SELECTORS = st.builds(KindSelector, GROUPS | st.none(), KINDS | st.just("*"))
MATCHES = st.builds(
    Match,
    st.lists(SELECTORS, min_size=1, max_size=3).map(tuple),
    st.sets(st.sampled_from(sorted(BOTH)), min_size=1).map(frozenset),
    st.builds(NamespaceSelector, GLOBS, GLOBS),
)
REQUESTS = st.builds(
    lambda kind, group, fields: ask(kind, **({"group": group} if group is not None else {}), **fields),
    KINDS,
    GROUPS | st.none(),
    st.fixed_dictionaries(
        {
            "operation": st.sampled_from(Operation),
            "namespace": NAMESPACES,
            "sub_resource": st.sampled_from(["", "", "status", "resize", "ephemeralcontainers"]),
        }
    ),
)


@given(st.lists(MATCHES, max_size=6), st.lists(REQUESTS, min_size=1, max_size=4))
def test_the_index_agrees_with_asking_every_policy(
    matches: list[Match], requests: list[AdmissionRequest]
) -> None:
    policies = [version_of(f"p{number}", match=match) for number, match in enumerate(matches)]
    index = MatchIndex(policies)

    for request in (*requests, *requests):
        found = [(match.policy.name, match.as_pod) for match in index.find(request)]
        assert found == naive(policies, request)
