"""What a page of a problem offers instead of what could not be had, one tap away."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from flask import request

from pos import offers, plans, skus
from pos.db import DatabaseError
from pos.errors import ListingGone, NotFound, PosError
from pos.offers import Offer
from pos.plans import Plan
from pos.skus import Sku
from shop import door, forms
from shop.selections import priced_now

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A form that tries again: where it goes and its fields."""

    action: str
    fields: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOn:
    """Today's offer with its device and grade, the form that takes it, the nearest plan that is open, the selection's address."""

    offer: Offer | None = None
    item: Sku | None = None
    grade: dict[str, Any] | None = None
    retry: Retry | None = None
    fix: Plan | None = None
    selection_url: str = ""


def way_on(code: str, data: dict[str, Any]) -> WayOn:
    """Return what goes on from a refusal and the facts it carries: nothing where there is nothing to offer."""
    if code in ("price_changed", "listing_gone", "not_eligible"):
        try:
            return _way_on(data)
        except (PosError, DatabaseError):
            LOG.info("no way on from %s", code)
    return WayOn()


def _way_on(data: dict[str, Any]) -> WayOn:
    """Return what is offered. Raises: NotFound, ListingGone when there is nothing."""
    if data.get("line_no") is not None and request.view_args:
        return _way_on_with(request.view_args["selection_id"], data)
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in ("seen", "listing", "plan")]
    offer, fix = _offer_now(data), data.get("fix")
    plan_id = str(fix.plan_id) if fix else request.form.get("plan")
    fields += [("listing", str(offer.listing_id)), ("seen", str(offer.all_in_cents))] if offer else []
    fields += [("plan", plan_id)] if plan_id else []
    retry = Retry(action=request.path, fields=fields) if offer or fix else None
    return WayOn(offer=offer, item=_item(offer), grade=_grade(offer), retry=retry, fix=_plan(fix))


def _way_on_with(selection_id: str, data: dict[str, Any]) -> WayOn:
    """Return what is offered when a line was found changed or closed before its slip: today's price, what stands in, a plan."""
    where, line_no = f"/selections/{selection_id}", data["line_no"]
    if "reasons" in data:
        return WayOn(fix=_plan(data.get("fix")), selection_url=where)
    priced = priced_now(door.catalog(), selection_id)
    offer = next((line.offer or line.instead for line in priced.lines if line.line_no == line_no), None)
    retry = Retry(action=f"{where}/lines/{line_no}/acceptance", fields=[]) if offer else None
    return WayOn(offer=offer, item=_item(offer), grade=_grade(offer), retry=retry, selection_url=where)


def _item(offer: Offer | None) -> Sku | None:
    return skus.sku_by_id(door.catalog(), offer.sku_id) if offer else None


def _grade(offer: Offer | None) -> Any:
    return next((each for each in offers.grades(door.catalog()) if offer and each["grade_id"] == offer.grade_id), None)


def _plan(fix: Any) -> Plan | None:
    return plans.plan(door.catalog(), fix.plan_id) if fix else None


def _offer_now(data: dict[str, Any]) -> Offer | None:
    """Return the offer of the listing asked for as it is now, or the one that wins its grade since it is gone."""
    catalog = door.catalog()
    listing_id = forms.number_in(request.form, "listing")
    if data.get("sku") and data.get("grade_id"):
        return offers.winning_offer(catalog, skus.sku(catalog, data["sku"])["sku_id"], data["grade_id"])
    if listing_id is None or data.get("left") is not None:
        return None
    try:
        return offers.offer_of_listing(catalog, listing_id)
    except (ListingGone, NotFound):
        return None
