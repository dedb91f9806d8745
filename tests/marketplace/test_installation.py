"""An installation: its database is the one in its own directory, whatever that is called and wherever it is taken."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from marketplace.db import database_url, open_engine, reading
from marketplace.installation import FILE, read_installation
from marketplace.settings import setting
from marketplace.setup import create_installation
from pos.errors import Invalid
from tests.processes import comptoir

URL = "http://marche.test"


def secret_of(directory: Path) -> str:
    engine = open_engine(read_installation(directory).database)
    with reading(engine) as connection:
        secret = str(setting(connection, "secret_key"))
    engine.dispose()
    return secret


@pytest.mark.parametrize(
    "name", ["q?x", "q?y", "a%20b", "a b", "a#b", "a&b=c", "é", "a\nb", "file:x?mode=memory", ":memory:", "a;b'"]
)
def test_the_database_is_in_the_folder_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    create_installation(tmp_path / name, database=None, public_url=URL)

    assert (tmp_path / name / "marketplace.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert secret_of(tmp_path / name)


def test_folders_that_differ_after_a_question_mark_share_nothing(tmp_path: Path) -> None:
    for name in ("q?x", "q?y"):
        create_installation(tmp_path / name, database=None, public_url=URL)

    assert secret_of(tmp_path / "q?x") != secret_of(tmp_path / "q?y")


def test_a_folder_named_from_where_one_stands_is_found_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    create_installation(Path("hq/"), database=None, public_url=URL)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert secret_of(tmp_path / "hq")
    assert os.listdir() == []


def test_a_copied_folder_opens_its_own_database(tmp_path: Path) -> None:
    create_installation(tmp_path / "hq", database=None, public_url=URL)
    shutil.copytree(tmp_path / "hq", tmp_path / "copy")
    (tmp_path / "hq" / "marketplace.db").unlink()

    assert secret_of(tmp_path / "copy")


def test_a_folder_set_up_before_opens_its_own_database(tmp_path: Path) -> None:
    """Earlier versions wrote the file's path into the settings."""
    create_installation(tmp_path / "hq", database=None, public_url=URL)
    (tmp_path / "hq" / FILE).write_text(
        json.dumps({"database": "sqlite+pysqlite:////elsewhere/marketplace.db", "public_url": URL})
    )

    assert read_installation(tmp_path / "hq").database == database_url(tmp_path / "hq")


@pytest.mark.parametrize("address", ["nonsense", "mysql://here/x", "http://here", "postgresql://here:port/x", ""])
def test_what_is_no_database_leaves_no_half_made_marketplace(tmp_path: Path, address: str) -> None:
    with pytest.raises(Invalid):
        open_engine(address)
    if address:
        with pytest.raises(Invalid):
            create_installation(tmp_path / "hq", database=address, public_url=URL)
    assert not (tmp_path / "hq").exists()


@pytest.mark.parametrize("said", ["", "{}", "[]", '{"database": null}', "nonsense"])
def test_a_file_that_describes_no_installation_is_named(tmp_path: Path, said: str) -> None:
    (tmp_path / FILE).write_text(said)

    with pytest.raises(Invalid, match=FILE):
        read_installation(tmp_path)


@pytest.mark.parametrize("command", ["upgrade", "publish"])
def test_a_database_that_vanished_is_never_answered_with_an_empty_one(tmp_path: Path, command: str) -> None:
    directory = tmp_path / "hq"
    comptoir("marketplace", "init", "--dir", str(directory))
    for path in directory.glob("marketplace.db*"):
        path.unlink()

    assert "marketplace.db is gone" in comptoir("marketplace", command, "--dir", str(directory), expect=1)
    assert not list(directory.glob("marketplace.db*"))

    (directory / "marketplace.db").touch()
    assert "is empty" in comptoir("marketplace", command, "--dir", str(directory), expect=1)
