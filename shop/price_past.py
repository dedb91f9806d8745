"""`/sku/<code>/prices`: what an offer cost before, drawn as steps with a table that says the same, and the lowest of 30 days.

Invariant: the drawing and the table are made of the same steps; since when they are known is said beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from flask import Blueprint, Response, request

from pos import clock, offers, skus
from pos.errors import NotFound
from pos.offers import Offer, Rung
from pos.price_past import PricePast, PriceStep
from pos.skus import Sku
from shop import door, web
from shop.forms import with_query
from shop.skus import refuse_elsewhere

routes = Blueprint("price_past", __name__)

WIDTH, HEIGHT, EDGE = 720, 220, 14
MOST_STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDrawing:
    """The lines of an SVG of `WIDTH` × `HEIGHT`: `path` in its syntax, the amounts at the top and bottom of the scale."""

    path: str
    most_cents: int
    least_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceHistory:
    """What the page shows; `past` and `drawing` are None where nothing is on record; `rows`: since, until, cents.

    `back` is the address of the device with all that was chosen there.
    """

    item: Sku
    rung: Rung
    offer: Offer
    past: PricePast | None
    drawing: StepDrawing | None
    rows: list[tuple[str, str | None, int | None]]
    back: str


@routes.get("/sku/<code>/prices")
def prices(code: str) -> Response:
    """Show what the offer of the grade asked for cost before. Raises: NotFound where the device or an offer is not there."""
    catalog = door.catalog()
    item = skus.sku(catalog, code)
    refuse_elsewhere(item)
    rungs = offers.ladder(catalog, item["sku_id"])
    named = next((rung for rung in rungs if rung.grade["code"] == request.args.get("grade", "").strip().upper()), None)
    rung = named or offers.least_dear(rungs)
    if rung is None or rung.offer is None:
        raise NotFound(sku=code)
    past = door.current().price_past(rung.offer)
    steps = past.steps[-MOST_STEPS:] if past else ()
    shown = PriceHistory(
        item=item,
        rung=rung,
        offer=rung.offer,
        past=past,
        drawing=draw_steps(steps, until_at=past.until_at) if past else None,
        rows=_rows(steps),
        back=with_query(f"/sku/{code}", **{**request.args.to_dict(flat=False), "grade": rung.grade["code"]}),
    )
    return web.page("shop/price_past.html", history=shown)


def draw_steps(steps: Sequence[PriceStep], *, until_at: str) -> StepDrawing | None:
    """Return the steps as one line, broken where nothing was offered; None where there is no price at all."""
    known = [step.all_in_cents for step in steps if step.all_in_cents is not None]
    if not known:
        return None
    least, most = min(known), max(known)
    times = [clock.from_text(text).timestamp() for text in (*(step.since_at for step in steps), until_at)]
    span = max(times[-1] - times[0], 1)
    places = [EDGE + round((time - times[0]) * (WIDTH - 2 * EDGE) / span) for time in times]
    # One price alone runs through the middle.
    scale = (HEIGHT - 2 * EDGE, most - least) if most > least else (HEIGHT // 2 - EDGE, 1)
    heights = [
        None
        if step.all_in_cents is None
        else HEIGHT - EDGE - (step.all_in_cents - least if most > least else 1) * scale[0] // scale[1]
        for step in steps
    ]
    path, is_down = "", False
    for height, (start, end) in zip(heights, pairwise(places), strict=True):
        if height is not None:
            path += f"V{height}H{end}" if is_down else f"M{start} {height}H{end}"
        is_down = height is not None
    return StepDrawing(path=path, most_cents=most, least_cents=least)


def _rows(steps: Sequence[PriceStep]) -> list[tuple[str, str | None, int | None]]:
    """Return (since, until, cents) of each step, the newest first; the last one has no end yet."""
    ends = (steps[place + 1].since_at if place + 1 < len(steps) else None for place in range(len(steps)))
    return [(step.since_at, end, step.all_in_cents) for step, end in zip(steps, ends, strict=True)][::-1]
