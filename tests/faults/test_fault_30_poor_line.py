"""Fault 30: a trickle, a line that keeps breaking, one that goes silent, a shop's sign-in page. Little by little it arrives."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread

import pytest

import sync.client
from tests.faults.conftest import Served
from tests.faults.corners import Corner, slips_at_hq
from tests.faults.lines import poor_line

MOST_ROUNDS = 60


def test_fault_30_a_line_that_breaks_every_few_hundred_bytes_brings_everything_in_the_end(served: Served, tmp_path: Path) -> None:
    """Documents must fit in one piece, blobs need not: the longest is longer than what one connection carries."""
    with poor_line(served.port) as line:
        corner = Corner(tmp_path / "kiosk", served, url=line.url)
        numbers = corner.make_slips()
        longest = max(path.stat().st_size for path in (served.hq.directory / "sync").rglob("*") if path.is_file())
        line.breaks_after = longest * 2 // 3
        rounds = 0
        while corner.round().moved is None:
            line.cut()
            rounds += 1
            assert rounds < MOST_ROUNDS
        assert rounds > 0
        assert corner.holds_hq_s_rows()
        assert slips_at_hq(served) == numbers
        assert line.answered < 12 * sum(
            path.stat().st_size for path in (served.hq.directory / "sync").rglob("*") if path.is_file()
        )
        corner.close()


def test_fault_30_a_line_that_goes_silent_keeps_what_came(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a blob arrives and then nothing, not even an end: after the deadline the half is kept, and the rest is asked for."""
    monkeypatch.setattr(sync.client, "READ_S", 1)
    blob = max((served.hq.directory / "sync" / "b").iterdir(), key=lambda path: path.stat().st_size)
    ref = sync.client.BlobRef(blob.name, blob.stat().st_size)
    with poor_line(served.port) as line:
        line.silent_after = 300 + ref.length // 2
        client = sync.client.Client(line.url)
        with pytest.raises(sync.client.Offline):
            client.blob(ref, tmp_path / blob.name)
        kept = (tmp_path / f"{blob.name}.part").stat().st_size
        assert kept > ref.length // 4

        line.silent_after = None
        line.cut()
        client.blob(ref, tmp_path / blob.name)
        assert (tmp_path / blob.name).read_bytes() == blob.read_bytes()
        assert client.received == ref.length


def test_fault_30_a_trickle_makes_progress_and_slips_do_not_wait_for_it(served: Served, tmp_path: Path) -> None:
    with poor_line(served.port) as line:
        corner = Corner(tmp_path / "kiosk", served, url=line.url)
        corner.round()
        served.hq.change(l11={"price": "349.00"})
        numbers = corner.make_slips(12)
        line.bytes_per_s = 1_500
        line.cut()
        working = Thread(target=corner.round)
        working.start()
        deadline = time.monotonic() + 20
        while slips_at_hq(served) != numbers and time.monotonic() < deadline:
            time.sleep(0.05)
        assert slips_at_hq(served) == numbers
        line.bytes_per_s = None
        working.join(30)
        assert corner.round().faults == ()
        assert corner.holds_hq_s_rows()
        corner.close()


def test_fault_30_a_sign_in_page_changes_nothing_and_passes(served: Served, tmp_path: Path) -> None:
    with poor_line(served.port) as line:
        corner = Corner(tmp_path / "kiosk", served, url=line.url)
        corner.round()
        numbers = corner.make_slips(11)
        served.hq.change(l11={"price": "349.00"})
        line.page = b"<html><title>Bienvenue</title>Wi-Fi gratuit</html>"
        line.cut()
        report = corner.round()
        assert report.moved is None
        assert report.pushed is None
        assert set(report.faults) <= {"malformed", "untrusted", "offline"}
        assert slips_at_hq(served) == []

        line.page = None
        assert corner.round().faults == ()
        assert corner.holds_hq_s_rows()
        assert slips_at_hq(served) == numbers
        corner.close()
