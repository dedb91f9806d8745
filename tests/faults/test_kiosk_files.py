"""The kiosk's two files go bad, at the start and while people browse: the catalogue comes back, the records are never touched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from flask import Flask

from kiosk.app import create_app
from tests import world
from tests.processes import PATIENCE_S, comptoir, free_port, get_json, serving

FETCHING = "Le catalogue est en cours de réception."
NO_SLIP = "Ce comptoir ne peut pas faire de bon pour l’instant."
PAGE = 4096
REBUILD_S = 20


@pytest.mark.long
def test_a_catalogue_damaged_while_people_browse_or_missing_at_the_start_is_fetched_again(tmp_path: Path) -> None:
    market, kiosk, feed = tmp_path / "market", tmp_path / "kiosk", tmp_path / "feed"
    market_port = free_port()
    url = f"http://127.0.0.1:{market_port}"
    comptoir("sample", "--listings", "40", "--out", str(feed))
    comptoir("marketplace", "init", "--dir", str(market), "--public-url", url)
    comptoir("marketplace", "import", str(feed), "--dir", str(market))
    comptoir("marketplace", "publish", "--dir", str(market))
    with serving("marketplace", "serve", "--dir", str(market), "--port", str(market_port), url=f"{url}/readyz"):
        code = comptoir("marketplace", "enrol", "nantes-crebillon", "--dir", str(market)).split()[-1]
        comptoir("kiosk", "enrol", "--dir", str(kiosk), "--marketplace", url, "--code", code)
        catalog = kiosk / "catalog.db"
        comptoir("kiosk", "sync", "--dir", str(kiosk))

        with kiosk_process(kiosk) as here:
            scribble(catalog, from_page=20)
            status, text = look(f"{here}/browse")
            assert (status, FETCHING in text, 'http-equiv="refresh"' in text) == (503, True, True)
            wait_for(lambda: (kiosk / "catalog.db.damaged").exists() and catalog.exists())
            assert {look(f"{here}/browse")[0] for _ in range(16)} == {200}

        for path in kiosk.glob("catalog.db*"):
            path.unlink()
        with kiosk_process(kiosk) as here:
            wait_for(lambda: look(f"{here}/browse")[0] == 200)


def test_records_damaged_in_flight_make_no_more_slips_and_the_file_is_kept(tmp_path: Path) -> None:
    world.make_kiosk(tmp_path).ops.close()
    with kiosk_process(tmp_path) as here:
        slip = make_slip(here)
        scribble(tmp_path / "ops.db", from_page=0)
        kept = (tmp_path / "ops.db").read_bytes()

        assert look(f"{here}/home")[0] == 200
        # A thread may still hold the pages it needs; the first that reads the file again tells all of them.
        wait_for(lambda: look(slip)[0] == 503)
        status, text = look(f"{here}/selections", listing="101")
        assert (status, NO_SLIP in text) == (503, True)
        assert look(f"{here}/sku/IPHONE-13-128-BLUE")[0] == 200
        assert [fault["code"] for fault in get_json(f"{here}/status.json")["faults"]] == ["records_damaged"]
        assert (tmp_path / "ops.db").read_bytes() == kept
    # Whoever ends last brings the log's own pages home; beyond that nothing is written, taken away or begun again.
    with kiosk_process(tmp_path) as here:
        assert look(f"{here}/browse")[0] == 200
        assert look(f"{here}/selections", listing="101")[0] == 503
    settled = (tmp_path / "ops.db").read_bytes()
    assert len(settled) == len(kept)

    with kiosk_process(tmp_path) as here:
        assert look(f"{here}/selections", listing="101")[0] == 503
    assert (tmp_path / "ops.db").read_bytes() == settled


def test_a_page_being_read_when_records_turn_out_damaged_is_answered_without_them(kiosk: world.Kiosk) -> None:
    with app_over(kiosk) as app:
        writer = app.extensions["comptoir"].ops._current_writer()
        [(page,)] = writer.execute("select rootpage from sqlite_master where name = 'demo_place'").fetchall()
        writer.execute("pragma wal_checkpoint(truncate)").fetchall()
        scribble(kiosk.directory / "ops.db", from_page=page - 1, pages=1)
        client = app.test_client()

        assert client.get("/home").status_code == 200
        refused = client.post("/selections", data={"listing": "101"})
    assert (refused.status_code, NO_SLIP in refused.text) == (503, True)


def test_records_that_vanish_in_flight_are_not_begun_again(tmp_path: Path) -> None:
    world.make_kiosk(tmp_path).ops.close()
    with kiosk_process(tmp_path) as here:
        make_slip(here)
        for path in tmp_path.glob("ops.db*"):
            path.unlink()

        assert look(f"{here}/home")[0] == 200
        assert look(f"{here}/selections", listing="101")[0] == 503
        assert look(f"{here}/status.json")[0] == 200
        assert not (tmp_path / "ops.db").exists()


def test_a_damaged_key_makes_no_slip_and_says_so(kiosk: world.Kiosk) -> None:
    (kiosk.directory / "device.key").write_bytes(b"short")
    with app_over(kiosk) as app:
        client = app.test_client()
        selection = client.post("/selections", data={"listing": "101"}).headers["Location"]
        answer = client.post(f"{selection}/slip")

    assert (answer.status_code, NO_SLIP in answer.text) == (503, True)
    assert kiosk.ops.read().execute("select count(*) from slip").fetchone() == (0,)


def test_a_full_disk_takes_nothing_that_was_promised_and_passes(kiosk: world.Kiosk) -> None:
    """SQLite answers a full disk and a full file alike (SQLITE_FULL)."""
    with app_over(kiosk) as app:
        client = app.test_client()
        first = client.post("/selections", data={"listing": "101"}).headers["Location"]
        assert client.post(f"{first}/slip").status_code == 303
        limit_pages(app, extra=0)
        answers = [client.post("/selections", data={"listing": "101"}) for _ in range(200)]
        full = next(answer for answer in answers if answer.status_code != 303)
        last = [answer for answer in answers if answer.status_code == 303][-1:]
        refused = [client.post(f"{answer.headers['Location']}/slip").status_code for answer in last]
        numbers, events = counts(kiosk)

        limit_pages(app, extra=10_000)
        after = client.post(f"{first}/lines", data={"listing": "104"}).status_code
        issued = client.post(f"{first}/slip").status_code

    assert full.status_code == 503
    assert "La place manque pour écrire." in full.text
    assert set(refused) <= {503}
    assert numbers == events == 1
    assert (after, issued) == (303, 303)
    assert counts(kiosk) == (2, 2)
    assert kiosk.ops.read().execute("pragma integrity_check").fetchone() == ("ok",)


@contextmanager
def app_over(kiosk: world.Kiosk) -> Iterator[Flask]:
    app = create_app(kiosk.directory, sync=False)
    stores = (app.extensions["comptoir"].catalog, app.extensions["comptoir"].ops)
    yield app
    for store in stores:
        store.close()


def limit_pages(app: Flask, *, extra: int) -> None:
    """Let ops.db grow by so many pages and no more."""
    writer = app.extensions["comptoir"].ops._current_writer()
    pages = writer.execute("pragma page_count").fetchone()[0]
    writer.execute(f"pragma max_page_count = {pages + extra}").fetchall()


def counts(kiosk: world.Kiosk) -> tuple[int, int]:
    [row] = kiosk.ops.read().execute(
        "select (select count(*) from slip), (select count(*) from outbox where kind = 'slip_issued')"
    )
    return row[0], row[1]


@contextmanager
def kiosk_process(directory: Path) -> Iterator[str]:
    """Run a kiosk's own process; lend its address."""
    here = f"http://127.0.0.1:{free_port()}"
    with serving("kiosk", "serve", "--dir", str(directory), "--port", here.rsplit(":", 1)[1], url=f"{here}/healthz"):
        yield here


def look(url: str, **form: str) -> tuple[int, str]:
    """Return status and text of a page, or of a posted form."""
    try:
        with urlopen(url, data=urlencode(form).encode() if form else None, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def make_slip(here: str) -> str:
    with urlopen(f"{here}/selections", data=b"listing=101", timeout=PATIENCE_S) as answer:
        selection = answer.url
    with urlopen(f"{selection}/slip", data=b"", timeout=PATIENCE_S) as answer:
        assert "/slips/" in answer.url
        return str(answer.url)


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + REBUILD_S
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.2)


def scribble(path: Path, *, from_page: int, pages: int | None = None) -> None:
    """Overwrite a file in place, as a failing disk does: so many pages, or all from there."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(from_page * PAGE)
        file.write(os.urandom(size - from_page * PAGE if pages is None else pages * PAGE))
