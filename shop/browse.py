"""Browsing and searching: one list, narrowed by what the address says, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from pos import offers, skus
from pos.amounts import read_amount
from pos.errors import Invalid
from shop import door, forms, web

routes = Blueprint("browse", __name__)

PAGE = 18
MOST_WORDS = 80
MOST_PRICE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a list can be narrowed by."""

    categories: list[skus.CategoryChoice]
    brands: list[skus.BrandChoice]
    storages: list[skus.StorageChoice]
    grades: list[offers.Grade]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a list shows: the cards found, what was asked, the parameters that ask it again, and those that any kind keeps."""

    found: skus.Page
    query: skus.Query
    parameters: dict[str, Any]
    and_kept: str


@routes.get("/browse")
def browse() -> Response:
    """Show the list with everything that narrows it; a price nobody can read narrows nothing and is said beside its field."""
    query, parameters, misread = _query()
    narrowing = Narrowing(**skus.facets(door.catalog(), query.category, query.among), grades=offers.grades(door.catalog()))
    shown = _results(query, parameters)
    return web.page("shop/browse.html", status=400 if misread else 200, results=shown, narrowing=narrowing, misread=misread)


@routes.get("/browse/results")
def results() -> Response:
    """Show the list alone, while somebody types, and what is said beside the prices."""
    query, parameters, misread = _query()
    response = web.fragment("shop/browse.html", "results", results=_results(query, parameters), misread=misread, beside=True)
    response.headers["HX-Replace-Url"] = forms.with_query("/browse", **parameters)
    return response


@routes.get("/browse/more")
def more() -> Response:
    """Show the next cards alone."""
    query, parameters, _ = _query()
    return web.fragment("shop/browse.html", "cards", results=_results(query, parameters))


def _results(query: skus.Query, parameters: dict[str, Any]) -> Results:
    kept = {name: value for name, value in parameters.items() if name not in ("category", "brand", "storage")}
    return Results(
        found=skus.browse(door.catalog(), query, limit=PAGE),
        query=query,
        parameters=parameters,
        and_kept=forms.with_query("", **kept).replace("?", "&", 1),
    )


def _query() -> tuple[skus.Query, dict[str, Any], list[str]]:
    """Return what is asked, the parameters that ask it again, and what was typed for a price and is none. Raises: Invalid."""
    asked = request.args
    grade = asked.get("grade", "").strip().upper()
    sort = asked.get("sort", "popular")
    if sort not in skus.SORTS:
        raise Invalid("not an order", field="sort")
    prices, misread = _prices()
    query = skus.Query(
        q=asked.get("q", "").strip()[:MOST_WORDS],
        category=asked.get("category") or None,
        brand=asked.get("brand") or None,
        grade_id=_grade_id(grade),
        min_cents=prices["min"],
        max_cents=prices["max"],
        storage_gb=forms.number_in(asked, "storage"),
        sort=sort,
        after=asked.get("after") or None,
        among=door.visitor().categories,
    )
    parameters = {
        "q": query.q,
        "category": query.category,
        "brand": query.brand,
        "grade": grade if query.grade_id else None,
        "min": asked.get("min", "").strip() or None,
        "max": asked.get("max", "").strip() or None,
        "storage": query.storage_gb,
        "sort": sort if sort != "popular" else None,
        "s": asked.get("s") or None,
    }
    return query, parameters, misread


def _grade_id(code: str) -> int | None:
    if not code:
        return None
    for grade in offers.grades(door.catalog()):
        if grade["code"] == code:
            return int(grade["grade_id"])
    raise Invalid("not a grade", field="grade")


def _prices() -> tuple[dict[str, int | None], list[str]]:
    """Return the bounds asked for, and what was typed for one and cannot be read."""
    bounds: dict[str, int | None] = {}
    misread = []
    for name in ("min", "max"):
        try:
            bounds[name] = _cents(name)
        except Invalid:
            bounds[name] = None
            misread.append(request.args[name].strip()[:MOST_PRICE])
    return bounds, misread


def _cents(name: str) -> int | None:
    """Read an amount of the address as people type it. Raises: Invalid."""
    text, visitor = request.args.get(name, "").strip(), door.visitor()
    return read_amount(text, currency=visitor.currency, language=visitor.language) if text else None
