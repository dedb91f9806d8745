"""A customer's selection in a clerk's hands: taken over by its short code, composed, made into a slip, or handed back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Blueprint, Response, g, request
from sqlite_utils import Database

from kiosk import files
from kiosk.counter.sessions import for_clerks
from kiosk.slips import issue
from pos import clock, helps, offers, plans, selections, skus
from pos.acquisitions import read_acquisition
from pos.errors import Invalid
from pos.helps import Help
from pos.line_facts import Wish
from pos.plans import Plan
from pos.selections import Priced
from pos.skus import Card, Query
from pos.team import team
from shop import forms, web
from shop.door import visitor

routes = Blueprint("counter_selections", __name__, url_prefix="/counter/selections")

MOST_CARDS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedGrade:
    """A grade in which a device can be added, its listing and all-in cents."""

    name: dict[str, str]
    listing_id: int
    all_in_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSearch:
    """What the clerk looks for, and the devices found with the grades they are offered in, the plainest first."""

    q: str
    devices: list[tuple[Card, list[OfferedGrade]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterSelectionPage:
    """A selection at today's prices. `help` is who has or had it, `helper` their name; who has it alone may change it."""

    priced: Priced
    code: str
    help: Help | None
    is_mine: bool
    helper: str
    plans: list[Plan]
    finding: DeviceSearch

    @property
    def plan_names(self) -> dict[int, dict[str, str]]:
        """Names of the plans by id."""
        return {plan.plan_id: plan.body["name"] for plan in self.plans}


@routes.post("")
@for_clerks
def start() -> Response:
    """Start a selection for somebody who has none."""
    with files.ops_store().write() as ops:
        selection_id = selections.start_selection(ops.execute, now=clock.now())
        helps.take(ops, selection_id, g.clerk["clerk_id"], now=clock.now())
    return _at(selection_id)


@routes.get("/<selection_id>")
@for_clerks
def selection(selection_id: str) -> Response:
    """Show a selection, and what can be added to it."""
    ops, catalog = files.ops(), files.catalog()
    known, q = helps.help_with(ops, selection_id), request.args.get("q", "").strip()
    partner_id = visitor().partner_id
    page = CounterSelectionPage(
        priced=selections.priced_selection(ops.execute, catalog, selection_id, now=clock.now(), zone=visitor().time_zone),
        code=helps.short_code(selection_id),
        help=known,
        is_mine=known is not None and known.is_going_on and known.helped_by == g.clerk["clerk_id"],
        helper=_name_of(known),
        plans=[plan for plan in plans.plans(catalog) if partner_id in (None, plan.partner_id)],
        finding=DeviceSearch(q=q, devices=_found(catalog, q) if q else []),
    )
    return web.page("kiosk/counter/selection.html", page=page)


@routes.post("/<selection_id>/help")
@for_clerks
def take(selection_id: str) -> Response:
    """Take a selection over; one that another clerk has is taken by saying from whom (`instead_of`)."""
    with files.ops_store().write() as ops:
        helps.take(ops, selection_id, g.clerk["clerk_id"], instead_of=request.form.get("instead_of", ""), now=clock.now())
    return _at(selection_id)


@routes.post("/<selection_id>/help/end")
@for_clerks
def hand_back(selection_id: str) -> Response:
    """Hand a selection back to its customer."""
    with files.ops_store().write() as ops:
        helps.hand_back(ops, selection_id, g.clerk["clerk_id"], now=clock.now())
    return web.see_other("/counter/")


@routes.post("/<selection_id>/lines")
@for_clerks
def add_line(selection_id: str) -> Response:
    """Add a device."""
    form = request.form
    wish = Wish(listing_id=forms.number_in(form, "listing"), seen_cents=forms.number_in(form, "seen"))
    with _own(selection_id) as ops:
        selections.add_line(ops.execute, files.catalog(), selection_id, wish=wish, now=clock.now())
    return _at(selection_id)


@routes.post("/<selection_id>/lines/<int:line_no>")
@for_clerks
def change_line(selection_id: str, line_no: int) -> Response:
    """Give a line another plan, way or quantity."""
    acquisition = read_acquisition(request.form.get("acquisition", "new"))
    if acquisition is None:
        raise Invalid("not a way to get a number", field="acquisition")
    with _own(selection_id) as ops:
        helps.change_line(
            ops.execute,
            files.catalog(),
            selection_id,
            line_no,
            plan_id=forms.number_in(request.form, "plan"),
            acquisition=acquisition,
            quantity=forms.number_in(request.form, "qty") or 1,
            now=clock.now(),
        )
    return _at(selection_id)


@routes.post("/<selection_id>/lines/<int:line_no>/removal")
@for_clerks
def remove_line(selection_id: str, line_no: int) -> Response:
    """Take a line away."""
    with _own(selection_id) as ops:
        selections.remove_line(ops.execute, selection_id, line_no, now=clock.now())
    return _at(selection_id)


@routes.post("/<selection_id>/lines/<int:line_no>/acceptance")
@for_clerks
def accept_line(selection_id: str, line_no: int) -> Response:
    """Take today's price, or the offer that stands in, for a line that changed."""
    with _own(selection_id) as ops:
        selections.accept_line(ops.execute, files.catalog(), selection_id, line_no, now=clock.now())
    return _at(selection_id)


@routes.post("/<selection_id>/slip")
@for_clerks
def issue_slip(selection_id: str) -> Response:
    """Make the slip, in the clerk's name, and open it for its paper."""
    slip = issue(selection_id, clerk_id=g.clerk["clerk_id"])
    return web.see_other(f"/counter/slips/{slip.number}")


@contextmanager
def _own(selection_id: str) -> Iterator[Database]:
    """Lend the writer for a change to a selection this clerk has. Raises: NotFound, SelectionHelped."""
    with files.ops_store().write() as ops:
        helps.check_has(ops, selection_id, g.clerk["clerk_id"])
        yield ops


def _name_of(known: Help | None) -> str:
    """Return the name of who helps; the id of somebody who is of this corner no more."""
    if known is None:
        return ""
    people = {member["clerk_id"]: member["name"] for member in team(files.ops(), files.corner())}
    return people.get(known.helped_by, known.helped_by)


def _at(selection_id: str) -> Response:
    return web.see_other(f"/counter/selections/{selection_id}")


def _found(catalog: Database, q: str) -> list[tuple[Card, list[OfferedGrade]]]:
    """Return the devices that the words find, each with what it can be added as."""
    cards = skus.browse(catalog, Query(q=q), limit=MOST_CARDS).cards
    names = {grade["grade_id"]: grade["name"] for grade in offers.grades(catalog)}
    grades: dict[int, list[OfferedGrade]] = {card["sku_id"]: [] for card in cards}
    for sku_id, grade_id, listing_id, all_in_cents in catalog.execute(
        """
        select sku_id, grade_id, listing_id, all_in_cents from offer
        where sku_id in (select value from json_each(?)) order by all_in_cents
        """,
        [json.dumps(list(grades))],
    ):
        grades[sku_id].append(OfferedGrade(name=names[grade_id], listing_id=listing_id, all_in_cents=all_in_cents))
    return [(card, grades[card["sku_id"]]) for card in cards]
