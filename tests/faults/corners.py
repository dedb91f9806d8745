"""A kiosk of the served marketplace as its directory: rounds, slips, and what HQ holds of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from kiosk.app import create_app
from marketplace.events.inbox import judge
from pos import clock, outbox
from pos.db import Store
from pos.ops import open_ops, setting
from sync.corner.client import Client
from sync.corner.rounds import KioskSide, RoundReport, run_round
from tests.faults.conftest import Served, versions
from tests.sync.conftest import rows_of


class Corner:
    """A kiosk of a corner, Nantes unless it is another, that reaches HQ at `url`."""

    def __init__(
        self,
        directory: Path,
        served: Served,
        *,
        url: str | None = None,
        is_enrolled: bool = False,
        corner: str = "nantes-crebillon",
    ) -> None:
        self.url = url or served.url
        self.directory = directory if is_enrolled else served.enrol(directory, corner=corner, url=self.url)
        self.served = served
        self.catalog = Store(directory / "catalog.db", durable=False)
        self.ops = open_ops(directory / "ops.db")
        self.client = Client(self.url)

    def round(self) -> RoundReport:
        """Run one round."""
        side = KioskSide(
            directory=self.directory,
            catalog=self.catalog,
            ops=self.ops,
            client=self.client,
            software="0.1.0",
            printer={"state": "none"},
            now=clock.now,
        )
        return run_round(side)

    def make_slips(self, *listings: int) -> list[str]:
        """Issue a slip for each listing as the screens do, and return their numbers."""
        app = create_app(self.directory, sync=False)
        client = app.test_client()
        numbers = []
        for listing in listings:
            selection = client.post("/selections", data={"listing": str(listing)}).headers["Location"]
            numbers.append(client.post(f"{selection}/slip").headers["Location"].rpartition("/")[2])
        app.extensions["comptoir"].catalog.close()
        app.extensions["comptoir"].ops.close()
        return numbers

    def record(self, kind: str, body: dict[str, Any]) -> None:
        """Append an event to the outbox."""
        with self.ops.write() as database:
            outbox.record(database, kind, body, now=clock.now())

    def acked(self) -> int:
        """Return up to which event HQ holds everything, as this kiosk knows it."""
        return int(setting(self.ops.read(), "acked") or 0)

    def holds_hq_s_rows(self) -> bool:
        """Whether the catalogue is sound, and row for row the one HQ published."""
        versions(self.catalog.path)
        return rows_of(self.catalog.path) == rows_of(self.served.hq.directory / "replica" / "fr.db")

    def close(self) -> None:
        """Close both files."""
        self.catalog.close()
        self.ops.close()


def start_sync(directory: Path) -> subprocess.Popen[str]:
    """Start `comptoir kiosk sync` as a process of its own."""
    command = [sys.executable, "-m", "comptoir", "kiosk", "sync", "--dir", str(directory)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def slips_at_hq(served: Served) -> list[str]:
    """Return the numbers of the slips HQ holds once it has judged what arrived, in order."""
    judge(served.hq.engine)
    return [each["number"] for each in served.hq.rows("select number from slip order by number")]


def inbox_states(served: Served) -> list[tuple[int, str]]:
    """Return each stored event and what became of it once judged."""
    judge(served.hq.engine)
    return [(each["seq"], each["state"]) for each in served.hq.rows("select seq, state from inbox order by stream, seq")]
