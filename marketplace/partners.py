"""`/p/<partner>`: a partner's entry of the shop, as it would stand on the partner's own site.

A visit that entered here sees the shop's own addresses with the partner's name, colours, categories and plans alone. All of it is
a row of the catalogue: a partner is data.
"""

from __future__ import annotations

from flask import Blueprint, Response

from marketplace import home
from marketplace.door import MARKET_COOKIE, PARTNER_COOKIE, visited_partner
from pos.errors import NotFound
from shop import door

routes = Blueprint("partners", __name__)

YEAR_S = 31_536_000


@routes.get("/p/<partner>")
def entry(partner: str) -> Response:
    """Show the first page of a partner's shop and let the visit stay in it. Raises: NotFound."""
    shop = visited_partner()
    if shop is None:
        raise NotFound("no such partner", partner=partner)
    response = home.home()
    response.set_cookie(PARTNER_COOKIE, shop.partner_id, samesite="Lax", httponly=True)
    response.set_cookie(MARKET_COOKIE, door.current().market(), max_age=YEAR_S, samesite="Lax", httponly=True)
    return response
