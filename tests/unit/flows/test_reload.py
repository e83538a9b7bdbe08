"""Files and store become snapshots; whatever is broken changes nothing."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.clocks import FakeClock
from tests.support.flows import CompilingFactory, MemoryObserver, MemorySource
from tests.support.memory_store import MemoryStore
from tests.support.policies import policy_text
from tests.support.waiting import eventually
from webhook.flows.reload import Reloader
from webhook.policy.errors import PolicyError
from webhook.ports.source import SourceError
from webhook.ports.store import StoreCorrupt, StoreUnavailable
from webhook.rollout.policy_exception import PolicyException


def text(name: str, version: str = "1.0.0", rules: str = 'deny contains "no" if true') -> str:
    package = f"gradate.{name.replace('-', '_')}"
    return policy_text(
        f"custom:\n  name: {name}\n  version: {version}", package=package, rules=f"import rego.v1\n{rules}"
    )


BROKEN = 'deny contains "BROKEN" if true'


class House:
    """A reloader with everything around it in memory."""

    def __init__(self, store: MemoryStore | None = None, **files: str) -> None:
        self.source = MemorySource(**files)
        self.observer = MemoryObserver()
        self.factory = CompilingFactory()
        self.store = store
        self.reloader = Reloader(self.source, self.factory, self.observer, FakeClock(), {}, store)

    @property
    def serving(self) -> list[str]:
        return [
            f"{loaded.version.name}@{loaded.version.semantic_version}"
            for loaded in self.reloader.current.versions
        ]


async def test_without_a_store_the_files_are_in_force_at_once() -> None:
    house = House(a=text("a"))
    await house.reloader.load()
    house.source.save("a", text("a", "2.0.0"))
    await house.reloader.load()
    assert house.serving == ["a@2.0.0"]


async def test_an_unchanged_policy_is_not_compiled_again() -> None:
    house = House(a=text("a"), b=text("b"))
    await house.reloader.load()
    house.source.save("b", text("b", "2.0.0"))
    await house.reloader.load()
    assert house.factory.built == ["a@1.0.0", "b@1.0.0", "b@2.0.0"]


async def test_a_policy_is_compiled_from_what_was_parsed_for_its_header_which_is_then_let_go_of() -> None:
    house = House(a=text("a"))
    await house.reloader.load()
    assert house.factory.parsed == [True]
    assert [loaded.version.modules for loaded in house.reloader.current.versions] == [()]
    assert [version.modules for version in house.reloader.catalog.policies] == [()]


@pytest.mark.parametrize("broken", [text("a", rules="deny contains x if"), text("a", rules=BROKEN)])
async def test_a_broken_file_is_reported_and_the_last_good_set_serves(broken: str) -> None:
    house = House(a=text("a"))
    await house.reloader.load()
    house.source.save("a", broken)
    with pytest.raises(PolicyError, match=r"policies/a\.rego"):
        await house.reloader.load()
    assert house.serving == ["a@1.0.0"]
    assert house.reloader.failure is not None
    assert any(line.startswith("reload failed: policies/a.rego") for line in house.observer.heard)


async def test_every_broken_file_is_named_not_only_the_first() -> None:
    house = House(a=text("a", rules=BROKEN), b=text("b", rules=BROKEN))
    with pytest.raises(PolicyError) as caught:
        await house.reloader.load()
    assert "policies/a.rego" in str(caught.value)
    assert "policies/b.rego" in str(caught.value)


async def test_a_folder_that_disappears_changes_nothing() -> None:
    house = House(a=text("a"))
    await house.reloader.load()
    house.source.failure = SourceError("policies: no such policy folder")
    with pytest.raises(SourceError):
        await house.reloader.load()
    assert house.serving == ["a@1.0.0"]


async def test_a_folder_that_is_emptied_changes_nothing() -> None:
    house = House(a=text("a"))
    await house.reloader.load()
    house.source.files = {"policies/a_test.rego": "package gradate.a_test\nimport rego.v1\ntest_x if true\n"}
    with pytest.raises(PolicyError, match="the policy folder holds no policy"):
        await house.reloader.load()
    assert house.serving == ["a@1.0.0"]


async def test_without_any_policy_nothing_starts_and_the_exception_alone_says_why() -> None:
    house = House(MemoryStore())
    with pytest.raises(PolicyError, match="holds no policy"):
        await house.reloader.load()
    assert house.observer.heard == []


async def test_a_repaired_file_clears_the_failure() -> None:
    house = House(a=text("a"))
    await house.reloader.load()
    house.source.save("a", text("a", rules=BROKEN))
    with pytest.raises(PolicyError):
        await house.reloader.load()
    house.source.save("a", text("a", "1.0.1"))
    await house.reloader.load()
    assert house.reloader.failure is None
    assert house.serving == ["a@1.0.1"]


async def test_a_watched_change_is_taken_over_and_a_broken_one_does_not_end_the_watch() -> None:
    house = House(a=text("a"))
    await house.reloader.load()
    watching = asyncio.create_task(house.reloader.watch())
    house.source.save("a", text("a", rules=BROKEN))
    await eventually(lambda: house.reloader.failure)
    house.source.save("a", text("a", "1.0.2"))
    await eventually(lambda: house.serving == ["a@1.0.2"])
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_on_a_new_store_all_loaded_policies_are_stable_and_that_is_said() -> None:
    store = MemoryStore()
    house = House(store, a=text("a"), b=text("b"))
    await house.reloader.load()
    assert house.serving == ["a@1.0.0", "b@1.0.0"]
    assert set(await store.stables()) == {"a", "b"}
    assert "*: the store is new: all loaded policies are stable (a, b)" in house.observer.heard


async def test_with_a_store_a_changed_file_is_not_in_force_by_itself() -> None:
    house = House(MemoryStore(), a=text("a"))
    await house.reloader.load()
    house.source.save("a", text("a", "2.0.0"))
    await house.reloader.load()
    assert house.serving == ["a@1.0.0"]
    assert house.reloader.catalog.policies[0].semantic_version == "2.0.0"


async def test_after_a_restart_stable_comes_back_from_the_store_although_its_file_has_changed() -> None:
    store = MemoryStore()
    await House(store, a=text("a")).reloader.load()
    house = House(store, a=text("a", "2.0.0"))
    await house.reloader.load()
    assert house.serving == ["a@1.0.0"]


async def test_a_store_that_fails_while_serving_changes_nothing_and_says_so_once() -> None:
    store = MemoryStore()
    house = House(store, a=text("a"))
    await house.reloader.load()
    store.failure = StoreUnavailable("data/gradate.db: disk I/O error")
    await house.reloader.refresh()
    await house.reloader.refresh()
    assert house.serving == ["a@1.0.0"]
    assert house.reloader.store_failure == "data/gradate.db: disk I/O error"
    assert len([line for line in house.observer.heard if "disk I/O error" in line]) == 1
    store.failure = None
    await house.reloader.refresh()
    assert house.reloader.store_failure is None


async def test_news_that_cannot_be_read_are_told_once_and_build_nothing() -> None:
    class Damaged(MemoryStore):
        damaged = False

        async def exceptions(self, policy: str | None = None) -> Sequence[PolicyException]:
            if self.damaged:
                raise StoreCorrupt("data/gradate.db: a record in it is damaged")
            return await super().exceptions(policy)

    store = Damaged()
    house = House(store, a=text("a"))
    await house.reloader.load()
    served = house.reloader.current
    store.damaged = True
    await store.forget_policy("another")  # something has changed
    for _ in range(3):
        await house.reloader.refresh()
    assert house.reloader.current is served
    assert house.reloader.store_failure == "data/gradate.db: a record in it is damaged"
    assert sum("a record in it is damaged" in line for line in house.observer.heard) == 1
    store.damaged = False
    await house.reloader.refresh()
    assert house.reloader.store_failure is None


async def test_a_store_that_fails_at_the_start_is_an_error() -> None:
    store = MemoryStore()
    store.failure = StoreUnavailable("data/gradate.db: disk I/O error")
    with pytest.raises(StoreUnavailable):
        await House(store, a=text("a")).reloader.load()
