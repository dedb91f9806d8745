"""The corners of the fleet: the private document each one receives."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Engine

import templates
from marketplace import tables
from marketplace.db import changed, row, rows, run_tx
from marketplace.fleet.teams import people
from pos.corners import CornerDocument
from pos.errors import NotFound
from pos.languages import offered, spoken_among
from sync.heads import RINGS

DEFAULT_RING = RINGS[-1]
NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


def corner_document(connection: Connection, corner_id: str, *, slip_prefix: str) -> CornerDocument:
    """Return the private document of a corner: its row, its partner's, its market's currency and taxes, where slips lead.

    Raises: NotFound.
    """
    stored = row(
        connection,
        """
        select corner.body as corner, market.body as market, corner_ring.ring
        from corner
        left join corner_ring on corner_ring.corner_id = corner.corner_id
        join market on market.market = corner.market
        where corner.corner_id = :corner_id
        """,
        corner_id=corner_id,
    )
    if stored is None:
        raise NotFound(f"no corner {corner_id}", corner_id=corner_id)
    corner, market = json.loads(stored["corner"]), json.loads(stored["market"])
    partner = row(connection, "select body from partner where partner_id = :partner_id", partner_id=corner["partner_id"])
    document = {
        **corner,
        "languages": list(spoken_among(corner["languages"], offered("kiosk", templates.PATH))),
        "clerks": people(connection, corner_id, corner["clerks"]),
        "ring": stored["ring"] or DEFAULT_RING,
        "partner": json.loads(partner["body"]) if partner else {},
        "currency": market["currency"],
        "tax_included": market["tax_included"],
        "slip_prefix": slip_prefix,
    }
    return cast("CornerDocument", document)


def corner_called(connection: Connection, text: str) -> str:
    """Return the id of the corner somebody means: as it stands, written as a name ("Nantes Crébillon"), or its number.

    Raises: NotFound.
    """
    letters = re.findall(
        r"[a-z0-9]+", unicodedata.normalize("NFKD", re.sub("['’]", "", text)).encode("ascii", "ignore").decode().lower()
    )
    number = int(letters[0]) if len(letters) == 1 and NUMBER.fullmatch(letters[0]) else 0
    found = row(
        connection,
        """
        select corner_id from corner where corner_id in (:text, :name) or corner_no = :number
        order by case corner_id when :text then 0 when :name then 1 else 2 end limit 1
        """,
        text=text,
        name="-".join(letters),
        number=number,
    )
    if found is None:
        raise NotFound(f"no corner {text}", corner_id=text)
    return str(found["corner_id"])


def set_ring(engine: Engine, corner_id: str, ring: str) -> None:
    """Say when a corner gets what is on trial; it hears of it with its next message. Raises: NotFound."""

    def work(connection: Connection) -> None:
        if row(connection, "select 1 as one from corner where corner_id = :corner_id", corner_id=corner_id) is None:
            raise NotFound(f"no corner {corner_id}", corner_id=corner_id)
        changed(
            connection,
            """
            insert into corner_ring (corner_id, ring) values (:corner_id, :ring)
            on conflict (corner_id) do update set ring = excluded.ring
            """,
            corner_id=corner_id,
            ring=ring,
        )

    run_tx(engine, work)


def rings(connection: Connection, market: str) -> dict[str, int]:
    """Return how many corners of a market stand in each ring."""
    found = rows(
        connection,
        """
        select coalesce(corner_ring.ring, :default_ring) as ring, count(*) as corners
        from corner left join corner_ring on corner_ring.corner_id = corner.corner_id
        where corner.market = :market group by 1
        """,
        market=market,
        default_ring=DEFAULT_RING,
    )
    counts = {each["ring"]: int(each["corners"]) for each in found}
    return {ring: counts.get(ring, 0) for ring in RINGS}


def insert_corners(connection: Connection, bodies: Sequence[Mapping[str, Any]]) -> None:
    """Add corners by their rows of a feed, in the caller's transaction."""
    values = [
        {**{name: body[name] for name in ("corner_id", "corner_no", "market")}, "body": json.dumps(body, ensure_ascii=False)}
        for body in bodies
    ]
    if values:
        connection.execute(tables.corner.insert(), values)


def delete_corners(connection: Connection, like: str) -> int:
    """Delete the corners whose id matches a pattern of SQL, with all they ever sent, and return how many there were.

    For corners that were never real: what a customer ordered at one goes with it.
    """
    count = 0
    for table in reversed(tables.metadata.sorted_tables):
        if "corner_id" in table.columns:
            gone = changed(connection, f"delete from {table.name} where corner_id like :name", name=like)
            count = gone if table is tables.corner else count
    return count
