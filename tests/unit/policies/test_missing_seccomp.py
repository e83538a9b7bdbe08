import itertools
from typing import Any

import jsonpatch
import pytest

from tests.support.core_policies import core_policy

CONFINED = {"RuntimeDefault", "Localhost"}
PROFILES = [None, "RuntimeDefault", "Localhost", "Unconfined"]
LISTS = ["containers", "initContainers", "ephemeralContainers"]


def context(profile: str | None) -> dict[str, Any]:
    return {} if profile is None else {"securityContext": {"seccompProfile": {"type": profile}}}


def pod(pod_profile: str | None, *profiles: str | None) -> dict[str, Any]:
    containers = [{"name": f"c{i}", **context(profile)} for i, profile in enumerate(profiles)]
    return {**context(pod_profile), "containers": containers}


def deny(spec: object) -> list[dict[str, Any]]:
    return core_policy("missing-seccomp").deny(spec)


def patch(spec: dict[str, Any], **request: Any) -> list[dict[str, Any]]:
    return core_policy("missing-seccomp").patch({"operation": "CREATE", "object": {"spec": spec}, **request})


@pytest.mark.parametrize(("whole", "own"), list(itertools.product(PROFILES, PROFILES)))
def test_what_counts_is_the_profile_that_the_container_ends_up_with(
    whole: str | None, own: str | None
) -> None:
    effective = own or whole
    assert bool(deny(pod(whole, own))) == (effective not in CONFINED)


@pytest.mark.parametrize(("whole", "own"), list(itertools.product(PROFILES, PROFILES)))
def test_the_patch_changes_only_what_nobody_chose(whole: str | None, own: str | None) -> None:
    assert bool(patch(pod(whole, own))) == (whole is None and own is None)


@pytest.mark.parametrize("profiles", list(itertools.product(PROFILES, repeat=3)))
def test_a_patched_pod_passes_unless_somebody_chose_unconfined(profiles: tuple[str | None, ...]) -> None:
    before = pod(*profiles)
    patched = jsonpatch.apply_patch({"spec": before}, patch(before))["spec"]
    assert bool(deny(patched)) == (
        "Unconfined" in profiles[1:] or (profiles[0] == "Unconfined" and None in profiles)
    )
    assert patch(patched) == []


@pytest.mark.parametrize("existing", [None, {}, {"runAsNonRoot": True}, {"seccompProfile": None}])
def test_the_patch_keeps_the_rest_of_the_security_context(existing: dict[str, Any] | None) -> None:
    before = {**pod(None, None), "securityContext": existing}
    patched = jsonpatch.apply_patch({"spec": before}, patch(before))["spec"]
    kept = {key: value for key, value in (existing or {}).items() if key != "seccompProfile"}
    assert patched["securityContext"] == {**kept, "seccompProfile": {"type": "RuntimeDefault"}}


@pytest.mark.parametrize("containers", LISTS)
def test_every_kind_of_container_is_judged(containers: str) -> None:
    (violation,) = deny({containers: [{"name": "c"}]})
    assert violation["path"] == ["spec", containers, 0]
    (violation,) = deny({containers: [{"name": "c", **context("Unconfined")}]})
    assert violation["path"] == ["spec", containers, 0, "securityContext", "seccompProfile", "type"]


def test_a_new_ephemeral_container_is_given_its_own_profile() -> None:
    old = {**pod(None, "RuntimeDefault"), "ephemeralContainers": [{"name": "old"}]}
    new = {
        **old,
        "ephemeralContainers": [{"name": "old"}, {"name": "new", "securityContext": {"privileged": False}}],
    }
    operations = patch(new, operation="UPDATE", subResource="ephemeralcontainers", oldObject={"spec": old})
    assert operations == [
        {
            "op": "add",
            "path": "/spec/ephemeralContainers/1/securityContext/seccompProfile",
            "value": {"type": "RuntimeDefault"},
        }
    ]


def test_windows_pods_are_left_alone() -> None:
    windows = {**pod(None, None), "os": {"name": "windows"}}
    assert deny(windows) == []
    assert patch(windows) == []
    assert deny({**windows, "os": {"name": "linux"}})


@pytest.mark.parametrize(
    "odd", [None, "x", {}, {"containers": None}, {"containers": "x"}, {"containers": {}}]
)
def test_an_unexpected_shape_is_no_error(odd: Any) -> None:
    assert deny(odd) == []
    assert patch(odd) == []


def test_a_container_that_is_no_object_counts_as_unconfined() -> None:
    assert len(deny({"containers": [{"name": "c", "securityContext": "x"}]})) == 1
