"""`/` and `/home`: the shop's first page at home, where a search, the categories, and the way in with a slip stand."""

from __future__ import annotations

from flask import Blueprint, Response

from pos import skus
from shop import door, web

routes = Blueprint("home", __name__)


@routes.get("/")
@routes.get("/home")
def home() -> Response:
    """Show the search and the categories of the visitor's market."""
    catalog = door.catalog()
    published = catalog.execute("select value from catalog_fact where name = 'published_at'").fetchone()
    return web.page(
        "marketplace/home.html",
        categories=skus.facets(catalog, None)["categories"],
        published_at=published[0] if published else None,
    )
