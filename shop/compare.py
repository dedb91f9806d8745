"""Comparing: up to four devices side by side, what differs first, with a verdict made of measured differences.

The whole comparison stands in the address (`sku`, `grade`, `plan`, `acquisition`), so that it can be shared and reloaded. Devices
are compared in one grade, or each at its lowest price; a plan is reckoned with each of them by `pos.totals`: the one named, where
0 is none, else that of the selection under way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, request

from pos import claims, differences, languages, offers, selections, skus
from pos.acquisitions import ACQUISITIONS, read_acquisition
from pos.bodies import Acquisition
from pos.differences import Advantage
from pos.eligibility import Reason
from pos.locales import LOCALES
from pos.offers import Grade, Offer, Rung
from pos.plans import Plan
from pos.skus import MAX_COMPARED, Card, Sku
from pos.totals import Line, Totals, line_totals
from shop import door, forms, web
from shop.skus import plans_here, refuse_elsewhere
from shop.specs import LABELS, SpecsOrigin, facts_of, label, sourced_specs, spec_value, specs_origin
from shop.tariffs import Tariffs, tariffs

routes = Blueprint("compare", __name__)

MOST_PLANS = 6
MOST_PROPOSED = 8
MOST_WORDS = 80
WITHOUT_PLAN = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedDevice:
    """One device of a comparison: its offer and what it costs with the plan, or why the plan is not open to it.

    `address` is its own page as it is compared, `without` and `instead` are comparisons.
    """

    item: Sku
    name: str
    rung: Rung | None
    totals: Totals | None
    refusal: Reason | None
    address: str
    without: str
    instead: str

    @property
    def offer(self) -> Offer | None:
        """What is proposed, None where nobody offers it in the grade asked for."""
        return self.rung.offer if self.rung else None

    @property
    def origin(self) -> SpecsOrigin | None:
        """Where its specifications come from, None where that is not said."""
        return specs_origin(self.item)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFact:
    """One line of the table. `values` are words, amounts or facts by `kind`, None where unknown; `best` the places that win."""

    kind: str
    label: str
    values: tuple[Any, ...]
    best: frozenset[int]

    @property
    def differs(self) -> bool:
        """Tell whether the devices are told apart here."""
        return any(value != self.values[0] for value in self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonWanted:
    """What the address asks for. `instead_of` is the device that another shall replace, `adds` tells that one more is wanted."""

    codes: tuple[str, ...]
    grades: tuple[str, ...]
    plan_id: int | None
    acquisition: Acquisition
    instead_of: str
    adds: bool
    words: str
    selection_id: str

    @property
    def told_acquisition(self) -> Acquisition | None:
        """What an address says of the acquisition: nothing of the usual one."""
        return self.acquisition if self.acquisition != ACQUISITIONS[0] else None

    def address(self, **changes: Any) -> str:
        """Return the address that asks for this with some changes, nothing being added or replaced any more."""
        wanted = replace(self, **{"instead_of": "", "adds": False, "words": "", **changes})
        return forms.with_query(
            "/compare",
            sku=wanted.codes,
            grade=wanted.grades,
            plan=wanted.plan_id,
            acquisition=wanted.told_acquisition,
            instead=wanted.instead_of,
            add="1" if wanted.adds else None,
            q=wanted.words,
            s=wanted.selection_id,
        )

    def with_device(self, code: str) -> str:
        """Return the address with one more device, or with it in the place of the one to replace."""
        codes = [code if known == self.instead_of else known for known in self.codes]
        return self.address(codes=tuple(codes if self.instead_of in self.codes else [*codes, code]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonChoice:
    """A plan or grade the comparison can be made with, None for without, and the address that makes it so."""

    of: Plan | Grade | None
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """Everything the page shows; `proposed` are the devices to add, with the address of each, None where none was asked for.

    `is_cut` tells that more devices were asked for than are shown.
    """

    wanted: ComparisonWanted
    sides: list[ComparedDevice]
    price: ComparedFact
    rows: list[ComparedFact]
    verdict: list[Advantage]
    grades: list[ComparisonChoice]
    plans: list[ComparisonChoice]
    plan: Plan | None
    proposed: list[tuple[Card, str]] | None
    is_cut: bool

    @property
    def horizon_months(self) -> int | None:
        """Over how many months the totals run, None where there are none."""
        return next((side.totals.horizon_months for side in self.sides if side.totals), None)

    @property
    def differing(self) -> list[ComparedFact]:
        """The lines that tell the devices apart."""
        return [row for row in self.rows if row.differs]

    @property
    def shared(self) -> list[ComparedFact]:
        """The lines that are the same for all."""
        return [row for row in self.rows if not row.differs]


@routes.get("/compare")
def compare() -> Response:
    """Show the devices named `sku` in the address side by side; alone, a device is shown with what to compare it with."""
    catalog = door.catalog()
    items = skus.compare(catalog, request.args.getlist("sku"))
    for item in items:
        refuse_elsewhere(item)
    if not items:
        return web.see_other(forms.with_query("/browse", s=request.args.get("s")))
    grades, ladders = offers.grades(catalog), offers.ladders(catalog, tuple(item["sku_id"] for item in items))
    wanted = _wanted(items, grades)
    known = tariffs(catalog)
    plans = next((here for item in items if (here := plans_here(known.plans, item))), [])
    plan = next((plan for plan in plans if plan.plan_id == wanted.plan_id), None)
    wanted = replace(wanted, plan_id=plan.plan_id if plan else WITHOUT_PLAN if wanted.plan_id == WITHOUT_PLAN else None)
    sides = [
        _side(item, name, _rung(ladders[item["sku_id"]], wanted.grades), plan=plan, known=known, wanted=wanted)
        for item, name in zip(items, _names(items), strict=True)
    ]
    price = _row("price_cents", [side.offer.all_in_cents if side.offer else None for side in sides])
    rows = _rows(sides, has_plan=plan is not None)
    shown = SideBySide(
        wanted=wanted,
        sides=sides,
        price=price,
        rows=rows,
        verdict=_verdict(sides, [price, *rows]),
        grades=[_grade_choice(grade, wanted) for grade in (None, *grades)],
        plans=[_plan_choice(each, wanted) for each in _few_plans(plans, plan)] if plans else [],
        plan=plan,
        proposed=_proposed(items, wanted),
        is_cut=len({*request.args.getlist("sku")}) > MAX_COMPARED,
    )
    return web.page("shop/compare.html", comparison=shown)


def _wanted(items: Sequence[Sku], grades: Iterable[Grade]) -> ComparisonWanted:
    asked = request.args
    selection_id, plan_id, acquisition = asked.get("s", "")[:32], forms.number_in(asked, "plan"), asked.get("acquisition")
    if selection_id and plan_id is None:
        plan_id, acquisition = _own_plan(selection_id) or (None, acquisition)
    named = {text.strip().upper() for text in asked.getlist("grade")}
    return ComparisonWanted(
        codes=tuple(item["sku"] for item in items),
        grades=tuple(grade["code"] for grade in grades if grade["code"] in named),
        plan_id=plan_id,
        acquisition=read_acquisition(acquisition) or ACQUISITIONS[0],
        instead_of=asked.get("instead", ""),
        adds=asked.get("add") == "1" or len(items) < 2,
        words=asked.get("q", "").strip()[:MOST_WORDS],
        selection_id=selection_id,
    )


def _own_plan(selection_id: str) -> tuple[int, str] | None:
    with door.current().read() as execute:
        return selections.plan_of(execute, selection_id)


def _rung(rungs: list[Rung], grades: Sequence[str]) -> Rung | None:
    """Return the least dear rung on offer, of the grades asked for where there are any."""
    return offers.least_dear([rung for rung in rungs if not grades or rung.grade["code"] in grades])


def _side(
    item: Sku, name: str, rung: Rung | None, *, plan: Plan | None, known: Tariffs, wanted: ComparisonWanted
) -> ComparedDevice:
    offer = rung.offer if rung else None
    totals = refusal = None
    if plan is not None and offer is not None and plans_here([plan], item):
        cents = offer.all_in_cents
        answer = known.answer(plan, device_cents=cents, acquisition=wanted.acquisition, with_fix=False)
        refusal = answer.reasons[0] if answer.reasons else None
        if answer.is_eligible:
            totals = line_totals(Line(quantity=1, device_cents=cents, plan=known.terms[plan.plan_id], options=()))
    return ComparedDevice(
        item=item,
        name=name,
        rung=rung,
        totals=totals,
        refusal=refusal,
        address=forms.with_query(
            f"/sku/{item['sku']}",
            grade=rung.grade["code"] if rung else None,
            plan=wanted.plan_id,
            acquisition=wanted.told_acquisition,
            s=wanted.selection_id,
        ),
        without=wanted.address(codes=tuple(code for code in wanted.codes if code != item["sku"])),
        instead=wanted.address(instead_of=item["sku"]),
    )


def _names(items: Sequence[Sku]) -> list[str]:
    """Return the shortest names that tell these devices apart: model, then capacity, then colour, then code."""
    language = door.visitor().language
    parts: tuple[Callable[[Sku], str], ...] = (
        lambda item: languages.storage(item["storage_gb"], language),
        lambda item: LOCALES[language].inside(languages.text_of(item["color"]["name"], language)) if item["color"] else "",
        lambda item: item["sku"],
    )
    names = [item["model"] for item in items]
    for part in parts:
        times = Counter(names)
        names = [f"{name} {part(item)}".strip() if times[name] > 1 else name for name, item in zip(names, items, strict=True)]
    return names


def _rows(sides: Sequence[ComparedDevice], *, has_plan: bool) -> list[ComparedFact]:
    """Return one row for each fact known of a device: of its offer, of the plan with it, then of the device."""
    offered: list[tuple[str, Callable[[Offer], Any]]] = [
        ("battery_pct", lambda offer: offer.battery_pct),
        ("delivery_days", lambda offer: offer.delivery_days),
        ("warranty_months", lambda offer: offer.warranty_months),
    ]
    reckoned: list[tuple[str, Callable[[Totals], int]]] = [
        ("due_today_cents", lambda totals: totals.due_today_cents),
        ("monthly_cents", lambda totals: totals.monthly_now_cents),
        ("total_cents", lambda totals: totals.total_cents),
    ]
    rows = [_row("grade", [side.rung.grade["name"] if side.rung and side.rung.offer else None for side in sides])]
    # Totals over unlike months are no comparison.
    if has_plan and len({side.totals.horizon_months for side in sides if side.totals}) == 1:
        rows += [_row(kind, [read(side.totals) if side.totals else None for side in sides]) for kind, read in reckoned]
    rows += [_row(kind, [read(side.offer) if side.offer else None for side in sides]) for kind, read in offered]
    rows.append(_row("color", [side.item["color"]["name"] if side.item["color"] else None for side in sides]))
    rows += _spec_rows([side.item for side in sides])
    rows.append(_row("co2", [claims.co2_avoided(side.item["category"]) for side in sides]))
    return [row for row in rows if any(value is not None for value in row.values)]


def _row(kind: str, values: Sequence[Any], *, words: str = "") -> ComparedFact:
    return ComparedFact(kind=kind, label=words, values=tuple(values), best=differences.best_places(kind, values))


def _spec_rows(items: Sequence[Sku]) -> list[ComparedFact]:
    """Return the specifications worth comparing in words, in the order of their categories, and those that need their source."""
    facts = [facts_of(item) for item in items]
    rows = []
    for key in dict.fromkeys(key for item in items for key in item["category"].get("compare") or LABELS if key in LABELS):
        values = [each.get(key) for each in facts]
        written = tuple(spec_value(key, value) if value is not None else None for value in values)
        measured = [value if isinstance(value, int) else None for value in values]
        rows.append(ComparedFact(kind=key, label=label(key), values=written, best=differences.best_places(key, measured)))
    sourced = [sourced_specs(item) for item in items]
    for key in dict.fromkeys(key for each in sourced for key in each):
        values = [each[key].value if key in each else None for each in sourced]
        rows.append(
            ComparedFact(
                kind=key, label="", values=tuple(each.get(key) for each in sourced), best=differences.best_places(key, values)
            )
        )
    return rows


def _verdict(sides: Sequence[ComparedDevice], rows: Iterable[ComparedFact]) -> list[Advantage]:
    """Return what sets the devices apart; nothing of devices of different kinds, which nobody weighs against each other."""
    if len({side.item["category_id"] for side in sides}) > 1:
        return []
    facts = [facts_of(side.item) for side in sides]
    figures = {
        row.kind: row.values for row in rows if row.kind in ("price_cents", "total_cents", "warranty_months", "delivery_days")
    }
    specs = {key: tuple(each.get(key) for each in facts) for key in ("updates_until", "storage_gb", "weight_g")}
    return differences.verdict({**figures, **specs})


def _few_plans(plans: Sequence[Plan], plan: Plan | None) -> list[Plan | None]:
    """Return what to choose from: no plan, the first ones in HQ's order, and the one chosen."""
    return [None, *plans[:MOST_PLANS], *([plan] if plan is not None and plan not in plans[:MOST_PLANS] else [])]


