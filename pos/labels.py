"""The labels of the table: what each says, which print stands at its place, and whether that is still what the screen shows.

Invariants: what a label says comes from the offer, the arithmetic and the laws of the device page. A label stands where a person
scanned it or said so; a print nobody confirmed is a print. Whether one is right is found by comparing, whenever somebody asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, cast

from sqlite_utils import Database

from pos import clock, offers, outbox
from pos.claims import reduction
from pos.corners import Corner
from pos.errors import Conflict, NotFound
from pos.languages import text_of
from pos.laws import guarantees, laws_on
from pos.line_facts import listing_facts
from pos.skus import sku_by_id, title

WARNED_AHEAD = timedelta(hours=72)
"""So early HQ announces a price (`price_start`): a label that it will make untrue is warned of from then on."""
PRINTER = "printer"
"""The format of a label from the label printer; others are the keys of sheets (`kiosk/printing/sheets.json`)."""

LabelState = Literal["right", "expiring", "stale", "damaged", "blank", "printed", "gone", "none"]
DUE: frozenset[LabelState] = frozenset({"stale", "damaged", "blank"})
"""The states in which a label is to be printed."""


class LabelUnknown(NotFound):
    """No label with this mark was printed here, or not for the place that the code names."""


class LabelSettled(Conflict):
    """The place has another label meanwhile, or none is wanted: the page was older than the facts."""


class LabelFacts(TypedDict):
    """What a label says, in its language; `price_cents` is all-in, `prior_cents` the former price that may stand beside it."""

    sku_id: int
    language: str
    title: str
    storage_gb: int | None
    color: str
    grade: str
    battery_min_pct: int | None
    new_battery: bool
    price_cents: int
    prior_cents: int | None
    currency: str
    tax_included: bool
    vat_note: Literal["margin", "regular"]
    copy_levy_cents: int | None
    legal_months: int | None
    warranty_months: int
    seller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfLabel:
    """One print. `state`: printed, standing, damaged, then replaced or removed; `stale_at`: when it was first found untrue."""

    label_no: int
    position: str
    facts: LabelFacts
    format: str
    sheet_no: int | None
    printed_at: str
    confirmed_at: str | None
    stale_at: str | None
    state: str
    job_state: str | None = None

    @property
    def subject(self) -> str:
        """What its print job is of."""
        return f"{self.label_no}:{self.position}"

    def tells(self, facts: LabelFacts | None) -> bool:
        """Tell whether everything it says is what these facts say; what a later version says besides makes none untrue."""
        return facts is not None and all(facts.get(name) == value for name, value in self.facts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlace:
    """A place, what its label should say now, and its labels: the one that stands, and the one printed and not confirmed.

    `name` is the device's; `changes_at` and `next_facts` say what an announced price will make of a label that is right today.
    """

    position: str
    name: str
    facts: LabelFacts | None
    standing: ShelfLabel | None
    printed: ShelfLabel | None
    state: LabelState
    changes_at: str | None = None
    next_facts: LabelFacts | None = None

    @property
    def is_due(self) -> bool:
        """Whether its label is to be printed."""
        return self.state in DUE

    @property
    def newest(self) -> int:
        """The mark of its newest label, 0 where it has none: what a page knew when it was made."""
        return max((label.label_no for label in (self.standing, self.printed) if label), default=0)


def label_facts(
    catalog: Database, corner: Corner, sku_id: int, *, now: datetime, starting: str | None = None
) -> LabelFacts | None:
    """Return what a device's label says now, or once prices announced until `starting` (UTC text) have started.

    It is the offer its page shows first. None where nobody offers it or the catalogue does not know it.
    """
    rung = offers.least_dear(offers.ladder(catalog, sku_id, starting))
    if rung is None or rung.offer is None:
        return None
    laws = laws_on(catalog, clock.local_day(clock.from_text(starting) if starting else now, corner.time_zone))
    offer, language = rung.offer, corner.languages[0]
    said = listing_facts(catalog, offer, laws)
    has_battery = offer.battery_pct is not None and not offer.new_battery
    lower = reduction(offer.price_cents, offer.prior_cents)
    return {
        "sku_id": sku_id,
        "language": language,
        "title": said["title"],
        "storage_gb": said["storage_gb"],
        "color": text_of(said["color"], language),
        "grade": text_of(said["grade"]["name"], language),
        "battery_min_pct": said["grade"]["battery_min_pct"] if has_battery else None,
        "new_battery": said["new_battery"],
        "price_cents": said["all_in_cents"],
        # What is known of the 30 days before is the price without shipping: beside an all-in price it proves nothing.
        "prior_cents": lower.prior_cents if lower and not offer.shipping_cents else None,
        "currency": corner.currency,
        "tax_included": corner.tax_included,
        "vat_note": said["vat_note"],
        "copy_levy_cents": said["copy_levy_cents"],
        "legal_months": guarantees(laws)["legal_months"],
        "warranty_months": said["warranty_months"],
        "seller": said["seller"]["legal_name"],
    }


def label_places(catalog: Database, ops: Database, corner: Corner, *, now: datetime) -> list[LabelPlace]:
    """Return every place of the planogram with its labels, then the labels that stand where no place is any more."""
    open_labels: dict[str, dict[str, ShelfLabel]] = {}
    for label in _labels(ops, "state in ('printed', 'standing', 'damaged')"):
        open_labels.setdefault(label.position, {})["printed" if label.state == "printed" else "standing"] = label
    starts = _starts(catalog, {spot["sku_id"] for spot in corner.planogram}, now=now)
    places = [
        _place(catalog, corner, spot["position"], spot["sku_id"], open_labels.pop(spot["position"], {}), starts, now=now)
        for spot in corner.planogram
    ]
    return places + [
        LabelPlace(
            position=position,
            name=next(iter(labels.values())).facts["title"],
            facts=None,
            standing=labels.get("standing"),
            printed=labels.get("printed"),
            state="gone",
        )
        for position, labels in sorted(open_labels.items())
    ]


def shelf_label(ops: Database, label_no: int) -> ShelfLabel:
    """Return one print. Raises: LabelUnknown."""
    found = next(_labels(ops, "label_no = ?", label_no), None)
    if found is None:
        raise LabelUnknown(label_no=label_no)
    return found


def sheet_labels(ops: Database, sheet_no: int) -> list[ShelfLabel]:
    """Return the labels of a sheet in their order. Raises: LabelUnknown."""
    found = list(_labels(ops, "sheet_no = ?", sheet_no))
    if not found:
        raise LabelUnknown(sheet_no=sheet_no)
    return found


def print_label(
    ops: Database, place: LabelPlace, *, clerk_id: str, now: datetime, format: str = PRINTER, sheet_no: int | None = None
) -> ShelfLabel:
    """Write down that a place's label is printed, with what it says; runs inside the caller's `write`.

    One printed before and never confirmed is replaced. Raises: LabelSettled where the place has a newer label than `place` knows.
    """
    newest = ops.execute(
        "select coalesce(max(label_no), 0) from shelf_label where position = ? and state in ('printed', 'standing', 'damaged')",
        [place.position],
    ).fetchone()[0]
    if place.facts is None or newest != place.newest:
        raise LabelSettled(position=place.position)
    _end(ops, place.position, ("printed",), "replaced", now=now)
    (label_no,) = ops.execute("select coalesce(max(label_no), 0) + 1 from shelf_label").fetchone()
    ops.execute(
        """
        insert into shelf_label (label_no, position, sku_id, price_cents, facts, format, sheet_no, state, printed_at, printed_by)
        values (?, ?, ?, ?, ?, ?, ?, 'printed', ?, ?)
        """,
        [
            *(label_no, place.position, place.facts["sku_id"], place.facts["price_cents"]),
            json.dumps(place.facts, ensure_ascii=False, sort_keys=True),
            *(format, sheet_no, clock.to_text(now), clerk_id),
        ],
    )
    return shelf_label(ops, label_no)


def confirm_label(ops: Database, label_no: int, *, clerk_id: str, now: datetime) -> ShelfLabel:
    """Write down that a label stands at its place, for HQ too; runs inside the caller's `write`; twice is as good as once.

    Returns the label as it is then; one that a later print replaced comes back as `replaced`: the old label still stands.
    Raises: LabelUnknown.
    """
    label = shelf_label(ops, label_no)
    if label.state not in ("printed", "damaged"):
        return label
    _end(ops, label.position, ("standing", "damaged"), "replaced", now=now, but=label_no)
    ops.execute(
        "update shelf_label set state = 'standing', confirmed_at = ?, confirmed_by = ? where label_no = ?",
        [clock.to_text(now), clerk_id, label_no],
    )
    body = {
        "label_no": label_no,
        "position": label.position,
        "sku_id": label.facts["sku_id"],
        "price_cents": label.facts["price_cents"],
        "clerk_id": clerk_id,
        "confirmed_at": clock.to_text(now),
    }
    outbox.record(ops, "label_confirmed", body, now=now)
    return shelf_label(ops, label_no)


def mark_damaged(ops: Database, position: str) -> None:
    """Note that the label at a place cannot be read any more; runs inside the caller's `write`. Raises: LabelSettled."""
    change = "update shelf_label set state = 'damaged' where position = ? and state in ('standing', 'damaged')"
    if not ops.execute(change, [position]).rowcount:
        raise LabelSettled(position=position)


