"""What an operator's Prometheus reads of this marketplace, in the text format 0.0.4: never a label per corner.

What the database knows is asked of it, so every worker and node answers the same; what only processes know comes from `tallies`.
Source: prometheus.io, "Exposition formats".
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.fleet import corner_list, picture
from marketplace.tallies import BUCKETS_MS, Tallies
from pos import clock

SEEN_WITHIN_S = (120, 900, 3600, 86_400, 604_800)
STALENESS = ((0, "0"), (1, "1"), (5, "2-5"), (float("inf"), ">5"))
MICRO = 1_000_000

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with what it means; a sample's name may go on after the family's, as a histogram's does."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[str, Labels, float | int], ...]


def exposition(families: Iterable[Family]) -> str:
    """Return families as text, escaped as the format says."""
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def families(connection: Connection, tallies: Tallies, now: datetime) -> Iterator[Family]:
    """Yield everything there is to say. A few grouped queries, each answered by an index, whatever the size of the fleet."""
    yield from _inbox(connection, now)
    yield from _fleet(connection, now)
    yield _faults(connection)
    yield from _trade(connection)
    yield from _publications(connection)
    yield from _jobs(connection, now)
    yield from _counted(tallies)


def _inbox(connection: Connection, now: datetime) -> Iterator[Family]:
    found = row(
        connection,
        """
        select (select sum(acked) from device) as stored,
          (select count(*) from inbox where state = 'new') as waiting,
          (select count(*) from inbox where state = 'dead') as dead,
          (select min(received_at) from inbox where state = 'new') as oldest_at
        """,
    ) or {}  # fmt: skip
    stored, waiting, dead = (int(found[name] or 0) for name in ("stored", "waiting", "dead"))
    oldest_s = (now - clock.from_text(found["oldest_at"])).total_seconds() if found["oldest_at"] else 0
    yield _one("comptoir_events_stored_total", "counter", "Events of all devices stored without a gap.", stored)
    by_state = {"judged": max(0, stored - waiting - dead), "waiting": waiting, "dead": dead}
    yield _labelled("comptoir_events", "Events of the inbox by what became of them.", "state", by_state)
    yield _one("comptoir_inbox_oldest_seconds", "gauge", "Age of the oldest event that nobody judged yet.", max(0, int(oldest_s)))


def _fleet(connection: Connection, now: datetime) -> Iterator[Family]:
    corners: list[tuple[str, Labels, float | int]] = []
    for market, ring, counts in picture.tally(connection, now):
        for state, count in counts.items():
            corners.append(("", {"market": market, "ring": ring, "state": state}, count))
    yield Family("comptoir_corners", "gauge", "Corners by market, ring and state.", tuple(corners))
    held: Counter[tuple[str, str, str]] = Counter()
    for each in corner_list.staleness(connection, now):
        bucket = next(name for most, name in STALENESS if each["behind"] <= most)
        held[each["market"], each["ring"], bucket] += each["corners"]
    samples = tuple(("", {"market": m, "ring": r, "publications": b}, count) for (m, r, b), count in sorted(held.items()))
    yield Family(
        "comptoir_corners_behind", "gauge", "Corners seen, by how many publications they are behind their ring.", samples
    )
    yield _labelled(
        "comptoir_corners_seen_within", "Corners heard in the last so many seconds.", "seconds", _seen(connection, now)
    )
    devices = row(connection, "select count(*) as enrolled, count(quarantined_at) as quarantined from device") or {}
    yield _labelled("comptoir_devices", "Devices ever enrolled, and those of them that are quarantined.", "state", devices)
    pending = row(connection, "select sum(pending) as events, count(*) as corners from standing where pending > 0") or {}
    yield _one("comptoir_outbox_events", "gauge", "Events waiting on kiosks, as they said last.", int(pending["events"] or 0))
    yield _one("comptoir_outbox_corners", "gauge", "Corners with events waiting, as they said last.", int(pending["corners"]))


def _seen(connection: Connection, now: datetime) -> dict[str, int]:
    """Return how many corners were heard within each bound; every corner is counted once and the counts are added up."""
    total, until, seen = 0, "~", {}
    for seconds in SEEN_WITHIN_S:
        since = clock.to_text(now - timedelta(seconds=seconds))
        query = "select count(*) as n from standing where seen_at >= :since and seen_at < :until"
        found = row(connection, query, since=since, until=until)
        total, until = total + (int(found["n"]) if found else 0), since
        seen[str(seconds)] = total
    return seen


def _faults(connection: Connection) -> Family:
    found = rows(connection, "select faults from standing where trouble > 0 and faults <> ''")
    # One document of all of them: thousands of small ones take three times as long to read.
    corners = json.loads(f"[{','.join(each['faults'] for each in found)}]")
    counts = Counter(code for faults in corners for code in faults)
    return _labelled("comptoir_faults", "Corners by the fault they report.", "code", dict(sorted(counts.items())))


def _trade(connection: Connection) -> Iterator[Family]:
    orders = rows(connection, "select state, count(*) as n from customer_order group by state")
    yield _labelled("comptoir_orders", "Orders by state.", "state", {each["state"]: each["n"] for each in orders})
    differing = row(connection, "select count(*) as n from slip where difference is not null") or {}
    yield _one("comptoir_slips_differing", "gauge", "Slips whose totals differ from HQ's own.", differing["n"])


def _publications(connection: Connection) -> Iterator[Family]:
    newest = rows(connection, "select market, max(publication) as n from sync_publication group by market")
    samples = tuple(("", {"market": each["market"], "line": ""}, each["n"]) for each in newest)
    yield Family("comptoir_publication", "gauge", "Newest publication by market and track (`line`); none is HQ's own.", samples)
    marks = rows(connection, "select market, count(*) as n from sync_dirty group by market")
    yield _labelled(
        "comptoir_dirty_marks",
        "Changes that wait for the next publication.",
        "market",
        {each["market"]: each["n"] for each in marks},
    )


def _jobs(connection: Connection, now: datetime) -> Iterator[Family]:
    counted = rows(
        connection, "select state, count(*) as n from job where state in ('waiting', 'running', 'dead') group by state"
    )
    by_state = {"waiting": 0, "running": 0, "dead": 0} | {each["state"]: each["n"] for each in counted}
    yield _labelled("comptoir_jobs", "Jobs that wait, run, or are dead.", "state", by_state)
    first = row(connection, "select min(due_at) as due_at from job where state = 'waiting'") or {}
    late_s = (now - clock.from_text(first["due_at"])).total_seconds() if first["due_at"] else 0
    yield _one("comptoir_jobs_late_seconds", "gauge", "How long the job due for longest has been due.", max(0, int(late_s)))


def _counted(tallies: Tallies) -> Iterator[Family]:
    sums = dict(tallies.sums())
    up = {label: number for (family, label, _), number in sums.items() if family == "up"}
    yield _labelled("comptoir_up_requests_total", "Uplink requests by result.", "result", up, kind="counter")
    sent = {
        label: number for (family, label, _), number in sums.items() if family == "bytes" and label not in ("up", "enrolments")
    }
    yield _labelled("comptoir_sync_static_bytes_total", "Bytes of static sync files served.", "route", sent, kind="counter")
    samples: list[tuple[str, Labels, float | int]] = []
    for route in sorted({label for family, label, _ in sums if family == "us"}):
        total = 0
        for bound in (*map(str, BUCKETS_MS), "+Inf"):
            total += sums["within", route, bound]
            seconds = bound if bound == "+Inf" else str(int(bound) / 1000)
            samples.append(("_bucket", {"route": route, "le": seconds}, total))
        samples.append(("_sum", {"route": route}, sums["us", route, ""] / MICRO))
        samples.append(("_count", {"route": route}, total))
    yield Family("comptoir_sync_request_duration_seconds", "histogram", "Time to answer requests of the fleet.", tuple(samples))


def _one(name: str, kind: str, meaning: str, value: Any) -> Family:
    return Family(name, kind, meaning, (("", {}, value),))


def _labelled(name: str, meaning: str, label: str, values: dict[str, int], *, kind: str = "gauge") -> Family:
    return Family(name, kind, meaning, tuple(("", {label: key}, value) for key, value in values.items()))


def _lines(family: Family) -> Iterator[str]:
    meaning = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    yield f"# HELP {family.name} {meaning}"
    yield f"# TYPE {family.name} {family.kind}"
    for suffix, labels, value in family.samples:
        inner = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"{family.name}{suffix}{{{inner}}} {value}" if inner else f"{family.name}{suffix} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
