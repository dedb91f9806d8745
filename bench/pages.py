"""The kiosk's pages, its start, its memory, and the two taps: "my slip" and "print"."""

from __future__ import annotations

import random
import re
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from bench import counter
from bench.measure import Browser, Row, memory_mb, percentile
from bench.turns import Served, rates_in_turn, times_in_turn
from bench.world import FLOOR_PORT, KIOSK_PORT, MARKETPLACE_PORT, PRINTER_PORT, command, process, wait_for
from pos.db import connect, write

REQUESTS = 400
TIME_HOLDS = {"list": 1.1, "search": 1.2, "device": 1.2, "compare": 0.8, "selection": 1.0}
RATE_HOLD = 0.8
DOOR_HOLD = 1.6
TAPS = 150
WORDS = ("iphone", "galaxy s22", "playstation", "samsung bleu", "128", "dyson", "ihpone 13", "macbook pro", "écouteurs", "apple")


def measure(scratch: Path, *, runs: int) -> list[Row]:
    """Return the rows of the kiosk table."""
    directory = scratch / "kiosk-0"
    command("kiosk", "set", "--dir", str(directory), "--printer", f"127.0.0.1:{PRINTER_PORT}")
    serving = ["-m", "comptoir", "kiosk", "serve", "--dir", str(directory), "--port", str(KIOSK_PORT)]
    url = f"http://127.0.0.1:{KIOSK_PORT}"
    starts = [_cold_start(serving, f"{url}/browse") for _ in range(runs)]
    floor_url = f"http://127.0.0.1:{FLOOR_PORT}/browse"
    floor = process("-m", "bench.floor", str(directory / "catalog.db"), str(FLOOR_PORT), url=floor_url)
    with floor, process(*serving, url=f"{url}/healthz") as kiosk, _printer() as arrivals:
        rows = _page_rows(directory)
        rows += _second_door_rows(scratch, directory)
        rows += _tap_rows(Browser(KIOSK_PORT), directory, scratch, arrivals)
        rows += counter.measure(directory, shop_paths(directory, "")["list"])
        memory = memory_mb(kiosk.pid)
        weight = _page_weight(Browser(KIOSK_PORT))
    return [
        *rows,
        Row("cold start to first page", f"{statistics.median(starts):.2f} s", "≤ 1.5 s", "", statistics.median(starts) <= 1.5),
        Row("memory after all of this", f"{memory:.0f} MB", "≤ 150 MB", "", memory <= 150),
        Row("page weight, first visit, all assets", f"{weight / 1e3:.0f} kB", "≤ 120 kB", "", weight <= 120e3),
    ]


def _cold_start(serving: list[str], url: str) -> float:
    start = time.perf_counter()
    with process(*serving):
        wait_for(url)
        return time.perf_counter() - start


def _page_rows(directory: Path) -> list[Row]:
    """Hold each page against the floor's list of the same cards: its time at one connection, its rate at eight."""
    pages = shop_paths(directory, _new_selection(Browser(KIOSK_PORT), directory, random.Random(7)))
    floor = Served(FLOOR_PORT, pages["list"])
    rows = []
    for name, paths in pages.items():
        seen, said = times_in_turn(Served(KIOSK_PORT, paths), floor)
        p50, p99 = percentile(said, 0.5), percentile(said, 0.99)
        figure = f"{seen.own:.1f} ms = {seen.ratio:.2f} × (server time p50 / p99: {p50:.1f} / {p99:.1f} ms)"
        beside, hold = f"the floor's list: {seen.other:.1f} ms", TIME_HOLDS[name]
        rows.append(
            Row(f"page: {name}, one connection, p50", figure, f"≤ {hold} ×", beside, seen.ratio <= hold, round(seen.ratio, 3))
        )
    for name, paths in pages.items():
        rate = rates_in_turn(Served(KIOSK_PORT, paths), floor)
        figure, beside = f"{rate.own:.0f} a second = {rate.ratio:.2f} ×", f"the floor's list: {rate.other:.0f} a second"
        what = f"page: {name}, eight connections"
        rows.append(Row(what, figure, f"≥ {RATE_HOLD} ×", beside, rate.ratio >= RATE_HOLD, round(rate.ratio, 3)))
    return rows


