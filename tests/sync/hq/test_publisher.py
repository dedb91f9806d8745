"""Publications have no gaps and lose no mark, wherever a crash falls."""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import sync.blobs
import sync.hq.drafts
import sync.hq.publisher
from pos.db import Store
from sync.errors import Busy
from sync.locks import hold
from tests.sync.conftest import Hq, Kiosk, listing, rows_of, sku


class Crash(BaseException):
    """The power goes, here."""


def marks(hq: Hq) -> list[tuple[str, str]]:
    with hq.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("select table_name, row_key from sync_dirty order by 1, 2"))]


def publications(hq: Hq) -> list[int]:
    with hq.engine.connect() as connection:
        return [row[0] for row in connection.execute(text("select publication from sync_publication order by 1"))]


def test_a_publication_is_recorded_served_and_replicated(hq: Hq) -> None:
    done = hq.publish()
    assert done is not None
    assert (done.publication, done.changed, marks(hq), publications(hq)) == (1, None, [], [1])
    assert hq.head().track == done.track
    assert {name: (each.version, each.rows) for name, each in hq.head().track.channels.items()} == {
        "content": (1, 5),
        "price": (1, 200),
        "stock": (1, 200),
    }
    assert rows_of(hq.replica) == hq.rows


def test_nothing_marked_or_nothing_different_publishes_nothing(hq: Hq) -> None:
    hq.publish()
    assert hq.publish() is None
    hq.mark("listing", [1, 2, 999])
    assert hq.publish() is None
    assert (marks(hq), publications(hq)) == ([], [1])


def test_only_the_channel_that_changed_moves(hq: Hq) -> None:
    hq.publish()
    before = hq.head().track.channels
    hq.put("stock", (3, 0))
    done = hq.publish()
    after = hq.head().track.channels
    assert done is not None
    assert done.changed == {"stock": {3}, "stock.turned": {3}}
    assert (after["content"], after["price"]) == (before["content"], before["price"])
    assert after["stock"].version == 2
    assert after["stock"].epoch == before["stock"].epoch


