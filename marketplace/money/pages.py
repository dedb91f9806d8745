"""`/console/money`: the trial balance at any date, what clearing accounts still hold, an account's lines, adjustments."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import new_id, reading, rows, run_tx
from marketplace.money.accounts import ACCOUNTS, Account
from marketplace.money.adjustments import Adjustment, adjust, newest_adjustments
from marketplace.money.days import end_of_day
from marketplace.money.ledger import (
    Balance,
    LedgerLine,
    OpenParty,
    UnexplainedEntry,
    differences,
    lines_of,
    open_parties,
    trial_balance,
)
from marketplace.web import marketplace, see_other
from pos import clock
from pos.amounts import read_amount
from pos.currencies import DECIMALS
from pos.errors import Invalid, NotFound
from shop import door
from shop.forms import whole
from shop.web import render_template

pages = Blueprint("money", __name__, url_prefix="/money")


@dataclass(frozen=True, slots=True)
class BalancePage:
    """The trial balance at the end of a day: `totals` are debits and credits by currency, equal where all adds up."""

    on: str
    balances: list[Balance]
    totals: dict[str, tuple[int, int]]
    accounts: dict[str, Account]


@dataclass(frozen=True, slots=True)
class ClearingPage:
    """What clearing accounts hold, and entries that do not add up."""

    open: list[OpenParty]
    differences: list[UnexplainedEntry]


@dataclass(frozen=True, slots=True)
class AccountPage:
    """The newest lines of an account, of one party where one is asked for."""

    account: str
    on: str
    party: str | None
    lines: list[LedgerLine]


@dataclass(frozen=True, slots=True)
class AdjustmentsPage:
    """Adjustments, the sellers one can be made for, and the id the form will send."""

    adjustments: list[Adjustment]
    sellers: dict[int, str]
    currencies: list[str]
    adjustment_id: str


@pages.get("")
def balance() -> str:
    """Show the trial balance at the end of today or of the day asked for."""
    on = _day()
    with reading(marketplace().engine) as connection:
        balances = trial_balance(connection, until=end_of_day(on))
    totals = {currency: _totals(balances, currency) for currency in sorted({each.currency for each in balances})}
    return render_template("marketplace/money/balance.html", page=BalancePage(on, balances, totals, ACCOUNTS))


@pages.get("/clearing")
def clearing() -> str:
    """Show what clearing accounts still hold, party by party, and entries that do not add up."""
    with reading(marketplace().engine) as connection:
        page = ClearingPage(open_parties(connection), differences(connection))
    return render_template("marketplace/money/clearing.html", page=page)


@pages.get("/accounts/<account>")
def account_page(account: str) -> str:
    """Show the newest lines of an account."""
    if account not in ACCOUNTS:
        raise NotFound("no account has this name")
    on, party = _day(), request.args.get("party")
    with reading(marketplace().engine) as connection:
        lines = lines_of(connection, account, party=party, until=end_of_day(on))
    return render_template("marketplace/money/account.html", page=AccountPage(account, on, party, lines))


@pages.get("/adjustments")
def adjustments() -> str:
    """Show the newest adjustments and the form of the next."""
    with reading(marketplace().engine) as connection:
        page = AdjustmentsPage(newest_adjustments(connection), seller_names(connection), _currencies(connection), new_id())
    return render_template("marketplace/money/adjustments.html", page=page)


@pages.post("/adjustments")
def make_adjustment() -> Response:
    """Give a seller something or take it, with the reason its statement shows."""
    form = request.form
    currency = currency_in(form.get("currency", ""))
    cents = read_amount(form.get("amount", ""), currency=currency, language=door.visitor().language)
    adjustment = Adjustment(
        seller_id=whole(form.get("seller", ""), "seller"),
        adjustment_id=form.get("adjustment_id", "")[:40] or new_id(),
        currency=currency,
        amount_cents=-cents if form.get("way") == "against" else cents,
        reason=form.get("reason", "").strip()[:200],
        at=clock.to_text(clock.now()),
    )
    run_tx(marketplace().engine, lambda connection: adjust(connection, adjustment))
    return see_other("console.money.adjustments")


def seller_names(connection: Connection) -> dict[int, str]:
    """Return the names of all sellers by their number."""
    found = rows(connection, "select seller_id, body from seller order by seller_id")
    return {seller["seller_id"]: name_in(seller["body"]) or str(seller["seller_id"]) for seller in found}


def currency_in(text: str) -> str:
    """Return the currency that a form names. Raises: Invalid."""
    if text not in DECIMALS:
        raise Invalid("not a currency of ours", field="currency")
    return text


def name_in(body: str) -> str:
    """Return the name in the body of a row, which an earlier version may have let in without one."""
    name = json.loads(body).get("name")
    return name if isinstance(name, str) else ""


def _currencies(connection: Connection) -> list[str]:
    bodies = (json.loads(market["body"]) for market in rows(connection, "select body from market"))
    return sorted({body["currency"] for body in bodies}) or ["EUR"]


def _day() -> str:
    return request.args.get("on", "").strip() or clock.local_day(clock.now(), clock.HOME_ZONE)


def _totals(balances: list[Balance], currency: str) -> tuple[int, int]:
    amounts = [each.cents for each in balances if each.currency == currency]
    return sum(cents for cents in amounts if cents > 0), -sum(cents for cents in amounts if cents < 0)
