import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from webhook.tls.context import ServingContext, TlsFiles
from webhook.tls.folder import CertificateFolder
from webhook.tls.material import CertificateStatus, read_status
from webhook.tls.names import parse_names
from webhook.tls.reloader import CertificateReloader, ReloadTiming

NOW = datetime.now(UTC)
QUICK = ReloadTiming(settle_seconds=0.05, poll_seconds=5, debounce_seconds=0.01)


class Heard:
    """Remembers what the reloader told."""

    def __init__(self) -> None:
        self.loaded: list[CertificateStatus] = []
        self.refused: list[str] = []

    def certificate_loaded(self, status: CertificateStatus) -> None:
        self.loaded.append(status)

    def certificate_refused(self, reason: str) -> None:
        self.refused.append(reason)


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    made = CertificateFolder(tmp_path / "certs")
    made.init(parse_names(["localhost"]), NOW)
    return made


def serving_from(folder: CertificateFolder) -> ServingContext:
    files = TlsFiles(folder.serving_certificate, folder.serving_key, folder.authority_certificate)
    return ServingContext(files, NOW)


@asynccontextmanager
async def watching(serving: ServingContext, heard: Heard, timing: ReloadTiming) -> AsyncIterator[None]:
    task = asyncio.create_task(CertificateReloader(serving, heard, timing=timing).run())
    await asyncio.sleep(0.1)  # until the watch stands
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)


async def test_a_renewed_certificate_is_picked_up_without_a_report_of_the_moment_between_key_and_certificate(
    folder: CertificateFolder,
) -> None:
    heard, serving = Heard(), serving_from(folder)
    async with watching(serving, heard, QUICK):
        status = folder.renew(NOW)
        await until(lambda: bool(heard.loaded))
    assert heard.loaded[-1].fingerprint == serving.material.certificate.fingerprint == status.fingerprint
    assert heard.refused == []


async def test_a_changed_client_authority_is_picked_up(folder: CertificateFolder, tmp_path: Path) -> None:
    other = CertificateFolder(tmp_path / "other")
    other.init(parse_names(["localhost"]), NOW)
    heard, serving = Heard(), serving_from(folder)
    async with watching(serving, heard, QUICK):
        folder.authority_certificate.write_bytes(other.authority_certificate.read_bytes())
        await until(lambda: bool(heard.loaded))
    assert serving.material.client_authorities[0].subject == other.status()[0].subject


async def test_a_secret_mounted_by_kubernetes_is_followed_through_its_links(
    folder: CertificateFolder, tmp_path: Path
) -> None:
    mount = tmp_path / "mount"

    def publish(version: str) -> None:
        (mount / version).mkdir(parents=True)
        for source in (folder.serving_certificate, folder.serving_key):
            (mount / version / source.name).write_bytes(source.read_bytes())
        (mount / "..data_tmp").symlink_to(version)
        (mount / "..data_tmp").rename(mount / "..data")

    publish("..2026_01")
    for name in ("tls.crt", "tls.key"):
        (mount / name).symlink_to(f"..data/{name}")
    heard = Heard()
    serving = ServingContext(TlsFiles(mount / "tls.crt", mount / "tls.key"), NOW)
    async with watching(serving, heard, QUICK):
        for version in ("..2026_02", "..2026_03"):
            folder.renew(NOW)
            publish(version)
            await until(lambda: read_status(mount / "tls.crt") == serving.material.certificate)
    assert len(heard.loaded) == 2
    assert heard.refused == []


async def test_broken_files_are_reported_once_and_the_old_certificate_keeps_serving(
    folder: CertificateFolder,
) -> None:
    heard, serving = Heard(), serving_from(folder)
    before = serving.material.certificate.fingerprint
    reloader = CertificateReloader(serving, heard, timing=QUICK)
    folder.serving_certificate.write_text("half a certifi")
    await reloader.look()
    await reloader.look()
    assert len(heard.refused) == 1
    assert str(folder.serving_certificate) in heard.refused[0]
    assert serving.material.certificate.fingerprint == before


async def test_a_failure_stands_until_the_files_are_good_again(folder: CertificateFolder) -> None:
    reloader = CertificateReloader(serving_from(folder), Heard(), timing=QUICK)
    good = folder.serving_certificate.read_text()
    folder.serving_certificate.write_text("half a certifi")
    await reloader.look()
    assert reloader.failure is not None
    folder.serving_certificate.write_text(good)
    await reloader.look()
    assert reloader.failure is None


async def test_unchanged_files_are_not_loaded_again(folder: CertificateFolder) -> None:
    heard = Heard()
    reloader = CertificateReloader(serving_from(folder), heard, timing=QUICK)
    folder.serving_certificate.touch()
    await reloader.look()
    assert heard.loaded == []


async def test_a_file_system_that_reports_nothing_is_polled(folder: CertificateFolder) -> None:
    timing = ReloadTiming(settle_seconds=0.01, poll_seconds=0.1, debounce_seconds=0.01)
    heard, serving = Heard(), serving_from(folder)
    reloader = CertificateReloader(serving, heard, timing=timing)
    folder.renew(NOW)  # before the watch stands, so no event tells of it
    task = asyncio.create_task(reloader.run())
    await until(lambda: bool(heard.loaded))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
