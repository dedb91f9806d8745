"""A line as somebody wishes it, and every fact of it that its slip will freeze, as the catalogue has them today."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NotRequired, TypedDict

from sqlite_utils import Database

from pos import clock, offers, plans, skus
from pos.acquisitions import ACQUISITIONS
from pos.bodies import SummaryFacts
from pos.claims import co2_avoided, vat_note
from pos.credit import CreditFacts
from pos.errors import NotFound
from pos.laws import Laws, laws_on
from pos.levies import copy_levy_cents
from pos.line_rules import EXIT_MONTH, credit_of, exit_cents, is_bound_longer
from pos.offers import Offer
from pos.plans import Option, Plan
from pos.totals import Line, OptionTermsFacts, PlanTerms, PlanTermsFacts, TotalsFacts, line_totals


class GradeFacts(TypedDict):
    """A grade; names are texts by language here and below."""

    grade_id: int
    code: str
    name: dict[str, str]
    battery_min_pct: int


class SellerFacts(TypedDict):
    """Who sells, by its name on screen and its name in law."""

    name: str
    legal_name: str


class Co2Facts(TypedDict):
    """What a refurbished device avoids over `years`, and who says so."""

    grams: int
    years: int
    source: str


class ListingFacts(TypedDict):
    """The device of a line; cents are for one unit, `copy_levy_cents` is contained in them."""

    listing_id: int
    sku_id: int
    sku: str
    title: str
    storage_gb: int | None
    color: dict[str, str] | None
    category_id: str
    grade: GradeFacts
    seller: SellerFacts
    price_cents: int
    shipping_cents: int
    all_in_cents: int
    delivery_days: int
    warranty_months: int
    vat_note: Literal["margin", "regular"]
    copy_levy_cents: int | None
    battery_pct: int | None
    new_battery: bool
    co2: Co2Facts | None


class PlanFacts(TypedDict):
    """The plan of a line; `exit_after_12_cents` is for one unit (L224-28), also where nobody is bound so long."""

    plan_id: int
    name: dict[str, str]
    terms: PlanTermsFacts
    data_gb: int
    acquisition: str
    summary: SummaryFacts
    exit_after_12_cents: int
    refund_deadline_days: int


class OptionFacts(TypedDict):
    """An option of a line, told apart by `kind`."""

    option_id: int
    kind: str
    name: dict[str, str]
    terms: OptionTermsFacts


class ComparedFacts(TypedDict):
    """Another device that a line's was compared with. `figures` are this one's and the other's, by name, where both are known.

    `price_cents` are all-in, the other's in its `grade` (a name by language), None where nobody offered it.
    """

    sku: str
    title: str
    storage_gb: int | None
    grade: dict[str, str] | None
    figures: dict[str, list[int]]


class LineFacts(TypedDict):
    """A line as its slip freezes it. `totals` are for all its units, `credit` is for one; `compared` is there on demand."""

    listing: ListingFacts | None
    plan: PlanFacts | None
    options: list[OptionFacts]
    quantity: int
    totals: TotalsFacts
    credit: CreditFacts | None
    compared: NotRequired[list[ComparedFacts]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One line as ids: at least a listing, a plan or an option. `seen_cents` is the all-in price the page showed."""

    listing_id: int | None = None
    plan_id: int | None = None
    option_ids: tuple[int, ...] = ()
    quantity: int = 1
    acquisition: str = ACQUISITIONS[0]
    seen_cents: int | None = None


def line_facts(catalog: Database, wish: Wish, offer: Offer | None, *, now: datetime, zone: str = clock.HOME_ZONE) -> LineFacts:
    """Return every fact of a line that its slip will freeze, by the laws of the day in `zone`.

    `totals` and `credit` are computed from the others. Raises: NotFound when the plan or an option is no longer published.
    """
    plan = plans.plan(catalog, wish.plan_id) if wish.plan_id is not None else None
    chosen = chosen_options(catalog, wish, offer)
    if len(chosen) != len(wish.option_ids):
        raise NotFound(option_ids=list(wish.option_ids))
    laws = laws_on(catalog, clock.local_day(now, zone))
    line = Line(
        quantity=wish.quantity,
        device_cents=offer.all_in_cents if offer else None,
        plan=plan.terms if plan else None,
        options=tuple(option.terms for option in chosen),
    )
    credit = credit_of(line, laws)
    return {
        "listing": listing_facts(catalog, offer, laws) if offer else None,
        "plan": _plan_facts(plan, line, laws, wish.acquisition) if plan else None,
        "options": [_option_facts(option) for option in chosen],
        "quantity": wish.quantity,
        "totals": line_totals(line).to_facts(),
        "credit": credit.to_facts() if credit else None,
    }


def chosen_options(catalog: Database, wish: Wish, offer: Offer | None) -> list[Option]:
    """Return those of the wished options that are open to the line, by id."""
    if not wish.option_ids:
        return []
    category_id = skus.sku_by_id(catalog, offer.sku_id)["category_id"] if offer else None
    has_plan = wish.plan_id is not None
    open_options = plans.options(catalog, category_id=category_id, has_device=offer is not None, has_plan=has_plan)
    return sorted((option for option in open_options if option.option_id in wish.option_ids), key=lambda option: option.option_id)


def wish_of(line: LineFacts) -> Wish:
    """Return a slip's line as it would be wished for again, at the price it showed."""
    listing, plan = line["listing"], line["plan"]
    return Wish(
        listing_id=listing["listing_id"] if listing else None,
        plan_id=plan["plan_id"] if plan else None,
        option_ids=tuple(option["option_id"] for option in line["options"]),
        quantity=line["quantity"],
        acquisition=plan["acquisition"] if plan else ACQUISITIONS[0],
        seen_cents=listing["all_in_cents"] if listing else None,
    )


def frozen_exit_cents(line: LineFacts) -> int | None:
    """Return what a slip says of leaving a line's plan after a year: cents of all units, None where nobody is bound that long."""
    plan = line["plan"]
    if plan is None or not is_bound_longer(PlanTerms.from_facts(plan["terms"])):
        return None
    return plan["exit_after_12_cents"] * line["quantity"]


def listing_facts(catalog: Database, offer: Offer, laws: Laws) -> ListingFacts:
    """Return what paper says of one unit of an offer, by these laws. Raises: NotFound."""
    item = skus.sku_by_id(catalog, offer.sku_id)
    grade = next(each for each in offers.grades(catalog) if each["grade_id"] == offer.grade_id)
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
        "copy_levy_cents": copy_levy_cents(item["category"]["levy"], item["storage_gb"], law_body=laws.get("copy_levy")),
        "battery_pct": offer.battery_pct,
        "new_battery": offer.new_battery,
        "co2": {"grams": co2.grams, "years": co2.years, "source": co2.source} if co2 else None,
    }


def _plan_facts(plan: Plan, line: Line, laws: Laws, acquisition: str) -> PlanFacts:
    return {
        "plan_id": plan.plan_id,
        "name": plan.body["name"],
        "terms": plan.terms.to_facts(),
        "data_gb": plan.body["data_gb"],
        "acquisition": acquisition,
        "summary": plan.body["summary"],
        "exit_after_12_cents": exit_cents(replace(line, quantity=1), laws, after_month=EXIT_MONTH),
        "refund_deadline_days": plan.body["refund_deadline_days"],
    }


def _option_facts(option: Option) -> OptionFacts:
    return {
        "option_id": option.option_id,
        "kind": option.body["kind"],
        "name": option.body["name"],
        "terms": option.terms.to_facts(),
    }
