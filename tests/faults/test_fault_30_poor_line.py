"""Fault 30: a trickle, a line that keeps breaking, one that goes silent, a shop's sign-in page. Little by little it arrives."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest

import sync.corner.client
from kiosk.background import Rounds
from pos.ops import setting, store_setting
from sync.blobs import BlobFolder
from sync.corner.client import Client
from sync.corner.media import MediaStore
from sync.corner.mirrors import MIRRORS
from sync.errors import Offline
from tests.faults.conftest import Served
from tests.faults.corners import Corner, slips_at_hq
from tests.faults.lines import poor_line

MOST_ROUNDS = 60
CARRIED_BYTES = 4_000
LISTING = {"seller_id": "1", "sku_id": "1", "grade": "GOOD"}


def listing(chance: Random) -> dict[str, str]:
    price = f"{chance.randint(100, 900)}.{chance.randint(0, 99):02}"
    return {**LISTING, "price": price, "delivery_days": str(chance.randint(1, 9)), "quantity": str(chance.randint(1, 99))}


def test_fault_30_a_line_that_keeps_breaking_brings_everything_in_the_end(served: Served, tmp_path: Path) -> None:
    """Documents fit into what one connection carries; the longest blob takes several."""
    chance = Random(30)
    served.hq.change(**{f"l{number}": listing(chance) for number in range(1_000, 3_500)})
    files = [path.stat().st_size for path in (served.hq.directory / "sync" / "b").iterdir()]
    assert max(files) > 1.5 * CARRIED_BYTES
    with poor_line(served.port) as line:
        corner = Corner(tmp_path / "kiosk", served, url=line.url)
        line.breaks_after = CARRIED_BYTES
        rounds = 0
        while corner.round().moved is None:
            rounds += 1
            assert rounds < MOST_ROUNDS
        assert rounds > 1
        assert corner.holds_hq_s_rows()
        corner.close()


def test_fault_30_a_line_that_goes_silent_keeps_what_came(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a blob arrives and then nothing, not even an end: after the deadline it is kept, and only the rest asked for."""
    monkeypatch.setattr(sync.corner.client, "READ_S", 1)
    ref = BlobFolder(served.hq.directory / "sync" / "b").store(Random(30).randbytes(50_000))
    with poor_line(served.port) as line:
        line.silent_after = 30_000
        client = Client(line.url)
        with pytest.raises(Offline):
            client.blob(ref, tmp_path / ref.sha256)
        assert (tmp_path / f"{ref.sha256}.part").stat().st_size > 25_000

        line.silent_after = None
        line.cut()
        client.blob(ref, tmp_path / ref.sha256)
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


def test_fault_30_a_slip_made_during_a_long_fetch_does_not_wait_for_it(served: Served, tmp_path: Path) -> None:
    corner = Corner(tmp_path / "kiosk", served)
    corner.round()
    served.hq.change(l11={"price": "349.00"})
    is_fetching, may_end = Event(), Event()

    def stall(path: str) -> None:
        if path.startswith("/sync/v1/b/"):
            is_fetching.set()
            may_end.wait(30)

    served.before = stall
    rounds = Rounds(corner.directory, corner.catalog, corner.ops, MediaStore(corner.directory / "media"), "0.1.0")
    beside = Client(served.url)
    assert not rounds.send_beside(beside, dict)
    working = Thread(target=rounds.run, args=(corner.client,))
    working.start()
    assert is_fetching.wait(30)
    numbers = corner.make_slips(12)

    assert rounds.send_beside(beside, dict)
    assert slips_at_hq(served) == numbers
    assert not rounds.send_beside(beside, dict)

    may_end.set()
    working.join(30)
    assert corner.round().faults == ()
    assert corner.holds_hq_s_rows()
    corner.close()


def test_fault_30_a_neighbour_that_trickles_holds_a_round_for_moments_and_is_named(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync.corner.client, "NEIGHBOUR_S", 0.5)
    corner = Corner(tmp_path / "kiosk", served)
    corner.round()
    served.hq.change(l11={"price": "349.00"})
    with poor_line(served.port) as line:
        line.bytes_per_s = 50
        with corner.ops.write() as database:
            store_setting(database, MIRRORS, [line.url])
        began = time.monotonic()

        report = corner.round()

    assert time.monotonic() - began < 10
    assert (report.faults, report.problems) == (("neighbour_failed",), ())
    assert setting(corner.ops.read(), "sync_faults").keys() == {"neighbour_failed"}
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
