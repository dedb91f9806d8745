"""HQ in the simulated world: the marketplace's own app and publisher over a directory that may be lost at any moment."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask
from sqlalchemy import Engine, event, make_url

from demo.simulator.business import MARKET
from demo.simulator.disk import Machine
from demo.simulator.network import Answer, call, call_app
from demo.simulator.stand_ins import swapped
from marketplace.app import UPLINKS, UPLINKS_WAITING, create_app
from marketplace.bulkhead import Bulkhead
from marketplace.db import database_url, open_engine, reading, rows
from marketplace.events.heartbeats import EXTENSION, QuietHeartbeats
from marketplace.events.inbox import judge
from marketplace.fleet import enrolments
from marketplace.fleet.corners import corner_document, set_ring
from marketplace.fleet.revocations import revoke_device
from marketplace.installation import FILE, keys_path, replica_path, sync_path
from marketplace.orders.slips import Reading, read_slip
from marketplace.publishing import trials
from marketplace.publishing.publications import publish_market
from marketplace.running import housekeeping, working
from marketplace.web import Marketplace
from pos import clock
from pos.corners import CornerDocument
from sync.blobs import BlobFolder, BlobRef
from sync.errors import SyncError
from sync.heads import Head, Track, decode_head, read_track
from sync.hq.log import OWN_TRACK, TrialState, open_trial
from sync.hq.publisher import TRIAL_FILE
from sync.hq.repository import rotate
from sync.http import PreparedRequest
from sync.indexes import decode_index
from sync.snapshots import decode_manifest
from sync.static_files import StaticFiles

URL = "http://hq.example"
CONTACT = "name=Camille+Roux&email=camille%40example.org&address=12+rue+Cr%C3%A9billon%0A44000+Nantes"


class Hq:
    """The marketplace of one world. What it does runs the product's code; only the directory under it comes and goes."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.is_down = False
        self._known: dict[str, dict[str, int]] = {}
        self._complete: tuple[bytes, dict[str, int]] | None = None
        self.engine: Engine
        self.heartbeats: QuietHeartbeats

    def open(self) -> None:
        """Start as a new process on the machine's directory."""
        directory = self.machine.directory
        place = {"database": database_url(directory), "public_url": URL}
        (directory / FILE).write_text(json.dumps(place), encoding="utf-8")
        self.engine = _engine_at(place["database"])
        self.heartbeats = QuietHeartbeats(self.engine)

    def close(self) -> None:
        """End the process."""
        self.engine.dispose()

    def answer(self, request: PreparedRequest) -> Answer:
        """Answer a request that arrived."""
        return call(self._app(), request)

    def publish(self, *, shares: dict[str, int] | None = None) -> int | None:
        """Publish what changed, to everybody or as a trial; return the publication's number, or None when nothing did."""
        published = publish_market(self.engine, self.machine.directory, MARKET, shares=shares)
        return published.publication if published else None

    def advance(self, ring: str, percent: int) -> str:
        """Give the open trial to more or fewer corners, or to all, which promotes it; return the ring."""
        trials.advance(self.engine, self.machine.directory, MARKET, ring=ring, percent=percent)
        return ring

    def halt(self) -> int:
        """Halt the open trial; return the publication's number."""
        return trials.halt_trial(self.engine, self.machine.directory, MARKET, reason="somebody said so").publication

    def roll_back(self, number: int) -> int | None:
        """Publish the rows of an earlier publication again; return the new one's number, or None when nothing differs."""
        done = trials.roll_back_all(self.engine, self.machine.directory, number, chosen=[MARKET])[MARKET]
        return done.publication if done else None

    def set_ring(self, corner_id: str, ring: str) -> str:
        """Put a corner into a ring, and return that."""
        set_ring(self.engine, corner_id, ring)
        return ring

    def rotate(self, *, new_root_keys: bool) -> int:
        """Replace the online key and the reply key, perhaps the root keys; return the new root's version."""
        directory = self.machine.directory
        return rotate(sync_path(directory), keys_path(directory), new_root_keys=new_root_keys, now=clock.now())

    def revoke(self, key_id: str, *, from_counter: int | None) -> int:
        """Withdraw a device; return the first counter of it that does not count."""
        revoked = revoke_device(self.engine, key_id, from_counter=from_counter, now=clock.now())
        return int(revoked["from_counter"])

    def revocations(self) -> dict[str, int]:
        """Return the first counter that does not count of every key withdrawn."""
        return {each["key_id"]: each["from_counter"] for each in self.rows("select key_id, from_counter from revocation")}

    def judge(self) -> int:
        """Write and judge what waits, as the threads beside the requests do; return how many events were judged."""
        self.heartbeats.write()
        return judge(self.engine)

    def keep_house(self) -> None:
        """Do what is due now, jobs too, likewise; what it would log and try again later is raised."""
        failed: list[BaseException | None] = []

        def note(*_: object, **__: object) -> None:
            failed.append(sys.exc_info()[1])

        log = SimpleNamespace(exception=note, warning=note, info=lambda *_: None)
        with swapped(housekeeping, "logger", log), swapped(working, "logger", log), swapped(working, "_name", lambda: "hq"):
            housekeeping.keep_house(self.engine, self.machine.directory)
            working.Working(self.engine, self.machine.directory, URL).do_due()
        for problem in filter(None, failed):
            raise problem

    def start_enrolment(self, corner_id: str, *, must_confirm: bool = False) -> str:
        """Return a one-time code."""
        return enrolments.start_enrolment(self.engine, corner_id, must_confirm=must_confirm, now=clock.now())

    def confirm(self, corner_id: str) -> int:
        """Let somebody compare fingerprints and confirm what waits for a corner; return how many keys."""
        with reading(self.engine) as connection:
            waiting = [each for each in enrolments.requests(connection, now=clock.now()) if each["corner_id"] == corner_id]
        for each in waiting:
            enrolments.confirm_device(self.engine, each["key_id"], now=clock.now())
        return len(waiting)

    def claim(self, digits: str) -> tuple[int, str]:
        """Claim a slip as a customer's phone does; return the status and where it leads."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, fields, _ = call_app(self._app(), "POST", f"{URL}/k/{digits}/claim", headers, CONTACT)
        return status, fields.get("Location", "").rpartition("/")[2]

    def opens(self, digits: str) -> bool:
        """Tell whether a slip's address can be read: by whom it was issued, and each of its lines then and now."""
        with reading(self.engine) as connection:
            return isinstance(read_slip(connection, digits, now=clock.now()), Reading)

    def corners(self) -> list[str]:
        """Return the corners of the fleet."""
        return [each["corner_id"] for each in self.rows("select corner_id from corner order by corner_no")]

    def corner_document(self, corner_id: str) -> CornerDocument:
        """Return what a corner is told about itself."""
        with reading(self.engine) as connection:
            return corner_document(connection, corner_id, slip_prefix=f"{URL}/k/")

    def heads(self) -> dict[str, Head]:
        """Return the head of every ring that HQ announces."""
        return {head.ring: head for head in _plain_heads(sync_path(self.machine.directory))}

    def missing_blobs(self) -> list[str]:
        """Return the blobs that announced heads lead to and that HQ does not have, manifests' parts included."""
        static = sync_path(self.machine.directory)
        timestamp = (static / "metadata" / "timestamp.json").read_bytes()
        present = {entry.name: entry.stat().st_size for entry in os.scandir(static / "b")}
        if (timestamp, present) == self._complete:
            return []
        wanted: dict[str, int] = {}
        for head in _plain_heads(static):
            for track in (head.track, *((head.trial.track,) if head.trial else ())):
                for channel in track.channels.values():
                    wanted[channel.index.sha256] = channel.index.length
                    wanted |= self._below(channel.index)
        missing = [sha256 for sha256, length in wanted.items() if present.get(sha256) != length]
        if not missing:
            self._complete = (timestamp, present)
        return missing

    def tracks(self, name: str = OWN_TRACK) -> list[Track]:
        """Return every publication of a track on record, oldest first."""
        query = "select body from sync_publication where market = 'fr' and line = :name order by publication"
        return [read_track(json.loads(each["body"])) for each in self.rows(query, name=name)]

    def publications(self) -> list[int]:
        """Return the numbers of all publications on record, of all tracks."""
        found = self.rows("select publication from sync_publication where market = 'fr' order by publication")
        return [each["publication"] for each in found]

    def trial(self) -> TrialState | None:
        """Return the open trial."""
        with reading(self.engine) as connection:
            return open_trial(connection, MARKET)

    def replica(self) -> Path:
        """Return where the published catalogue is."""
        return replica_path(self.machine.directory, MARKET)

    def trial_replica(self) -> Path:
        """Return where the catalogue of the open trial is."""
        return self.replica().with_name(f"{MARKET}.{TRIAL_FILE}.db")

    def ring(self, corner_id: str) -> str:
        """Return the ring of a corner."""
        return str(self.corner_document(corner_id)["ring"])

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Read the database."""
        with reading(self.engine) as connection:
            return rows(connection, sql, **values)

    def _below(self, index: BlobRef) -> dict[str, int]:
        """Return what an index leads to, with lengths; a blob's name is its content, so it is read once."""
        if index.sha256 not in self._known:
            folder = BlobFolder(sync_path(self.machine.directory) / "b")
            try:
                decoded = decode_index(folder.read(index))
                parts = decode_manifest(folder.read(decoded.snapshot.manifest)).parts
            except (FileNotFoundError, SyncError):
                return {}
            self._known[index.sha256] = {ref.sha256: ref.length for ref in (*decoded.blobs(), *parts)}
        return self._known[index.sha256]

    def _app(self) -> Flask:
        """Return the app with its files in front, made once a process: a new start gives it another place to work on."""
        directory = self.machine.directory
        app = _made_app(directory)
        app.extensions[EXTENSION] = self.heartbeats
        served: Marketplace = app.extensions["marketplace"]
        if served.directory != directory:
            app.extensions["marketplace"] = Marketplace(
                engine=self.engine,
                directory=directory,
                public_url=URL,
                proxies=served.proxies,
                tallies=served.tallies,
                news=threading.Event(),
                uplink_room=served.uplink_room,
                enrolment_room=served.enrolment_room,
                payment_room=served.payment_room,
            )
            app.wsgi_app = StaticFiles(partial(Flask.wsgi_app, app), sync_path(directory))  # type: ignore[method-assign]
        return app