def _second_door_rows(scratch: Path, directory: Path) -> list[Row]:
    """Hold the same pages from the marketplace's two workers against this one kiosk, by requests a second."""
    serving = ["-m", "comptoir", "marketplace", "serve", "--dir", str(scratch / "marketplace"), "--port", str(MARKETPLACE_PORT)]
    pages = shop_paths(directory, "")
    rows = []
    with process(*serving, url=f"http://127.0.0.1:{MARKETPLACE_PORT}/browse"):
        for name in ("list", "search", "device", "compare"):
            rate = rates_in_turn(Served(MARKETPLACE_PORT, pages[name]), Served(KIOSK_PORT, pages[name]))
            figure, beside = f"{rate.own:.0f} a second = {rate.ratio:.2f} ×", f"one kiosk: {rate.other:.0f} a second"
            what = f"page: {name} from the marketplace, two workers"
            rows.append(Row(what, figure, f"≥ {DOOR_HOLD} ×", beside, rate.ratio >= DOOR_HOLD, round(rate.ratio, 3)))
    return rows


def shop_paths(directory: Path, selection: str) -> dict[str, list[str]]:
    """Return the addresses of each kind of page, the same for the same catalogue, for either door of the shop."""
    catalog = connect(directory / "catalog.db", durable=False)
    codes = [code for (code,) in catalog.execute("select sku from sku join shelf using (sku_id) order by sku.sku_id")]
    brands = [brand for (brand,) in catalog.execute("select brand from shelf group by brand order by count(*) desc limit 10")]
    catalog.close()
    chance = random.Random(7)
    return {
        "list": ["/browse?" + urlencode(_filters(chance, brands)) for _ in range(REQUESTS)],
        "search": ["/browse?" + urlencode({"q": chance.choice(WORDS)}) for _ in range(REQUESTS)],
        "device": [f"/sku/{chance.choice(codes)}" for _ in range(REQUESTS)],
        "compare": ["/compare?" + urlencode([("sku", code) for code in chance.sample(codes, 3)]) for _ in range(REQUESTS)],
        "selection": [f"/selections/{selection}"] * REQUESTS,
    }


def _filters(chance: random.Random, brands: list[str]) -> dict[str, str]:
    wishes = {
        "category": chance.choice(["phones", "laptops", "tablets", "watches", ""]),
        "brand": chance.choice([*brands, "", "", ""]),
        "grade": chance.choice(["GOOD", "PREMIUM", "", ""]),
        "max": chance.choice(["150", "300", "600", "", ""]),
        "storage": chance.choice(["128", "256", "", "", ""]),
        "sort": chance.choice(["popular", "price", "-price", "new"]),
    }
    return {name: value for name, value in wishes.items() if value}


def _tap_rows(browser: Browser, directory: Path, scratch: Path, arrivals: list[float]) -> list[Row]:
    chance = random.Random(11)
    issued, printed = [], []
    for tap in range(TAPS):
        selection = _new_selection(browser, directory, chance)
        _, _, page = browser.get(f"/selections/{selection}")
        form = _form_fields(page.decode())
        start = time.perf_counter()
        status, headers, _ = browser.post(f"/selections/{selection}/slip", form)
        assert status == 303, status
        assert browser.get(headers["location"])[0] == 200
        issued.append((time.perf_counter() - start) * 1000)
        if tap % 3 == 0:
            before, start = len(arrivals), time.perf_counter()
            assert browser.post(f"{headers['location']}/print", "")[0] == 303
            while len(arrivals) == before:
                time.sleep(0.0005)
            printed.append((arrivals[before] - start) * 1000)
    bare = _durable_inserts(scratch)
    return [
        Row(
            'tap "my slip" → durable, page with its QR, p50 / p99',
            f"{percentile(issued, 0.5):.0f} / {percentile(issued, 0.99):.0f} ms",
            "p99 ≤ 60 ms",
            f"bare durable SQLite insert: {percentile(bare, 0.5):.2f} / {percentile(bare, 0.99):.2f} ms",
            percentile(issued, 0.99) <= 60,
        ),
        Row(
            'tap "print" → first byte at the printer, p50 / p99',
            f"{percentile(printed, 0.5):.0f} / {percentile(printed, 0.99):.0f} ms",
            "p99 ≤ 100 ms",
            "",
            percentile(printed, 0.99) <= 100,
        ),
    ]


