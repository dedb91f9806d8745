"""HQ in the simulated world: the marketplace's own app and publisher over a directory that may be lost at any moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import requests
from flask import Flask
from sqlalchemy import Connection, Engine

from demo.simulator.disk import Machine
from demo.simulator.network import Answer, call, call_app
from marketplace import enrolments
from marketplace.app import create_app
from marketplace.corners import corner_document
from marketplace.db import changed, database_url, open_engine, reading, rows, run_tx
from marketplace.inbox import judge
from marketplace.marks import Marks
from marketplace.places import FILE
from marketplace.publishing import publish_market, replica_path, sync_path
from marketplace.slips import Reading, read_slip
from marketplace.web import Marketplace
from pos import clock
from sync.blobs import BlobRef, ref_of
from sync.heads import Head, head_path, read_head
from sync.snapshots import decode_manifest

URL = "http://hq.example"
MARKET = "fr"
CONTACT = "name=Camille+Roux&email=camille%40example.org&address=12+rue+Cr%C3%A9billon%0A44000+Nantes"


class Hq:
    """The marketplace of one world. What it does runs the product's code; only the directory under it comes and goes."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.is_down = False
        self.engine: Engine

    def open(self) -> None:
        """Start as a new process on the machine's directory."""
        directory = self.machine.directory
        place = {"database": database_url(directory), "public_url": URL}
        (directory / FILE).write_text(json.dumps(place), encoding="utf-8")
        self.engine = open_engine(place["database"])

    def close(self) -> None:
        """End the process."""
        self.engine.dispose()

    def answer(self, request: requests.PreparedRequest) -> Answer:
        """Answer a request that arrived."""
        return call(self._app(), request)

    def publish(self) -> int | None:
        """Publish what changed; return the publication's number, or None when nothing did."""
        published = publish_market(self.engine, self.machine.directory, MARKET)
        return published.publication if published else None

    def judge(self) -> None:
        """Judge what waits, as the next batch that arrives would."""
        judge(self.engine)

    def start_enrolment(self, corner_id: str) -> str:
        """Return a one-time code."""
        return enrolments.start_enrolment(self.engine, corner_id, now=clock.now())

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

    def corner_document(self, corner_id: str) -> dict[str, Any]:
        """Return what a corner is told about itself."""
        with reading(self.engine) as connection:
            return corner_document(connection, corner_id, slip_prefix=f"{URL}/k/")

    def head(self) -> Head:
        """Return the head that HQ serves."""
        return read_head(json.loads((sync_path(self.machine.directory) / head_path(MARKET)).read_bytes()))

    def missing_blobs(self) -> list[str]:
        """Return the blobs that the head served names and that HQ does not have, manifests' parts included."""
        refs = []
        for channel in self.head().channels.values():
            refs += [channel.snapshot.manifest, *(ref.blob for ref in channel.segments)]
            manifest = self._blob(channel.snapshot.manifest)
            refs += decode_manifest(manifest).parts if manifest is not None else ()
        return [ref.sha256 for ref in refs if self._blob(ref) is None]

    def heads(self) -> list[Head]:
        """Return the head of every publication on record, oldest first."""
        found = self.rows("select head from sync_publication where market = 'fr' order by publication")
        return [read_head(json.loads(each["head"])) for each in found]

    def replica(self) -> Any:
        """Return where the published catalogue is."""
        return replica_path(self.machine.directory, MARKET)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Read the database."""
        with reading(self.engine) as connection:
            return rows(connection, sql, **values)

    def change(self, random: Random) -> str:
        """Let the business change something, as an import does, and mark it in the same transaction; return what it was."""
        name, work = random.choice(CHANGES)
        marks = run_tx(self.engine, lambda connection: _marked(connection, work, random))
        return f"{name} ({marks})"

    def reprice(self, listing_id: int, price_cents: int) -> None:
        """Give one listing a new price."""

        def work(connection: Connection) -> None:
            sql = "update listing set price_cents = :price where listing_id = :listing_id"
            changed(connection, sql, price=price_cents, listing_id=listing_id)
            marks = Marks()
            marks.add(MARKET, "listing", listing_id)
            marks.write(connection)

        run_tx(self.engine, work)

    def _blob(self, ref: BlobRef) -> bytes | None:
        path = sync_path(self.machine.directory) / "b" / ref.sha256
        content = path.read_bytes() if path.exists() else b""
        return content if ref_of(content) == ref else None

    def _app(self) -> Flask:
        """Return the app, made once: it keeps nothing between requests but the place it works on."""
        if not APPS:
            APPS.append(create_app(self.machine.directory))
            APPS[0].config["PROPAGATE_EXCEPTIONS"] = True
            APPS[0].extensions["marketplace"].engine.dispose()
        APPS[0].extensions["marketplace"] = Marketplace(engine=self.engine, directory=self.machine.directory, public_url=URL)
        return APPS[0]


APPS: list[Flask] = []
Work = Callable[[Connection, Random, Marks], None]


def _marked(connection: Connection, work: Work, random: Random) -> int:
    marks = Marks()
    work(connection, random, marks)
    count = marks.count()
    marks.write(connection)
    return count


def _listings(connection: Connection, random: Random) -> list[dict[str, Any]]:
    every = rows(connection, "select * from listing order by listing_id")
    return random.sample(every, random.randint(1, 3))


def _reprice(connection: Connection, random: Random, marks: Marks) -> None:
    for each in _listings(connection, random):
        sql = "update listing set price_cents = :price where seller_id = :seller_id and listing_id = :listing_id"
        changed(connection, sql, price=random.randint(100, 900) * 100, **_key(each))
        if each["state"] == "online":
            marks.add(MARKET, "listing", each["listing_id"])


def _restock(connection: Connection, random: Random, marks: Marks) -> None:
    for each in _listings(connection, random):
        sql = "update listing set quantity = :quantity where seller_id = :seller_id and listing_id = :listing_id"
        changed(connection, sql, quantity=random.randint(0, 9), **_key(each))
        if each["state"] == "online":
            marks.add(MARKET, "stock", each["listing_id"])


def _withdraw(connection: Connection, random: Random, marks: Marks) -> None:
    """Take listings offline, or put them online again."""
    for each in _listings(connection, random):
        sql = "update listing set state = :state where seller_id = :seller_id and listing_id = :listing_id"
        changed(connection, sql, state="offline" if each["state"] == "online" else "online", **_key(each))
        for table in ("listing", "stock"):
            marks.add(MARKET, table, each["listing_id"])


def _rewrite(connection: Connection, random: Random, marks: Marks) -> None:
    """Change a text of a SKU and the standing of a seller."""
    sku = random.choice(rows(connection, "select sku_id, body from sku order by sku_id"))
    body = json.dumps({**json.loads(sku["body"]), "weight_g": random.randint(100, 300)}, ensure_ascii=False)
    changed(connection, "update sku set body = :body where sku_id = :sku_id", sku_id=sku["sku_id"], body=body)
    marks.add(MARKET, "sku", sku["sku_id"])
    seller = random.choice(rows(connection, "select seller_id from seller order by seller_id"))["seller_id"]
    sql = "update seller set quality_bp = :quality where seller_id = :seller_id"
    changed(connection, sql, quality=random.randint(8000, 10000), seller_id=seller)
    marks.add(MARKET, "seller", seller)


def _retariff(connection: Connection, random: Random, marks: Marks) -> None:
    plan = random.choice(rows(connection, "select plan_id, body from plan order by plan_id"))
    body = json.dumps({**json.loads(plan["body"]), "monthly_cents": random.randint(10, 40) * 100}, ensure_ascii=False)
    changed(connection, "update plan set body = :body where plan_id = :plan_id", plan_id=plan["plan_id"], body=body)
    marks.add(MARKET, "plan", plan["plan_id"])


def _move_corner(connection: Connection, random: Random, _: Marks) -> None:
    """Give a corner another telephone number: its private document changes, the catalogue does not."""
    corner = random.choice(rows(connection, "select corner_id, body from corner order by corner_id"))
    body = json.dumps({**json.loads(corner["body"]), "phone": f"02 40 {random.randint(10, 99)} 00 00"}, ensure_ascii=False)
    changed(connection, "update corner set body = :body where corner_id = :corner_id", body=body, corner_id=corner["corner_id"])


def _key(listing: dict[str, Any]) -> dict[str, Any]:
    return {name: listing[name] for name in ("seller_id", "listing_id")}


CHANGES: tuple[tuple[str, Work], ...] = (
    ("prices", _reprice),
    ("prices", _reprice),
    ("stock", _restock),
    ("supply", _withdraw),
    ("content", _rewrite),
    ("tariff", _retariff),
    ("corner", _move_corner),
)
