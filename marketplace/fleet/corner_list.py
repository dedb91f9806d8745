"""The fleet as HQ sees it: every corner's state, sorted and filtered by the database (as one picture: `picture`).

A state is the worst that holds of a corner: quarantined, silent, fault, behind, never seen, ok. It is judged when it is read,
against the clock and the newest publication of the corner's market and ring. Each page is a few queries however many corners.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.fleet.corners import DEFAULT_RING
from marketplace.fleet.standings import QUARANTINED
from pos import clock
from pos.errors import NotFound
from sync.faults import Severity
from sync.heads import RINGS

UNHEARD_S = 900
"""A kiosk is heard every ten minutes when nothing happens, so after fifteen it is not."""
LATE_S = 600
"""A publication is news for ten minutes; who lacks it after that is behind."""
STATES = ("ok", "never", "behind", "fault", "silent", "quarantined")
"""From best to worst; the number in SQL is the place here."""
PAGE_ROWS = 50
LATEST = 12

_GIVEN_RING = "(select corner_ring.ring from corner_ring where corner_ring.corner_id = standing.corner_id) as given_ring"

SORTS = {
    "trouble": ("trouble", "desc"),
    "number": ("corner_no", "asc"),
    "seen": ("seen_at", "asc"),
    "catalog": ("catalog_at", "asc"),
    "pending": ("pending", "desc"),
    "software": ("software", "asc"),
}
"""How a list may be sorted: the indexed column, and the way that shows first what needs a look."""


@dataclass(frozen=True, slots=True)
class NewestOfRing:
    """The newest publication of a market and ring, and the newest that everybody had time to fetch."""

    publication: int
    due: int


Heads = dict[tuple[str, str], NewestOfRing]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What somebody asked to see. `after` is the (value, corner_id) of the last row of the page before."""

    market: str = ""
    ring: str = ""
    state: str = ""
    fault: str = ""
    printer: str = ""
    software: str = ""
    words: str = ""
    silent_s: int | None = None
    behind: int | None = None
    first_no: int | None = None
    last_no: int | None = None
    sort: str = "trouble"
    is_reversed: bool = False
    after: tuple[str | int, str] | None = None


def heads(connection: Connection, now: datetime) -> Heads:
    """Return the head of each market and ring."""
    found = rows(
        connection,
        """
        select market, max(publication) as publication,
          max(case when published_at <= :late then publication else 0 end) as due
        from sync_publication where line = '' group by market
        """,
        late=clock.to_text(now - timedelta(seconds=LATE_S)),
    )
    return {(each["market"], ring): NewestOfRing(each["publication"], each["due"]) for each in found for ring in RINGS}


def corners(connection: Connection, view: View, now: datetime) -> tuple[list[dict[str, Any]], bool]:
    """Return a page of the corners that `view` asks for, and whether more follow.

    Each row of `standing` comes with `state`, `behind` (publications, None while unknown), `missed_at`, when the first
    publication that it lacks came out, and `given_ring`, HQ's word where `ring` is the one that the kiosk follows.
    """
    known = heads(connection, now)
    state, values = _state_sql(known, now)
    column, way = SORTS[view.sort]
    if view.is_reversed:
        way = "asc" if way == "desc" else "desc"
    wheres = list(_wheres(view, known, state, now, values))
    if view.after is not None:
        wheres.append(f"({column}, corner_id) {'>' if way == 'asc' else '<'} (:after, :after_id)")
        values["after"], values["after_id"] = view.after
    where = f"where {' and '.join(wheres)}" if wheres else ""
    listed = rows(
        connection,
        f"""
        select *, {state} as state_no, {_GIVEN_RING} from standing {where}
        order by {column} {way}, corner_id {way} limit {PAGE_ROWS + 1}
        """,
        **values,
    )
    page = listed[:PAGE_ROWS]
    missed: dict[tuple[str, int], str | None] = {}
    for corner in page:
        _complete(connection, corner, known, missed)
    return page, len(listed) > PAGE_ROWS


