"""Three days without network at five changes a second: what a kiosk fetches when it comes back, beside the same peers.

HQ really publishes all of it, over a virtual clock: every ten minutes instead of every minute, since 432 publications take this
machine minutes where 4,320 would take it hours. The kiosk is the product's own command, its requests counted by nginx.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

from sqlalchemy import Connection, Engine, text

from bench.front import Front, nginx
from bench.measure import MemoryWatch, Row
from bench.world import MARKETPLACE_PORT, NGINX_PORT, enrol, process, sync
from marketplace.db import open_engine, reading, rows, run_tx
from marketplace.installation import read_installation
from marketplace.publishing.publications import publish_market
from pos import clock
from sync.hq.log import mark_dirty

MARKET = "fr"
EVERY = timedelta(minutes=10)
CHANGES_PER_S = 5
DAYS = 3.0
LISTINGS = "select seller_id, listing_id from listing where market = :market and state = 'online' and prior_cents is null"
"""Those with a price before them stay: a price that rises above it would be no reduction."""


def measure(scratch: Path, *, days: float = DAYS) -> list[Row]:
    """Return the row of the absence, and what it cost HQ to publish meanwhile."""
    directory = scratch / "marketplace"
    serving = ["-m", "comptoir", "marketplace", "serve", "--dir", str(directory), "--port", str(MARKETPLACE_PORT)]
    with process(*serving, url=f"http://127.0.0.1:{MARKETPLACE_PORT}/readyz"):
        shutil.rmtree(scratch / "kiosk-away", ignore_errors=True)
        with nginx(scratch / "nginx", port=NGINX_PORT, origin_port=MARKETPLACE_PORT) as front:
            kiosk = enrol(scratch, "kiosk-away", url=front.url)
            sync(kiosk)
        seconds = publish_days(directory, days)
        # A cache that begins empty, so that no head of three days ago is what the kiosk meets first.
        with nginx(scratch / "nginx", port=NGINX_PORT, origin_port=MARKETPLACE_PORT) as front:
            return [_comeback(kiosk, front, days), _publishing(seconds, days)]


def publish_days(directory: Path, days: float) -> list[float]:
    """Let this much virtual time pass at HQ, with changes and publications; return the seconds each publication took.

    The virtual days begin now, or after those of an earlier run: no publication is older than the one before it.
    """
    engine = open_engine(read_installation(directory).database)
    with reading(engine) as connection:
        online = rows(connection, f"{LISTINGS} order by listing_id", market=MARKET)
        (last,) = rows(connection, "select max(published_at) as at from sync_publication where market = :market", market=MARKET)
    listings = [(each["seller_id"], each["listing_id"]) for each in online]
    chance = random.Random(3)
    now = max(clock.now(), clock.from_text(last["at"]))
    taken = []
    for _ in range(round(timedelta(days=days) / EVERY)):
        now += EVERY
        _change(engine, listings, round(EVERY.total_seconds() * CHANGES_PER_S), chance)
        taken.append(_publish(engine, directory, now))
    engine.dispose()
    return taken


def publish_once(directory: Path, changes: int) -> float:
    """Change so many random listings now and publish; return the seconds the publication took."""
    engine = open_engine(read_installation(directory).database)
    try:
        with reading(engine) as connection:
            online = rows(connection, f"{LISTINGS} order by listing_id", market=MARKET)
        chance = random.Random()
        _change(engine, [(each["seller_id"], each["listing_id"]) for each in online], changes, chance)
        return _publish(engine, directory, clock.now())
    finally:
        engine.dispose()


def _change(engine: Engine, listings: list[tuple[int, int]], count: int, chance: random.Random) -> None:
    """Change the price of half of `count` random listings, the same one twice if it so happens, and the stock of the others."""
    chosen = chance.choices(listings, k=count)
    priced, counted = chosen[::2], chosen[1::2]

    def work(connection: Connection) -> None:
        for column, some, table in (("price_cents", priced, "listing"), ("quantity", counted, "stock")):
            values = [{"seller": seller, "listing": listing, "more": chance.choice((100, 200, 300))} for seller, listing in some]
            connection.execute(
                text(f"update listing set {column} = {column} + :more where seller_id = :seller and listing_id = :listing"),
                values,
            )
            mark_dirty(connection, MARKET, table, sorted({listing for _, listing in some}))

    run_tx(engine, work)


def _publish(engine: Engine, directory: Path, now: datetime) -> float:
    start = time.perf_counter()
    with mock.patch("pos.clock.now", return_value=now):
        publish_market(engine, directory, MARKET)
    return time.perf_counter() - start


def _comeback(kiosk: Path, front: Front, days: float) -> Row:
    front.forget()
    start = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, "-m", "comptoir", "kiosk", "sync", "--dir", str(kiosk), "--json"], stdout=subprocess.PIPE
    )
    watch = MemoryWatch(running.pid)
    output, _ = running.communicate()
    seconds, memory = time.perf_counter() - start, watch.stop()
    down = json.loads(output)["down"]
    if down is None or not down["rows"]:
        raise SystemExit("the kiosk did not come back")
    fetches, size = front.crossed()
    changes = round(days * 86_400 * CHANGES_PER_S)
    return Row(
        f"{days:g} days offline, {changes:,} changes, {down['rows']:,} rows",
        f"{fetches} fetches, {size / 1e6:.1f} MB, {seconds:.1f} s, {memory:.0f} MB of memory",
        "≤ 60 fetches, ≤ 4 MB, ≤ 20 s, ≤ 150 MB of memory",
        "",
        fetches <= 60 and size <= 4e6 and seconds <= 20 and memory <= 150,
    )


def _publishing(seconds: list[float], days: float) -> Row:
    return Row(
        f"… published meanwhile in {len(seconds)} publications, one each {EVERY.seconds // 60} min of virtual time",
        f"median {statistics.median(seconds):.2f} s, longest {max(seconds):.1f} s, {sum(seconds) / days:.0f} s for a day",
        "",
        f"{round(EVERY.total_seconds() * CHANGES_PER_S):,} changes in each",
        None,
    )
