"""A memory stick carries a whole catalogue, and nothing that HQ did not sign."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pos.errors import NotFound
from sync.corner.folder import Folder
from sync.corner.trust import Trust
from sync.errors import SyncError, TooLarge
from sync.follower import Moved, Subscription, follow
from sync.hq.bundles import write_bundle
from sync.static_files import TIMESTAMP
from tests.sync.conftest import NOW, Hq, Kiosk


def write(hq: Hq, out: Path) -> tuple[int, int]:
    return write_bundle(hq.static, out, markets=["fr"], rings=["stable"])


def read(kiosk: Kiosk, bundle: Path) -> Moved:
    trust = Trust(kiosk.directory / "trust", kiosk.ops, [Folder(bundle)], now=lambda: NOW)
    return follow(kiosk.catalog, trust, Subscription(market="fr"), now=NOW)


def test_a_kiosk_with_nothing_gets_everything(hq: Hq, kiosk: Kiosk, tmp_path: Path) -> None:
    hq.publish()
    hq.put("stock", (1, 0))
    hq.publish()
    out = tmp_path / "stick"
    files, size = write(hq, out)
    there = [path for path in out.rglob("*") if path.is_file()]
    assert (len(there), sum(path.stat().st_size for path in there)) == (files, size)
    shutil.rmtree(hq.static)
    assert read(kiosk, out).publication == 2
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()
    assert kiosk.line.asked == []


def test_a_bundle_is_brought_up_to_date(hq: Hq, kiosk: Kiosk, tmp_path: Path) -> None:
    hq.publish()
    out = tmp_path / "stick"
    write(hq, out)
    read(kiosk, out)
    hq.put("stock", (1, 0))
    hq.publish()
    write(hq, out)
    assert (read(kiosk, out).segments, read(kiosk, out).publication) == (1, 2)


def test_a_stick_pulled_out_too_early_holds_nothing(
    hq: Hq, kiosk: Kiosk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hq.publish()
    out = tmp_path / "stick"

    def ticks(step: str, done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(hq.static, out, markets=["fr"], rings=["stable"], progress=ticks)
    with pytest.raises(SyncError):
        read(kiosk, out)


def test_an_older_or_edited_stick_changes_nothing(hq: Hq, kiosk: Kiosk, tmp_path: Path) -> None:
    hq.publish()
    out = tmp_path / "stick"
    write(hq, out)
    hq.put("stock", (1, 0))
    hq.publish()
    kiosk.follow()
    with pytest.raises(SyncError):
        read(kiosk, out)
    assert kiosk.rows() == hq.rows


def test_what_is_not_published_is_said(hq: Hq, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        write(hq, tmp_path / "stick")
    hq.publish()
    next((hq.static / "b").iterdir()).unlink()
    with pytest.raises(NotFound):
        write(hq, tmp_path / "stick")


@pytest.mark.parametrize(
    "spoil", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "folder", "device"]
)
def test_a_stick_with_anything_but_plain_files_is_refused_at_once(
    hq: Hq, kiosk: Kiosk, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    hq.publish()
    out = tmp_path / "stick"
    write(hq, out)
    for pattern in (TIMESTAMP, "b/*"):
        spoilt = tmp_path / pattern[0]
        shutil.copytree(out, spoilt)
        for path in [*spoilt.glob(pattern)]:
            path.unlink()
            spoil(path)
        with pytest.raises(SyncError):
            read(kiosk, spoilt)
    assert read(kiosk, out).publication == 1


def test_a_file_on_a_stick_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / TIMESTAMP).touch()
    os.truncate(tmp_path / TIMESTAMP, 2**40)
    stick = Folder(tmp_path)
    with pytest.raises(TooLarge):
        stick.timestamp()
    assert stick.received == 0