def take_away(ops: Database, position: str, *, now: datetime) -> None:
    """Note that no label stands at a place any more; runs inside the caller's `write`."""
    _end(ops, position, ("printed", "standing", "damaged"), "removed", now=now)


def note_stale(ops: Database, places: Iterable[LabelPlace], *, now: datetime) -> int:
    """Note since when the labels that stand are untrue, and that others are right again; return how many rows changed.

    Runs inside the caller's `write`.
    """
    changed = 0
    for place in places:
        if (label := place.standing) is not None and (label.stale_at is None) is not label.tells(place.facts):
            at = clock.to_text(now) if label.stale_at is None else None
            ops.execute("update shelf_label set stale_at = ? where label_no = ?", [at, label.label_no])
            changed += 1
    return changed


def _place(
    catalog: Database,
    corner: Corner,
    position: str,
    sku_id: int,
    labels: dict[str, ShelfLabel],
    starts: dict[int, list[str]],
    *,
    now: datetime,
) -> LabelPlace:
    facts = label_facts(catalog, corner, sku_id, now=now)
    changes_at, next_facts = None, None
    for starting in starts.get(sku_id, ()) if facts is not None else ():
        later = label_facts(catalog, corner, sku_id, now=now, starting=starting)
        if later != facts:
            changes_at, next_facts = starting, later
            break
    standing, printed = labels.get("standing"), labels.get("printed")
    return LabelPlace(
        position=position,
        name=facts["title"] if facts else _name(catalog, sku_id, standing),
        facts=facts,
        standing=standing,
        printed=printed,
        state=_state(facts, standing, printed, is_changing=changes_at is not None),
        changes_at=changes_at,
        next_facts=next_facts,
    )