def _new_selection(browser: Browser, directory: Path, chance: random.Random) -> str:
    catalog = connect(directory / "catalog.db", durable=False)
    listings = catalog.execute(
        "select listing_id from offer join sku using (sku_id) where category_id = 'phones' order by listing_id limit 500"
    ).fetchall()
    plan_id = catalog.execute("select plan_id from plan where body ->> '$.commitment_months' = 0 order by rank").fetchone()[0]
    catalog.close()
    _, headers, _ = browser.post("/selections", "")
    selection = headers["location"].rsplit("/", 1)[-1].split("?")[0]
    form = urlencode({"listing": chance.choice(listings)[0], "plan": plan_id, "qty": 1})
    status, _, _ = browser.post(f"/selections/{selection}/lines", form)
    assert status == 303, status
    return selection


def _form_fields(page: str) -> str:
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    return urlencode({"seen": seen[1]}) if seen else ""


def _durable_inserts(scratch: Path) -> list[float]:
    path = scratch / "durable.db"
    path.unlink(missing_ok=True)
    database = connect(path, durable=True)
    database.execute("create table slip (counter integer primary key, facts text)")
    times = []
    for number in range(TAPS):
        start = time.perf_counter()
        with write(database):
            database.execute("insert into slip values (?, ?)", [number, "x" * 3000])
        times.append((time.perf_counter() - start) * 1000)
    database.close()
    return times


def _page_weight(browser: Browser) -> int:
    """Return the bytes of the first screen and everything it links to, as a browser that takes gzip receives them."""
    accept = {"Accept-Encoding": "gzip"}
    _, _, first = browser.get("/")
    paths = set(re.findall(r'(?:href|src)="(/(?:static|drawings|media)/[^"]+)"', first.decode()))
    for sheet in [path for path in paths if path.endswith(".css")]:
        plain = browser.get(sheet)[2].decode()
        paths |= {_beside(sheet, url) for url in re.findall(r"url\(\"?([^\")]+)\"?\)", plain) if not url.startswith("data:")}
    return sum(len(browser.get(path, headers=accept)[2]) for path in ["/", *sorted(paths)])


def _beside(path: str, url: str) -> str:
    return url if url.startswith("/") else f"{path.rsplit('/', 1)[0]}/{url}"


@contextmanager
def _printer() -> Iterator[list[float]]:
    """Listen as a printer that answers its status, and note when the first byte that is not a status request arrives."""
    arrivals: list[float] = []
    listener = socket.create_server(("127.0.0.1", PRINTER_PORT))
    listener.settimeout(0.2)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                _answer(connection, arrivals)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield arrivals
    finally:
        over.set()
        thread.join()
        listener.close()


def _answer(connection: socket.socket, arrivals: list[float]) -> None:
    connection.settimeout(5)
    is_noted = False
    while data := connection.recv(65536):
        rest = re.sub(rb"\x10\x04[\x01-\x04]", b"", data)
        if rest and not is_noted:
            arrivals.append(time.perf_counter())
            is_noted = True
        for _ in re.findall(rb"\x10\x04[\x01-\x04]", data):
            connection.sendall(b"\x12")
        for process_id in re.findall(rb"\x1d\x28\x48\x06\x00\x30\x30(.{4})", data, re.DOTALL):
            connection.sendall(b"\x37\x22" + process_id + b"\x00")
