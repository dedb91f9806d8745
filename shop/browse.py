"""Browsing and searching: one list, narrowed by what the address says, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from pos import clock, facets, offers, skus
from pos.amounts import read_amount
from pos.errors import Invalid
from pos.finder.conditions import HOLDS, SWITCHES
from pos.finder.conditions import NUMBERS as NUMBERS_HELD
from shop import door, forms, scans, web
from shop.facets import Narrowing, holds_of, narrowing

routes = Blueprint("browse", __name__)

PAGE = 18
MOST_WORDS = 80
MOST_PRICE = 20
MOST_VALUES = 24
"""So many values of a facet are asked for at once."""
LONGEST_VALUE = 60
MOST_HELD, LONGEST_HELD = 60, 120
NUMBERS = frozenset({"storage", "ram_gb", "screen_tenths_in", "case_mm", "capacity_l"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a list shows: the cards found, what was asked, the parameters that ask it again, and what it can be narrowed to.

    `misread` is what was typed for a price and is none.
    """

    found: skus.Page
    query: skus.Query
    parameters: dict[str, Any]
    narrowing: Narrowing | None
    misread: list[str]


@routes.get("/browse")
def browse() -> Response:
    """Show the list with everything that narrows it; a price nobody can read narrows nothing and is said beside its field.

    A code typed or scanned into the search field leads to its device.
    """
    if address := scans.page_of(request.args.get("q", "")):
        return web.see_other(address)
    shown = _results(is_whole=True)
    return web.page("shop/browse.html", status=400 if shown.misread else 200, results=shown)


@routes.get("/browse/results")
def results() -> Response:
    """Show the list alone, while somebody types or chooses, and what it can be narrowed to from there."""
    if address := scans.page_of(request.args.get("q", "")):
        return Response(headers={"HX-Redirect": address})
    shown = _results(is_whole=True)
    response = web.fragment("shop/browse.html", "results", results=shown, beside=True)
    response.headers["HX-Replace-Url"] = forms.with_query("/browse", **shown.parameters)
    return response


@routes.get("/browse/more")
def more() -> Response:
    """Show the next cards alone."""
    return web.fragment("shop/browse.html", "cards", results=_results(is_whole=False))


def _results(*, is_whole: bool) -> Results:
    query, parameters, misread = _query()
    return Results(
        found=skus.browse(door.catalog(), query, limit=PAGE),
        query=query,
        parameters=parameters,
        narrowing=narrowing(query, parameters) if is_whole else None,
        misread=misread,
    )


def _query() -> tuple[skus.Query, dict[str, Any], list[str]]:
    """Return what is asked, the parameters that ask it again, and what was typed for a price and is none. Raises: Invalid."""
    asked = request.args
    sort = asked.get("sort", "popular")
    if sort not in skus.SORTS:
        raise Invalid("not an order", field="sort")
    chosen = {name: values for name in facets.NAMES if (values := _values(name))}
    held = _held()
    typed, prices, misread = _prices()
    query = skus.Query(
        q=asked.get("q", "").strip()[:MOST_WORDS],
        chosen=tuple(chosen.items()),
        hold=tuple(held.items()),
        min_cents=prices["min"],
        max_cents=prices["max"],
        sort=sort,
        after=asked.get("after") or None,
        among=door.visitor().categories,
        table=door.current().table(),
        year=clock.now().year if sort == "value" else 0,
    )
    parameters = {
        "q": query.q,
        **chosen,
        "hold": holds_of(held.items()),
        "min": typed["min"],
        "max": typed["max"],
        "sort": sort if sort != "popular" else None,
        "s": asked.get("s") or None,
    }
    return query, parameters, misread


def _values(name: str) -> tuple[str, ...]:
    """Return the values of a facet that are asked for, each once. Raises: Invalid."""
    typed = [text.strip()[:LONGEST_VALUE] for text in request.args.getlist(name)[:MOST_VALUES]]
    values = tuple(dict.fromkeys(text for text in typed if text))
    if name in NUMBERS:
        return tuple(str(forms.whole(text, name)) for text in values)
    if name == "grade":
        values = tuple(text.upper() for text in values)
        if not {*values} <= {grade["code"] for grade in offers.grades(door.catalog())}:
            raise Invalid("not a grade", field="grade")
    return values


def _held() -> dict[str, tuple[str, ...]]:
    """Return the conditions that no facet tells, `key:value` each. Raises: Invalid."""
    held: dict[str, tuple[str, ...]] = {}
    for said in dict.fromkeys(request.args.getlist("hold")[:MOST_HELD]):
        key, _, text = said[:LONGEST_HELD].partition(":")
        if key not in HOLDS or not text or (key in SWITCHES and text not in ("true", "false")):
            raise Invalid("not a condition", field="hold")
        held[key] = (*held.get(key, ()), str(forms.whole(text, "hold")) if key in NUMBERS_HELD else text)
    return held


def _bound(name: str) -> str | None:
    """Return what is asked for a price; nothing where a slider stands at the end it was drawn with, which the form says too."""
    typed = request.args.get(name, "").strip()
    return None if typed in request.args.getlist(f"{name}_end") else typed or None


def _prices() -> tuple[dict[str, str | None], dict[str, int | None], list[str]]:
    """Return the bounds as typed, in cents, and what was typed for one and cannot be read; sliders may have crossed."""
    typed = {name: _bound(name) for name in ("min", "max")}
    bounds: dict[str, int | None] = {}
    misread = []
    visitor = door.visitor()
    for name, text in typed.items():
        try:
            bounds[name] = read_amount(text, currency=visitor.currency, language=visitor.language) if text else None
        except Invalid:
            bounds[name] = None
            misread.append((text or "")[:MOST_PRICE])
    if bounds["min"] is not None and bounds["max"] is not None and bounds["min"] > bounds["max"]:
        typed["min"], typed["max"] = typed["max"], typed["min"]
        bounds["min"], bounds["max"] = bounds["max"], bounds["min"]
    return typed, bounds, misread
