"""The corners of the past: more than the sample has, each with a device of its own that issued slips and was heard of today."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from demo.corners import Outbox, Slips
from demo.past.story import Story
from demo.sample import write_rows
from demo.sample_markets import rows_of
from demo.sample_skus import Row, read_rows
from marketplace.db import reading
from marketplace.events.inbox import judge, read_events, store_events
from marketplace.feeds.content import DESK_SELLERS_FROM
from marketplace.fleet.corners import DEFAULT_RING, corner_document, set_ring
from marketplace.fleet.enrolments import Enrolment, enrol_device, start_enrolment
from marketplace.fleet.revocations import sender
from marketplace.installation import replica_path
from pos import clock, tokens
from pos.catalog import publication
from pos.db import Store
from pos.errors import PosError
from pos.line_facts import Wish
from pos.ops import open_ops, store_setting
from pos.outbox import CHAIN_START
from pos.selections import add_line, start_selection
from pos.slip_facts import SlipFacts
from pos.slips import Device, issue_slip
from pos.tokens import Token
from sync.channels import sync_cursors
from sync.heartbeats import Heartbeat, read_heartbeat
from sync.messages import corner_sha256

MARKET = "fr"
FIRST_NUMBER = 201
SOFTWARE, OWN_CORNER = "demo", "nantes-crebillon"
KINDS, BUNDLES = 90, 0.55
"""How many different slips there are, and which share of those of phones comes with a plan."""
SILENT, SILENCE = 2, timedelta(days=3)
"""How many corners have not been heard of for how long."""
OFFERED = """
    select offer.listing_id, sku.category_id from offer
    join listing using (listing_id) join stock using (listing_id) join sku on sku.sku_id = offer.sku_id
    where listing.seller_id >= ? and stock.quantity > 2 order by offer.listing_id
"""


def add_corners(feed: Path) -> None:
    """Add the corners of the past to a feed that was written, each after the pattern of one of the sample's."""
    path = feed / "corners.jsonl"
    present = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    patterns = [corner for corner in present if corner["market"] == MARKET]
    added = []
    for place, town in enumerate(read_rows("past/corners")):
        number, start = FIRST_NUMBER + place, town.pop("phone_start")
        own = {"corner_no": number, "phone": f"{start} {number // 100:02} {number % 100:02}", "ring": "stable", "clerks": []}
        added.append({**patterns[place % len(patterns)], **town, **own})
    write_rows(path, [*present, *added])


def enrol_corners(engine: Engine, public_url: str, corner_ids: list[str], *, now: datetime) -> list[Outbox]:
    """Enrol a device in each of these corners, in its ring, and return what they will send."""
    enrolled = []
    for corner_id in corner_ids:
        if ring_of(corner_id) != DEFAULT_RING:
            set_ring(engine, corner_id, ring_of(corner_id))
        key = Ed25519PrivateKey.generate()
        code, public_key = start_enrolment(engine, corner_id, now=now), key.public_key().public_bytes_raw().hex()
        told = enrol_device(engine, code, public_key, slip_prefix=f"{public_url}/k/", now=now)
        if isinstance(told, Enrolment):
            enrolled.append(_outbox(corner_id, key, told))
    return enrolled


def make_slips(engine: Engine, directory: Path, public_url: str, pattern: str, story: Story, *, now: datetime) -> Slips:
    """Issue as a kiosk would a slip for each of many offers of the sellers with desks, some with a plan; they can be reissued."""
    with reading(engine) as connection:
        document = corner_document(connection, pattern, slip_prefix=f"{public_url}/k/")
    key = Ed25519PrivateKey.generate()
    device = Device(private_key=key, key_id=tokens.key_id(key.public_key().public_bytes_raw()).hex())
    samples: list[tuple[SlipFacts, Token]] = []
    with tempfile.TemporaryDirectory() as folder, closing(Store(replica_path(directory, MARKET), durable=False)) as catalog:
        offered, plans = _offered(catalog)
        story.chance.shuffle(offered)
        with closing(open_ops(Path(folder) / "ops.db")) as ops, ops.write() as database:
            store_setting(database, "corner", document)
            for listing_id, category_id in offered[:KINDS]:
                is_bundle = category_id == "phones" and bool(plans) and story.chance.random() < BUNDLES
                wish = Wish(listing_id=listing_id, plan_id=story.chance.choice(plans) if is_bundle else None)
                with suppress(PosError):
                    selection_id = start_selection(database.execute, now=now)
                    add_line(database.execute, catalog.read(), selection_id, wish=wish, now=now)
                    slip = issue_slip(database, catalog.read(), selection_id, device=device, seen=None, language="fr", now=now)
                    samples.append((slip.facts, tokens.decode(slip.token)))
    return Slips(tuple(samples))


