"""Policies are read from a folder, and its changes are noticed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from webhook.ports.source import SourceError
from webhook.sources.folder import FolderSource


async def test_modules_are_read_recursively_in_a_stable_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.rego").write_text("package x")
    (tmp_path / "a.rego").write_text("package a")
    (tmp_path / "notes.txt").write_text("not a policy")
    sources = await FolderSource(tmp_path).read()
    assert [source.path for source in sources] == [str(tmp_path / "a.rego"), str(tmp_path / "b" / "x.rego")]
    assert sources[1].text == "package x"


async def test_files_of_another_kind_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_text("package a")
    (tmp_path / "a.must-deny.yaml").write_text("kind: Pod")
    (tmp_path / ".b.must-deny.yaml").write_text("droppings")
    (source,) = await FolderSource(tmp_path, suffix=".must-deny.yaml").read()
    assert source.path == str(tmp_path / "a.must-deny.yaml")


async def test_a_mounted_configmap_is_read_once_not_once_per_link(tmp_path: Path) -> None:
    real = tmp_path / "..2026_01_01"
    real.mkdir()
    (real / "a.rego").write_text("package a")
    (tmp_path / "..data").symlink_to(real.name)
    (tmp_path / "a.rego").symlink_to("..data/a.rego")
    (tmp_path / ".a.rego.swp").write_text("droppings")
    sources = await FolderSource(tmp_path).read()
    assert [source.path for source in sources] == [str(tmp_path / "a.rego")]


async def test_a_missing_folder_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such policy folder; create it or name another with --policies"):
        await FolderSource(tmp_path / "absent").read()


async def test_a_folder_that_may_be_missing_is_empty_until_it_is_there(tmp_path: Path) -> None:
    source = FolderSource(tmp_path / "later", optional=True)
    assert await source.read() == ()
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.rego").write_text("package a")
    assert len(await source.read()) == 1


async def test_a_binary_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_bytes(b"package a\n\xff\xfe")
    with pytest.raises(SourceError, match=r"a\.rego:2: not UTF-8 text"):
        await FolderSource(tmp_path).read()


async def test_a_file_too_large_for_a_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_bytes(b"#" * (10 * 1024 * 1024 + 1))
    with pytest.raises(SourceError, match="larger than 10 MiB"):
        await FolderSource(tmp_path).read()


async def test_a_dangling_link_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.rego").symlink_to("nowhere.rego")
    with pytest.raises(SourceError, match=r"a\.rego: cannot read the policy file: No such file"):
        await FolderSource(tmp_path).read()


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Watch a folder; what is given waits for the next change."""
    async with aclosing(FolderSource(folder, look_seconds=0.1).changes()) as changes:
        coming = asyncio.ensure_future(anext(changes))
        # Until the watch stands, nothing tells that it does.
        await asyncio.sleep(0.3)

        async def noticed() -> None:
            nonlocal coming
            async with asyncio.timeout(10):
                await coming
            coming = asyncio.ensure_future(anext(changes))

        yield noticed
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def test_a_saved_file_is_noticed(tmp_path: Path) -> None:
    async with watching(tmp_path) as noticed:
        (tmp_path / "a.rego").write_text("package a")
        await noticed()


async def test_a_file_that_is_saved_before_anybody_watches_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_text("package a")
    source = FolderSource(tmp_path, look_seconds=0.05)
    await source.read()
    (tmp_path / "a.rego").write_text("package a # changed")
    async with asyncio.timeout(10), aclosing(source.changes()) as changes:
        await anext(changes)


async def test_a_folder_that_disappears_and_comes_back_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    async with watching(folder) as noticed:
        folder.rmdir()
        await noticed()
        folder.mkdir()
        await noticed()
        (folder / "a.rego").write_text("package a")
        await noticed()


async def test_a_link_that_is_moved_to_another_folder_is_followed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.rego").write_text("package a")
    link = tmp_path / "policies"
    link.symlink_to("one")
    async with watching(link) as noticed:
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(link)
        await noticed()
        (tmp_path / "two" / "a.rego").write_text("package b")
        await noticed()


async def test_a_change_behind_a_link_is_noticed_although_the_folder_reports_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (tmp_path / "real.rego").write_text("package a")
    (folder / "a.rego").symlink_to(tmp_path / "real.rego")
    async with watching(folder) as noticed:
        (tmp_path / "real.rego").write_text("package other")
        await noticed()
