"""Releases at HQ: taken in whole or not at all, given to rings by signature, taken back by signature."""

from __future__ import annotations

import json
import shutil
import tarfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from comptoir import comptoir
from marketplace.db import reading
from marketplace.installation import blobs_path, sync_path
from marketplace.publishing.publications import sweep_files
from marketplace.publishing.releases import add_release, give_release, release_corners, withdraw_release
from pos import clock
from pos.errors import Conflict, Invalid, NotFound
from sync.heads import RINGS
from sync.hq.repository import announced
from sync.releases import read_release, release_name
from tests.deploy.machines import make_release
from tests.marketplace.hq import Hq, words


def versions(hq: Hq) -> list[str | None]:
    """Return what each ring gets by HQ's signature, canary first."""
    given = []
    for ring in RINGS:
        content = announced(sync_path(hq.directory), release_name(ring))
        release = read_release(content) if content else None
        given.append(release.version if release else None)
    return given


def add(hq: Hq, folder: Path, version: str) -> None:
    add_release(hq.engine, hq.directory, make_release(folder / version, version), now=clock.now())


def test_rings_get_the_newest_release_that_reaches_them(hq: Hq, tmp_path: Path) -> None:
    now = clock.now()
    add(hq, tmp_path, "0.2.0")
    assert versions(hq) == [None, None, None]
    give_release(hq.engine, hq.directory, "0.2.0", "early", now=now)
    assert versions(hq) == ["0.2.0", "0.2.0", None]
    add(hq, tmp_path, "0.3.0")
    give_release(hq.engine, hq.directory, "0.3.0", "canary", now=now)
    give_release(hq.engine, hq.directory, "0.2.0", "stable", now=now)
    assert versions(hq) == ["0.3.0", "0.2.0", "0.2.0"]

    withdraw_release(hq.engine, hq.directory, "0.3.0", now=now)
    assert versions(hq) == ["0.2.0", "0.2.0", "0.2.0"]
    with pytest.raises(Conflict, match="was withdrawn"):
        give_release(hq.engine, hq.directory, "0.3.0", "stable", now=now)
    withdraw_release(hq.engine, hq.directory, "0.2.0", now=now)
    assert versions(hq) == [None, None, None]
    with pytest.raises(NotFound):
        withdraw_release(hq.engine, hq.directory, "0.4.0", now=now)


def test_a_word_said_again_is_another_document(hq: Hq, tmp_path: Path) -> None:
    add(hq, tmp_path, "0.2.0")
    give_release(hq.engine, hq.directory, "0.2.0", "stable", now=clock.now())
    first = announced(sync_path(hq.directory), release_name("stable"))
    give_release(hq.engine, hq.directory, "0.2.0", "stable", now=clock.now() + timedelta(seconds=2))

    assert announced(sync_path(hq.directory), release_name("stable")) != first


def test_a_version_has_one_content_and_what_was_lost_is_put_back(hq: Hq, tmp_path: Path) -> None:
    add(hq, tmp_path, "0.2.0")
    other = make_release(tmp_path / "other", "0.2.0", main="def main(): pass\n")
    with pytest.raises(Conflict, match="is known with other files"):
        add_release(hq.engine, hq.directory, other, now=clock.now())
    shutil.rmtree(blobs_path(hq.directory))
    with pytest.raises(NotFound, match="add it again"):
        give_release(hq.engine, hq.directory, "0.2.0", "stable", now=clock.now())
    add_release(hq.engine, hq.directory, tmp_path / "0.2.0/comptoir-0.2.0", now=clock.now())
    give_release(hq.engine, hq.directory, "0.2.0", "stable", now=clock.now())

    release = read_release(announced(sync_path(hq.directory), release_name("stable")) or b"")
    assert release is not None
    assert all((blobs_path(hq.directory) / file.ref.sha256).exists() for file in release.files)
    assert {file.path for file in release.files if file.is_program} >= {"root/usr/lib/comptoir/update"}


