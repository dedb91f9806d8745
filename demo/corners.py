"""The corners of a simulated fleet: `load-00001`, `load-00002`, … in a marketplace on this machine, and the slips they issue.

They are marked by their name alone, enrolled as any corner, and can be taken out again with everything they sent. Where the story
of one stands (its stream, its last event, its last slip) is read from HQ, so that a later run goes on from there.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine
from sqlite_utils import Database

from marketplace.db import open_engine, reading, rows, run_tx
from marketplace.fleet.corners import corner_document, delete_corners, insert_corners
from marketplace.fleet.enrolments import enrol_device, start_enrolment
from marketplace.installation import Installation, read_installation, replica_path
from pos import clock, outbox, tokens
from pos.db import Store
from pos.errors import NotFound, PosError
from pos.line_facts import Wish
from pos.ops import open_ops, store_setting
from pos.selections import add_line, start_selection
from pos.slip_facts import SlipFacts
from pos.slips import Device, issue_slip
from pos.tokens import Token
from sync.messages import OutboxEvent, corner_sha256

PREFIX = "load-"
FIRST_NUMBER = 900_000
SEED_FILE = "fleet.seed"
KINDS_OF_SLIP = 8
Progress = Callable[[int, int], None]


@dataclass(slots=True, kw_only=True)
class Outbox:
    """A simulated corner's key and what it has to send. `last` is the hash of the newest event, `waiting` what HQ lacks.

    `claimed` is the number up to which HQ's word of its slips was heard.
    """

    corner_id: str
    corner_no: int
    key: Ed25519PrivateKey
    key_id: str
    stream: str
    corner_sha256: str
    seq: int
    acked: int
    last: str
    slips: int
    waiting: list[OutboxEvent]
    claimed: int = 0

    def record(self, kind: str, body: dict[str, Any], *, now: datetime) -> None:
        """Append an event to the chain, as `pos.outbox.record` does on a kiosk."""
        event = next_event(kind, body, seq=self.seq, last=self.last, now=now)
        self.waiting.append(event)
        self.seq, self.last = event["seq"], event["sha256"]

    def accept(self, ack: int) -> int:
        """Forget what HQ holds now and return how many events that were."""
        before = len(self.waiting)
        self.acked = ack
        self.waiting = [event for event in self.waiting if event["seq"] > ack]
        return before - len(self.waiting)


def next_event(kind: str, body: dict[str, Any], *, seq: int, last: str, now: datetime) -> OutboxEvent:
    """Return the event that follows the one of number `seq` and hash `last` in a chain."""
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    link = outbox.link(seq + 1, kind, text, last)
    at = clock.to_text(now)
    return {"seq": seq + 1, "kind": kind, "body": text, "sha256": link, "prev": last, "recorded_at": at}


@dataclass(frozen=True, slots=True)
class Slips:
    """Slips to issue again and again under other keys and numbers: each was issued once by the kiosk's own code."""

    samples: tuple[tuple[SlipFacts, Token], ...]

    def issue(self, corner: Outbox, *, kind: int | None = None, now: datetime) -> str:
        """Record one more slip of `corner`, signed with its key, and return its digits; kinds take turns unless one is given."""
        corner.slips += 1
        facts, token = self.samples[(corner.slips if kind is None else kind) % len(self.samples)]
        issued = now.replace(second=0, microsecond=0)
        own = replace(
            token,
            key_id=bytes.fromhex(corner.key_id),
            corner_no=corner.corner_no,
            counter=corner.slips,
            issued_minute=int((issued - tokens.EPOCH).total_seconds()) // 60,
        )
        number = tokens.slip_number(corner.corner_no, corner.slips)
        own_facts = {
            **facts,
            "number": number,
            "issued_at": clock.to_text(own.issued_at),
            "valid_until": clock.to_text(own.valid_until),
            "corner": {**facts["corner"], "corner_id": corner.corner_id, "corner_no": corner.corner_no},
        }
        digits = tokens.to_digits(tokens.encode(own, corner.key))
        body = {"number": number, "key_id": corner.key_id, "counter": corner.slips, "digits": digits, "facts": own_facts}
        corner.record("slip_issued", body, now=now)
        return digits


def enrol_corners(directory: Path, market: str, count: int, *, progress: Progress) -> tuple[list[Outbox], Slips]:
    """Bring `load-00001` to `load-<count>` into the marketplace of `directory`; return them and the slips they issue.

    Those that are there already stay as they are. Raises: NotFound for a market without a corner or without a publication.
    """
    installation = read_installation(directory)
    with closing(_Engine(installation)) as opened:
        engine = opened.engine
        seed = _seed(directory / SEED_FILE)
        _add_corners(engine, market, count)
        enrolled = _devices(engine)
        enrolled_keys = []
        for number in range(1, count + 1):
            corner_id = name_of(number)
            key = Ed25519PrivateKey.from_private_bytes(sha256(seed + corner_id.encode()).digest())
            if (corner_id, _key_id(key)) not in enrolled:
                _enrol(engine, installation, corner_id, key)
            progress(number, count)
            enrolled_keys.append((corner_id, key))
        devices = _devices(engine)
        with reading(engine) as connection:
            corners = [_outbox(connection, installation, corner_id, key, devices) for corner_id, key in enrolled_keys]
        return corners, _slips(engine, directory, installation, market)


