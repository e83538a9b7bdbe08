import asyncio
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import uvloop

from webhook.tls.context import ServingContext, TlsFiles
from webhook.tls.folder import CertificateFolder
from webhook.tls.names import parse_names


def pytest_asyncio_loop_factories(
    config: Any, item: Any
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The server runs on uvloop, and so do its tests."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateFolder:
    """One development CA for all tests that do not change it."""
    folder = CertificateFolder(tmp_path_factory.mktemp("certs"))
    folder.init(parse_names(["localhost", "127.0.0.1"]), datetime.now(UTC))
    return folder


@pytest.fixture
def context(certificates: CertificateFolder) -> ssl.SSLContext:
    files = TlsFiles(certificates.serving_certificate, certificates.serving_key)
    return ServingContext(files, datetime.now(UTC)).context


@pytest.fixture(scope="session")
def trust(certificates: CertificateFolder) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates.authority_certificate)
