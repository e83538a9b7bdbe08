from dataclasses import replace

import pytest

from tests.support.memory_store import MemoryStore
from tests.support.operating import CANDIDATE, NEXT, POLICY, STABLE, Scene
from webhook.flows import operate
from webhook.flows.operate import RolloutVerb
from webhook.flows.operation_errors import OperationRefused, UnknownName
from webhook.flows.version_history import (
    DiffVersions,
    PolicyName,
    VersionDiff,
    diff_text,
    diff_versions,
    version_history,
)
from webhook.ports.store import StoredVersion
from webhook.rollout.life import Phase

OLD = StoredVersion(POLICY, "sha256:a", "1.0.0", 0, (("a/p.rego", "package p\n"),), {"parameters": {"x": 1}})


@pytest.fixture
async def scene() -> Scene:
    return await Scene(MemoryStore()).open()


async def diff(scene: Scene, before: str, after: str) -> VersionDiff:
    return await diff_versions(scene.operator(), DiffVersions(policy=POLICY, before=before, after=after))


async def test_the_history_tells_what_became_of_each_version(scene: Scene) -> None:
    await scene.begun()
    await operate.abort_rollout(scene.operator(), RolloutVerb(name=POLICY))
    history = (await version_history(scene.operator(), PolicyName(policy=POLICY))).items
    assert [one.version for one in history] == ["1.2.0", "1.1.0", "1.0.0"]
    assert [one.stable for one in history] == [False, False, True]
    assert [[outcome.phase for outcome in one.rollouts] for one in history] == [[], [Phase.DEGRADED], []]


async def test_an_unknown_policy_is_answered_with_the_nearest(scene: Scene) -> None:
    with pytest.raises(UnknownName, match="did you mean credential-env"):
        await version_history(scene.operator(), PolicyName(policy="credential_env"))


async def test_two_versions_are_told_apart_line_by_line(scene: Scene) -> None:
    found = await diff(scene, "1.0.0", "1.1.0")
    assert (found.before.digest, found.after.digest) == (STABLE.digest, CANDIDATE.digest)
    assert "-deny contains 1 if true" in found.text
    assert "+deny contains 2 if true" in found.text
    assert (await diff(scene, "1.1.0", "1.1.0")).text == ""


async def test_versions_are_named_by_their_role(scene: Scene) -> None:
    with pytest.raises(OperationRefused, match="nothing of credential-env is being rolled out"):
        await diff(scene, "stable", "candidate")
    await scene.begun()
    found = await diff(scene, "stable", "candidate")
    assert (found.before.version, found.after.version) == ("1.0.0", "1.1.0")


async def test_a_version_that_the_files_hold_can_be_compared_before_it_starts(scene: Scene) -> None:
    assert (await diff(scene, "1.1.0", "1.2.0")).after.digest == NEXT.digest


def test_a_policy_that_moved_to_another_file_is_still_the_same() -> None:
    moved = replace(OLD, sources=(("b/q.rego", "package p\n"),))
    assert diff_text(OLD, moved) == ""


def test_parameters_are_part_of_the_difference() -> None:
    text = diff_text(OLD, replace(OLD, metadata={"parameters": {"x": 2}}))
    assert "--- metadata and parameters" in text
    assert '+    "x": 2' in text


def test_the_order_of_operations_is_no_difference() -> None:
    one, other = (
        replace(OLD, metadata={"metadata": {"match": {"operations": operations}}})
        for operations in (["UPDATE", "CREATE"], ["CREATE", "UPDATE"])
    )
    assert diff_text(one, other) == ""
    assert "CREATE" in diff_text(None, one)


def test_libraries_that_come_and_go_are_shown_whole() -> None:
    more = replace(OLD, sources=(*OLD.sources, ("lib/l.rego", "package lib\n")))
    assert diff_text(OLD, more).splitlines()[:2] == ["--- /dev/null", "+++ lib/l.rego"]
    assert diff_text(more, OLD).splitlines()[:2] == ["--- lib/l.rego", "+++ /dev/null"]


def test_a_first_version_is_all_new() -> None:
    assert "+package p" in diff_text(None, OLD)


def test_a_missing_newline_at_the_end_is_a_difference() -> None:
    cut = replace(OLD, sources=(("a/p.rego", "package p"),))
    assert "\\ No newline at end of file" in diff_text(OLD, cut)
