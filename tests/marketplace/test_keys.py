"""`comptoir marketplace keys …` as HQ's people type it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from comptoir import marketplace
from pos.errors import PosError


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(marketplace, [str(argument) for argument in arguments])
    return result.exit_code, result.output + (result.exception.code if isinstance(result.exception, PosError) else "")


@pytest.fixture
def hq(tmp_path: Path) -> Path:
    directory = tmp_path / "hq"
    assert run("init", "--dir", directory, "--root-keys", "2", "--threshold", "1")[0] == 0
    return directory


def test_a_new_marketplace_has_its_keys(hq: Path) -> None:
    assert sorted(path.name for path in (hq / "keys" / "root").iterdir()) == ["1.1.pem", "1.2.pem"]
    status, said = run("keys", "status", "--dir", hq)
    lines = said.splitlines()
    assert status == 0
    assert "root       version 1, 1 of 2 keys, until " in lines[0]
    assert "days left" in lines[0]
    assert lines[1].endswith("(its private half is here)")
    assert [line.split()[0] for line in lines if "version" in line] == ["root", "snapshot", "targets", "timestamp"]
    assert run("keys", "init", "--dir", hq) == (1, "conflict")


def test_a_marketplace_without_keys_gets_them(hq: Path) -> None:
    shutil.rmtree(hq / "keys")
    shutil.rmtree(hq / "sync")
    assert run("publish", "--dir", hq)[0] == 0
    assert run("keys", "status", "--dir", hq) == (1, "not_found")
    assert run("keys", "init", "--dir", hq, "--threshold", "4") == (1, "invalid")
    assert run("keys", "init", "--dir", hq)[0] == 0
    assert "2 of 3 keys" in run("keys", "status", "--dir", hq)[1]


def test_rotation_says_the_new_versions(hq: Path, tmp_path: Path) -> None:
    stick = (hq / "keys" / "root").rename(tmp_path / "stick")
    assert run("keys", "rotate", "--dir", hq) == (1, "not_enough_keys")
    status, said = run("keys", "rotate", "--dir", hq, "--root-keys", stick, "--root", "--threshold", "2")
    assert status == 0
    assert said.startswith("root: version 2, until ")
    status, said = run("keys", "status", "--dir", hq)
    assert "2 of 2 keys" in said
    assert "private half" not in said
    assert len(list(stick.iterdir())) == 4


def test_what_is_no_marketplace_has_no_keys(tmp_path: Path) -> None:
    for command in ("init", "rotate", "status"):
        assert run("keys", command, "--dir", tmp_path) == (1, "not_found")


def test_a_stick_with_a_pipe_for_a_key_is_refused_at_once(hq: Path, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    os.mkfifo(tmp_path / "stick" / "1.1.pem")
    assert run("keys", "rotate", "--dir", hq, "--root-keys", tmp_path / "stick") == (1, "invalid")