def choices(connection: Connection) -> dict[str, list[str]]:
    """Return the markets and software versions there are to filter by."""
    return {
        "market": [each["market"] for each in rows(connection, "select market from market order by market")],
        "software": [each for each in distinct(connection, "software") if each],
    }


def sort_value(corner: Mapping[str, Any], sort: str) -> str | int:
    """Return what a row is sorted by: the keyset's value for the page after it."""
    value: str | int = corner[SORTS[sort][0]]
    return value


def corner(connection: Connection, corner_id: str, now: datetime) -> dict[str, Any]:
    """Return how one corner stands, as a row of `corners`. Raises: NotFound."""
    known = heads(connection, now)
    state, values = _state_sql(known, now)
    query = f"select *, {state} as state_no, {_GIVEN_RING} from standing where corner_id = :corner_id"
    shown = row(connection, query, corner_id=corner_id, **values)
    if shown is None:
        raise NotFound(f"no corner {corner_id}", corner_id=corner_id)
    _complete(connection, shown, known, {})
    return shown


def devices(connection: Connection, corner_id: str) -> list[dict[str, Any]]:
    """Return the corner's devices, the newest first, each with what it said last."""
    found = rows(
        connection,
        """
        select key_id, enrolled_at, seen_at, acked, quarantined_at, heartbeat from device
        where corner_id = :corner_id order by enrolled_at desc, key_id
        """,
        corner_id=corner_id,
    )
    return [{**each, "heartbeat": json.loads(each["heartbeat"] or "{}")} for each in found]


def history(connection: Connection, corner_id: str, *, since: str) -> list[dict[str, Any]]:
    """Return the corner's states since then, the oldest first: each as `standings` wrote it, with `at` and `key_id`."""
    found = rows(
        connection,
        "select at, key_id, state from heartbeat where corner_id = :corner_id and at >= :since order by at, key_id",
        corner_id=corner_id,
        since=since,
    )
    return [{"at": each["at"], "key_id": each["key_id"], **json.loads(each["state"])} for each in found]


def events(connection: Connection, corner_id: str, key_id: str) -> list[dict[str, Any]]:
    """Return the newest events of one device."""
    return rows(
        connection,
        """
        select seq, kind, state, reason, recorded_at, received_at from inbox
        where corner_id = :corner_id and key_id = :key_id order by stream desc, seq desc limit :most
        """,
        corner_id=corner_id,
        key_id=key_id,
        most=LATEST,
    )


def slips(connection: Connection, corner_id: str) -> list[dict[str, Any]]:
    """Return the corner's newest slips, each with its order if there is one."""
    return rows(
        connection,
        """
        select slip.number, slip.issued_at, slip.difference, claim.order_id, claim.claimed_at
        from slip
        left join claim on claim.corner_id = slip.corner_id and claim.key_id = slip.key_id and claim.counter = slip.counter
        where slip.corner_id = :corner_id order by slip.issued_at desc limit :most
        """,
        corner_id=corner_id,
        most=LATEST,
    )


def orders(connection: Connection, corner_id: str) -> list[dict[str, Any]]:
    """Return the newest orders made from the corner's slips."""
    found = rows(
        connection,
        """
        select claim.number, claim.claimed_at, claim.order_id,
          customer_order.state, customer_order.currency, customer_order.totals
        from claim
        join customer_order on customer_order.customer_id = claim.customer_id and customer_order.order_id = claim.order_id
        where claim.corner_id = :corner_id order by claim.claimed_at desc limit :most
        """,
        corner_id=corner_id,
        most=LATEST,
    )
    return [{**each, "totals": json.loads(each["totals"])} for each in found]


