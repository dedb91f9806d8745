"""A price starts at midnight in Paris, on the night the clocks change, and nobody hears from HQ: once, and for good."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.request import urlopen
from zoneinfo import ZoneInfo

from pos import clock
from pos.ops import store_setting
from tests import world
from tests.processes import PATIENCE_S, free_port, wait_for

MIDNIGHT = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Paris"))
BEFORE_S = 4
LATE = timedelta(seconds=5)
GO = "go"
CLOCK_SET = """
import sys
import threading
import time
from pathlib import Path
import time_machine
at, go = sys.argv.pop(1), Path(sys.argv.pop(1))
time_machine.travel(at, tick=False).start()
def let_go():
    while not go.exists():
        time.sleep(0.01)
    time_machine.travel(at, tick=True).start()
threading.Thread(target=let_go, daemon=True).start()
import comptoir
comptoir.main()
"""
PHONE = "/sku/IPHONE-13-128-BLUE"


def test_fault_31_a_price_starts_at_midnight_on_the_night_the_clocks_change_without_a_network(tmp_path: Path) -> None:
    kiosk = world.make_kiosk(tmp_path)
    announce(kiosk)

    with kiosk_at(tmp_path, MIDNIGHT - timedelta(seconds=BEFORE_S)) as here:
        asked, is_new = look(here + PHONE)
        assert (asked, is_new) == (MIDNIGHT - timedelta(seconds=BEFORE_S), False)
        (tmp_path / GO).touch()
        while not is_new:
            at, is_new = look(here + PHONE)
            assert is_new is False or at >= MIDNIGHT, "not a second early"
            assert is_new is True or asked <= MIDNIGHT + LATE, "nor late"
            asked = at
    (tmp_path / GO).unlink()

    # Three in the morning becomes two again, and then somebody sets the clock back a day.
    for at in (MIDNIGHT + timedelta(hours=3), MIDNIGHT - timedelta(days=1)):
        with kiosk_at(tmp_path, at) as here:
            assert look(here + PHONE)[1] is True
            with urlopen(f"{here}/selections", data=b"listing=101", timeout=PATIENCE_S) as answer:
                selection = answer.url
            with urlopen(f"{selection}/slip", data=b"", timeout=PATIENCE_S) as answer:
                assert "305,00" in answer.read().decode()

    slips = kiosk.ops.read().execute("select issued_at, facts ->> '$.totals.due_today_cents' from slip").fetchall()
    assert len(slips) == 2
    assert all(issued >= clock.to_text(MIDNIGHT) and cents == 30500 for issued, cents in slips)
    assert kiosk.catalog.read().execute("select starts_at from price_now").fetchall() == [("2026-10-24T22:00:00Z",)]
    kiosk.catalog.close()
    kiosk.ops.close()


def announce(kiosk: world.Kiosk) -> None:
    at = clock.to_text(MIDNIGHT)
    with kiosk.catalog.write() as catalog:
        catalog.execute("insert into price_start values (?, 1, 101, ?, 30000, 36400)", [f"101@{at}", at])
    with kiosk.ops_write() as ops:
        store_setting(ops, "marketplace_url", f"http://127.0.0.1:{free_port()}")


@contextmanager
def kiosk_at(directory: Path, at: datetime) -> Iterator[str]:
    """Run a kiosk's own process whose clock shows `at`, and goes on from there once the file `GO` is there."""
    here = f"http://127.0.0.1:{free_port()}"
    serve = ["kiosk", "serve", "--dir", str(directory), "--port", here.rsplit(":", 1)[1]]
    clock_set = [sys.executable, "-c", CLOCK_SET]
    with (directory / "kiosk.log").open("ab") as log:
        process = subprocess.Popen([*clock_set, clock.to_text(at), str(directory / GO), *serve], stdout=log, stderr=log)
        try:
            wait_for(f"{here}/healthz", process)
            yield here
        finally:
            process.terminate()
            process.wait(20)


def look(url: str) -> tuple[datetime, bool]:
    """Return when the kiosk answered by its own clock, and whether the page told the new price."""
    with urlopen(url, timeout=PATIENCE_S) as answer:
        page = answer.read().decode()
        assert ("305,00" in page) != ("369,00" in page)
        return parsedate_to_datetime(answer.headers["Date"]), "305,00" in page
