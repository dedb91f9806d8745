"""One device: its grades, the plan and options that go with it, and what that costs today, monthly and in the long run.

The whole composition stands in the address (`grade`, `plan`, `option`, `acquisition`), so that it can be shared, reloaded and
opened twice. Every amount comes from `pos.totals`; nothing is stored before somebody taps on "add".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, request
from sqlite_utils import Database

from pos import claims, offers, plans, skus, totals
from pos.credit import CreditNotice, credit_notice
from pos.eligibility import ACQUISITIONS, Acquisition, Eligibility
from pos.levies import copy_levy_cents
from pos.months import Span, spans
from pos.offers import Offer, Rung
from pos.plans import Option, Plan
from pos.totals import Line, PlanTerms, Totals
from shop import door, media, web
from shop.specs import spec_rows
from shop.tariffs import Tariffs, tariffs

routes = Blueprint("skus", __name__)

SHOWN_PLANS = 3
MOST_SIBLINGS = 12
MOST_OPTIONS = 12
EXIT_MONTHS = (3, 6, 12, 18)
CONNECTED_FORMS = frozenset({"phone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChoice:
    """A plan beside this device: what it would cost, whether it is open, and the address that chooses it."""

    plan: Plan | None
    terms: PlanTerms | None
    totals: Totals
    spans: tuple[Span, ...]
    answer: Eligibility | None
    fix: Plan | None
    fix_query: str
    exit_cents: int | None
    is_chosen: bool
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionChoice:
    """An option of this line and the address that adds or drops it."""

    option: Option
    is_chosen: bool
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One way to get the same things, over the same months: its parts add up to `total_cents`. Widths are in percent."""

    plan: Plan | None
    device_cents: int
    plan_cents: int
    options_cents: int
    due_today_cents: int
    total_cents: int
    widths: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the address asks for."""

    grade: str
    plan_id: int | None
    option_ids: tuple[int, ...]
    acquisition: Acquisition
    has_every_plan: bool
    selection_id: str

    def query(self, **changes: Any) -> str:
        """Return the query that asks for this with some changes."""
        wanted = replace(self, **changes)
        parts = [f"grade={wanted.grade}"]
        parts += [f"plan={wanted.plan_id}"] if wanted.plan_id is not None else []
        parts += [f"option={option_id}" for option_id in wanted.option_ids]
        parts += [f"acquisition={wanted.acquisition}"] if wanted.acquisition != "new" else []
        parts += ["plans=all"] if wanted.has_every_plan else []
        parts += [f"s={quote(wanted.selection_id)}"] if wanted.selection_id else []
        return "&".join(parts)


@routes.get("/sku/<code>")
def sku(code: str) -> Response:
    """Show a device with its ladder of grades and the bundle being composed."""
    catalog = door.catalog()
    item = skus.sku(catalog, code)
    return web.page(
        "shop/skus.html",
        item=item,
        medium=media.shown(item),
        specs=spec_rows(item),
        siblings=_near(item, skus.siblings(catalog, item)),
        co2=claims.co2_avoided(item["category"]),
        new_price=claims.new_price_claim(item, today=door.today()),
        **_bundle(catalog, item),
    )


@routes.get("/sku/<code>/bundle")
def bundle(code: str) -> Response:
    """Show the ladder and the bundle alone."""
    catalog = door.catalog()
    item = skus.sku(catalog, code)
    found = _bundle(catalog, item)
    response = web.fragment("shop/skus.html", "bundle", item=item, **found)
    response.headers["HX-Replace-Url"] = f"/sku/{code}?{found['wanted'].query()}"
    return response


def sim_only_beside(chosen: Plan, every: list[Plan]) -> Plan | None:
    """Return the plan to compare with: no device advantage, at most a year's commitment, as much data for the least money."""
    free = [
        plan
        for plan in every
        if plan.partner_id == chosen.partner_id and plan.body["commitment_months"] <= 12 and not _advantage(plan.body)
    ]
    enough = [plan for plan in free if plan.body["data_gb"] >= chosen.body["data_gb"]]
    if enough:
        return min(enough, key=lambda plan: (plan.body["monthly_cents"], plan.rank))
    return max(free, key=lambda plan: (plan.body["data_gb"], -plan.rank), default=None)


