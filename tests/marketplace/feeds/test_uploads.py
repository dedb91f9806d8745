"""HQ's feed sent to the console: judged whole, completed by what HQ has, and no archive does harm."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from marketplace.db import reading, run_tx
from marketplace.feeds import uploads
from marketplace.feeds.imports import import_feed
from marketplace.feeds.stored import complete_feed
from marketplace.installation import sync_path
from marketplace.running.jobs import HQ, Postponed, Work
from pos import clock
from tests.marketplace import world
from tests.marketplace.hq import Hq, quiet, words
from tests.marketplace.test_console import log_in

Sent = list[tuple[bytes, str]]


@pytest.fixture
def console(hq: Hq) -> Hq:
    log_in(hq)
    return hq


def archive(files: dict[str, bytes], top: str = "") -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(top + name, content)
    return written.getvalue()


def feed(hq: Hq, **listings: dict[str, str] | None) -> dict[str, bytes]:
    folder = world.write_feed(hq.directory / "sent", supply=world.listings(**listings))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def send(hq: Hq, *files: tuple[bytes, str], **form: str) -> str:
    """Send files as a browser does; return what the page they lead to says once the jobs are done."""
    data = {**form, "file": [(io.BytesIO(content), name) for content, name in files]}
    answer = hq.client.post("/console/feeds", data=data)
    if answer.status_code != 303:
        assert answer.status_code == 422
        return words(answer)
    assert "en cours de lecture" in words(hq.client.get("/console/feeds"))
    hq.work()
    return words(hq.client.get("/console/feeds"))


def price(hq: Hq) -> int:
    return int(hq.rows("select price_cents from listing where listing_id = 11")[0]["price_cents"])


def folders(hq: Hq) -> list[str]:
    return sorted(path.name for path in (hq.directory / uploads.FOLDER).iterdir())


@pytest.mark.parametrize("top", ["", "monday/"])
def test_a_whole_feed_is_imported_and_waits_for_its_publication(console: Hq, top: str) -> None:
    page = send(console, (archive(feed(console, l11={"price": "349.00"}), top), "feed.zip"))
    assert "4 annonces" in page
    assert price(console) == 34900
    assert {each["origin"] for each in console.rows("select origin from sync_dirty")} == {"hq"}
    look = words(console.client.post("/console/trials/fr/outlooks", data={"act": "publish"}))
    assert "349,00 €" in look
    assert "Annonces · 0 ajoutées, 1 changées, 0 retirées" in re.sub(r"<[^>]+>", "", look)
    assert folders(console) == []


def test_a_single_file_takes_the_place_of_what_hq_has_of_it(console: Hq) -> None:
    send(console, (feed(console, l11={"price": "339.00"})["listings.csv"], "listings.csv"))
    assert price(console) == 33900
    send(console, (feed(console)["skus.jsonl"], "skus.jsonl"))
    assert price(console) == 33900
    assert folders(console) == []


def test_a_file_alone_leaves_what_orders_and_started_prices_changed_meanwhile(console: Hq) -> None:
    console.write("update listing set quantity = 1, price_cents = 35500 where listing_id = 11")
    laws = [
        *world.WORLD["laws"],
        world.law("fr-exit-2008", "early_exit", {"rate_bp": 2500, "from_month": 12}) | {"valid_to": "2022-02-01"},
    ]
    send(console, ("\n".join(map(json.dumps, laws)).encode(), "laws.jsonl"))
    assert console.rows("select count(*) as laws from law") == [{"laws": len(laws)}]
    [listing] = console.rows("select quantity, price_cents from listing where listing_id = 11")
    assert listing == {"quantity": 1, "price_cents": 35500}
    assert {each["table_name"] for each in console.rows("select table_name from sync_dirty")} == {"law"}


def test_hq_s_catalogue_written_as_a_feed_and_imported_changes_nothing(console: Hq) -> None:
    pictured = {
        "media_id": 1,
        "sku_id": 1,
        "kind": "drawing",
        "rank": 1,
        "file": "a.svg",
        "alt": world.both("A", "A"),
        "credit": "C",
    }
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8"/></svg>'
    start = clock.to_text(clock.now().replace(second=0) + timedelta(days=9))
    files = {
        **feed(console, l12={"prior_price": ""}),
        "media.jsonl": json.dumps(pictured).encode(),
        "media/a.svg": drawing,
        "prices.csv": f"listing_id;starts_at;price;prior_price;urgent\n11;{start};350.00;;0\n".encode(),
    }
    assert "4 annonces" in send(console, (archive(files), "feed.zip"))
    console.publish()
    again = send(console, (feed(console)["feed.json"], "feed.json"))
    assert "0 ajoutées, 0 changées, 0 retirées" in again
    assert console.rows("select * from sync_dirty") == []
    assert len(console.rows("select * from price_start")) == len(console.rows("select * from media")) == 1


def test_what_an_order_takes_while_a_file_alone_is_judged_stays_taken(hq: Hq, tmp_path: Path) -> None:
    (tmp_path / "laws.jsonl").write_bytes(feed(hq)["laws.jsonl"])
    with reading(hq.engine) as connection:
        complete_feed(connection, tmp_path, sync_path(hq.directory))
    hq.write("update listing set quantity = 1 where listing_id = 11")
    imported = import_feed(hq.engine, tmp_path, static=sync_path(hq.directory), progress=quiet, sent={"laws.jsonl"})
    assert (imported.changed, imported.marked) == ({}, 0)
    assert hq.rows("select quantity from listing where listing_id = 11") == [{"quantity": 1}]


def test_files_alone_are_no_first_feed(console: Hq) -> None:
    console.write("delete from market")
    assert "Envoyez d’abord le flux entier" in send(console, (feed(console)["listings.csv"], "listings.csv"))
    assert folders(console) == []


def test_a_feed_with_a_mistake_is_refused_whole(console: Hq) -> None:
    send(console, (archive(feed(console)), "feed.zip"))
    page = send(console, (archive(feed(console, l11={"price": "349.00"}, l12={"price": "cheap"})), "feed.zip"))
    assert "refusé : 1 problème" in page
    assert "<td>feed.zip</td>" in page
    assert "listings.csv:3" in page
    assert price(console) == 36900
    assert folders(console) == []
    assert console.rows("select * from job where state = 'dead'") == []


def test_many_withdrawals_need_a_tick(console: Hq) -> None:
    more = {f"l{number}": {"seller_id": "1", "sku_id": "1", "grade": "FAIR", "price": "99.00"} for number in range(30, 36)}
    send(console, (archive(feed(console, **more)), "feed.zip"))
    fewer = archive(feed(console))
    assert "would be gone" in send(console, (fewer, "feed.zip"))
    send(console, (fewer, "feed.zip"), withdrawals="1")
    assert console.rows("select state from listing where listing_id = 30") == [{"state": "withdrawn"}]


def test_a_feed_waits_for_those_sent_before_it_in_whatever_order_workers_take_them(console: Hq) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        for cents in range(31000, 31005):
            sent = archive(feed(console, l11={"price": f"{cents / 100:.2f}"}))
            console.client.post("/console/feeds", data={"file": [(io.BytesIO(sent), "feed.zip")]})
        jobs = console.rows("select job_id, body from job where kind = 'feed' order by job_id desc")
        late = work(console, jobs[0]["job_id"])
        with pytest.raises(Postponed):
            uploads.take_feed(late, json.loads(jobs[0]["body"]))
        console.work()
        travel.move_to(start + uploads.AGAIN)
        console.work()
    assert price(console) == 31004
    assert folders(console) == []


def test_the_sweep_removes_folders_of_feeds_that_no_job_names(console: Hq) -> None:
    send(console, (archive(feed(console)), "feed.zip"))
    kept = uploads.receive_feed(console.directory, [("feed.zip", io.BytesIO(archive(feed(console))))], is_first=False)
    run_tx(console.engine, lambda connection: uploads.enqueue_feed(connection, kept, is_withdrawal_meant=False))
    uploads.receive_feed(console.directory, [("feed.zip", io.BytesIO(archive(feed(console))))], is_first=False)
    assert uploads.sweep_feeds(console.engine, console.directory, now=clock.now()) == 0, "its job may be enqueued in a moment"
    later = clock.now() + uploads.LOST_AFTER + timedelta(minutes=1)
    assert uploads.sweep_feeds(console.engine, console.directory, now=later) == 1
    assert folders(console) == [kept["folder"]]


def work(hq: Hq, job_id: str) -> Work:
    return Work(engine=hq.engine, directory=hq.directory, public_url="", now=clock.now(), owner_id=HQ, job_id=job_id)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([], "Choisissez un .zip"),
        ([(b"PK\x03\x04 nothing", "feed.zip")], "ne se lit pas"),
        ([(archive({"../../evil.jsonl": b""}), "feed.zip")], "evil.jsonl"),
        ([(archive({"feed.json": b"", "run.sh": b""}), "feed.zip")], "run.sh"),
        ([(archive({"feed.json": b"", "media/.hidden": b""}), "feed.zip")], ".hidden"),
        ([(b"", "notes.txt")], "notes.txt"),
        ([(b"", "skus.jsonl"), (b"", "skus.jsonl")], "deux fois"),
        ([(archive({}), "a.zip"), (b"", "skus.jsonl")], "Choisissez un .zip"),
    ],
)
def test_what_is_no_feed_is_refused_and_leaves_nothing(console: Hq, sent: Sent, said: str) -> None:
    assert said in send(console, *sent)
    assert folders(console) == []


def test_an_archive_is_believed_no_length_and_no_bytes(console: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 10_000_000)
    bomb = archive({"feed.json": b"{}", "listings.csv": bytes(20_000_000)})
    assert len(bomb) < 50_000
    assert "plus qu’un flux" in send(console, (bomb, "feed.zip"))
    whole = archive({"feed.json": b"{}", "listings.csv": bytes(range(256)) * 40})
    spoilt = whole.replace(whole[150:160], bytes(10))
    assert "ne se lit pas" in send(console, (spoilt, "feed.zip"))
    assert folders(console) == []
    assert not Path("/evil.jsonl").exists()
