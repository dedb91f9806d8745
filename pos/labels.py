"""The labels of the table: what each should say now, and whether the print that stands at its place still says it.

Invariants: what a label says comes from the offer, the arithmetic and the laws of the device's page, so that they never differ;
whether one is right is found by comparing, whenever somebody asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlite_utils import Database

from pos import clock, demo_devices, offers
from pos.claims import reduction
from pos.corners import Corner
from pos.errors import NotFound
from pos.languages import paper_language, text_of
from pos.laws import guarantees, laws_on
from pos.line_facts import listing_facts
from pos.shelf_labels import ShelfFacts, ShelfLabel, open_labels
from pos.skus import sku_by_id, title

WARNED_AHEAD = timedelta(hours=72)
"""So early HQ announces a price (`price_start`): a label that it will make untrue is warned of from then on."""

LabelState = Literal["right", "expiring", "stale", "damaged", "blank", "printed", "gone", "none"]
DUE: frozenset[LabelState] = frozenset({"stale", "damaged", "blank"})
"""The states in which a label is to be printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlace:
    """A place, what its label should say now, and its labels: the one that stands, and the one printed and not confirmed.

    `name` is the device's; `changes_at` and `next_facts` say what an announced price will make of a label that is right today.
    """

    position: str
    name: str
    facts: ShelfFacts | None
    standing: ShelfLabel | None
    printed: ShelfLabel | None
    state: LabelState
    changes_at: str | None = None
    next_facts: ShelfFacts | None = None

    @property
    def is_due(self) -> bool:
        """Whether its label is to be printed."""
        return self.state in DUE

    @property
    def newest(self) -> int:
        """The mark of its newest label, 0 where it has none: what a page knew when it was made."""
        return max((label.label_no for label in (self.standing, self.printed) if label), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """The places whose label is to be printed, to be put up and scanned, to be taken away, and those warned of."""

    due: tuple[str, ...]
    printed: tuple[str, ...]
    gone: tuple[str, ...]
    expiring: tuple[str, ...]


def label_facts(
    catalog: Database, corner: Corner, sku_id: int, *, now: datetime, starting: str | None = None
) -> ShelfFacts | None:
    """Return what a device's label says now, or once prices announced until `starting` (UTC text) have started.

    It is the offer its page shows first. None where nobody offers it or the catalogue does not know it.
    """
    rung = offers.least_dear(offers.ladder(catalog, sku_id, starting))
    if rung is None or rung.offer is None:
        return None
    laws = laws_on(catalog, clock.local_day(clock.from_text(starting) if starting else now, corner.time_zone))
    offer, language = rung.offer, paper_language(corner.languages[0], corner.languages)
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
    """Return every place of the table with its labels, then the labels that stand where no place is any more.

    What a label is of is the device that belongs there now, accepted moves included.
    """
    held: dict[str, dict[str, ShelfLabel]] = {}
    for label in open_labels(ops):
        held.setdefault(label.position, {})["printed" if label.state == "printed" else "standing"] = label
    belongs: dict[str, int] = {}
    for device in demo_devices.devices(ops, corner):
        belongs.setdefault(device.position, device.sku_id)
    starts = _starts(catalog, set(belongs.values()), now=now)
    places = [
        _place(catalog, corner, position, belongs.get(position), held.pop(position, {}), starts, now=now)
        for position in dict.fromkeys(spot["position"] for spot in corner.planogram)
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
        for position, labels in sorted(held.items())
    ]


def turned(places: Iterable[LabelPlace]) -> dict[int, bool]:
    """Return the standing labels that became untrue, or right again, since that was last noted: whether each is true."""
    standing = ((place, place.standing) for place in places if place.standing is not None)
    truths = {label.label_no: (label.tells(place.facts), label.stale_at is None) for place, label in standing}
    return {label_no: is_true for label_no, (is_true, was_true) in truths.items() if is_true is not was_true}


def count_labels(places: Iterable[LabelPlace]) -> LabelCounts:
    """Count what there is to do about labels."""
    states = [(place.state, place.position) for place in places]
    return LabelCounts(
        due=tuple(position for state, position in states if state in DUE),
        printed=tuple(position for state, position in states if state == "printed"),
        gone=tuple(position for state, position in states if state == "gone"),
        expiring=tuple(position for state, position in states if state == "expiring"),
    )


def _place(
    catalog: Database,
    corner: Corner,
    position: str,
    sku_id: int | None,
    labels: dict[str, ShelfLabel],
    starts: dict[int, list[str]],
    *,
    now: datetime,
) -> LabelPlace:
    facts = label_facts(catalog, corner, sku_id, now=now) if sku_id is not None else None
    changes_at, next_facts = None, None
    if sku_id is not None and facts is not None:
        laters = ((at, label_facts(catalog, corner, sku_id, now=now, starting=at)) for at in starts.get(sku_id, ()))
        changes_at, next_facts = next(((at, later) for at, later in laters if later != facts), (None, None))
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


def _state(facts: ShelfFacts | None, standing: ShelfLabel | None, printed: ShelfLabel | None, *, is_changing: bool) -> LabelState:
    """Return how a place's label is. A print that certainly never came out, or is untrue by now, is as good as none."""
    if facts is None:
        return "gone" if standing or printed else "none"
    if printed is not None and not printed.is_lost and printed.tells(facts):
        return "printed"
    if standing is None:
        return "blank"
    if standing.state == "damaged":
        return "damaged"
    if not standing.tells(facts):
        return "stale"
    return "expiring" if is_changing else "right"


def _name(catalog: Database, sku_id: int | None, standing: ShelfLabel | None) -> str:
    if sku_id is not None:
        try:
            return title(sku_by_id(catalog, sku_id))
        except NotFound:
            return f"SKU {sku_id}"
    return standing.facts["title"] if standing else ""


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
