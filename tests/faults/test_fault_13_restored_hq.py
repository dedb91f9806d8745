"""Fault 13: HQ's database is restored from yesterday. Events come again and count once, numbers go on, and few bytes move."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from marketplace.events.inbox import judge
from pos import clock
from pos.ops import setting
from sync.channels import sync_cursors
from tests.faults.conftest import Served
from tests.faults.corners import Corner, slips_at_hq

FILES = ("sync", "replica")
"""What HQ serves and what it made it from, beside the database; the keys are of another backup."""


class Yesterday:
    """A marketplace on its second day, with the backup of the first; and two kiosks, of which one was away on the second."""

    def __init__(self, served: Served, directory: Path) -> None:
        self.served = served
        self.corner = Corner(directory / "nantes", served)
        self.away = Corner(directory / "paris", served, corner="paris-beaubourg")
        assert self.corner.round().faults == self.away.round().faults == ()
        self.numbers = self.corner.make_slips(11, 12)
        assert self.corner.round().faults == ()
        assert self.corner.acked() == 2
        judge(served.hq.engine)
        self.backup = directory / "backup"
        served.hq.engine.dispose()
        shutil.copytree(served.hq.directory, self.backup)

    def live_on(self) -> None:
        """The second day: a change of prices, and two more slips."""
        self.served.hq.change(l11={"price": "349.00"})
        self.numbers += self.corner.make_slips(13, 21)
        assert self.corner.round().faults == ()
        assert self.corner.round().faults == ()
        assert self.corner.acked() == 4

    def restore(self, *, files: str) -> None:
        """Bring the database back, and with it the files of yesterday, none but the roots, or leave those of today."""
        hq = self.served.hq
        hq.close()
        for path in hq.directory.glob("marketplace.db*"):
            path.unlink()
        for path in self.backup.glob("marketplace.db*"):
            shutil.copy(path, hq.directory)
        if files != "intact":
            for name in FILES:
                shutil.rmtree(hq.directory / name)
                shutil.copytree(self.backup / name, hq.directory / name)
        if files == "lost":
            shutil.rmtree(hq.directory / "replica")
            for path in (hq.directory / "sync").rglob("*"):
                if path.is_file() and not path.name.endswith(".root.json"):
                    path.unlink()
        self.served.renew()


@pytest.fixture
def yesterday(served: Served, tmp_path: Path) -> Iterator[tuple[Yesterday, datetime]]:
    made = Yesterday(served, tmp_path)
    start = clock.now()
    with time_machine.travel(start + timedelta(days=1)):
        made.live_on()
    yield made, start + timedelta(days=1, hours=6)
    made.corner.close()
    made.away.close()


def roots(corner: Corner) -> dict[str, str]:
    return {name: each.root for name, each in sync_cursors(corner.catalog.read()).items()}


@pytest.mark.parametrize("files", ["intact", "yesterday's", "lost"])
def test_fault_13_events_come_again_from_the_lower_ack_and_numbers_go_on(
    yesterday: tuple[Yesterday, datetime], files: str
) -> None:
    made, now = yesterday
    with time_machine.travel(now):
        made.restore(files=files)
        assert slips_at_hq(made.served) == sorted(made.numbers[:2])

        # The slip of the third day makes the kiosk write, and HQ answer that it holds less than was acknowledged.
        made.numbers += made.corner.make_slips(12)
        made.corner.round()
        made.corner.round()
        assert made.corner.acked() == 5
        assert slips_at_hq(made.served) == sorted(made.numbers)
        assert [each["seq"] for each in made.served.hq.rows("select seq from inbox order by seq")] == [1, 2, 3, 4, 5]

        published = made.served.hq.publish()
        assert published is not None
        assert published > 2, "above what the kiosk reported"
        for corner in (made.corner, made.away):
            report = corner.round()
            assert report.faults == ()
            assert report.moved is not None
            assert report.moved.publication == published
            assert corner.holds_hq_s_rows()
        assert roots(made.corner) == roots(made.away)
        made.served.hq.change(l12={"price": "300.00"})
        for corner in (made.corner, made.away):
            report = corner.round()
            assert report.faults == ()
            assert report.moved is not None
            assert (report.moved.segments, report.moved.parts) == (1, 0), "from here on all is as ever"
            assert corner.holds_hq_s_rows()


@pytest.mark.parametrize("files", ["intact", "yesterday's", "lost"])
@pytest.mark.parametrize("is_first_seen", [True, False])
def test_fault_13_a_kiosk_whose_rows_are_hqs_again_fetches_none_of_them(
    yesterday: tuple[Yesterday, datetime], files: str, is_first_seen: bool
) -> None:
    """The feed of the second day is imported again, before or after kiosks have told what they hold: equal roots, no blobs."""
    made, now = yesterday
    with time_machine.travel(now):
        made.restore(files=files)
        if is_first_seen:
            made.corner.round()
        before = roots(made.corner)
        made.served.hq.import_world(l11={"price": "349.00"})
        made.served.hq.publish()
        report = made.corner.round()
        if not is_first_seen and report.moved is not None and report.moved.is_stale:
            # HQ had not heard of the number that this kiosk holds; it has now.
            made.served.hq.publish()
            report = made.corner.round()
        assert report.faults == ()
        assert report.moved is not None
        assert not report.moved.is_stale
        assert (report.moved.segments, report.moved.parts, report.moved.fetches) == (0, 0, 0)
        assert roots(made.corner) == before
        assert made.corner.holds_hq_s_rows()
        assert setting(made.corner.ops.read(), "sync_faults") == {}
        assert made.away.round().faults == ()
        assert made.away.holds_hq_s_rows()
