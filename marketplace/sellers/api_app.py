"""The sellers' API as one WSGI app of its own: made when somebody first asks, since its libraries take half a second to load."""

from __future__ import annotations

from flask import Flask

from marketplace.sellers import api_imports, api_listings, api_money, api_orders
from marketplace.sellers.api import new_api
from marketplace.web import Marketplace


def create_api(here: Marketplace) -> Flask:
    """Return the API over a marketplace."""
    return new_api(here, api_imports.routes, api_listings.routes, api_money.routes, api_orders.routes)
