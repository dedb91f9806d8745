"""A marketplace for a test: its directory, its database, an enrolled device at the Nantes corner, and what they do."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from marketplace.app import create_app
from marketplace.db import changed, open_engine, reading, rows, run_tx
from marketplace.events.heartbeats import quiet_heartbeats_of
from marketplace.events.inbox import judge
from marketplace.feeds.imports import Imported, import_feed
from marketplace.fleet.corners import corner_document
from marketplace.fleet.enrolments import Enrolment, enrol_device, start_enrolment
from marketplace.installation import FILE, read_installation, sync_path
from marketplace.publishing.publications import publish_all
from marketplace.running.working import Working
from marketplace.setup import create_installation
from pos import clock, outbox, tokens
from pos.tokens import Token, TokenLine
from sync.messages import UP_FORMAT, corner_sha256
from sync.signatures import signer
from tests.marketplace import world

URL = "http://marche.test"
CONTACT = {"name": "Camille Roux", "email": "camille@example.org", "address": "12 rue Crébillon\n44000 Nantes"}
IPHONE_13_WITH_PLAN = TokenLine(listing_id=11, plan_id=2, option_ids=(1,), one_off_cents=17000, monthly_cents=2198)
IPHONE_13 = TokenLine(listing_id=11, one_off_cents=36900, monthly_cents=0)
LAST_IPHONE_12 = TokenLine(listing_id=21, one_off_cents=24900, monthly_cents=0)


def words(answer: TestResponse) -> str:
    """Return a page's text with plain spaces, as a person reads it."""
    return answer.text.replace("\u202f", " ").replace("\xa0", " ")


def quiet(stage: str, count: int) -> None:
    """Hear an import's progress and say nothing."""


