"""Fault 35: a shop without a network gets the catalogue on a memory stick: the same checks, the same root."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from comptoir import comptoir
from pos import clock
from sync.channels import sync_cursors
from sync.corner.folder import Folder
from sync.corner.trust import Trust
from sync.errors import SyncError
from sync.follower import Subscription, follow
from sync.hq.bundles import write_bundle
from tests.faults.conftest import Served
from tests.faults.corners import Corner
from tests.marketplace.hq import Hq
from tests.sync.conftest import rows_of


def export(served: Served, out: Path) -> Path:
    """Write a stick as `comptoir sync export` does."""
    write_bundle(served.hq.directory / "sync", out, markets=["fr"], rings=["stable"])
    return out


def cursors(corner: Corner) -> dict[str, tuple[str, int, str]]:
    return {name: (each.epoch, each.version, each.root) for name, each in sync_cursors(corner.catalog.read()).items()}


def carry(stick: Path, corner: Corner, *, expect: int = 0) -> str:
    """Import a stick with the kiosk's own command and return what it said, or the code of its refusal."""
    ended = CliRunner().invoke(comptoir, ["sync", "import", str(stick), "--dir", str(corner.directory)])
    assert ended.exit_code == expect, ended.output
    return ended.exception.code if isinstance(ended.exception, SyncError) else str(ended.output)


def test_fault_35_a_stick_leads_to_the_same_rows_and_roots_as_the_network(served: Served, tmp_path: Path) -> None:
    online, offline = Corner(tmp_path / "online", served), Corner(tmp_path / "offline", served)
    first = tmp_path / "first"
    where = ["--dir", str(served.hq.directory), "--out", str(first), "--market", "fr", "--ring", "stable"]
    assert CliRunner().invoke(comptoir, ["sync", "export", *where]).exit_code == 0
    served.hq.change(l11={"price": "349.00"}, l21=None)
    second = export(served, tmp_path / "second")
    assert online.round().faults == ()
    served.before = lambda path: ("503 Service Unavailable", b"")
    asked = len(served.asked)

    assert carry(first, offline).startswith("publication 1 of ")
    assert carry(second, offline).startswith("publication 2 of ")

    assert len(served.asked) == asked, "no network was used"
    assert cursors(offline) == cursors(online)
    assert offline.holds_hq_s_rows()
    # The older stick turns up again; so does the new one.
    assert carry(first, offline, expect=1) == "stale"
    assert carry(second, offline).startswith("nothing newer: publication 2")
    assert offline.holds_hq_s_rows()
    served.before = lambda path: None
    report = offline.round()
    assert (report.faults, report.moved and report.moved.has_moved) == ((), False)
    for corner in (online, offline):
        corner.close()


def edit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def each_blob(stick: Path, act: Callable[[Path], object]) -> None:
    for path in (stick / "b").iterdir():
        act(path)


def newest(stick: Path, pattern: str) -> Path:
    return max(stick.glob(pattern), key=lambda path: path.stat().st_size)


EDITS: dict[str, Callable[[Path], None]] = {
    "every blob": lambda stick: each_blob(stick, edit),
    "the head": lambda stick: edit(newest(stick, "targets/fr/*.stable.head")),
    "what names the head": lambda stick: edit(newest(stick, "metadata/*.targets.json")),
    "the timestamp": lambda stick: edit(stick / "metadata" / "timestamp.json"),
    "no timestamp": lambda stick: (stick / "metadata" / "timestamp.json").unlink(),
    "no blobs": lambda stick: shutil.rmtree(stick / "b"),
    "blobs cut short": lambda stick: each_blob(stick, lambda path: path.write_bytes(path.read_bytes()[:-1])),
}


@pytest.mark.parametrize("edit_of", EDITS)
def test_fault_35_an_edited_stick_is_refused_and_the_right_one_taken(served: Served, tmp_path: Path, edit_of: str) -> None:
    corner = Corner(tmp_path / "kiosk", served)
    assert corner.round().faults == ()
    before = rows_of(corner.directory / "catalog.db"), cursors(corner)
    served.hq.change(l11={"price": "349.00"})
    right = export(served, tmp_path / "right")
    wrong = Path(shutil.copytree(right, tmp_path / "wrong"))
    EDITS[edit_of](wrong)

    def take(stick: Path) -> int:
        trust = Trust(corner.directory / "trust", corner.ops, [Folder(stick)], now=clock.now)
        return follow(corner.catalog, trust, Subscription(market="fr"), now=clock.now()).publication

    with pytest.raises(SyncError):
        take(wrong)
    assert (rows_of(corner.directory / "catalog.db"), cursors(corner)) == before
    assert take(right) == 2
    assert corner.holds_hq_s_rows()
    corner.close()


def test_fault_35_a_stick_of_another_marketplace_is_refused(served: Served, tmp_path: Path) -> None:
    """Another HQ, same market and names, newer numbers; its signatures are its own."""
    other = Hq(tmp_path / "other", None)
    other.change(l11={"price": "1.00"})
    other.close()
    stick = tmp_path / "stick"
    write_bundle(other.directory / "sync", stick, markets=["fr"], rings=["stable"])
    corner = Corner(tmp_path / "kiosk", served)
    assert corner.round().faults == ()
    assert carry(stick, corner, expect=1) == "untrusted"
    assert corner.holds_hq_s_rows()
    corner.close()
