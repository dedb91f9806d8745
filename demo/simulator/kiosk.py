"""A kiosk in the simulated world: the product's stores, rounds and slips over a directory that may be lost at any moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlite_utils import Database

from demo.simulator.disk import Files, Machine
from demo.simulator.hq import URL
from demo.simulator.network import Link, LinkSession
from kiosk import files, prices
from kiosk.background import Rounds, clean_up, mend
from kiosk.rescan import rescan
from pos import clock, selections, slips
from pos.catalog import publication
from pos.db import DatabaseError, Store
from pos.errors import CatalogMissing, KioskRevoked
from pos.line_facts import Wish
from pos.ops import open_ops, setting
from pos.slips import Slip
from shop.prices import catch_up
from sync.channels import sync_cursors
from sync.corner.client import Client
from sync.corner.enrolment import enrol
from sync.corner.media import MediaStore
from sync.corner.rounds import RoundReport
from sync.faults import REVOKED

DEAD = datetime(1970, 1, 1, 0, 0, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a catalogue stands: its track and publication under an era of keys, and (epoch, version, root) of each channel."""

    track: str
    era: str
    publication: int
    channels: dict[str, tuple[str, int, str]]


class SimulatedKiosk:
    """One device. `offset` is how wrong its clock is; `rotten` is the inode of a catalogue in which bytes were spoilt."""

    def __init__(self, machine: Machine, link: Link) -> None:
        self.machine = machine
        self.link = link
        self.offset = timedelta()
        self.rotten: int | None = None
        self._session = LinkSession(link)
        self.catalog: Store
        self.ops: Store
        self._rounds: Rounds

    @property
    def name(self) -> str:
        """The corner."""
        return self.machine.name

    def begin(self, files: Files) -> None:
        """End the process and start again from `files`; a rotten catalogue among them is as rotten as before."""
        was_rotten = self.is_rotten()
        self.close()
        self.machine.start(files)
        path = self.machine.directory / "catalog.db"
        self.rotten = path.stat().st_ino if was_rotten and path.exists() else None

    def open(self) -> None:
        """Start as a new process on the machine's directory."""
        directory = self.machine.directory
        self.ops = open_ops(directory / "ops.db")
        self.catalog = Store(directory / "catalog.db", durable=False)
        media = MediaStore(directory / "media")
        self._web = files.Kiosk(directory=directory, catalog=self.catalog, ops=self.ops, version="0", media=media)
        self._rounds = Rounds(directory, self.catalog, self.ops, media, "0")
        self._client = Client(URL, session=self._session)
        self._is_checked = False

    def close(self) -> None:
        """End the process."""
        self.catalog.close()
        self.ops.close()

    def enrol(self, code: str) -> str:
        """Become the corner's kiosk, again or for the first time; return the new key's id."""
        enrol(self.machine.directory, self.ops, self._client, code, now=clock.now, wait=False)
        return str(self.setting("key_id"))

    def round(self, *, is_called: bool = False) -> RoundReport:
        """Do one round as the kiosk's own thread does."""
        if is_called or not self._is_checked:
            self._is_checked = mend(self._rounds)
        report = self._rounds.run(self._client, is_brief=True)
        if report.pushed is not None and self.setting("hq_offset_s") is not None:
            catch_up(self.catalog, prices.trusted_now(self.ops), is_verified=True)
        clean_up(self.ops)
        return report

    def rescan(self) -> list[str]:
        """Read the catalogue through as the kiosk does at night; return what is wrong, which the next round fetches anew."""
        return rescan(self._web, self.ops, pause=lambda: None, now=clock.now())

    def issue(self, random: Random) -> Slip:
        """Let a customer choose something and take a slip. Raises: PosError."""
        catalog = self._shown()
        listings = [row[0] for row in catalog.execute("select listing_id from offer order by sku_id, grade_id")]
        plans = [row[0] for row in catalog.execute("select plan_id from plan order by plan_id")]
        wish = Wish(
            listing_id=random.choice(listings) if listings else None,
            plan_id=random.choice(plans) if random.random() < 0.3 or not listings else None,
        )
        now = prices.trusted_now(self.ops)
        catch_up(self.catalog, now)
        device = slips.load_device(self.machine.directory)
        if REVOKED in (self.setting("sync_faults") or {}):
            raise KioskRevoked("this kiosk was withdrawn at HQ")
        with self.ops.write() as ops:
            selection_id = selections.start_selection(ops.execute, now=clock.now())
        with self.ops.write() as ops:
            selections.add_line(ops.execute, catalog, selection_id, wish=wish, now=clock.now())
        for _ in range(random.choice((1, 1, 2))):
            with self.ops.write() as ops:
                slip = slips.issue_slip(ops, self._shown(), selection_id, device=device, seen=None, language="fr", now=now)
        return slip

    def _shown(self) -> Database:
        try:
            return self.catalog.read()
        except (FileNotFoundError, DatabaseError) as problem:
            raise CatalogMissing(str(problem)) from problem

    def void(self, number: str) -> str:
        """Let a clerk void a slip, and return its number. Raises: PosError."""
        with self.ops.write() as ops:
            slips.void_slip(ops, number, clerk_id="camille", reason="mistake", now=clock.now())
        return number

    def look(self) -> Position:
        """Read the catalogue as a page does. Raises: FileNotFoundError, DatabaseError."""
        database = self.catalog.read()
        database.execute("select shelf.sku_id, body from shelf join sku using (sku_id) order by shelf.rank limit 3").fetchall()
        return _position(database)

    def is_rotten(self) -> bool:
        """Tell whether the catalogue is still the file in which bytes were spoilt."""
        path = self.machine.directory / "catalog.db"
        return self.rotten is not None and path.exists() and path.stat().st_ino == self.rotten

    def setting(self, name: str) -> Any:
        """Return a value the kiosk keeps."""
        return setting(self.ops.read(), name)

    def slips(self) -> dict[tuple[str, int], Slip]:
        """Return every slip on record by (key id, counter)."""
        numbers = [row[0] for row in self.ops.read().execute("select number from slip order by key_id, counter")]
        found = [slips.slip(self.ops.read(), number) for number in numbers]
        return {(slip.key_id, slip.counter): slip for slip in found}

    def backups(self) -> list[str]:
        """Return the days of which there is a copy of the records."""
        return sorted(path.name for path in (self.machine.directory / "backup").glob("ops-*.db"))


def _position(database: Database) -> Position:
    held = sync_cursors(database)
    channels = {name: (each.epoch, each.version, each.root) for name, each in held.items()}
    facts = dict(database.execute("select name, value from catalog_fact where name in ('line', 'era')").fetchall())
    return Position(facts.get("line", ""), facts.get("era", ""), publication(database), channels)