def remove_corners(directory: Path) -> int:
    """Take every simulated corner out, with all it sent; return how many there were."""
    with closing(_Engine(read_installation(directory))) as opened:
        count = run_tx(opened.engine, lambda connection: delete_corners(connection, f"{PREFIX}_____"))
    (directory / SEED_FILE).unlink(missing_ok=True)
    return count


def name_of(number: int) -> str:
    """Return the id of a simulated corner, counted from 1."""
    return f"{PREFIX}{number:05}"


class _Engine:
    """An engine that closes as files do."""

    def __init__(self, installation: Installation) -> None:
        self.engine = open_engine(installation.database)

    def close(self) -> None:
        self.engine.dispose()


def _seed(path: Path) -> bytes:
    """Return the secret all keys of this fleet come from, made at the first call."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(32))
    return path.read_bytes()


def _add_corners(engine: Engine, market: str, count: int) -> None:
    """Add the rows of the corners that are missing, after the pattern of a real corner of the market."""

    def work(connection: Connection) -> None:
        corners = rows(connection, "select corner_id, market, body from corner order by corner_no")
        known = {each["corner_id"] for each in corners}
        pattern = next((each for each in corners if each["market"] == market and not each["corner_id"].startswith(PREFIX)), None)
        if pattern is None:
            raise NotFound(f"the market {market!r} has no corner to take as a pattern", market=market)
        body = json.loads(pattern["body"])
        added = []
        for number in range(1, count + 1):
            corner_id, corner_no = name_of(number), FIRST_NUMBER + number
            if corner_id not in known:
                own = {**body, "corner_id": corner_id, "corner_no": corner_no, "name": f"Charge {number:05}", "clerks": []}
                added.append(own)
        insert_corners(connection, added)

    run_tx(engine, work)


def _enrol(engine: Engine, installation: Installation, corner_id: str, key: Ed25519PrivateKey) -> None:
    code = start_enrolment(engine, corner_id, now=clock.now())
    public_key = key.public_key().public_bytes_raw().hex()
    enrol_device(engine, code, public_key, slip_prefix=f"{installation.public_url}/k/", now=clock.now())


def _devices(engine: Engine) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the devices of all simulated corners, with the hash of the last event HQ acknowledged and how many slips came."""
    with reading(engine) as connection:
        devices = rows(
            connection,
            """
            select device.corner_id, device.key_id, device.stream, device.acked, inbox.sha256,
              (
                select count(*) from inbox slips
                where slips.corner_id = device.corner_id and slips.key_id = device.key_id and slips.kind = 'slip_issued'
              ) as slips
            from device
            left join inbox on inbox.corner_id = device.corner_id and inbox.key_id = device.key_id
              and inbox.stream = device.stream and inbox.seq = device.acked
            where device.corner_id like :name
            """,
            name=f"{PREFIX}_____",
        )
    return {(each["corner_id"], each["key_id"]): each for each in devices}


def _outbox(
    connection: Connection,
    installation: Installation,
    corner_id: str,
    key: Ed25519PrivateKey,
    devices: dict[tuple[str, str], dict[str, Any]],
) -> Outbox:
    device = devices[corner_id, _key_id(key)]
    document = corner_document(connection, corner_id, slip_prefix=f"{installation.public_url}/k/")
    return Outbox(
        corner_id=corner_id,
        corner_no=document["corner_no"],
        key=key,
        key_id=device["key_id"],
        stream=device["stream"],
        corner_sha256=corner_sha256(document),
        seq=device["acked"],
        acked=device["acked"],
        last=device["sha256"] or outbox.CHAIN_START,
        slips=device["slips"],
        waiting=[],
    )


def _slips(engine: Engine, directory: Path, installation: Installation, market: str) -> Slips:
    """Issue a few slips as a kiosk of this market would now, into records that are thrown away."""
    replica = replica_path(directory, market)
    if not replica.exists():
        raise NotFound(f"nothing is published for the market {market!r}", market=market)
    with reading(engine) as connection:
        document = corner_document(connection, name_of(1), slip_prefix=f"{installation.public_url}/k/")
    key = Ed25519PrivateKey.generate()
    samples: list[tuple[SlipFacts, Token]] = []
    with tempfile.TemporaryDirectory() as folder, closing(Store(replica, durable=False)) as catalog:
        with closing(open_ops(Path(folder) / "ops.db")) as ops:
            with ops.write() as database:
                store_setting(database, "corner", document)
                device = Device(private_key=key, key_id=_key_id(key))
                for (listing_id,) in catalog.read().execute("select listing_id from stock where quantity > 2").fetchall():
                    with suppress(PosError):
                        samples.append(_sample(database, catalog.read(), device, listing_id))
                    if len(samples) == KINDS_OF_SLIP:
                        break
    if not samples:
        raise NotFound(f"nothing is on offer in the market {market!r}", market=market)
    return Slips(tuple(samples))


def _sample(ops: Database, catalog: Database, device: Device, listing_id: int) -> tuple[SlipFacts, Token]:
    now = clock.now()
    selection_id = start_selection(ops.execute, now=now)
    add_line(ops.execute, catalog, selection_id, wish=Wish(listing_id=listing_id), now=now)
    slip = issue_slip(ops, catalog, selection_id, device=device, seen=None, language="fr", now=now)
    return slip.facts, tokens.decode(slip.token)


def _key_id(key: Ed25519PrivateKey) -> str:
    return tokens.key_id(key.public_key().public_bytes_raw()).hex()
