"""The selection: its own address, its lines, its totals.

Writes answer 303 to the selection's page. What changed between page and tap is said, with today's offer one tap away.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from sqlite_utils import Database

from pos import clock, offers, plans, selections, skus, totals
from pos.errors import Invalid, ListingGone, NotFound
from pos.line_facts import Wish
from pos.months import runs
from pos.offers import Offer
from pos.selections import Priced
from shop import door, web

routes = Blueprint("selections", __name__)

CHART_HEIGHT = 100


@routes.post("/selections")
def start_selection() -> Response:
    """Start a selection, with a first line when the form holds one."""
    now = clock.now()
    wish = _wish()
    with door.current().writing() as execute:
        selection_id = selections.start_selection(execute, now=now)
        if wish is not None:
            selections.add_line(execute, door.catalog(), selection_id, wish=wish, now=now)
    return web.see_other(f"/selections/{selection_id}")


@routes.get("/selections/<selection_id>")
def selection(selection_id: str) -> Response:
    """Show a selection at today's prices."""
    catalog = door.catalog()
    priced = _priced(catalog, selection_id)
    months = _months(priced)
    said = runs(each["cents"] for each in months)
    return web.page(
        "shop/selections.html", priced=priced, months=months, spans=said, is_uneven=_is_uneven(months), **_texts(priced)
    )


@routes.post("/selections/<selection_id>/lines")
def add_line(selection_id: str) -> Response:
    """Add a line to a selection."""
    wish = _wish()
    if wish is None:
        raise Invalid("a line needs a listing, a plan or an option")
    with door.current().writing() as execute:
        selections.add_line(execute, door.catalog(), selection_id, wish=wish, now=clock.now())
    return web.see_other(f"/selections/{selection_id}")


@routes.delete("/selections/<selection_id>/lines/<int:line_no>")
@routes.post("/selections/<selection_id>/lines/<int:line_no>/removal")
def remove_line(selection_id: str, line_no: int) -> Response:
    """Take a line away; the POST is for forms, which know no DELETE."""
    with door.current().writing() as execute:
        selections.remove_line(execute, selection_id, line_no, now=clock.now())
    return web.see_other(f"/selections/{selection_id}")


@routes.post("/selections/<selection_id>/lines/<int:line_no>/acceptance")
def accept_line(selection_id: str, line_no: int) -> Response:
    """Take today's price, or the offer that stands in, for a line that changed."""
    with door.current().writing() as execute:
        selections.accept_line(execute, door.catalog(), selection_id, line_no, now=clock.now())
    return web.see_other(f"/selections/{selection_id}")


def _priced(catalog: Database, selection_id: str) -> Priced:
    """Return a selection at today's prices. Raises: NotFound."""
    with door.current().reading() as execute:
        zone = door.visitor().time_zone
        return selections.priced_selection(execute, catalog, selection_id, now=clock.now(), zone=zone)


def way_on(data: dict[str, Any]) -> dict[str, Any]:
    """Return what an error page offers instead: today's offer and the form that takes it, or the nearest plan.

    Raises: NotFound, ListingGone when there is nothing to offer.
    """
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in ("seen", "listing", "plan")]
    catalog = door.catalog()
    if data.get("line_no") is not None and request.view_args:
        return _way_on_with(request.view_args["selection_id"], data)
    offer = _offer_now(data)
    plan_id = request.form.get("plan")
    fix = data.get("fix")
    if fix is not None:
        plan_id = str(fix.plan_id)
    fields += [("listing", str(offer.listing_id)), ("seen", str(offer.all_in_cents))] if offer else []
    fields += [("plan", plan_id)] if plan_id else []
    return {
        **_shown(offer),
        "retry": {"action": request.path, "fields": fields} if offer or fix else None,
        "fix": plans.plan(catalog, fix.plan_id) if fix else None,
    }


def _way_on_with(selection_id: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what is offered when a line was found changed or closed before its slip: today's price, what stands in, a plan."""
    where, line_no, fix = f"/selections/{selection_id}", data["line_no"], data.get("fix")
    if "reasons" in data:
        nearest = plans.plan(door.catalog(), fix.plan_id) if fix else None
        return {**_shown(None), "retry": None, "fix": nearest, "selection_url": where}
    priced = _priced(door.catalog(), selection_id)
    offer = next((line.offer or line.instead for line in priced.lines if line.line_no == line_no), None)
    retry = {"action": f"{where}/lines/{line_no}/acceptance", "fields": []} if offer else None
    return {**_shown(offer), "retry": retry, "fix": None, "selection_url": where}


def _shown(offer: Offer | None) -> dict[str, Any]:
    """Return an offer with the device and grade a page shows beside it."""
    catalog = door.catalog()
    item = skus.sku_by_id(catalog, offer.sku_id) if offer else None
    grade = next((each for each in offers.grades(catalog) if offer and each["grade_id"] == offer.grade_id), None)
    return {"offer": offer, "item": item, "grade": grade}


def _offer_now(data: dict[str, Any]) -> Offer | None:
    """Return the offer of the listing asked for as it is now, or the one that wins its grade since it is gone."""
    catalog = door.catalog()
    listing_id = web.number_in(request.form, "listing")
    if data.get("sku") and data.get("grade_id"):
        return offers.winning_offer(catalog, skus.sku(catalog, data["sku"])["sku_id"], data["grade_id"])
    if listing_id is None or data.get("left") is not None:
        return None
    try:
        return offers.offer_of_listing(catalog, listing_id)
    except (ListingGone, NotFound):
        return None


def _wish() -> Wish | None:
    """Read a line from the form: `listing`, `plan`, `option` (repeated), `qty`, `acquisition`, `seen`. Raises: Invalid."""
    form = request.form
    quantity = web.number_in(form, "qty")
    wish = Wish(
        listing_id=web.number_in(form, "listing"),
        plan_id=web.number_in(form, "plan"),
        option_ids=tuple(web.whole(text, "option") for text in form.getlist("option")),
        quantity=1 if quantity is None else quantity,
        acquisition=form.get("acquisition", "new"),
        seen_cents=web.number_in(form, "seen"),
    )
    is_empty = wish.listing_id is None and wish.plan_id is None and not wish.option_ids
    return None if is_empty else wish


def _texts(priced: Priced) -> dict[str, Any]:
    """Return what the page shows beside the lines: devices by SKU, grades and plans."""
    catalog = door.catalog()
    ids = {line.offer.sku_id for line in priced.lines if line.offer} | {
        line.instead.sku_id for line in priced.lines if line.instead
    }
    grades = {grade["grade_id"]: grade for grade in offers.grades(catalog)}
    return {
        "devices": {sku_id: skus.sku_by_id(catalog, sku_id) for sku_id in ids},
        "grades": grades,
        "plans": {plan.plan_id: plan for plan in plans.plans(catalog)},
    }


def _is_uneven(months: list[dict[str, int]]) -> bool:
    """Tell whether the months differ, which a picture shows at a glance."""
    return len({each["cents"] for each in months}) > 1


def _months(priced: Priced) -> list[dict[str, int]]:
    """Return the coming months as columns of a chart: cents, and heights in percent of the dearest month."""
    lines = [line.figures for line in priced.lines if line.figures is not None]
    due = totals.schedule(lines, priced.totals.horizon_months)[1:]
    most = max(due, default=0)
    return [
        {"month": month, "cents": cents, "height": cents * CHART_HEIGHT // most}
        for month, cents in enumerate(due, start=1)
        if most
    ]