def test_sweeping_spares_the_files_of_a_release_until_it_was_withdrawn(
    hq: Hq, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(hq, tmp_path, "0.2.0")
    before = set(blobs_path(hq.directory).iterdir())
    later = clock.now() + timedelta(days=40)
    monkeypatch.setattr(clock, "now", lambda: later)
    sweep_files(hq.engine, hq.directory)
    assert set(blobs_path(hq.directory).iterdir()) == before
    withdraw_release(hq.engine, hq.directory, "0.2.0", now=later)
    later += timedelta(days=40)
    sweep_files(hq.engine, hq.directory)

    assert len(set(blobs_path(hq.directory).iterdir())) < len(before) - 10


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no wheel", "no wheel of comptoir"),
        ("other wheel", "the lock does not name wheels/"),
        ("no lock", "the lock does not name wheels/"),
        ("other version", "no wheel of comptoir 0.2.1"),
        ("no version", "names no version"),
        ("link", "a symbolic link, not a file"),
        ("strange file", "is no file of a release"),
    ],
)
def test_what_no_corner_could_install_is_refused_here(hq: Hq, tmp_path: Path, change: str, said: str) -> None:
    make_release(tmp_path, "0.2.0")
    folder = tmp_path / "comptoir-0.2.0"
    [wheel] = (folder / "wheels").iterdir()
    if change == "no wheel":
        wheel.unlink()
    elif change == "other wheel":
        wheel.write_bytes(b"other")
    elif change == "no lock":
        (folder / "lock.txt").unlink()
    elif change == "other version":
        (folder / "version").write_text("0.2.1")
    elif change == "no version":
        (folder / "version").write_text("../../etc")
    elif change == "link":
        (folder / "root/etc/shadow").symlink_to("/etc/shadow")
    else:
        (folder / "root/etc/.hidden").touch()

    with pytest.raises(Invalid, match=said):
        add_release(hq.engine, hq.directory, folder, now=clock.now())


@pytest.mark.parametrize("kind", ["link", "outside", "huge", "no archive"])
def test_an_archive_of_another_kind_is_refused(hq: Hq, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "hostile.tar"
    with tarfile.open(source, "w") as archive:
        member = tarfile.TarInfo("comptoir-1/../../../etc/cron.d/x" if kind == "outside" else "comptoir-1/root/etc/x")
        if kind == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/shadow"
        elif kind == "huge":
            member.size = 17 * 2**20
        archive.addfile(member, BytesIO(bytes(member.size)) if kind == "huge" else None)
    if kind == "no archive":
        source.write_bytes(b"x" * 2000)

    with pytest.raises(Invalid):
        add_release(hq.engine, hq.directory, source, now=clock.now())


def test_the_console_gives_a_release_shows_how_far_it_is_and_takes_it_back(hq: Hq, tmp_path: Path) -> None:
    assert hq.client.post("/console/login", data={"password": hq.password}).status_code == 303
    assert 'href="/console/releases/"' in hq.client.get("/console/fleet").text
    assert "Aucune version n’a été ajoutée" in hq.client.get("/console/releases/").text
    add(hq, tmp_path, "0.2.0")
    given = hq.client.post("/console/releases/0.2.0/rings", data={"ring": "early"})
    assert (given.status_code, versions(hq)) == (303, ["0.2.0", "0.2.0", None])
    assert hq.client.post("/console/releases/0.2.0/rings", data={"ring": "all"}).status_code == 400
    assert hq.client.post("/console/releases/0.9/rings", data={"ring": "early"}).status_code == 404

    update = {"version": "0.2.0", "state": "update_stepped_back", "at": "2026-11-22T03:00:00Z"}
    hq.up(heartbeat={"software": "0.1.0", "ring": "early", "update": update, "faults": {"update_stepped_back": None}})
    page = words(hq.client.get("/console/releases/"))
    assert "0 bornes sur 1 y sont" in page
    assert "B-16 Retour à la version d’avant" in page
    assert "/console/fleet?fault=B-16#corners" in page
    assert "version 0.2.0 : Retour à la version d’avant" in words(hq.client.get("/console/corners/nantes-crebillon"))

    assert hq.client.post("/console/releases/0.2.0/withdrawals").status_code == 303
    assert versions(hq) == [None, None, None]
    assert "retirée le" in hq.client.get("/console/releases/").text


def test_the_commands_tell_how_far_each_release_is(hq: Hq, tmp_path: Path) -> None:
    source = make_release(tmp_path, "0.2.0")
    for asked in (["add", str(source)], ["ring", "0.2.0", "stable"]):
        done = CliRunner().invoke(
            comptoir, ["marketplace", "release", *asked, "--dir", str(hq.directory)], catch_exceptions=False
        )
        assert "release 0.2.0" in done.output
    hq.up(heartbeat={"software": "0.2.0", "ring": "stable", "faults": {"update_failed": None}})

    listed = CliRunner().invoke(comptoir, ["marketplace", "release", "list", "--dir", str(hq.directory)])
    assert "0.2.0            canary, early, stable         1 corners" in listed.output
    assert "update_failed: 1 corners" in listed.output
    as_json = CliRunner().invoke(comptoir, ["marketplace", "release", "list", "--json", "--dir", str(hq.directory)])
    assert json.loads(as_json.output)["releases"][0]["rings"] == list(RINGS)
    with reading(hq.engine) as connection:
        assert release_corners(connection).running == {("stable", "0.2.0"): 1}
    gone = CliRunner().invoke(comptoir, ["marketplace", "release", "withdraw", "0.2.0", "--dir", str(hq.directory)])
    assert "now canary: none, early: none, stable: none" in gone.output
