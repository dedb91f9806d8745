"""`/seller/money`: what a seller is owed, what it was paid, its statements and our invoices."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from marketplace.db import reading
from marketplace.money.payouts import Payout, payouts_of
from marketplace.money.statement_files import statement_as_csv, statement_as_pdf, statement_days, statement_in
from marketplace.money.statements import Statement, first_due_on
from marketplace.papers.fee_invoice_pages import desk_fee_invoices
from marketplace.papers.fee_invoices import FeeInvoice, newest_fee_invoices
from marketplace.sellers.guard import desk_role, signed_in_seller
from marketplace.web import marketplace
from pos import clock
from shop.web import render_template

money = Blueprint("money", __name__, url_prefix="/money")
money.register_blueprint(desk_fee_invoices)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskMoneyPage:
    """The statement of the running period, the payouts, our invoices, and the days with which statements end."""

    running: Statement
    payouts: list[Payout]
    fee_invoices: list[FeeInvoice]
    days: list[str]


@money.get("")
@desk_role("owner")
def home() -> str:
    """Show what is owed and what was paid."""
    seller_id = signed_in_seller().seller_id
    days = statement_days(clock.local_day(clock.now(), clock.HOME_ZONE))
    with reading(marketplace().engine) as connection:
        running = statement_in(connection, seller_id, days[0])
        first = first_due_on(connection, seller_id, running.currency)
        days = [day for day in days if day == running.day or first <= day]
        payouts, invoices = payouts_of(connection, seller_id), newest_fee_invoices(connection, seller_id)
    page = DeskMoneyPage(running=running, payouts=payouts, fee_invoices=invoices, days=days)
    return render_template("marketplace/money/desk_money.html", page=page)


@money.get("/statements/<day>")
@desk_role("owner")
def statement(day: str) -> str:
    """Show the statement of the period that ends with a day of payouts."""
    with reading(marketplace().engine) as connection:
        shown = statement_in(connection, signed_in_seller().seller_id, day)
    return render_template("marketplace/money/desk_statement.html", statement=shown)


@money.get("/statements/<day>/lines.csv")
@desk_role("owner")
def lines(day: str) -> Response:
    """Download a statement's lines."""
    with reading(marketplace().engine) as connection:
        return statement_as_csv(statement_in(connection, signed_in_seller().seller_id, day))


@money.get("/statements/<day>/statement.pdf")
@desk_role("owner")
def printed(day: str) -> Response:
    """Download a statement as PDF."""
    person = signed_in_seller()
    with reading(marketplace().engine) as connection:
        return statement_as_pdf(connection, statement_in(connection, person.seller_id, day), person.seller_name)
