"""A line as somebody wishes it, and every fact of it that its slip will freeze, as the catalogue has them today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from pos import clock, offers, plans, skus
from pos.claims import co2_avoided, vat_note
from pos.credit import credit_notice
from pos.errors import NotFound
from pos.levies import copy_levy_cents
from pos.offers import Offer
from pos.plans import Option, Plan
from pos.totals import Line, line_totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One line as ids: at least a listing, a plan or an option. `seen_cents` is the all-in price the page showed."""

    listing_id: int | None = None
    plan_id: int | None = None
    option_ids: tuple[int, ...] = ()
    quantity: int = 1
    acquisition: str = "new"
    seen_cents: int | None = None


def line_facts(
    catalog: Database, wish: Wish, offer: Offer | None, *, now: datetime, zone: str = clock.HOME_ZONE
) -> dict[str, Any]:
    """Return every fact of a line that its slip will freeze, by the laws of the day in `zone`.

    `totals` and `credit` are computed from the others.

    Raises: NotFound when the plan or an option is no longer published.
    """
    plan = plans.plan(catalog, wish.plan_id) if wish.plan_id is not None else None
    chosen = chosen_options(catalog, wish, offer)
    if len(chosen) != len(wish.option_ids):
        raise NotFound(option_ids=list(wish.option_ids))
    day = clock.local_day(now, zone)
    facts: dict[str, Any] = {
        "listing": _listing_facts(catalog, offer, day) if offer else None,
        "plan": _plan_facts(catalog, plan, offer, wish.acquisition, day) if plan else None,
        "options": [_option_facts(option) for option in chosen],
        "quantity": wish.quantity,
    }
    line = Line.from_slip(facts)
    return {**facts, "totals": line_totals(line).to_facts(), "credit": _credit_facts(catalog, line, day)}


def chosen_options(catalog: Database, wish: Wish, offer: Offer | None) -> list[Option]:
    """Return those of the wished options that are open to the line."""
    if not wish.option_ids:
        return []
    category_id = skus.sku_by_id(catalog, offer.sku_id)["category_id"] if offer else None
    has_plan = wish.plan_id is not None
    open_options = plans.options(catalog, category_id=category_id, has_device=offer is not None, has_plan=has_plan)
    return sorted((each for each in open_options if each.option_id in wish.option_ids), key=lambda each: each.option_id)


def _listing_facts(catalog: Database, offer: Offer, day: str) -> dict[str, Any]:
    item = skus.sku_by_id(catalog, offer.sku_id)
    grade = next(each for each in offers.grades(catalog) if each["grade_id"] == offer.grade_id)
    levy = plans.law(catalog, "copy_levy", day)
    co2 = co2_avoided(item["category"])
    return {
        "listing_id": offer.listing_id,
        "sku_id": offer.sku_id,
        "sku": item["sku"],
        "title": skus.title(item),
        "storage_gb": item["storage_gb"],
        "color": item["color"]["name"] if item["color"] else None,
        "category_id": item["category_id"],
        "grade": {
            "grade_id": offer.grade_id,
            "code": grade["code"],
            "name": grade["name"],
            "battery_min_pct": grade["battery_min_pct"],
        },
        "seller": {"name": offer.seller["name"], "legal_name": offer.seller["legal_name"]},
        "price_cents": offer.price_cents,
        "shipping_cents": offer.shipping_cents,
        "all_in_cents": offer.all_in_cents,
        "delivery_days": offer.delivery_days,
        "warranty_months": offer.warranty_months,
        "vat_note": vat_note(offer.vat_margin),
        "copy_levy_cents": copy_levy_cents(item["category"]["levy"], item["storage_gb"], law_body=levy) if levy else None,
        "battery_pct": offer.battery_pct,
        "new_battery": offer.new_battery,
        "co2": {"grams": co2.grams, "years": co2.years, "source": co2.source} if co2 else None,
    }


def _plan_facts(catalog: Database, plan: Plan, offer: Offer | None, acquisition: str, day: str) -> dict[str, Any]:
    law = plans.law(catalog, "early_exit", day)
    terms = plan.terms
    exit_cents = plans.exit_cents(terms, device_cents=offer.all_in_cents if offer else None, law=law, after_month=12)
    return {
        "plan_id": plan.plan_id,
        "name": plan.body["name"],
        "terms": terms.to_facts(),
        "data_gb": plan.body["data_gb"],
        "acquisition": acquisition,
        "summary": plan.body["summary"],
        "exit_after_12_cents": exit_cents,
        "refund_deadline_days": plan.body["refund_deadline_days"],
    }


def _option_facts(option: Option) -> dict[str, Any]:
    return {
        "option_id": option.option_id,
        "kind": option.body["kind"],
        "name": option.body["name"],
        "terms": option.terms.to_facts(),
    }


def _credit_facts(catalog: Database, line: Line, day: str) -> dict[str, Any] | None:
    law = plans.law(catalog, "credit_notice", day)
    if line.plan is None or line.device_cents is None or not line.plan.instalment_months or law is None:
        return None
    cash_cents = line.device_cents - line.plan.discount_on(line.device_cents)
    notice = credit_notice(cash_cents, line.plan.deposit_cents, line.plan.instalment_months, law_body=law)
    return notice.to_facts() if notice else None