def _grade_choice(grade: Grade | None, wanted: ComparisonWanted) -> ComparisonChoice:
    codes = (grade["code"],) if grade else ()
    return ComparisonChoice(
        of=grade, address=wanted.address(grades=codes), is_chosen={*codes} <= {*wanted.grades} if codes else not wanted.grades
    )


def _plan_choice(plan: Plan | None, wanted: ComparisonWanted) -> ComparisonChoice:
    plan_id = plan.plan_id if plan else WITHOUT_PLAN if wanted.selection_id else None
    is_chosen = (wanted.plan_id or None) == (plan_id or None)
    return ComparisonChoice(of=plan, address=wanted.address(plan_id=plan_id), is_chosen=is_chosen)


def _proposed(items: Sequence[Sku], wanted: ComparisonWanted) -> list[tuple[Card, str]] | None:
    """Return devices to add or to put in the place of one: those that the words find, else favourites of the kind and grades."""
    is_full = len(items) >= MAX_COMPARED and wanted.instead_of not in wanted.codes
    if is_full or not (wanted.adds or wanted.words or wanted.instead_of in wanted.codes):
        return None
    alike = (("category", (items[0]["category_id"],)), *([("grade", wanted.grades)] if wanted.grades else []))
    query = skus.Query(q=wanted.words, chosen=() if wanted.words else alike, among=door.visitor().categories)
    cards = skus.browse(door.catalog(), query, limit=MOST_PROPOSED + len(items)).cards
    new = [card for card in cards if card["sku"] not in wanted.codes]
    return [(card, wanted.with_device(card["sku"])) for card in new[:MOST_PROPOSED]]
