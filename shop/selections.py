"""The selection: its own address, its lines, its totals.

Writes answer 303 to the selection's page. What changed between page and tap is said, with today's offer one tap away.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request
from sqlite_utils import Database

from pos import clock, plans, selections, skus, totals
from pos.acquisitions import ACQUISITIONS
from pos.errors import Invalid, TooManyLines
from pos.line_facts import Wish
from pos.months import Span, runs
from pos.plans import Plan
from pos.selections import Priced
from pos.skus import Sku
from pos.throttle import Execute
from pos.tokens import MAX_LINES
from shop import door, forms, web

routes = Blueprint("selections", __name__)

CHART_HEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionPage:
    """A selection at today's prices, its months as columns of a chart, devices and plans by id.

    `described` holds the lines of a selection that only its address describes.
    """

    priced: Priced
    months: list[dict[str, int]]
    devices: dict[int, Sku]
    plans: dict[int, Plan]
    described: list[str]

    @property
    def spans(self) -> tuple[Span, ...]:
        """Monthly amounts and how long each lasts."""
        return runs(month["cents"] for month in self.months)

    @property
    def is_uneven(self) -> bool:
        """Tell whether the months differ, which a picture shows at a glance."""
        return len({month["cents"] for month in self.months}) > 1


@routes.post("/selections")
def start_selection() -> Response:
    """Start a selection, with a first line when the form holds one, or with the lines `l` of one that was described."""
    now, market = clock.now(), door.current().market()
    wish = _wish()
    wishes = [*_described(request.form.getlist("l")), *([wish] if wish is not None else [])]

    def start(execute: Execute) -> str:
        selection_id = selections.start_selection(execute, now=now, market=market)
        for wish in wishes:
            selections.add_line(execute, door.catalog(), selection_id, wish=wish, now=now)
        return selection_id

    return web.see_other(f"/selections/{door.current().write(start)}")


@routes.get("/selections/new")
def new_selection() -> Response:
    """Show the selection that the address describes, and store nothing: `l` for each line, as `read_line` reads it."""
    wishes = list(enumerate(_described(request.args.getlist("l")), start=1))
    catalog = door.catalog()
    priced = selections.price(catalog, "", wishes, now=clock.now(), zone=door.visitor().time_zone)
    return _page(priced, described=request.args.getlist("l"))


@routes.get("/selections/<selection_id>")
def selection(selection_id: str) -> Response:
    """Show a selection at today's prices."""
    return _page(priced_now(door.catalog(), selection_id), described=[])


@routes.post("/selections/<selection_id>/lines")
def add_line(selection_id: str) -> Response:
    """Add a line to a selection."""
    wish = _wish()
    if wish is None:
        raise Invalid("a line needs a listing, a plan or an option")
    door.current().write(lambda execute: selections.add_line(execute, door.catalog(), selection_id, wish=wish, now=clock.now()))
    return web.see_other(f"/selections/{selection_id}")


@routes.delete("/selections/<selection_id>/lines/<int:line_no>")
@routes.post("/selections/<selection_id>/lines/<int:line_no>/removal")
def remove_line(selection_id: str, line_no: int) -> Response:
    """Take a line away; the POST is for forms, which know no DELETE."""
    door.current().write(lambda execute: selections.remove_line(execute, selection_id, line_no, now=clock.now()))
    return web.see_other(f"/selections/{selection_id}")


@routes.post("/selections/<selection_id>/lines/<int:line_no>/acceptance")
def accept_line(selection_id: str, line_no: int) -> Response:
    """Take today's price, or the offer that stands in, for a line that changed."""
    door.current().write(lambda execute: selections.accept_line(execute, door.catalog(), selection_id, line_no, now=clock.now()))
    return web.see_other(f"/selections/{selection_id}")


def _page(priced: Priced, *, described: list[str]) -> Response:
    catalog = door.catalog()
    ids = {offer.sku_id for line in priced.lines if (offer := line.offer or line.instead)}
    page = SelectionPage(
        priced=priced,
        months=_months(priced),
        devices={sku_id: skus.sku_by_id(catalog, sku_id) for sku_id in ids},
        plans={plan.plan_id: plan for plan in plans.plans(catalog)},
        described=described,
    )
    return web.page("shop/selections.html", page=page)


def priced_now(catalog: Database, selection_id: str) -> Priced:
    """Return a selection at today's prices. Raises: NotFound."""
    with door.current().read() as execute:
        zone = door.visitor().time_zone
        return selections.priced_selection(execute, catalog, selection_id, now=clock.now(), zone=zone)


def _described(texts: list[str]) -> list[Wish]:
    """Return the lines of an address. Raises: Invalid, TooManyLines."""
    if len(texts) > MAX_LINES:
        raise TooManyLines(most=MAX_LINES)
    return [read_line(text) for text in texts]


def read_line(text: str) -> Wish:
    """Read a line as an address describes it: `listing.plan.quantity.acquisition.options`, what is not there left empty.

    Options are joined by `-`: `101.2.1.new.3-4`, `.2.1.port.`. Raises: Invalid.
    """
    parts = text.split(".")
    if len(parts) != 5 or parts[3] not in ACQUISITIONS:
        raise Invalid("a line is listing.plan.quantity.acquisition.options", field="l")
    listing, plan, quantity = (forms.whole(part, "l") if part else None for part in parts[:3])
    options = tuple(forms.whole(part, "l") for part in parts[4].split("-")) if parts[4] else ()
    wish = Wish(
        listing_id=listing,
        plan_id=plan,
        option_ids=options,
        quantity=1 if quantity is None else quantity,
        acquisition=parts[3],
    )
    selections.check_form(wish)
    return wish


def describe_line(wish: Wish) -> str:
    """Return a line as an address describes it: what `read_line` reads."""
    listing, plan = ("" if number is None else str(number) for number in (wish.listing_id, wish.plan_id))
    return f"{listing}.{plan}.{wish.quantity}.{wish.acquisition}.{'-'.join(map(str, wish.option_ids))}"


def _wish() -> Wish | None:
    """Read a line from the form: `listing`, `plan`, `option` (repeated), `qty`, `acquisition`, `seen`. Raises: Invalid."""
    form = request.form
    quantity = forms.number_in(form, "qty")
    wish = Wish(
        listing_id=forms.number_in(form, "listing"),
        plan_id=forms.number_in(form, "plan"),
        option_ids=tuple(forms.whole(text, "option") for text in form.getlist("option")),
        quantity=1 if quantity is None else quantity,
        acquisition=form.get("acquisition", "new"),
        seen_cents=forms.number_in(form, "seen"),
    )
    is_empty = wish.listing_id is None and wish.plan_id is None and not wish.option_ids
    return None if is_empty else wish


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
