"""One device: its grades, the plan and options that go with it, and what that costs today, monthly and in the long run.

The whole composition stands in the address (`grade`, `plan`, `option`, `acquisition`), so that it can be shared, reloaded and
opened twice. Every amount comes from `pos.totals`; nothing is stored before somebody taps on "add".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, request
from sqlite_utils import Database

from pos import claims, offers, plans, skus, totals
from pos.acquisitions import ACQUISITIONS, read_acquisition
from pos.bodies import Acquisition, ColorBody
from pos.credit import CreditFacts
from pos.eligibility import Eligibility
from pos.errors import NotHere
from pos.laws import GuaranteeLaw, Laws, WithdrawalLaw, laws_on
from pos.levies import copy_levy_cents
from pos.line_rules import PricedWay, credit_of, exit_after_a_year, exits, ways
from pos.media import Medium
from pos.months import Span, spans
from pos.offers import Offer, Rung
from pos.plans import Option, Plan
from pos.skus import Sibling, Sku
from pos.totals import Line, PlanTerms, Totals
from shop import door, forms, media, web
from shop.specs import Sourced, SpecsOrigin, sourced_specs, spec_rows, specs_origin
from shop.tariffs import Tariffs, tariffs

routes = Blueprint("skus", __name__)

SHOWN_PLANS = 3
MOST_SIBLINGS = 12
MOST_OPTIONS = 12
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
    """One way to get the same things, over the same months; widths of device, plan and options in percent of the dearest."""

    plan: Plan
    device_cents: int
    due_today_cents: int
    total_cents: int
    widths: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
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
        parts = [f"grade={wanted.grade}"] if wanted.grade else []
        parts += [f"plan={wanted.plan_id}"] if wanted.plan_id is not None else []
        parts += [f"option={option_id}" for option_id in wanted.option_ids]
        parts += [f"acquisition={wanted.acquisition}"] if wanted.acquisition != "new" else []
        parts += ["plans=all"] if wanted.has_every_plan else []
        parts += [f"s={quote(wanted.selection_id)}"] if wanted.selection_id else []
        return "&".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a device's page says of it besides its name, whoever sells it."""

    medium: Medium | None
    specs: list[tuple[str, str | None]]
    origin: SpecsOrigin | None
    co2: claims.Co2 | None
    new_price: claims.NewPrice | None
    repair: dict[str, Sourced]

    @property
    def known(self) -> list[tuple[str, str]]:
        """Those specifications that are known."""
        return [(label, value) for label, value in self.specs if value is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The ladder of a device and the bundle being composed; without an offer, the ladder alone.

    `siblings` are others of its model, and `asked` the query that asks them for the same.
    """

    rungs: list[Rung]
    wanted: Composition
    chosen: Rung | None
    siblings: Sequence[Sibling]
    asked: str
    plan: Plan | None = None
    totals: Totals | None = None
    spans: tuple[Span, ...] = ()
    choices: Sequence[PlanChoice] = ()
    hidden_plans: int = 0
    has_plans: bool = False
    acquisitions: Sequence[Acquisition] = ACQUISITIONS
    options: Sequence[OptionChoice] = ()
    bars: Sequence[Bar] = ()
    exits: Sequence[tuple[int, int]] = ()
    exit_source: str = ""
    credit: CreditFacts | None = None
    reduction: claims.Reduction | None = None
    levy_cents: int | None = None
    guarantee: GuaranteeLaw | None = None
    withdrawal: WithdrawalLaw | None = None

    @property
    def offer(self) -> Offer | None:
        """The offer of the chosen rung."""
        return self.chosen.offer if self.chosen else None


@routes.get("/sku/<code>")
def sku(code: str) -> Response:
    """Show a device with its ladder of grades and the bundle being composed."""
    catalog = door.catalog()
    item = skus.sku(catalog, code)
    refuse_elsewhere(item)
    about = About(
        medium=media.shown(item),
        specs=spec_rows(item),
        origin=specs_origin(item),
        co2=claims.co2_avoided(item["category"]),
        new_price=claims.new_price_claim(item, today=door.today()),
        repair=sourced_specs(item),
    )
    return web.page("shop/skus.html", item=item, about=about, bundle=_bundle(catalog, item))


@routes.get("/sku/<code>/bundle")
def bundle(code: str) -> Response:
    """Show the ladder and the bundle alone."""
    catalog = door.catalog()
    item = skus.sku(catalog, code)
    refuse_elsewhere(item)
    shown = _bundle(catalog, item)
    response = web.fragment("shop/skus.html", "bundle", item=item, bundle=shown)
    response.headers["HX-Replace-Url"] = f"/sku/{code}?{shown.wanted.query()}"
    return response


def refuse_elsewhere(item: Sku) -> None:
    """Raise NotHere for a device of a category that the visitor's partner does not show, unless it lies on the table."""
    here = door.visitor().categories
    if here and item["category_id"] not in here and item["sku_id"] not in door.current().table():
        raise NotHere(sku=item["sku"])


def _near(catalog: Database, item: Sku, grade_id: int | None) -> list[Sibling]:
    """Return this SKU, the other colours of its capacity and the other capacities of its colour.

    Where nobody offers it, those of its model that are offered, the nearest first: by capacity, colour, price.
    """
    model = {"category_id": item["category_id"], "brand": item["brand"], "model": item["model"]}
    family = skus.siblings(catalog, **model, grade_id=grade_id)
    color, wanted = _color_code(item["color"]), item["storage_gb"] or 0

    def distance(sibling: Sibling) -> tuple[int, bool, int]:
        return abs((sibling["storage_gb"] or 0) - wanted), _color_code(sibling["color"]) != color, sibling["from_cents"]

    if item["from_cents"] is None:
        return sorted(family, key=distance)[:MOST_SIBLINGS]
    return [
        sibling
        for sibling in family
        if sibling["storage_gb"] == item["storage_gb"] or _color_code(sibling["color"]) == color or sibling["sku"] == item["sku"]
    ][:MOST_SIBLINGS]


def _color_code(color: ColorBody | None) -> str | None:
    return color.get("code") if color else None


def _bundle(catalog: Database, item: Sku) -> Bundle:
    rungs = offers.ladder(catalog, item["sku_id"])
    wanted, chosen = _wanted(rungs)
    is_named = "grade" in request.args
    siblings = _near(catalog, item, chosen.grade["grade_id"] if chosen and is_named else None)
    if chosen is None or chosen.offer is None:
        return Bundle(rungs=rungs, wanted=wanted, chosen=chosen, siblings=siblings, asked=wanted.query())
    offer = chosen.offer
    known = tariffs(catalog)
    every = plans_here(known.plans, item)
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
    laws = laws_on(catalog, door.today())
    return Bundle(
        rungs=rungs,
        chosen=chosen,
        wanted=wanted,
        siblings=siblings,
        asked=wanted.query() if is_named else wanted.query(grade=""),
        plan=plan,
        totals=totals.line_totals(line),
        spans=spans((line,)),
        choices=[_choice(each, known, wanted, line, laws) for each in (None, *shown)],
        hidden_plans=len(every) - len(shown),
        has_plans=bool(every),
        options=[_option_choice(option, wanted) for option in open_options if option.body["kind"] != "tel"],
        bars=_bars(line, plan, every) if plan else [],
        exits=exits(line, laws),
        exit_source=str(exit_law.get("source", "")) if (exit_law := laws.get("early_exit")) else "",
        credit=credit.to_facts() if (credit := credit_of(line, laws)) else None,
        reduction=claims.reduction(offer.price_cents, offer.prior_cents),
        levy_cents=copy_levy_cents(item["category"].get("levy"), item["storage_gb"], law_body=laws.get("copy_levy")),
        guarantee=laws.get("legal_guarantee"),
        withdrawal=laws.get("withdrawal"),
    )


def _wanted(rungs: list[Rung]) -> tuple[Composition, Rung | None]:
    """Return what is asked and the rung it means: the one named, else the least dear on offer."""
    asked = request.args
    code = asked.get("grade", "").strip().upper()
    named = next((rung for rung in rungs if rung.offer is not None and rung.grade["code"] == code), None)
    chosen = named or offers.least_dear(rungs)
    acquisition = read_acquisition(asked.get("acquisition")) or ACQUISITIONS[0]
    wanted = Composition(
        grade=chosen.grade["code"] if chosen else "",
        plan_id=forms.number_in(asked, "plan"),
        option_ids=tuple(forms.whole(text, "option") for text in asked.getlist("option")[:MOST_OPTIONS] if text.isdecimal()),
        acquisition=acquisition,
        has_every_plan=asked.get("plans") == "all",
        selection_id=asked.get("s", "")[:32],
    )
    return wanted, chosen


def plans_here(every: list[Plan], item: Sku) -> list[Plan]:
    """Return the plans of this corner's partner, where the device can use one."""
    specs = item.get("specs") or {}
    if item["form"] not in CONNECTED_FORMS and not specs.get("sim") and not specs.get("network"):
        return []
    partner_id = door.visitor().partner_id
    return [plan for plan in every if partner_id in (None, plan.partner_id)]


def _plans_shown(known: Tariffs, every: list[Plan], wanted: Composition, offer: Offer) -> tuple[list[Plan], Plan | None]:
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


def _choice(plan: Plan | None, known: Tariffs, wanted: Composition, line: Line, laws: Laws) -> PlanChoice:
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
        exit_cents=exit_after_a_year(with_plan, laws),
        is_chosen=(plan.plan_id if plan else None) == wanted.plan_id,
        query=wanted.query(plan_id=plan.plan_id if plan else None),
    )


def _option_choice(option: Option, wanted: Composition) -> OptionChoice:
    ids = set(wanted.option_ids) ^ {option.option_id}
    return OptionChoice(
        option=option, is_chosen=option.option_id in wanted.option_ids, query=wanted.query(option_ids=tuple(sorted(ids)))
    )


def _bars(line: Line, plan: Plan, every: list[Plan]) -> list[Bar]:
    """Return this bundle and, beside it, the same device alone with a SIM-only plan, over the same months."""
    found = ways(line, plan, every)
    most = max(way.totals.total_cents for way in found)
    return [_bar(way, most) for way in found]


def _bar(way: PricedWay, most: int) -> Bar:
    parts = totals.parts(way.line, way.totals)
    device, plan, options = (part * 100 // most if most else 0 for part in parts)
    return Bar(
        plan=way.plan,
        device_cents=parts[0],
        due_today_cents=way.totals.due_today_cents,
        total_cents=way.totals.total_cents,
        widths=(device, plan, options),
    )
