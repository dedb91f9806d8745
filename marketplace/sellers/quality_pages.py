"""`/seller/quality`: a seller's figures beside the thresholds; `/console/quality`: the thresholds, and new ones from a day on."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, row, run_tx
from marketplace.sellers.guard import signed_in_seller
from marketplace.sellers.quality import QualityFigures, newest_figures
from marketplace.sellers.quality_rules import BOUNDS, QualityRules, RulesRefused, add_rules, every_rules, rules_of
from marketplace.web import marketplace, see_other
from pos import clock
from shop.web import render_template

desk_pages = Blueprint("quality", __name__)
console_pages = Blueprint("quality", __name__, url_prefix="/quality")


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityView:
    """A seller's figures of the last night, None before the first, the rules of today, and what is ordered and not shipped."""

    figures: QualityFigures | None
    rules: QualityRules
    open_units: int

    @property
    def broken(self) -> list[str]:
        """The thresholds that are passed."""
        return self.figures.broken(self.rules) if self.figures else []


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesPage:
    """All rules, the latest first; `fields` are those that could not be taken, `today` the day from which none may begin."""

    rules: list[QualityRules]
    bounds: dict[str, tuple[int, int]]
    today: str
    fields: list[str]


@desk_pages.get("/quality")
def page() -> str:
    """Show the figures of the last night."""
    with reading(marketplace().engine) as connection:
        view = quality_of(connection, signed_in_seller().seller_id)
    return render_template("marketplace/sellers/quality.html", page=view)


@console_pages.get("")
def rules() -> str:
    """Show the rules there were, are and will be."""
    return _rules([])


@console_pages.post("")
def new_rules() -> Response | tuple[str, int]:
    """Add rules from a later day on."""
    now = clock.now()
    try:
        run_tx(marketplace().engine, lambda connection: add_rules(connection, request.form, now=now))
    except RulesRefused as problem:
        return _rules(problem.data["fields"]), problem.status
    return see_other("console.quality.rules")


def quality_of(connection: Connection, seller_id: int) -> QualityView:
    """Return how well a seller serves."""
    query = "select coalesce(sum(reserved), 0) as units from listing where seller_id = :seller_id"
    ordered = row(connection, query, seller_id=seller_id)
    return QualityView(
        figures=newest_figures(connection, seller_id),
        rules=rules_of(connection, clock.to_text(clock.now())[:10]),
        open_units=int(ordered["units"]) if ordered else 0,
    )


def _rules(fields: list[str]) -> str:
    with reading(marketplace().engine) as connection:
        page = RulesPage(rules=every_rules(connection), bounds=BOUNDS, today=clock.to_text(clock.now())[:10], fields=fields)
    return render_template("marketplace/sellers/quality_rules.html", page=page)