def _near(item: dict[str, Any], family: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return this SKU, the other colours of its capacity and the other capacities of its colour."""
    color = (item["color"] or {}).get("code")
    return [
        each
        for each in family
        if each["storage_gb"] == item["storage_gb"] or (each["color"] or {}).get("code") == color or each["sku"] == item["sku"]
    ][:MOST_SIBLINGS]


def _bundle(catalog: Database, item: dict[str, Any]) -> dict[str, Any]:
    rungs = offers.ladder(catalog, item["sku_id"])
    wanted, chosen = _wanted(rungs)
    shared: dict[str, Any] = {"rungs": rungs, "wanted": wanted, "chosen": chosen, "offer": chosen and chosen.offer}
    if chosen is None or chosen.offer is None:
        return shared
    offer, day = chosen.offer, door.today()
    known = tariffs(catalog)
    every = _plans_here(known.plans, item)
    shown, plan = _plans_shown(known, every, wanted, offer)
    open_options = plans.options(catalog, category_id=item["category_id"], has_device=True, has_plan=plan is not None)
    picked = [option for option in open_options if option.option_id in wanted.option_ids]
    wanted = replace(
        wanted, plan_id=plan.plan_id if plan else None, option_ids=tuple(sorted(option.option_id for option in picked))
    )
    line = Line(
        quantity=1,
        device_cents=offer.all_in_cents,
        plan=known.terms[plan.plan_id] if plan else None,
        options=tuple(option.terms for option in picked),
    )
    exit_law = plans.law(catalog, "early_exit", day)
    return shared | {
        "wanted": wanted,
        "plan": plan,
        "line_totals": totals.line_totals(line),
        "spans": spans((line,)),
        "choices": [_choice(each, known, wanted, line, exit_law) for each in (None, *shown)],
        "hidden_plans": len(every) - len(shown),
        "every_plan_query": wanted.query(has_every_plan=True),
        "has_plans": bool(every),
        "acquisitions": [(name, wanted.query(acquisition=name)) for name in ACQUISITIONS],
        "options": [_option_choice(option, wanted) for option in open_options if option.body["kind"] != "tel"],
        "bars": _bars(line, plan, every, known) if plan else [],
        "exits": _exits(line, exit_law) if plan else [],
        "credit": _credit(catalog, line, day),
        "reduction": claims.reduction(offer.price_cents, offer.prior_cents),
        "levy_cents": _levy(catalog, item, day),
        "guarantee": plans.law(catalog, "legal_guarantee", day),
        "withdrawal": plans.law(catalog, "withdrawal", day),
    }


def _wanted(rungs: list[Rung]) -> tuple[Wanted, Rung | None]:
    """Return what is asked and the rung it means: the one named, else the least dear on offer."""
    asked = request.args
    on_offer = [rung for rung in rungs if rung.offer is not None]
    code = asked.get("grade", "").strip().upper()
    named = next((rung for rung in on_offer if rung.grade["code"] == code), None)
    chosen = named or min(on_offer, key=lambda rung: rung.offer.all_in_cents if rung.offer else 0, default=None)
    acquisition = next((name for name in ACQUISITIONS if name == asked.get("acquisition")), ACQUISITIONS[0])
    wanted = Wanted(
        grade=chosen.grade["code"] if chosen else "",
        plan_id=web.number_in(asked, "plan"),
        option_ids=tuple(web.whole(text, "option") for text in asked.getlist("option")[:MOST_OPTIONS] if text.isdecimal()),
        acquisition=acquisition,
        has_every_plan=asked.get("plans") == "all",
        selection_id=asked.get("s", "")[:32],
    )
    return wanted, chosen


def _plans_here(every: list[Plan], item: dict[str, Any]) -> list[Plan]:
    """Return the plans of this corner's partner, where the device can use one."""
    specs = item.get("specs") or {}
    if item["form"] not in CONNECTED_FORMS and not specs.get("sim") and not specs.get("network"):
        return []
    partner_id = door.visitor().partner_id
    return [plan for plan in every if partner_id in (None, plan.partner_id)]


def _advantage(body: dict[str, Any]) -> bool:
    return bool(body["device_discount_cents"] or body["refund_cents"] or body["instalment_months"])


def _plans_shown(known: Tariffs, every: list[Plan], wanted: Wanted, offer: Offer) -> tuple[list[Plan], Plan | None]:
    """Return the plans to show, in HQ's order, and the one asked for if it is open to this situation.

    Shown first: the chosen one, then those open with an advantage for the device, then those open without one.
    """
    cents, acquisition = offer.all_in_cents, wanted.acquisition
    answers = {plan.plan_id: known.answer(plan, device_cents=cents, acquisition=acquisition, with_fix=False) for plan in every}
    chosen = next((plan for plan in every if plan.plan_id == wanted.plan_id and answers[plan.plan_id].is_eligible), None)
    if wanted.has_every_plan:
        return every, chosen
    asked_id = wanted.plan_id
    ordered = sorted(
        every,
        key=lambda plan: (
            plan.plan_id != asked_id,
            not answers[plan.plan_id].is_eligible,
            bool(answers[plan.plan_id].reasons),
        ),
    )
    return sorted(ordered[:SHOWN_PLANS], key=lambda plan: (plan.rank, plan.plan_id)), chosen


def _choice(plan: Plan | None, known: Tariffs, wanted: Wanted, line: Line, exit_law: dict[str, Any] | None) -> PlanChoice:
    terms = known.terms[plan.plan_id] if plan else None
    with_plan = Line(quantity=line.quantity, device_cents=line.device_cents, plan=terms, options=line.options)
    answer = fix = None
    if plan:
        cents = line.device_cents or 0
        answer = known.answer(plan, device_cents=cents, acquisition=wanted.acquisition, with_fix=True)
        fix = next((each for each in known.plans if answer.fix and each.plan_id == answer.fix.plan_id), None)
    return PlanChoice(
        plan=plan,
        terms=terms,
        totals=totals.line_totals(with_plan),
        spans=spans((with_plan,)),
        answer=answer,
        fix=fix,
        fix_query=wanted.query(plan_id=fix.plan_id) if fix else "",
        exit_cents=plans.exit_cents(terms, device_cents=line.device_cents, law=exit_law, after_month=plans.EXIT_MONTH)
        if terms and terms.commitment_months > plans.EXIT_MONTH
        else None,
        is_chosen=(plan.plan_id if plan else None) == wanted.plan_id,
        query=wanted.query(plan_id=plan.plan_id if plan else None),
    )


def _exits(line: Line, law: dict[str, Any] | None) -> list[tuple[int, int]]:
    """Return (months run, cost of leaving then) at a few moments of the commitment."""
    terms = line.plan
    if terms is None:
        return []
    months = [month for month in EXIT_MONTHS if month < terms.commitment_months]
    return [(month, plans.exit_cents(terms, device_cents=line.device_cents, law=law, after_month=month)) for month in months]


def _option_choice(option: Option, wanted: Wanted) -> OptionChoice:
    ids = set(wanted.option_ids) ^ {option.option_id}
    return OptionChoice(
        option=option, is_chosen=option.option_id in wanted.option_ids, query=wanted.query(option_ids=tuple(sorted(ids)))
    )


def _bars(line: Line, plan: Plan, every: list[Plan], known: Tariffs) -> list[Bar]:
    """Return this bundle and, beside it, the same device alone with a SIM-only plan, over the same months."""
    other = sim_only_beside(plan, every)
    ways = [(plan, line, totals.line_totals(line))]
    if other is not None and other.plan_id != plan.plan_id:
        terms = known.terms[other.plan_id]
        ways.append((other, replace(line, plan=terms.alone()), totals.device_plus_sim_only(line, terms)))
    most = max(costs.total_cents for _, _, costs in ways)
    return [_bar(each, way, costs, most) for each, way, costs in ways]


def _bar(plan: Plan, line: Line, costs: Totals, most: int) -> Bar:
    parts = totals.parts(line, costs)
    widths = [part * 100 // most if most else 0 for part in parts]
    return Bar(
        plan=plan,
        device_cents=parts[0],
        plan_cents=parts[1],
        options_cents=parts[2],
        due_today_cents=costs.due_today_cents,
        total_cents=costs.total_cents,
        widths=(widths[0], widths[1], widths[2]),
    )


def _credit(catalog: Database, line: Line, day: str) -> CreditNotice | None:
    law = plans.law(catalog, "credit_notice", day)
    if law is None or line.plan is None or not line.plan.instalment_months:
        return None
    return credit_notice(totals.device_price_cents(line), line.plan.deposit_cents, line.plan.instalment_months, law_body=law)


def _levy(catalog: Database, item: dict[str, Any], day: str) -> int | None:
    law = plans.law(catalog, "copy_levy", day)
    return copy_levy_cents(item["category"].get("levy"), item["storage_gb"], law_body=law) if law else None
