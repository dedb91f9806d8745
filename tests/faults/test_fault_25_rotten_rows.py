"""Fault 25: the catalogue rots, or somebody edits a price. Every night that is found and mended, never in a loop."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk import files
from kiosk.rescan import rescan
from pos import clock
from pos.db import Store, connect
from pos.ops import setting
from sync.channels import damaged_channels, sync_cursors
from sync.corner.media import MediaStore
from sync.corner.rescan import MARK, is_due, mark_wrong, marked, may_rebuild, wrong_channels
from sync.errors import Busy
from sync.locks import hold
from tests.faults.test_kiosk_files import scribble
from tests.processes import PATIENCE_S
from tests.sync.conftest import Hq, Kiosk, listing, rows_of

NIGHT = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)


@pytest.fixture
def corner(follower: Kiosk) -> files.Kiosk:
    media = MediaStore(follower.directory / "media")
    return files.Kiosk(follower.directory, follower.catalog, follower.ops, "0.1.0", media)


def night(corner: files.Kiosk, now: datetime = NIGHT) -> list[str]:
    assert corner.ops is not None
    return rescan(corner, corner.ops, pause=lambda: None, now=now)


def edit(corner: files.Kiosk, statement: str) -> None:
    database = connect(corner.catalog.path, durable=False)
    database.execute(statement)
    database.close()


def test_fault_25_a_sound_catalogue_is_left_alone(hq: Hq, follower: Kiosk, corner: files.Kiosk) -> None:
    hq.publish()
    follower.follow()
    before = sync_cursors(follower.catalog.read())
    assert night(corner) == []
    assert {name: cursor.epoch for name, cursor in sync_cursors(follower.catalog.read()).items()} == {
        name: cursor.epoch for name, cursor in before.items()
    }
    assert corner.faults == {}


@pytest.mark.parametrize(
    ("statement", "channel"),
    [
        ("update listing set price_cents = 100 where listing_id = 150", "price"),
        ("delete from stock where listing_id = 3", "stock"),
        ("insert into stock (listing_id, quantity) values (999, 1)", "stock"),
        ("update sku set body = '{}' where sku_id = 2", "content"),
    ],
)
def test_fault_25_an_edited_row_is_found_and_mended_without_waiting_for_hq_to_publish(
    hq: Hq, follower: Kiosk, corner: files.Kiosk, statement: str, channel: str
) -> None:
    hq.publish()
    follower.follow()
    edit(corner, statement)

    assert night(corner) == [channel]
    assert marked(follower.catalog.read()) == [channel]
    assert "catalog_damaged" in corner.faults
    assert damaged_channels(follower.catalog.read()) == []  # the cursor tells the truth meanwhile
    follower.follow()

    assert follower.rows() == hq.rows
    assert follower.is_sound()
    assert night(corner, NIGHT + timedelta(days=1)) == []
    assert corner.faults == {}


def test_fault_25_a_corner_without_network_goes_on_showing_what_it_has(hq: Hq, follower: Kiosk, corner: files.Kiosk) -> None:
    hq.publish()
    follower.follow()
    edit(corner, "delete from stock where listing_id = 3")
    night(corner)
    assert follower.catalog.read().execute("select count(*) from listing").fetchone() == (200,)


def test_fault_25_a_torn_file_is_set_aside_and_fetched_anew(hq: Hq, follower: Kiosk, corner: files.Kiosk) -> None:
    hq.publish()
    follower.follow()
    follower.catalog.close()
    scribble(follower.catalog.path, from_page=5)

    assert night(corner) == ["file"]
    assert follower.catalog.path.with_name("catalog.db.damaged").exists()
    follower.follow()
    assert follower.rows() == hq.rows


def test_fault_25_rows_that_rot_again_and_again_are_not_fetched_in_a_loop(hq: Hq, follower: Kiosk, corner: files.Kiosk) -> None:
    hq.publish()
    follower.follow()
    fetched = []
    for hours in (0, 1, 5, 6, 7, 17, 18, 41, 42, 43):
        edit(corner, "update listing set price_cents = 100 where listing_id = 1")
        now = NIGHT + timedelta(hours=hours)
        assert night(corner, now) == ["price"]
        if marked(follower.catalog.read()):
            follower.follow()
            fetched.append(hours)
    assert fetched == [0, 6, 18, 42]
    assert corner.ops is not None
    assert len(setting(corner.ops.read(), "rebuilds")["price"]) == 4


def test_fault_25_a_round_under_way_is_not_disturbed(hq: Hq, follower: Kiosk, corner: files.Kiosk) -> None:
    hq.publish()
    follower.follow()
    edit(corner, "delete from stock where listing_id = 3")
    with hold(corner.directory / "sync.lock"), pytest.raises(Busy):
        night(corner)
    assert marked(follower.catalog.read()) == []


def test_fault_25_reading_holds_up_no_writer_and_is_not_fooled_by_one(hq: Hq, follower: Kiosk) -> None:
    """Between any two slices HQ's changes come in: what was read before and after never makes a false alarm."""
    hq.put("listing", *(listing(number) for number in range(1_000, 5_000)))
    hq.publish()
    follower.follow()
    changes = iter(range(1_000, 1_002))

    def change() -> None:
        number = next(changes, None)
        if number is not None:
            hq.put("listing", listing(number, price_cents=12_300))
            hq.publish()
            follower.follow()

    assert wrong_channels(follower.catalog, pause=change) == {}
    assert next(changes, None) is None
    assert rows_of(follower.catalog.path) == hq.rows


def test_fault_25_what_changed_since_it_was_read_is_not_marked(hq: Hq, follower: Kiosk) -> None:
    hq.publish()
    follower.follow()
    state = sync_cursors(follower.catalog.read())["stock"].state
    mark_wrong(follower.catalog, {"stock": state, "no_such": state}, now=NIGHT)
    assert MARK not in {cursor.epoch for cursor in sync_cursors(follower.catalog.read()).values()}


@pytest.mark.parametrize(
    ("hours_ago", "local_hour", "due"),
    [(None, 14, True), (20, 3, True), (20, 14, False), (2, 3, False), (49, 14, True)],
)
def test_fault_25_it_reads_at_night_or_when_it_was_long_ago(hours_ago: int | None, local_hour: int, due: bool) -> None:
    last = None if hours_ago is None else NIGHT - timedelta(hours=hours_ago)
    assert is_due(last, now=NIGHT, local_hour=local_hour) is due


@pytest.mark.parametrize(("times", "hours", "may"), [(0, 0, True), (1, 5, False), (1, 6, True), (2, 11, False), (9, 200, True)])
def test_fault_25_each_rebuild_waits_longer_than_the_last(times: int, hours: int, may: bool) -> None:
    assert may_rebuild([clock.to_text(NIGHT)] * times, now=NIGHT + timedelta(hours=hours)) is may


def test_fault_25_the_thread_of_a_serving_kiosk_reads_when_it_is_due(
    hq: Hq, follower: Kiosk, corner: files.Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kiosk import rescan as module
    from pos.ops import store_setting
    from tests.sync.corner.test_uplink import CORNER

    hq.publish()
    follower.follow()
    edit(corner, "delete from stock where listing_id = 3")
    assert corner.ops is not None
    with corner.ops.write() as database:
        store_setting(database, "corner", CORNER)
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    call = threading.Event()
    module.start_rescans(corner, call=call)
    assert call.wait(PATIENCE_S)
    assert marked(Store(Path(corner.catalog.path), durable=False).read()) == ["stock"]
    corner.ops = None