def staleness(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Return, by market, ring and publication held, how many corners hold it and how far `behind` it is."""
    known = heads(connection, now)
    found = rows(
        connection,
        """
        select market, ring, publication, count(*) as corners from standing
        where publication > 0 group by market, ring, publication order by market, ring, publication
        """,
    )
    return [{**each, "behind": _behind(each, known)} for each in found]


def distinct(connection: Connection, column: str) -> list[str]:
    """Return the few values of an indexed column, each found from the one before instead of reading all rows."""
    values: list[str] = []
    query = f"select min({column}) as value from standing where {column} > :last"
    last = ""
    while len(values) < PAGE_ROWS:
        least = row(connection, query, last=last)
        if least is None or least["value"] is None:
            break
        last = str(least["value"])
        values.append(last)
    return values


def line_case(results: Iterable[int]) -> str:
    """Return the expression of a corner's state, for corners of one market and ring: `results` go by the places in `STATES`."""
    ok, never, behind, fault, silent, quarantined = results
    return f"""case
      when trouble = {QUARANTINED} then {quarantined}
      when seen_at = '' then {never}
      when seen_at < :silent then {silent}
      when trouble >= {int(Severity.ACT)} then {fault}
      when publication < :due then {behind}
      else {ok} end"""


def _state_sql(known: Heads, now: datetime) -> tuple[str, dict[str, Any]]:
    """Return the expression of any corner's state as its place in `STATES`, and the values that it binds."""
    values: dict[str, Any] = {"silent": clock.to_text(now - timedelta(seconds=UNHEARD_S))}
    due = []
    for number, ((market, ring), head) in enumerate(known.items()):
        values |= {f"m{number}": market, f"r{number}": ring, f"due{number}": head.due}
        due.append(f"when market = :m{number} and ring = :r{number} then :due{number}")
    return line_case(range(len(STATES))).replace(":due", f"case {' '.join(due)} else 0 end" if due else "0"), values


def _wheres(view: View, known: Heads, state: str, now: datetime, values: dict[str, Any]) -> Iterable[str]:
    """Yield the conditions of a view, and put what they bind into `values`."""
    for name in ("market", "ring", "printer", "software"):
        if wanted := getattr(view, name):
            values[f"is_{name}"] = wanted
            yield f"{name} = :is_{name}"
    if view.state:
        values["is_state"] = STATES.index(view.state)
        yield f"{state} = :is_state"
    for name, words in (("faults", f'"{view.fault}"' if view.fault else ""), ("folded", view.words)):
        if words:
            values[f"like_{name}"] = f"%{_literal(words)}%"
            yield f"{name} like :like_{name} escape '!'"
    if view.silent_s is not None:
        values["heard"] = clock.to_text(now - timedelta(seconds=view.silent_s))
        yield "seen_at < :heard and seen_at <> ''"
    if view.first_no is not None and view.last_no is not None:
        values |= {"first_no": view.first_no, "last_no": view.last_no}
        yield "corner_no between :first_no and :last_no"
    if view.behind is not None:
        yield _behind_sql(view.behind, known, values)


def _behind_sql(least: int, known: Heads, values: dict[str, Any]) -> str:
    parts = ["1 = 0"]
    for number, ((market, ring), head) in enumerate(known.items()):
        values |= {f"bm{number}": market, f"br{number}": ring, f"b{number}": head.publication - least}
        parts.append(f"market = :bm{number} and ring = :br{number} and publication <= :b{number}")
    return f"seen_at <> '' and ({' or '.join(parts)})"


def _literal(words: str) -> str:
    for sign in "!%_":
        words = words.replace(sign, f"!{sign}")
    return words


def _complete(connection: Connection, corner: dict[str, Any], known: Heads, missed: dict[tuple[str, int], str | None]) -> None:
    corner["state"] = STATES[corner["state_no"]]
    corner["faults"] = json.loads(corner["faults"] or "{}")
    corner["given_ring"] = corner["given_ring"] or DEFAULT_RING
    corner["behind"] = _behind(corner, known) if corner["seen_at"] else None
    key = (corner["market"], corner["publication"])
    if corner["behind"] and key not in missed:
        missed[key] = _missed_at(connection, *key)
    corner["missed_at"] = missed.get(key) if corner["behind"] else None


def _behind(each: dict[str, Any], known: Heads) -> int:
    head = known.get((each["market"], each["ring"]))
    return max(0, head.publication - each["publication"]) if head else 0


def _missed_at(connection: Connection, market: str, publication: int) -> str | None:
    found = row(
        connection,
        """
        select published_at from sync_publication
        where market = :market and publication > :publication order by publication limit 1
        """,
        market=market,
        publication=publication,
    )
    return str(found["published_at"]) if found else None