class Hq:
    """One marketplace with its world imported and published."""

    def __init__(self, directory: Path, database: str | None) -> None:
        self.directory = directory
        self.password = create_installation(directory, database=database, public_url=URL)
        self.engine: Engine = open_engine(read_installation(directory).database)
        self.feeds = 0
        self.import_world()
        self.publish()
        self.key = Ed25519PrivateKey.generate()
        code = start_enrolment(self.engine, "nantes-crebillon", now=clock.now())
        enrolment = enrol_device(self.engine, code, self.public_key, slip_prefix=f"{URL}/k/", now=clock.now())
        assert isinstance(enrolment, Enrolment)
        self.key_id, self.stream = enrolment.key_id, enrolment.stream
        self.sent: list[dict[str, Any]] = []

    @cached_property
    def app(self) -> Flask:
        """The web app over the directory, made when somebody first asks: many tests never do."""
        made = create_app(self.directory)
        made.testing = True
        return made

    @cached_property
    def client(self) -> FlaskClient:
        """A browser in front of it."""
        return self.app.test_client()

    @property
    def public_key(self) -> str:
        return self.key.public_key().public_bytes_raw().hex()

    def import_world(self, rows: dict[str, list[dict[str, Any]]] | None = None, **listings: dict[str, str] | None) -> Imported:
        """Import the small world, with some listings changed or left out."""
        self.feeds += 1
        feed = world.write_feed(self.directory / f"feed{self.feeds}", rows, world.listings(**listings))
        return import_feed(self.engine, feed, static=sync_path(self.directory), progress=quiet)

    def publish(self) -> int | None:
        """Publish; return the number of the French publication, or None when nothing changed."""
        published = publish_all(self.engine, self.directory)["fr"]
        return published.publication if published else None

    def change(self, **listings: dict[str, str] | None) -> None:
        """Import changed listings and publish them."""
        self.import_world(**listings)
        self.publish()

    def speak(self, *languages: str) -> None:
        """Offer the French market in these languages."""
        body = json.dumps({"market": "fr", **world.MARKETS["fr"], "languages": languages})
        self.write("update market set body = :body where market = 'fr'", body=body)

    def digits(self, *lines: TokenLine, counter: int = 1, publication: int = 1, hours: int = 336, **changes: Any) -> str:
        """Issue a slip as the Nantes kiosk would, and return its address's number."""
        key: Ed25519PrivateKey = changes.pop("key", self.key)
        issued: datetime = changes.pop("issued", clock.now())
        token = Token(
            clock_quality=2,
            issued_by_clerk=False,
            currency="EUR",
            key_id=tokens.key_id(key.public_key().public_bytes_raw()),
            corner_no=101,
            counter=counter,
            issued_minute=int((issued - tokens.EPOCH).total_seconds() // 60),
            validity_hours=hours,
            publication=publication,
            lines=lines or (IPHONE_13_WITH_PLAN,),
            one_off_cents=sum(line.one_off_cents for line in lines or (IPHONE_13_WITH_PLAN,)),
            monthly_cents=sum(line.monthly_cents for line in lines or (IPHONE_13_WITH_PLAN,)),
        )
        return tokens.to_digits(tokens.encode(token, key))

    def claim(self, digits: str, **form: Any) -> TestResponse:
        """Post the claim of a slip with a good address, fields changed as given."""
        return self.client.post(f"/k/{digits}/claim", data={**CONTACT, **form})

    def event(self, kind: str, body: dict[str, Any] | str, **changes: Any) -> dict[str, Any]:
        """Return the next event of the kiosk's outbox, chained to the one before."""
        seq = len(self.sent) + 1
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        prev = self.sent[-1]["sha256"] if self.sent else outbox.CHAIN_START
        event = {"seq": seq, "kind": kind, "body": text, "sha256": outbox.link(seq, kind, text, prev), "prev": prev}
        event |= {"recorded_at": clock.to_text(clock.now()), **changes}
        self.sent.append(event)
        return event

    def up(self, *events: dict[str, Any], heartbeat: dict[str, Any] | None = None, **changes: Any) -> TestResponse:
        """Send events, signed as the kiosk signs them, and let HQ judge and write what waits, as its threads would."""
        document = {
            "format": UP_FORMAT,
            "corner_id": "nantes-crebillon",
            "key_id": self.key_id,
            "stream": self.stream,
            "from_seq": events[0]["seq"] if events else 1,
            "events": list(events),
            "heartbeat": heartbeat or {"publication": 1, "catalog": {}, "corner_sha256": None},
        }
        answer = self.post_signed({**document, **changes})
        judge(self.engine)
        quiet_heartbeats_of(self.app).write()
        return answer

    def post_signed(self, document: dict[str, Any], *, spoil: bool = False) -> TestResponse:
        """Post a document to the uplink; `spoil` changes it after it was signed."""
        body = json.dumps(document).encode()
        prepared = requests.Request(
            "POST", f"{URL}/sync/v1/up", data=body, headers={"Content-Type": "application/json"}
        ).prepare()
        signer(self.key, now=clock.now())(prepared)
        return self.client.post(
            "/sync/v1/up", base_url=URL, data=body + b" " if spoil else body, headers=dict(prepared.headers.items())
        )

    def corner_sha256(self) -> str:
        """Return the hash of the Nantes corner's document as HQ has it now."""
        with reading(self.engine) as connection:
            return corner_sha256(corner_document(connection, "nantes-crebillon", slip_prefix=f"{URL}/k/"))

    def work(self) -> int:
        """Do every job that is due, as the thread beside the requests does; return how many."""
        return Working(self.engine, self.directory, URL).do_due()

    def write(self, sql: str, **values: Any) -> None:
        """Change the database behind HQ's back."""
        run_tx(self.engine, lambda connection: changed(connection, sql, **values))

    def close(self) -> None:
        """Close every connection; who asks afterwards meets a new app, as of a new process."""
        self.engine.dispose()
        vars(self).pop("client", None)
        if (app := vars(self).pop("app", None)) is not None:
            app.extensions["marketplace"].engine.dispose()

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Read the database."""
        with reading(self.engine) as connection:
            return rows(connection, sql, **values)


class CopiedHq(Hq):
    """A marketplace as another one was copied: founding one, with its keys and its world, takes a second.

    `database` is the address of a copy of the first one's, where that is not a file of its directory.
    """

    def __init__(self, first: Hq, directory: Path, database: str | None = None) -> None:
        copy_place(first.directory, directory)
        if database is not None:
            settings = directory / FILE
            settings.write_text(json.dumps({**json.loads(settings.read_text("utf-8")), "database": database}), "utf-8")
        self.directory = directory
        self.password, self.feeds = first.password, first.feeds
        self.key, self.key_id, self.stream = first.key, first.key_id, first.stream
        self.sent = []
        self.engine = open_engine(read_installation(directory).database)


def copy_place(place: Path, onto: Path) -> Path:
    """Copy HQ's directory; its settings name the database by its place."""
    shutil.copytree(place, onto)
    settings = onto / FILE
    settings.write_text(settings.read_text(encoding="utf-8").replace(str(place), str(onto)), encoding="utf-8")
    return onto
