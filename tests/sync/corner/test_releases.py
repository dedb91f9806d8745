"""A release on its way to a kiosk: fetched in pieces that stay, and believed by root for HQ's signature alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pos.errors import NotFound
from sync.blobs import BlobFolder
from sync.corner.mirrors import open_trust
from sync.corner.releases import fetch_release, pin_release_root, take_release
from sync.errors import Malformed, NoRoom, Stale, TooLarge, Untrusted
from sync.hq.repository import announce
from sync.releases import MOST_BYTES, Release, ReleaseFile, read_release, release_name, write_release
from tests.sync.conftest import NOW, Hq, Kiosk

FILES = {"lock.txt": b"comptoir==2", "wheels/comptoir-2-py3-none-any.whl": b"w" * 5000, "root/usr/lib/comptoir/session": b"#!"}


def signed(hq: Hq, version: str = "2", files: dict[str, bytes] | None = None) -> bytes:
    """Have HQ give a release to the stable ring; return its document."""
    blobs = BlobFolder(hq.static / "b")
    named = tuple(
        ReleaseFile(path=path, ref=blobs.store(content), is_program=path.startswith("root/usr"))
        for path, content in (files or FILES).items()
    )
    document = write_release(Release(version=version, said_at="2026-11-22T09:00:00Z", files=named))
    announce(hq.static, hq.keys, {release_name("stable"): document}, now=hq.now)
    return document


def fetched(kiosk: Kiosk, *, most_bytes: int = MOST_BYTES) -> bool:
    """Do what a round does of the release, as far as `most_bytes` go."""
    trust = open_trust(kiosk.directory, kiosk.ops, kiosk.client, now=lambda: NOW)
    trust.head("fr", "stable")
    document = trust.seen_target(release_name("stable"))
    assert document is not None
    return fetch_release(kiosk.directory, trust, document, ring="stable", most_bytes=most_bytes)


@pytest.fixture
def own(hq: Hq, kiosk: Kiosk, tmp_path: Path) -> Path:
    """Root's folder, which believes HQ by the root the kiosk was enrolled with."""
    hq.publish()
    signed(hq)
    assert fetched(kiosk)
    made = tmp_path / "own"
    made.mkdir()
    assert pin_release_root(kiosk.directory, made) == 1
    return made


def taken(kiosk: Kiosk, own: Path, tmp_path: Path) -> Path:
    into = tmp_path / "into"
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    take_release(kiosk.directory, own, into, now=NOW)
    return into


def test_what_hq_signed_is_taken_byte_for_byte(kiosk: Kiosk, own: Path, tmp_path: Path) -> None:
    into = taken(kiosk, own, tmp_path)

    assert {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()} == {
        **FILES,
        "release.json": write_release(read_release((into / "release.json").read_bytes())),
    }
    modes = {name: (into / name).stat().st_mode & 0o777 for name in FILES}
    assert list(modes.values()) == [0o644, 0o644, 0o755]


def test_pieces_stay_and_the_next_release_fetches_what_differs(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    signed(hq)
    spool = kiosk.directory / "update"
    assert not fetched(kiosk, most_bytes=1)
    assert len(list((spool / "b").iterdir())) == 1
    assert not (spool / "wanted").exists()
    assert not fetched(kiosk, most_bytes=1)
    assert fetched(kiosk, most_bytes=10_000)
    assert json.loads((spool / "wanted").read_bytes())["ring"] == "stable"

    kiosk.line.asked.clear()
    signed(hq, "3", {**FILES, "lock.txt": b"comptoir==3"})
    assert fetched(kiosk)
    assert sum("/b/" in request.path_url for request in kiosk.line.asked) == 1
    assert len(list((spool / "b").iterdir())) == len(FILES)


def test_a_blob_that_the_disk_spoilt_is_fetched_again(kiosk: Kiosk, own: Path, tmp_path: Path) -> None:
    for blob in (kiosk.directory / "update/b").iterdir():
        blob.write_bytes(b"spoilt")
    with pytest.raises(Untrusted):
        taken(kiosk, own, tmp_path)
    (kiosk.directory / "update/wanted").unlink()
    assert fetched(kiosk)

    assert (taken(kiosk, own, tmp_path) / "lock.txt").read_bytes() == b"comptoir==2"


def test_nothing_older_than_root_has_seen_is_taken(hq: Hq, kiosk: Kiosk, own: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(kiosk.directory / "update", older)
    hq.tick(seconds=60)
    signed(hq, "3")
    assert fetched(kiosk)
    assert (taken(kiosk, own, tmp_path) / "release.json").exists()
    shutil.rmtree(kiosk.directory / "update")
    shutil.copytree(older, kiosk.directory / "update")

    with pytest.raises((Stale, Untrusted)):
        taken(kiosk, own, tmp_path)


def test_another_hq_s_signature_counts_for_nothing(kiosk: Kiosk, own: Path, tmp_path: Path) -> None:
    other = Hq(tmp_path / "other")
    other.publish()
    signed(other, "6")
    for folder in ("metadata", "targets", "b"):
        shutil.rmtree(kiosk.directory / "update" / folder)
        shutil.copytree(other.static / folder, kiosk.directory / "update" / folder)

    with pytest.raises(Untrusted):
        taken(kiosk, own, tmp_path)


def test_without_a_pinned_root_nothing_is_taken(kiosk: Kiosk, own: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotFound, match="no root of HQ's was pinned"):
        taken(kiosk, empty, tmp_path)


def test_a_disk_without_room_is_said_before_anything_is_fetched(hq: Hq, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    hq.publish()
    signed(hq)
    monkeypatch.setattr("sync.corner.releases.LOW_DISK_BYTES", 2**60)

    with pytest.raises(NoRoom):
        fetched(kiosk)
    assert not (kiosk.directory / "update/b").exists()


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/passwd",
        "root/etc/../../x",
        "root/var/lib/x",
        "wheels/../x.whl",
        "wheels/a/b.whl",
        "root/etc/.x",
        "install",
        "",
    ],
)
def test_a_release_names_no_file_outside_of_it(path: str) -> None:
    with pytest.raises(Malformed):
        read_release(document(path=path))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"length": MOST_BYTES + 1}, TooLarge),
        ({"length": -1}, TooLarge),
        ({"sha256": "../../etc/passwd"}, Malformed),
        ({"count": 401}, TooLarge),
        ({"version": "../1"}, Malformed),
        ({"version": "current"}, Malformed),
        ({"format": "comptoir-release/2"}, Malformed),
        ({"path": "wheels/a.whl", "count": 2}, Malformed),
    ],
)
def test_a_release_of_another_form_is_refused(change: dict[str, object], refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        read_release(document(**change))


def document(**change: object) -> bytes:
    file = {"path": "wheels/a.whl", "sha256": "a" * 64, "length": 1, "is_program": False}
    files = [{**file, "path": "lock.txt"}, {**file, **{name: value for name, value in change.items() if name in file}}]
    files += [file] * (int(str(change.get("count", 1))) - 1)
    said = {"format": "comptoir-release/1", "version": "2", "said_at": "2026-11-22T09:00:00Z", "files": files}
    return json.dumps({**said, **{name: value for name, value in change.items() if name in said}}).encode()
