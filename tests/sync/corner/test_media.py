"""What lies on the kiosk's disk after a round: order, budget, throwing out, and everything that can go wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from pos import catalog as catalog_tables
from pos.db import Store, connect, write
from sync.blobs import ref_of
from sync.corner import media
from sync.corner.client import Client
from sync.corner.media import Fetched, MediaStore
from sync.errors import Offline
from tests.sync.conftest import NOW, Line

PLENTY = 10**12
BODY = '{"alt": {"en": "a", "fr": "a"}, "credit": "x", "height": 9, "type": "image/svg+xml", "width": 9}'


def content(name: str, size: int = 100) -> bytes:
    return name.encode() * (size // len(name))


class Corner:
    """A catalogue with media over the line, and the store that fetches them."""

    def __init__(self, directory: Path) -> None:
        self.static = directory / "static"
        (self.static / "b").mkdir(parents=True)
        self.line = Line(self.static)
        session = requests.Session()
        session.mount("http://", self.line)
        self.client = Client("http://hq.example", session=session)
        database = connect(directory / "catalog.db", durable=False)
        catalog_tables.create_catalog(database)
        catalog_tables.create_indexes(database)
        database.close()
        self.catalog = Store(directory / "catalog.db", durable=False)
        self.directory = directory / "media"
        self.free = PLENTY
        self.store = MediaStore(self.directory, free_bytes=lambda _: self.free)
        self.names: dict[str, str] = {}

    def put(self, sku_id: int, name: str, *, kind: str = "drawing", rank: int = 1, size: int = 100, at_hq: bool = True) -> str:
        """Give a SKU a medium called `name`; SKUs stand on the shelf in the order of their ids."""
        body = content(name, size)
        ref = ref_of(body)
        self.names[ref.sha256] = name
        if at_hq:
            (self.static / "b" / ref.sha256).write_bytes(body)
        with self.catalog.write() as database:
            media_id = len(self.names)
            row = [media_id, sku_id, None, kind, rank, ref.sha256, ref.length, BODY]
            database.execute("insert into media values (?, ?, ?, ?, ?, ?, ?, ?)", row)
            database.execute("insert or ignore into shelf values (?, 'phones', 'Apple', 128, 100, 2, 2020, ?)", [sku_id, sku_id])
        return ref.sha256

    def fetch(self, *, table: tuple[int, ...] = (), budget: int = PLENTY, now: datetime = NOW) -> Fetched:
        return self.store.fetch(self.client, self.catalog.read(), table=list(table), budget_bytes=budget, now=now)

    def asked(self) -> list[str]:
        """The names asked for so far, in order."""
        return [self.names[request.path_url.rpartition("/")[2]] for request in self.line.asked]

    def here(self) -> set[str]:
        return {self.names[path.name] for path in self.directory.iterdir() if path.name in self.names}


@pytest.fixture
def corner(tmp_path: Path) -> Corner:
    return Corner(tmp_path)


def test_missed_first_then_the_table_then_the_shelf_in_its_order(corner: Corner) -> None:
    for sku_id, name in enumerate(("one", "two", "three", "four", "five"), start=1):
        missed = corner.put(sku_id, name)
    corner.store.ask(missed)
    corner.fetch(table=(4, 2))
    assert corner.asked() == ["five", "four", "two", "one", "three"]


def test_of_a_sku_come_its_first_medium_and_its_first_drawing(corner: Corner) -> None:
    corner.put(1, "photo", kind="picture", rank=1)
    corner.put(1, "other photo", kind="picture", rank=2)
    corner.put(1, "drawing", rank=3)
    corner.put(1, "other drawing", rank=4)
    corner.fetch()
    assert corner.asked() == ["photo", "drawing"]


def test_a_round_brings_a_bounded_number_of_bytes(corner: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "ROUND_BYTES", 250)
    for sku_id in range(1, 8):
        corner.put(sku_id, f"m{sku_id}")
    assert [corner.fetch().files for _ in range(4)] == [3, 3, 1, 0]


def test_the_shelf_stops_at_the_budget_and_stays(corner: Corner) -> None:
    for sku_id in range(1, 8):
        corner.put(sku_id, f"m{sku_id}")
    assert [corner.fetch(budget=350).files for _ in range(3)] == [3, 0, 0]
    assert corner.here() == {"m1", "m2", "m3"}


def test_what_was_missed_pushes_out_what_was_not_shown_for_longest_but_never_the_table(corner: Corner) -> None:
    shas = [corner.put(sku_id, f"m{sku_id}") for sku_id in range(1, 6)]
    corner.fetch(table=(1,), budget=350)
    corner.store.read(shas[1], now=NOW + timedelta(hours=1))
    corner.store.ask(shas[4])
    corner.fetch(table=(1,), budget=350, now=NOW + timedelta(hours=2))
    assert corner.here() == {"m1", "m2", "m5"}
    corner.store.ask(shas[3])
    corner.fetch(table=(1,), budget=350, now=NOW + timedelta(hours=3))
    assert corner.here() == {"m1", "m4", "m5"}


def test_when_it_was_shown_survives_a_restart(corner: Corner) -> None:
    shas = [corner.put(sku_id, f"m{sku_id}") for sku_id in range(1, 4)]
    corner.fetch(budget=350)
    corner.store.read(shas[0], now=NOW + timedelta(hours=1))
    corner.fetch(budget=350)
    corner.store = MediaStore(corner.directory, free_bytes=lambda _: PLENTY)
    corner.fetch(budget=150, now=NOW + timedelta(hours=2))
    assert corner.here() == {"m1"}


def test_what_the_catalogue_no_longer_names_goes_first(corner: Corner) -> None:
    for sku_id in range(1, 4):
        corner.put(sku_id, f"m{sku_id}")
    corner.fetch(budget=350)
    with corner.catalog.write() as database:
        database.execute("delete from media where sku_id = 2")
    corner.put(4, "m4")
    corner.fetch(budget=350)
    assert corner.here() == {"m1", "m3", "m4"}


def test_a_budget_below_the_table_is_kept_too(corner: Corner) -> None:
    for sku_id in range(1, 4):
        corner.put(sku_id, f"m{sku_id}")
    corner.fetch(table=(1, 2, 3))
    for _ in range(2):
        assert corner.fetch(table=(1, 2, 3), budget=250).files == 0
    assert corner.store.totals() == (2, 200)
    corner.fetch(budget=0)
    assert corner.store.totals() == (0, 0)


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(corner: Corner) -> None:
    sha256 = corner.put(1, "long", size=4000)
    part = corner.directory / f"{sha256}.part"
    corner.directory.mkdir()
    part.write_bytes(content("long", 4000)[:1000])
    corner.fetch()
    assert corner.line.asked[-1].headers["Range"] == "bytes=1000-"
    assert corner.store.has(sha256)
    assert not part.exists()


def test_a_silent_marketplace_ends_the_round_and_costs_nothing(corner: Corner) -> None:
    corner.put(1, "one")
    corner.put(2, "two")
    corner.line.before = lambda request: (503, {}, b"")
    with pytest.raises(Offline):
        corner.fetch()
    corner.line.before = lambda request: None
    assert corner.fetch().files == 2


@pytest.mark.parametrize("spoil", [lambda body: body[:-1] + b"!", lambda body: body + b"!" * 9, lambda body: b"<html>"])
def test_a_bad_blob_is_dropped_and_tried_again_later_and_later(corner: Corner, spoil: Callable[[bytes], bytes]) -> None:
    corner.put(1, "bad")
    corner.put(2, "good")
    corner.line.after = lambda request, answer: (answer[0], answer[1], spoil(answer[2])) if b"bad" in answer[2] else answer
    tries = []
    for minutes in range(40):
        before = len(corner.line.asked)
        corner.fetch(now=NOW + timedelta(minutes=minutes))
        if "bad" in corner.asked()[before:]:
            tries.append(minutes)
    assert tries == [0, 5, 15, 35]
    assert corner.here() == {"good"}
    assert [path.name for path in corner.directory.iterdir() if path.name.endswith(".part")] == []


def test_a_blob_that_hq_does_not_have_holds_nothing_up(corner: Corner) -> None:
    sha256 = corner.put(1, "lost", at_hq=False)
    corner.put(2, "two")
    assert corner.fetch().refused == 1
    assert corner.here() == {"two"}
    (corner.static / "b" / sha256).write_bytes(content("lost"))
    assert corner.fetch(now=NOW + timedelta(minutes=6)).files == 1


def test_a_row_longer_than_any_medium_is_never_asked_for(corner: Corner) -> None:
    corner.put(1, "huge", size=300_400)
    assert corner.fetch() == Fetched()


def test_an_almost_full_disk_gets_nothing(corner: Corner) -> None:
    corner.put(1, "one")
    corner.free = media.LEAST_FREE_BYTES - 1
    assert corner.fetch() == Fetched(is_paused=True)
    assert corner.line.asked == []
    corner.free = PLENTY
    assert corner.fetch().files == 1


def test_a_file_gone_bad_on_our_own_disk_is_not_shown_and_is_fetched_again(corner: Corner) -> None:
    sha256 = corner.put(1, "one")
    corner.fetch()
    assert corner.store.read(sha256, now=NOW) == content("one")
    path = corner.directory / sha256
    path.write_bytes(b"x" * path.stat().st_size)
    assert corner.store.read(sha256, now=NOW) is None
    corner.store.ask(sha256)
    corner.fetch()
    assert corner.store.read(sha256, now=NOW) == content("one")


def test_what_is_asked_for_and_unknown_is_forgotten(corner: Corner) -> None:
    corner.store.ask("0" * 64)
    assert corner.fetch() == Fetched()


def test_a_shelf_of_thousands_is_walked_to_its_end(corner: Corner) -> None:
    with write(connect(corner.catalog.path, durable=False)) as database:
        database.conn.executemany(
            "insert into shelf values (?, 'phones', 'Apple', 128, 100, 2, 2020, ?)", ((n, n // 3) for n in range(1, 1200))
        )
        database.execute("insert into media values (900, 1199, null, 'drawing', 1, ?, ?, ?)", [ref_of(b"last").sha256, 4, BODY])
        database.execute(
            "insert into media values (901, null, 'phones', 'drawing', 1, ?, ?, ?)", [ref_of(b"tile").sha256, 4, BODY]
        )
    database.close()
    corner.names = {ref_of(b"last").sha256: "last", ref_of(b"tile").sha256: "tile"}
    for body in (b"last", b"tile"):
        (corner.static / "b" / ref_of(body).sha256).write_bytes(body)
    corner.fetch()
    assert corner.asked() == ["tile", "last"]