def test_a_whole_table_mark_finds_every_difference(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    hq.rows["listing"][1] = listing(1, price_cents=20_000)
    del hq.rows["listing"][2]
    hq.rows["listing"][500] = listing(500)
    hq.mark("listing", None)
    done = hq.publish()
    assert done is not None
    assert done.changed is not None
    assert done.changed["listing"] == {1, 2, 500}
    assert kiosk.follow().segments == 1
    assert kiosk.rows() == hq.rows


def test_a_change_too_big_for_a_segment_becomes_a_snapshot(hq: Hq, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.hq.drafts, "MAX_SEGMENT_ROWS", 50)
    hq.publish()
    kiosk.follow()
    hq.put("listing", *(listing(number, price_cents=20_000) for number in range(1, 101)))
    hq.publish()
    assert hq.index("price").snapshot.version == 2
    hq.put("listing", listing(1, price_cents=30_000))
    hq.publish()
    assert kiosk.follow().parts > 0
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()


def test_segments_stay_bounded(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    for quantity in range(100):
        hq.put("stock", *((number, quantity) for number in range(1, 60)))
        hq.publish()
        if quantity % 10 == 9:
            kiosk.follow()
    assert len(hq.index("stock").segments) <= 40
    assert len(hq.head().track.channels["stock"].tail) == 2
    assert kiosk.rows() == hq.rows


def test_a_mark_set_while_publishing_stays_for_the_next(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    hq.publish()
    hq.put("stock", (1, 0), (2, 0))
    plain = sync.blobs.replace_file

    def meanwhile(path: Path, content: bytes) -> None:
        hq.put("stock", (2, 9))
        plain(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(sync.blobs, "replace_file", meanwhile)
        hq.publish()
    assert marks(hq) == [("stock", "2")]
    assert rows_of(hq.replica)["stock"][2] == (2, 0)
    hq.publish()
    assert rows_of(hq.replica) == hq.rows


def test_two_publishers_do_not_meet(hq: Hq) -> None:
    with hold(hq.replica.with_name("publish.lock")), pytest.raises(Busy):
        hq.publish()
    hq.publish()
    assert publications(hq) == [1]


def test_a_publisher_on_another_machine_loses_the_race_without_a_trace(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    hq.publish()
    before = hq.head()
    hq.put("stock", (1, 0))
    with hq.engine.begin() as connection:
        connection.execute(text("insert into sync_publication values ('fr', 2, '', 'x', '{}')"))
    monkeypatch.setattr(sync.hq.publisher, "last_number", lambda connection, market: 1)
    monkeypatch.setattr(sync.hq.publisher, "published", lambda connection, market: before.track)
    with pytest.raises(Busy):
        hq.publish()
    assert hq.head() == before
    assert rows_of(hq.replica)["stock"][1] == (1, 5)
    assert marks(hq) == [("stock", "1")]


def publish_and_crash(hq: Hq, name: str, call: int, *, after: bool) -> None:
    """Publish; the publisher's n-th call of `name` is the last thing it does, before or after its effect."""
    module, _, function = name.rpartition(".")
    plain = getattr(importlib.import_module(module), function)
    calls: list[int] = []

    def crashing(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == call and not after:
            raise Crash
        result = plain(*arguments, **options)
        if len(calls) == call:
            raise Crash
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(name, crashing)
        with pytest.raises(Crash):
            hq.publish()


POINTS = [
    *(("sync.blobs.replace_file", call) for call in (1, 2, 3)),
    ("sync.hq.log.delete_marks", 1),
    *(("sync.hq.repository.replace_file", call) for call in (1, 2, 3, 4, 5, 6)),
    ("sync.hq.publisher.refresh", 1),
    ("sync.hq.publisher.store_facts", 1),
]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "call"), [*POINTS, ("sync.hq.publisher.install", 1), ("sync.hq.publisher.finish_catalog", 1)])
def test_the_first_publication_survives_a_crash(hq: Hq, kiosk: Kiosk, name: str, call: int, after: bool) -> None:
    publish_and_crash(hq, name, call, after=after)
    hq.publish()
    assert publications(hq) in ([1], [1, 2])
    assert hq.head().track.publication == publications(hq)[-1]
    kiosk.follow()
    assert rows_of(hq.replica) == kiosk.rows() == hq.rows
    assert marks(hq) == []
    assert kiosk.is_sound()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "call"), POINTS)
def test_a_later_publication_survives_a_crash(hq: Hq, kiosk: Kiosk, name: str, call: int, after: bool) -> None:
    hq.publish()
    kiosk.follow()
    hq.put("sku", sku(3, "IPAD-9-64-GREY"))
    hq.put("listing", listing(1, price_cents=10_000))
    hq.put("stock", (1, 0))
    publish_and_crash(hq, name, call, after=after)
    with contextlib.suppress(Exception):
        # Whatever a kiosk can fetch between crash and repair is one of the two publications, whole.
        kiosk.follow()
    assert kiosk.rows()["stock"][1] in ((1, 5), (1, 0))
    hq.publish()
    assert publications(hq) == [1, 2]
    kiosk.follow()
    assert rows_of(hq.replica) == kiosk.rows() == hq.rows
    assert marks(hq) == []
    assert kiosk.is_sound()


def test_a_lost_replica_is_built_again_from_the_blobs(hq: Hq) -> None:
    hq.publish()
    hq.put("stock", (1, 0))
    hq.publish()
    for path in hq.replica.parent.glob("catalog.db*"):
        path.unlink()
    head = hq.head()
    assert hq.publish() is None
    assert rows_of(hq.replica) == hq.rows
    assert hq.head() == head


def test_a_restored_database_starts_new_epochs_and_kiosks_follow(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    hq.put("stock", (1, 0))
    hq.publish()
    kiosk.follow()
    epochs = {each.epoch for each in hq.head().track.channels.values()}
    with hq.engine.begin() as connection:
        connection.execute(text("delete from sync_publication where publication = 2"))
    hq.rows["stock"][1] = (1, 7)
    done = hq.publish()
    assert done is not None
    assert done.publication == 3
    assert epochs.isdisjoint(each.epoch for each in hq.head().track.channels.values())
    assert kiosk.follow().parts > 0
    assert rows_of(hq.replica) == kiosk.rows() == hq.rows


def test_lost_blobs_start_new_epochs(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    for path in [*(hq.static / "b").iterdir(), *hq.replica.parent.glob("catalog.db*")]:
        path.unlink()
    hq.publish()
    kiosk.follow()
    assert rows_of(hq.replica) == kiosk.rows() == hq.rows


def test_pages_that_read_the_replica_see_each_publication(hq: Hq) -> None:
    hq.publish()
    pages = Store(hq.replica, durable=False)
    assert pages.read().execute("select quantity from stock where listing_id = 1").fetchone() == (5,)
    hq.put("stock", (1, 2))
    hq.publish()
    assert pages.read().execute("select quantity from stock where listing_id = 1").fetchone() == (2,)
    pages.close()


def test_an_hq_behind_its_kiosks_goes_on_in_new_logs_above_what_they_saw(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    epochs = {each.epoch for each in hq.head().track.channels.values()}
    done = hq.publish(at_least=7)
    assert done is not None
    assert done.publication == 8
    assert epochs.isdisjoint(each.epoch for each in hq.head().track.channels.values())
    moved = kiosk.follow()
    assert (moved.publication, moved.segments, moved.parts) == (8, 0, 0)
    hq.put("stock", (1, 0))
    hq.publish(at_least=7)
    assert (kiosk.follow().publication, publications(hq)) == (9, [1, 8, 9])
    assert rows_of(hq.replica) == kiosk.rows() == hq.rows
