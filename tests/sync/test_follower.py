"""A kiosk ends at HQ's rows and root, or stays where it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pos.catalog import publication
from pos.db import OperationalError, connect
from sync.corner.mirrors import share
from sync.errors import Malformed, Offline, TooLarge, Untrusted, WrongRoot
from sync.heads import PACK_LEVEL, head_name
from sync.hq.garbage import named_blobs
from sync.hq.repository import announce, announced
from sync.segments import pack, unpack
from tests.sync.conftest import Answer, Hq, Kiosk, Line, listing, sku


def test_the_first_sync_takes_everything(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    moved = kiosk.follow()
    assert (moved.before, moved.publication, moved.segments, moved.rows) == (0, 1, 0, 405)
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()
    facts = dict(kiosk.catalog.read().execute("select name, value from catalog_fact").fetchall())
    assert facts == {
        "currency": "EUR",
        "era": kiosk.trust.era,
        "line": "",
        "market": "fr",
        "publication": "1",
        "published_at": "2026-11-22T09:01:00Z",
    }
    assert kiosk.catalog.read().execute("select listing_id from offer").fetchall() == [(1,)]
    assert sorted(path.name for path in kiosk.directory.iterdir() if path.is_file() and "ops.db-" not in path.name) == [
        "catalog.db",
        "catalog.db-shm",
        "catalog.db-wal",
        "ops.db",
    ]


def test_changes_come_as_one_segment_a_channel(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    hq.put("listing", listing(7, price_cents=19_900), listing(300))
    hq.drop("listing", 9)
    hq.put("stock", (300, 1))
    hq.publish()
    moved = kiosk.follow()
    assert (moved.segments, moved.parts, moved.publication) == (2, 0, 2)
    assert moved.touched == {"listing": {7, 9, 300}, "listing.former": {(1, 9)}, "stock": {300}, "stock.turned": {300}}
    assert moved.rows == 4
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()
    assert kiosk.catalog.read().execute("select listing_id, all_in_cents from offer").fetchall() == [(7, 20_399)]


def test_only_what_sells_out_or_comes_back_is_weighed_again(hq: Hq, kiosk: Kiosk) -> None:
    """A quantity that stays above nothing changes no offer, and most changes of stock are of that kind."""
    hq.put("stock", (7, 2), (8, 1))
    hq.publish()
    kiosk.follow()
    hq.put("stock", (7, 5), (8, 0))
    hq.publish()
    moved = kiosk.follow()
    assert moved.touched == {"stock": {7, 8}, "stock.turned": {8}}
    assert kiosk.rows() == hq.rows


def test_what_changed_is_taken_into_the_file_after_readers_have_it(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    hq.put("listing", listing(7, price_cents=19_900))
    hq.publish()
    assert kiosk.follow().has_moved
    with kiosk.catalog.writer() as database:
        busy, pages, taken_in = database.execute("pragma wal_checkpoint(noop)").fetchone()
        assert database.execute("pragma wal_autocheckpoint").fetchone() == (1000,)
    assert (busy, taken_in) == (0, pages)


def test_nothing_new_costs_one_small_answer(hq: Hq, kiosk: Kiosk, line: Line) -> None:
    hq.publish()
    kiosk.follow()
    asked = len(line.asked)
    moved = kiosk.follow()
    assert (moved.before, moved.publication, moved.has_moved, len(line.asked)) == (1, 1, False, asked + 1)
    assert [request.path_url for request in line.asked[-1:]] == ["/sync/v1/metadata/timestamp.json"]


def test_a_kiosk_long_away_takes_a_snapshot_and_keeps_no_ghost(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    hq.drop("listing", 5)
    for price in range(1, 20):
        hq.put("listing", *(listing(number, price_cents=price * 1_000 + number) for number in range(10, 150)))
        hq.tick(days=1)
        hq.publish()
    assert hq.index("price").segments[0].first > 2
    moved = kiosk.follow()
    assert moved.parts > 0
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()


def test_two_skus_may_exchange_their_codes(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    hq.put("sku", sku(1, "IPHONE-12-128-RED"), sku(2, "IPHONE-12-128-BLUE"))
    hq.publish()
    assert kiosk.follow().parts == 0
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()


def test_readers_keep_their_page_while_the_file_is_replaced(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    old = connect(kiosk.catalog.path, durable=False)
    old.execute("begin")
    assert old.execute("select count(*) from listing").fetchone() == (200,)
    hq.drop("listing", *range(1, 101))
    hq.publish()
    assert kiosk.follow(rebuild=True).parts > 0
    assert old.execute("select count(*) from listing").fetchone() == (200,)
    old.close()
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()


def test_an_older_head_is_left_aside(hq: Hq, kiosk: Kiosk, line: Line) -> None:
    hq.publish()
    old = hq.head()
    hq.put("stock", (1, 0))
    hq.publish()
    kiosk.follow()
    hq.announce(old)
    moved = kiosk.follow()
    assert moved.is_stale
    assert publication(kiosk.catalog.read()) == 2


def test_a_channel_of_a_later_release_is_ignored_and_passed_on_to_neighbours(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    name = head_name("fr", "stable")
    document = unpack(announced(hq.static, name) or b"", "comptoir-head/2")
    later = {"reviews": {"epoch": "of a later release", "shape": ["another"]}}
    head = pack({**document, "channels": {**document["channels"], **later}}, PACK_LEVEL)
    announce(hq.static, hq.keys, {name: head}, now=hq.tick())
    kiosk.follow()
    assert kiosk.rows() == hq.rows
    share(kiosk.directory)
    assert [path.read_bytes() for path in (kiosk.directory / "mirror" / "targets" / "fr").glob("*.stable.head")] == [head]
    hq.put("stock", (1, 0))
    hq.publish()
    kiosk.follow()
    assert kiosk.rows() == hq.rows


def test_another_market_s_head_is_refused(hq: Hq, kiosk: Kiosk, line: Line) -> None:
    hq.publish()
    hq.announce(replace(hq.head(), market="us"))
    with pytest.raises(Untrusted):
        kiosk.follow()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda body: body[:-5] + bytes([body[-5] ^ 4]) + body[-4:], Untrusted),
        (lambda body: body[:-1], Untrusted),
        (lambda body: b"<html>Bienvenue sur le Wi-Fi</html>", Untrusted),
        (lambda body: b"", Untrusted),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_spoilt_blob_changes_nothing(
    hq: Hq, kiosk: Kiosk, line: Line, spoil: Callable[[bytes], bytes], error: type[Exception], is_first: bool
) -> None:
    hq.publish()
    if not is_first:
        kiosk.follow()
        hq.put("stock", (1, 0))
        hq.publish()

    def spoilt(request: Any, answer: Answer) -> Answer:
        return (answer[0], answer[1], spoil(answer[2])) if "/b/" in request.path_url else answer

    line.after = spoilt
    with pytest.raises(error):
        kiosk.follow()
    assert kiosk.catalog.path.exists() is not is_first
    if not is_first:
        assert kiosk.rows()["stock"][1] == (1, 5)
    line.after = lambda request, answer: answer
    kiosk.follow()
    assert kiosk.rows() == hq.rows


def test_an_endless_body_is_cut_off(hq: Hq, kiosk: Kiosk, line: Line) -> None:
    hq.publish()
    line.after = lambda request, answer: (200, {}, answer[2] + bytes(10_000_000)) if "/b/" in request.path_url else answer
    with pytest.raises(TooLarge):
        kiosk.follow()
    assert kiosk.client.received < 200_000


def test_a_page_in_place_of_the_head_is_no_head(hq: Hq, kiosk: Kiosk, line: Line) -> None:
    hq.publish()
    line.before = lambda request: (200, {}, b"<html>Bienvenue</html>")
    with pytest.raises(Malformed):
        kiosk.follow()


def test_a_broken_fetch_goes_on_where_it_stopped(hq: Hq, kiosk: Kiosk, line: Line) -> None:
    hq.publish()
    biggest = max((hq.static / "b").iterdir(), key=lambda path: path.stat().st_size)
    part = kiosk.directory / "blobs" / f"{biggest.name}.part"
    part.parent.mkdir()
    part.write_bytes(biggest.read_bytes()[:300])
    kiosk.follow()
    ranges = [request.headers.get("Range") for request in line.asked if biggest.name in request.path_url]
    assert ranges == ["bytes=300-"]
    assert kiosk.rows() == hq.rows


def test_blobs_already_here_are_not_fetched_again(hq: Hq, kiosk: Kiosk, line: Line) -> None:
    hq.publish()
    fetched: list[str] = []

    def cut(request: Any) -> Answer | None:
        if "/b/" in request.path_url:
            fetched.append(request.path_url)
            if len(fetched) == 8:
                return 503, {"Retry-After": "7"}, b""
        return None

    line.before = cut
    with pytest.raises(Offline) as offline:
        kiosk.follow()
    assert offline.value.data["retry_after_s"] == 7
    kiosk.follow()
    assert len(fetched) == len(set(fetched)) + 1
    assert kiosk.rows() == hq.rows


def publish_a_wrong_root(hq: Hq, channel: str) -> None:
    """Announce a root that the rows do not have, as a bug at HQ would."""
    head = hq.head()
    there = head.track.channels[channel]
    wrong = replace(head.track, channels={**head.track.channels, channel: replace(there, root="0" * 64)})
    hq.announce(replace(head, track=wrong))


def test_a_wrong_root_is_refused_before_commit(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    before = kiosk.rows()
    hq.put("stock", (1, 0))
    hq.publish()
    publish_a_wrong_root(hq, "stock")
    with pytest.raises(WrongRoot):
        kiosk.follow()
    assert kiosk.rows() == before
    assert kiosk.is_sound()
    assert publication(kiosk.catalog.read()) == 1
    assert not (kiosk.directory / "catalog.db.new").exists()


def test_rows_that_rotted_here_are_replaced_by_a_snapshot(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    with kiosk.catalog.write() as database:
        database.execute("update listing set price_cents = 100 where listing_id = 1")
        database.execute("delete from stock where listing_id = 2")
    assert not kiosk.is_sound()
    hq.put("listing", listing(1, price_cents=20_000))
    hq.put("stock", (2, 0))
    hq.publish()
    assert kiosk.follow().parts > 0
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()


@pytest.mark.parametrize("damage", ["noise", "empty", "torn"])
def test_a_damaged_catalogue_is_set_aside_and_rebuilt(hq: Hq, kiosk: Kiosk, damage: str) -> None:
    hq.publish()
    kiosk.follow()
    kiosk.catalog.close()
    path = kiosk.catalog.path
    content = path.read_bytes()
    torn = content[:4096] + bytes(len(content) - 4096)
    path.write_bytes({"noise": b"no database" * 1_000, "empty": b"", "torn": torn}[damage])
    hq.put("stock", (1, 0))
    hq.publish()
    kiosk.follow()
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()
    assert path.with_name("catalog.db.damaged").exists()


def test_every_statement_may_fail_and_the_next_round_makes_good(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    before = kiosk.rows()
    hq.put("listing", listing(1, price_cents=10_000), listing(400))
    hq.drop("stock", 3)
    hq.publish()
    fail_at = 0
    while True:
        fail_at += 1
        with kiosk.catalog.write() as database:
            writer = database
        writer.conn = failing = FailingConnection(writer.conn, fail_at)
        with contextlib.suppress(OperationalError):
            kiosk.follow()
        kiosk.catalog.close()
        if not failing.has_failed:
            break
        assert kiosk.rows() in (before, hq.rows)
        assert kiosk.is_sound()
    assert fail_at > 10
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()


@pytest.mark.parametrize("step", ["new_catalog", "load_part", "create_indexes", "refresh", "finish_catalog", "install"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_snapshot_cut_short_at_any_step_leaves_the_old_file(hq: Hq, kiosk: Kiosk, step: str, is_first: bool) -> None:
    def cut(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    hq.publish()
    before = None
    if not is_first:
        kiosk.follow()
        before = kiosk.rows()
        hq.put("stock", (1, 0))
        hq.publish()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"sync.follower.{step}", cut)
        with pytest.raises(KeyboardInterrupt):
            kiosk.follow(rebuild=True)
    assert kiosk.catalog.path.exists() is not is_first
    assert before is None or kiosk.rows() == before
    assert not (kiosk.directory / "catalog.db.new").exists()
    kiosk.follow()
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()


class FailingConnection:
    """A connection whose n-th statement fails as a broken disk would."""

    def __init__(self, connection: Any, at: int) -> None:
        self._connection, self._left = connection, at

    @property
    def has_failed(self) -> bool:
        return self._left <= 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, *arguments: Any) -> Any:
        self._count()
        return self._connection.execute(*arguments)

    def executemany(self, *arguments: Any) -> Any:
        self._count()
        return self._connection.executemany(*arguments)

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise OperationalError("disk I/O error")


actions = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 30), st.integers(1_000, 99_000)),
        st.tuples(st.just("drop"), st.integers(1, 30), st.just(0)),
        st.tuples(st.just("stock"), st.integers(1, 30), st.integers(0, 9)),
        st.tuples(st.just("publish"), st.just(0), st.just(0)),
        st.tuples(st.just("follow"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_any_history_ends_at_hq_s_rows(tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int, int]]) -> None:
    directory: Path = tmp_path_factory.mktemp("history")
    hq = Hq(directory)
    kiosk = Kiosk(directory, Line(hq.static))
    act = {
        "put": lambda key, value: hq.put("listing", listing(key, price_cents=value)),
        "drop": lambda key, _: hq.drop("listing", key),
        "stock": lambda key, value: hq.put("stock", (key, value)),
        "publish": lambda *_: hq.publish(),
        "follow": lambda *_: kiosk.follow() if hq.replica.exists() else None,
    }
    for name, key, value in history:
        act[name](key, value)
    hq.publish()
    kiosk.follow()
    assert kiosk.rows() == hq.rows
    assert kiosk.is_sound()
    kiosk.catalog.close()
    hq.engine.dispose()


def test_a_segment_of_the_wrong_place_is_not_applied(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    for quantity in (0, 1):
        hq.put("stock", (1, quantity))
        hq.publish()
    head = hq.head()
    there = head.track.channels["stock"]
    older, newer = there.tail
    wrong = replace(there, tail=(replace(older, first=2, last=3),))
    hq.announce(replace(head, track=replace(head.track, channels={**head.track.channels, "stock": wrong})))
    assert kiosk.follow().parts > 0
    assert newer.last == 3
    assert kiosk.rows() == hq.rows


def test_a_thousand_changes_stay_under_nine_kilobytes(hq: Hq, kiosk: Kiosk) -> None:
    rows = [listing(number * 37 % 100_003, price_cents=10_000 + number * 7_919 % 80_000) for number in range(1_000, 3_000)]
    hq.put("listing", *rows)
    hq.put("stock", *((row[0], 3) for row in rows))
    hq.publish()
    kiosk.follow()
    changed = rows[::2]
    hq.put("listing", *(listing(row[0], price_cents=row[4] + row[0] * 13 % 900) for row in changed))
    hq.put("stock", *((row[0], row[0] % 7) for row in changed))
    hq.publish()
    assert kiosk.follow().bytes <= 9_000


def test_the_blob_directory_is_empty_after_a_good_round(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    assert list((kiosk.directory / "blobs").iterdir()) == []


def test_a_neighbour_lays_in_all_that_leads_to_its_head(hq: Hq, kiosk: Kiosk, line: Line, tmp_path: Path) -> None:
    hq.publish()
    kiosk.follow()
    for quantity in (1, 2):
        hq.put("stock", (1, quantity))
        hq.publish()
    kiosk.follow(keep_blobs=True)
    laid_in = {path.name for path in (kiosk.directory / "blobs").iterdir()} - {"laid_in"}
    assert laid_in == named_blobs(hq.static, [hq.head()])
    asked = len(line.asked)
    kiosk.follow(keep_blobs=True)
    assert len(line.asked) == asked + 1
    (kiosk.directory / "blobs" / "laid_in").unlink()
    kiosk.follow(keep_blobs=True)
    assert len(line.asked) == asked + 2, "what is here is not fetched again"
    kiosk.follow(rebuild=True)
    assert list((kiosk.directory / "blobs").iterdir()) == []