def send(engine: Engine, directory: Path, corner: Outbox, *, now: datetime) -> None:
    """Deliver what a corner has to send, with its heartbeat, and judge it."""
    with reading(engine) as connection:
        device = sender(connection, corner.key_id)
    if device is not None:
        said = {
            "software": SOFTWARE,
            "ring": ring_of(corner.corner_id),
            "printer": {"name": "TM-m30III", "state": "ok", "queue": 0},
            "pending": 0,
            "next_counter": corner.slips + 1,
            "faults": {},
            "corner_sha256": corner.corner_sha256,
        }
        told = heartbeat(directory, corner.corner_id, said, now=now)
        corner.accept(store_events(engine, device, read_events(list(corner.waiting)), heartbeat=told, now=now))
        judge(engine)


def corners_heard_of() -> list[str]:
    """Return the corners that have such a device in the past: all but the one whose kiosk the demo runs."""
    rows = [*read_rows("past/corners"), *_sample_corners().values()]
    return [row["corner_id"] for row in rows if row["corner_id"] != OWN_CORNER]


def market_of(corner_id: str) -> str:
    """Return the market of a corner of the past; those that the sample does not have are at home."""
    return str(_sample_corners().get(corner_id, {}).get("market", MARKET))


def zone_of(corner_id: str) -> str:
    """Return the time zone of a corner of the past."""
    return str(_sample_corners().get(corner_id, {}).get("time_zone", clock.HOME_ZONE))


def ring_of(corner_id: str) -> str:
    """Return the ring of a corner of the past."""
    return str(_sample_corners().get(corner_id, {}).get("ring", DEFAULT_RING))


@cache
def _sample_corners() -> Mapping[str, Row]:
    return {row["corner_id"]: row for row in rows_of("corners")}


def hear_from(engine: Engine, directory: Path, corners: list[Outbox], story: Story) -> None:
    """Let every corner be heard of in the last minutes before the end, but for those that fell silent some days ago."""
    for corner in corners[SILENT:]:
        at = story.until - timedelta(seconds=story.chance.randint(30, 400))
        with clock.held_at(at):
            send(engine, directory, corner, now=at)


def open_corners(corners: list[Outbox], story: Story, *, at: datetime) -> list[Outbox]:
    """Return the corners that can be heard of at a moment."""
    return corners if at < story.until - SILENCE else corners[SILENT:]


def heartbeat(directory: Path, corner_id: str, said: Mapping[str, object], *, now: datetime) -> Heartbeat:
    """Return what a corner's kiosk says next that said this before, and now holds the newest catalogue."""
    with closing(Store(replica_path(directory, market_of(corner_id)), durable=False)) as catalog:
        held, number = sync_cursors(catalog.read()), publication(catalog.read())
    channels = {name: {"epoch": each.epoch[:8], "version": each.version, "root": each.root[:16]} for name, each in held.items()}
    told = {"wall": clock.to_text(now), "up_s": int(time.monotonic()), "boot": "demo", "known": True}
    return read_heartbeat({**said, "catalog": channels, "publication": number, "clock": told})


def _outbox(corner_id: str, key: Ed25519PrivateKey, told: Enrolment) -> Outbox:
    return Outbox(
        corner_id=corner_id,
        corner_no=told.corner["corner_no"],
        key=key,
        key_id=told.key_id,
        stream=told.stream,
        corner_sha256=corner_sha256(told.corner),
        seq=0,
        acked=0,
        last=CHAIN_START,
        slips=told.first_counter - 1,
        waiting=[],
    )


def _offered(catalog: Store) -> tuple[list[tuple[int, str]], list[int]]:
    """Return the offers of sellers with desks as (listing, category), and the plans there are."""
    database = catalog.read()
    plans = [plan_id for (plan_id,) in database.execute("select plan_id from plan order by plan_id").fetchall()]
    return list(database.execute(OFFERED, [DESK_SELLERS_FROM]).fetchall()), plans
