from datetime import UTC, datetime
from pathlib import Path

import pytest

from webhook.tls.folder import CertificateFolder
from webhook.tls.names import parse_names


@pytest.fixture
def certificates(tmp_path: Path) -> CertificateFolder:
    folder = CertificateFolder(tmp_path / "certs")
    folder.init(parse_names(["localhost", "127.0.0.1"]), datetime.now(UTC))
    return folder
