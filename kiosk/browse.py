"""Browsing and searching: one list, narrowed by what the address says, page by page."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, g, request

from kiosk import web
from pos import offers, skus
from pos.currencies import places
from pos.errors import Invalid

routes = Blueprint("browse", __name__)

PAGE = 18
MOST_WORDS = 80


@routes.get("/browse")
def browse() -> Response:
    """Show the list with everything that narrows it."""
    catalog = web.catalog()
    query, parameters = _query()
    facets = skus.facets(catalog, query)
    for kind in facets["categories"]:
        kind["is_chosen"] = kind["category_id"] == query.category
    return web.page("browse.html", facets=facets, grades=offers.grades(catalog), **_results(query, parameters))


@routes.get("/browse/results")
def results() -> Response:
    """Show the list alone, while somebody types."""
    query, parameters = _query()
    response = web.fragment("browse.html", "results", **_results(query, parameters))
    response.headers["HX-Replace-Url"] = web.with_query("/browse", **parameters)
    return response


@routes.get("/browse/more")
def more() -> Response:
    """Show the next cards alone."""
    query, parameters = _query()
    return web.fragment("browse.html", "cards", **_results(query, parameters))


def _results(query: skus.Query, parameters: dict[str, Any]) -> dict[str, Any]:
    found = skus.browse(web.catalog(), query, limit=PAGE)
    kept = {name: value for name, value in parameters.items() if name not in ("category", "brand", "storage")}
    return {
        "found": found,
        "cards": found.cards,
        "parameters": parameters,
        "query": query,
        "and_kept": web.with_query("", **kept).replace("?", "&", 1),
        "next_query": web.with_query("", **parameters, after=found.after) if found.after else "",
    }


def _query() -> tuple[skus.Query, dict[str, Any]]:
    """Return what is asked, and the parameters that ask it again. Raises: Invalid."""
    asked = request.args
    grade = asked.get("grade", "").strip().upper()
    sort = asked.get("sort", "popular")
    if sort not in skus.SORTS:
        raise Invalid("not an order", field="sort")
    query = skus.Query(
        q=asked.get("q", "").strip()[:MOST_WORDS],
        category=asked.get("category") or None,
        brand=asked.get("brand") or None,
        grade_id=_grade_id(grade),
        min_cents=_cents("min"),
        max_cents=_cents("max"),
        storage_gb=web.number_in(asked, "storage"),
        sort=sort,
        after=asked.get("after") or None,
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
    return query, parameters


def _grade_id(code: str) -> int | None:
    if not code:
        return None
    for grade in offers.grades(web.catalog()):
        if grade["code"] == code:
            return int(grade["grade_id"])
    raise Invalid("not a grade", field="grade")


def _cents(name: str) -> int | None:
    """Read an amount as people type it: `250`, `249.90`, `249,90`. Raises: Invalid."""
    text = re.sub(r"[\s\u00a0\u202f€$]", "", request.args.get(name, ""))
    if not text:
        return None
    width = places(g.currency)
    match = re.fullmatch(r"([0-9]{1,7})(?:[.,]([0-9]{1,3}))?", text)
    if match is None or len(match[2] or "") > width:
        raise Invalid(f"{name} is not an amount", field=name)
    return int(match[1] + (match[2] or "").ljust(width, "0"))
