"""`/how-it-works` and `/grades`: what refurbished means here, what protects whoever orders, what it spares, and who earns what.

Invariant: every figure comes from the catalogue's grades, laws and sourced emissions; where a market has none, nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from pos import claims, offers
from pos.bodies import Names, read_body
from pos.claims import Co2
from pos.laws import Guarantees, guarantees, laws_on
from pos.offers import Grade
from shop import door, web

routes = Blueprint("how_it_works", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the page explains with: the grades, the plainest first, what the law promises, and categories with their figure.

    For `presumed_months` a defect counts as there from the start; None where the market has no such rule.
    """

    grades: list[Grade]
    promises: Guarantees
    presumed_months: int | None
    figures: list[tuple[Names, Co2]]


@routes.get("/how-it-works")
def how_it_works() -> Response:
    """Explain the grades, the guarantees, the emissions and the commission of the visitor's market."""
    catalog = door.catalog()
    bodies = [read_body(text) for (text,) in catalog.execute("select body from shown_category order by rank, category_id")]
    laws = laws_on(catalog, door.today())
    conformity = laws.get("legal_guarantee")
    explained = Explanation(
        grades=offers.grades(catalog),
        promises=guarantees(laws),
        presumed_months=conformity.get("presumed_months") if conformity else None,
        figures=[(body["name"], figure) for body in bodies if (figure := claims.co2_avoided(body))],
    )
    return web.page("shop/how_it_works.html", explained=explained)


@routes.get("/grades")
def grades() -> Response:
    """Show what each grade looks like, the plainest first."""
    return web.page("shop/grades.html", grades=offers.grades(door.catalog()))