def _state(facts: LabelFacts | None, standing: ShelfLabel | None, printed: ShelfLabel | None, *, is_changing: bool) -> LabelState:
    """Return how a place's label is. A print that certainly never came out, or is untrue by now, is as good as none."""
    if facts is None:
        return "gone" if standing or printed else "none"
    if printed is not None and printed.job_state != "failed" and printed.tells(facts):
        return "printed"
    if standing is None:
        return "blank"
    if standing.state == "damaged":
        return "damaged"
    if not standing.tells(facts):
        return "stale"
    return "expiring" if is_changing else "right"


def _name(catalog: Database, sku_id: int, standing: ShelfLabel | None) -> str:
    try:
        return title(sku_by_id(catalog, sku_id))
    except NotFound:
        return standing.facts["title"] if standing else f"SKU {sku_id}"


def _starts(catalog: Database, sku_ids: set[int], *, now: datetime) -> dict[int, list[str]]:
    """Return the moments within `WARNED_AHEAD` at which a price of these SKUs starts, the first of them first."""
    rows = catalog.execute(
        """
        select distinct listing.sku_id, start.starts_at
        from json_each(:sku_ids) as wanted
          cross join shown_listing as listing on listing.sku_id = wanted.value
          cross join shown_price_start as start
            on start.price_start_id > listing.listing_id || '@' || :now
            and start.price_start_id <= listing.listing_id || '@' || :until
        order by start.starts_at
        """,
        {"sku_ids": json.dumps(sorted(sku_ids)), "now": clock.to_text(now), "until": clock.to_text(now + WARNED_AHEAD)},
    )
    starts: dict[int, list[str]] = {}
    for sku_id, starts_at in rows:
        starts.setdefault(sku_id, []).append(starts_at)
    return starts


def _end(ops: Database, position: str, states: tuple[str, ...], state: str, *, now: datetime, but: int = 0) -> None:
    """End the labels of a place that are in these states, `but` one."""
    ops.execute(
        f"""
        update shelf_label set state = ?, ended_at = ?
        where position = ? and state in ({", ".join("?" * len(states))}) and label_no <> ?
        """,
        [state, clock.to_text(now), position, *states, but],
    )


def _labels(ops: Database, where: str, *values: Any) -> Iterator[ShelfLabel]:
    rows = ops.execute(
        f"""
        select label_no, position, facts, format, sheet_no, printed_at, confirmed_at, stale_at, state,
          (
            select print_job.state from print_job
            where print_job.kind = 'label' and print_job.subject = shelf_label.label_no || ':' || shelf_label.position
            order by copy_no desc limit 1
          )
        from shelf_label where {where} order by label_no
        """,
        values,
    )
    for label_no, position, facts, format_, sheet_no, printed_at, confirmed_at, stale_at, state, job_state in rows:
        yield ShelfLabel(
            label_no=label_no,
            position=position,
            facts=cast(LabelFacts, json.loads(facts)),
            format=format_,
            sheet_no=sheet_no,
            printed_at=printed_at,
            confirmed_at=confirmed_at,
            stale_at=stale_at,
            state=state,
            job_state=job_state,
        )
