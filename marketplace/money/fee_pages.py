"""`/console/fees`: the dated rules of fees, those in force, to come and over, and the form of the next."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import new_id, reading, rows, run_tx
from marketplace.money import fees
from marketplace.money.days import end_of_day, later
from marketplace.money.fees import FeeRule
from marketplace.money.pages import currency_in, seller_names
from marketplace.web import marketplace, see_other
from pos import clock
from pos.amounts import read_amount
from pos.errors import Invalid
from shop import door
from shop.forms import number_in
from shop.web import render_template

pages = Blueprint("fees", __name__, url_prefix="/fees")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeesPage:
    """Every rule, what a rule can be about, and the day and id the form will send."""

    rules: list[FeeRule]
    sellers: dict[int, str]
    categories: dict[str, dict[str, str]]
    markets: dict[str, str]
    today: str
    rule_id: str
    default_bp: int = fees.DEFAULT_BP

    @property
    def tomorrow(self) -> str:
        """The first day a new rule can start on."""
        return later(self.today, 1)


@pages.get("")
def listing() -> str:
    """Show the rules of fees."""
    with reading(marketplace().engine) as connection:
        page = FeesPage(
            rules=fees.rules(connection),
            sellers=seller_names(connection),
            categories={
                row["category_id"]: json.loads(row["body"])["name"]
                for row in rows(connection, "select category_id, body from category order by rank")
            },
            markets={
                row["market"]: json.loads(row["body"])["currency"]
                for row in rows(connection, "select market, body from market order by market")
            },
            today=_today(),
            rule_id=new_id(),
        )
    return render_template("marketplace/money/fees.html", page=page)


@pages.post("")
def make_rule() -> Response:
    """Add a rule that starts tomorrow or later."""
    form = request.form
    currency = currency_in(form.get("currency", ""))
    rule = FeeRule(
        rule_id=form.get("rule_id", "")[:40] or new_id(),
        name=form.get("name", "").strip().lower(),
        seller_id=number_in(form, "seller"),
        category_id=form.get("category") or None,
        market=form.get("market") or None,
        currency=currency,
        rate_bp=rate_bp(form.get("rate", "")),
        fixed_cents=_amount("fixed", currency) or 0,
        least_cents=_amount("least", currency),
        most_cents=_amount("most", currency),
        valid_from=_day("valid_from"),
        valid_to=_day("valid_to") if form.get("valid_to") else None,
    )
    now = clock.to_text(clock.now())
    run_tx(marketplace().engine, lambda connection: fees.add_rule(connection, rule, today=_today(), at=now))
    return see_other("console.fees.listing")


def _today() -> str:
    return clock.local_day(clock.now(), clock.HOME_ZONE)


def _day(name: str) -> str:
    day = request.form.get(name, "")
    end_of_day(day)
    return day


def _amount(name: str, currency: str) -> int | None:
    text = request.form.get(name, "").strip()
    return read_amount(text, currency=currency, language=door.visitor().language) if text else None


def rate_bp(text: str) -> int:
    """Return a share as people type it, `12,5`, in basis points. Raises: Invalid."""
    try:
        return read_amount(text.strip().rstrip("%").strip() or "0", currency="EUR", language=door.visitor().language)
    except Invalid:
        raise Invalid("not a share", field="rate") from None
