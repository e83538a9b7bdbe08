import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.commands import gradate
from tests.unit.cli.conftest import Shop


def test_a_back_up_is_a_store_of_its_own(shop: Shop, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    printed = gradate("store", "backup", copy, "--store", shop.path)
    assert printed.out == f"{copy}: {copy.stat().st_size:,} bytes\n"
    assert gradate("rollout", "list", "--store", copy, "-o", "json").json[0]["phase"] == "Progressing"


def test_an_earlier_back_up_is_replaced_only_when_that_is_said(shop: Shop, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    printed = gradate("store", "backup", copy, "--store", shop.path)
    assert (printed.code, "it exists already" in printed.only_error) == (2, True)
    assert copy.read_text() == "precious"
    assert gradate("store", "backup", copy, "--overwrite", "--store", shop.path).code == 0


def test_a_back_up_that_cannot_be_written_is_one_line(shop: Shop, tmp_path: Path) -> None:
    printed = gradate("store", "backup", tmp_path / "no" / "folder.db", "--store", shop.path)
    assert printed.code == 2
    assert printed.only_error.startswith("gradate: ")


def test_a_whole_store_is_said_to_be_intact(shop: Shop) -> None:
    printed = gradate("store", "check", "--store", shop.path)
    assert printed.out == (
        f"{shop.path} is intact: 1 policies, 1 rollouts, 1 active, 0 exceptions, 40 namespaces\n"
    )
    assert gradate("store", "check", "--store", shop.path, "-o", "json").json["rollouts"] == 1


def test_a_damaged_missing_or_newer_store_is_refused_with_the_reason(shop: Shop, tmp_path: Path) -> None:
    missing = gradate("store", "check", "--store", tmp_path / "missing.db")
    assert (missing.code, "cannot be opened" in missing.only_error) == (2, True)
    with closing(sqlite3.connect(shop.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    newer = gradate("store", "check", "--store", shop.path)
    assert (newer.code, "a newer release" in newer.only_error) == (2, True)
    (tmp_path / "damaged.db").write_bytes(b"x" * 10_000)
    damaged = gradate("store", "check", "--store", tmp_path / "damaged.db")
    assert (damaged.code, "damaged" in damaged.only_error) == (2, True)
