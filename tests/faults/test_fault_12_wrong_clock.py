"""Fault 12: the kiosk's clock is ten years ahead, behind, or dead. It sells on, follows HQ, and prices start by HQ's time.

The kiosk and the marketplace are processes of their own. The kiosk's clock is set inside its process (time_machine), since
libfaketime makes `time.sleep` fail at dates before the machine's start.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from marketplace.db import changed, open_engine, run_tx
from marketplace.fleet.enrolments import start_enrolment
from marketplace.installation import read_installation
from marketplace.publishing.publications import publish_all
from pos import clock
from pos.db import Store, connect
from pos.ops import open_ops, setting
from sync.corner.client import Client
from sync.corner.enrolment import enrol
from sync.corner.mirrors import open_trust
from sync.errors import MetadataExpired
from sync.follower import Subscription, follow
from sync.hq.log import mark_dirty
from sync.hq.repository import announce, announced
from tests.faults.conftest import serving_folder
from tests.faults.test_fault_31_price_starts import kiosk_at
from tests.marketplace.hq import Hq, copy_place
from tests.processes import PATIENCE_S, free_port, get_json, serving

DECADE = timedelta(days=3653)
CLOCKS: dict[str, Callable[[datetime], datetime]] = {
    "ten years ahead": lambda now: now + DECADE,
    "ten years behind": lambda now: now - DECADE,
    "dead": lambda now: datetime(1970, 1, 1, 0, 1, tzinfo=UTC),
}
PHONE = "/sku/IPHONE-13-128-BLUE"
STARTED, COMING = 11, 13


@pytest.fixture(scope="module")
def marketplace(founded: Hq, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A marketplace's process with one price that started a minute ago and one that starts tomorrow."""
    directory = copy_place(founded.directory, tmp_path_factory.mktemp("clocks") / "hq")
    engine = open_engine(read_installation(directory).database)
    now = clock.now()
    starts = ((STARTED, now - timedelta(minutes=1), 35_500), (COMING, now + timedelta(days=1), 11_100))

    def work(connection: Any) -> None:
        for listing_id, at, price_cents in starts:
            text, name = clock.to_text(at), f"{listing_id}@{clock.to_text(at)}"
            changed(
                connection,
                """
                insert into price_start (seller_id, price_start_id, market, listing_id, starts_at, price_cents, prior_cents)
                values (1, :name, 'fr', :listing_id, :at, :price_cents, null)
                """,
                name=name,
                listing_id=listing_id,
                at=text,
                price_cents=price_cents,
            )
            mark_dirty(connection, "fr", "price_start", [name])

    run_tx(engine, work)
    publish_all(engine, directory)
    url = f"http://127.0.0.1:{free_port()}"
    with serving("marketplace", "serve", "--dir", str(directory), "--port", url.rpartition(":")[2], url=f"{url}/readyz"):
        yield directory, url
    engine.dispose()


def enrolled(directory: Path, marketplace: tuple[Path, str], *, now: Callable[[], datetime]) -> Path:
    hq, url = marketplace
    directory.mkdir()
    engine = open_engine(read_installation(hq).database)
    ops = open_ops(directory / "ops.db")
    code = start_enrolment(engine, "nantes-crebillon", now=clock.now())
    enrol(directory, ops, Client(url), code, now=now)
    ops.close()
    engine.dispose()
    return directory


def prices(here: str) -> set[str]:
    """Return the whole-euro prices that the phone's page shows."""
    with urlopen(here + PHONE, timeout=PATIENCE_S) as answer:
        return set(re.findall(r"(\d{3}),\d\d", answer.read().decode()))


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("wrong", "breaks"),
    [
        ("ten years ahead", "before enrolment"),
        ("ten years ahead", "after it"),
        ("ten years behind", "after it"),
        ("dead", "before enrolment"),
    ],
)
def test_fault_12_a_kiosk_with_a_wrong_clock_sells_at_the_right_prices(
    marketplace: tuple[Path, str], tmp_path: Path, wrong: str, breaks: str
) -> None:
    """HQ's signed answers tell the time: what has run out by the kiosk's own clock alone has not run out."""
    clock_of = CLOCKS[wrong]
    shown = (lambda: clock_of(clock.now())) if breaks == "before enrolment" else clock.now
    directory = enrolled(tmp_path / "kiosk", marketplace, now=shown)

    with kiosk_at(directory, clock_of(clock.now())) as here:
        wait_until(lambda: bool(get_json(f"{here}/status.json")["catalog"]), "the catalogue arrives")
        wait_until(lambda: prices(here) >= {"355", "409"}, "one price has started, the other has not")
        assert not {"369", "111"} & prices(here)
        wait_until(lambda: "clock_wrong" in faults(here), "the kiosk says that its clock is wrong")
        assert faults(here) == {"clock_wrong"}
        before = clock.now()
        with urlopen(f"{here}/selections", data=f"listing={STARTED}".encode(), timeout=PATIENCE_S) as answer:
            selection = answer.url
        with urlopen(f"{selection}/slip", data=b"", timeout=PATIENCE_S) as answer:
            assert "355,00" in answer.read().decode()

    ops = connect(directory / "ops.db", durable=True, is_new=False)
    ((issued_at, cents),) = ops.execute("select issued_at, facts ->> '$.totals.due_today_cents' from slip").fetchall()
    ops.close()
    assert abs(clock.from_text(issued_at) - before) < timedelta(minutes=2)
    assert cents == 35_500


def faults(here: str) -> set[str]:
    return {fault["code"] for fault in get_json(f"{here}/status.json")["faults"]}


@pytest.mark.parametrize("wrong", CLOCKS)
def test_fault_12_a_wrong_clock_does_not_make_old_files_fresh(marketplace: tuple[Path, str], tmp_path: Path, wrong: str) -> None:
    """Somebody serves files of HQ's own that ran out yesterday. The hour of enrolment is enough to know that, on any clock."""
    hq, _ = marketplace
    now = clock.now()
    directory = enrolled(tmp_path / "kiosk", marketplace, now=lambda: CLOCKS[wrong](clock.now()))
    frozen = copy_place(hq, tmp_path / "frozen")
    head = announced(frozen / "sync", "fr/stable.head")
    assert head is not None
    for content in (b"another", head):
        announce(frozen / "sync", frozen / "keys", {"fr/stable.head": content}, now=now - timedelta(days=8))
    ops, catalog = open_ops(directory / "ops.db"), Store(directory / "catalog.db", durable=False)
    with serving_folder(frozen / "sync") as (url, _):
        trust = open_trust(directory, ops, Client(url), now=lambda: CLOCKS[wrong](now))
        with pytest.raises(MetadataExpired):
            follow(catalog, trust, Subscription(market="fr"), now=now)
    assert not catalog.path.exists()
    assert setting(ops.read(), "hq_high_water") is not None
    ops.close()
    shutil.rmtree(frozen)