APPS: list[Flask] = []
ENGINES: list[Engine] = []


def _engine_at(url: str) -> Engine:
    """Return the process's one engine, whose connections lead to `url` from now on: what it compiled of SQL is kept."""
    if not ENGINES:
        ENGINES.append(open_engine(url))
    engine = ENGINES[0]
    address = make_url(url).database

    def lead(_dialect: Any, _record: Any, arguments: list[Any], _named: Any) -> None:
        arguments[0] = address

    for earlier in LEADS:
        event.remove(engine, "do_connect", earlier)
    LEADS[:] = [lead]
    event.listen(engine, "do_connect", lead)
    return engine


LEADS: list[Callable[..., None]] = []


def _plain_heads(static: Path) -> Iterator[Head]:
    """Yield the heads that `timestamp.json` leads to, as whoever trusts it would find them."""
    metadata = static / "metadata"
    timestamp = json.loads((metadata / "timestamp.json").read_bytes())["signed"]
    snapshot = json.loads((metadata / f"{timestamp['meta']['snapshot.json']['version']}.snapshot.json").read_bytes())["signed"]
    targets = json.loads((metadata / f"{snapshot['meta']['targets.json']['version']}.targets.json").read_bytes())["signed"]
    for name, info in targets["targets"].items():
        if name.endswith(".head"):
            folder, _, plain = name.rpartition("/")
            yield decode_head((static / "targets" / folder / f"{info['hashes']['sha256']}.{plain}").read_bytes())


def _made_app(directory: Path) -> Flask:
    if not APPS:
        app = create_app(directory)
        app.config["PROPAGATE_EXCEPTIONS"] = True
        there: Marketplace = app.extensions["marketplace"]
        there.engine.dispose()
        app.extensions["marketplace"] = replace(there, uplink_room=Bulkhead(inside=UPLINKS, waiting=UPLINKS_WAITING))
        APPS.append(app)
    return APPS[0]
