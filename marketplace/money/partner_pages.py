"""`/console/partners`: what each partner owes for its plans, its statement of a month, and money that reached our bank."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as AnyResponse

from marketplace.db import new_id, reading, rows, run_tx
from marketplace.money.accounts import of_partner
from marketplace.money.days import end_of_day
from marketplace.money.ledger import held
from marketplace.money.pages import currency_in, name_in
from marketplace.money.receipts import BankReceipt, book_receipt
from marketplace.money.statements import PartnerStatement, partner_statement, statement_csv
from marketplace.papers.statement_prints import print_partner_statement
from marketplace.web import marketplace, see_other
from pos import clock
from pos.amounts import read_amount
from pos.errors import NotFound
from shop import door
from shop.web import render_template

pages = Blueprint("partners", __name__, url_prefix="/partners")


@dataclass(frozen=True, slots=True)
class PartnerDebt:
    """What a partner owes now, in the currency of its market."""

    partner_id: str
    name: str
    currency: str
    cents: int


@dataclass(frozen=True, slots=True)
class PartnersPage:
    """Every partner's debt, the month its statement is asked for, and the id the form will send."""

    debts: list[PartnerDebt]
    month: str
    receipt_id: str


@dataclass(frozen=True, slots=True)
class PartnerStatementPage:
    """One statement and whose it is."""

    name: str
    statement: PartnerStatement


@pages.get("")
def listing() -> str:
    """Show what each partner owes."""
    month = clock.local_day(clock.now(), clock.HOME_ZONE)[:7]
    with reading(marketplace().engine) as connection:
        page = PartnersPage(_debts(connection), month, new_id())
    return render_template("marketplace/money/partners.html", page=page)


@pages.get("/<partner_id>/statements/<month>")
def statement(partner_id: str, month: str) -> str:
    """Show a partner's statement of a month."""
    return render_template("marketplace/money/partner_statement.html", page=_statement(partner_id, month))


@pages.get("/<partner_id>/statements/<month>/lines.csv")
def statement_file(partner_id: str, month: str) -> Response:
    """Download a partner's statement of a month."""
    shown = _statement(partner_id, month).statement
    text = "\ufeff" + statement_csv(shown.currency, shown.lines)
    name = f"partner-{month}.csv"
    return Response(
        text, headers={"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}
    )


@pages.get("/<partner_id>/statements/<month>/statement.pdf")
def statement_pdf(partner_id: str, month: str) -> Response:
    """Download a partner's statement of a month as PDF."""
    page = _statement(partner_id, month)
    content = print_partner_statement(page.statement, page.name, language=door.visitor().language)
    headers = {"Content-Type": "application/pdf", "Content-Disposition": f'attachment; filename="partner-{month}.pdf"'}
    return Response(content, headers=headers)


@pages.post("/receipts")
def receipts() -> AnyResponse:
    """Book money that reached our bank, from a partner or from the payment provider."""
    form = request.form
    currency = currency_in(form.get("currency", ""))
    partner_id = form.get("partner", "")
    receipt = BankReceipt(
        receipt_id=form.get("receipt_id", "")[:40] or new_id(),
        source="partner" if partner_id else "provider",
        partner_id=partner_id,
        currency=currency,
        cents=read_amount(form.get("amount", ""), currency=currency, language=door.visitor().language),
        at=clock.to_text(clock.now()),
    )

    def work(connection: Connection) -> None:
        if partner_id:
            _debt(connection, partner_id)
        book_receipt(connection, receipt)

    run_tx(marketplace().engine, work)
    return see_other("console.partners.listing")


def _statement(partner_id: str, month: str) -> PartnerStatementPage:
    end_of_day(f"{month}-01")
    with reading(marketplace().engine) as connection:
        debt = _debt(connection, partner_id)
        return PartnerStatementPage(debt.name, partner_statement(connection, partner_id, debt.currency, month))


def _debt(connection: Connection, partner_id: str) -> PartnerDebt:
    """Return a partner's debt. Raises: NotFound."""
    for debt in _debts(connection):
        if debt.partner_id == partner_id:
            return debt
    raise NotFound("no partner has this name")


def _debts(connection: Connection) -> list[PartnerDebt]:
    partners = rows(
        connection,
        """
        select partner.partner_id, partner.body, market.body as market
        from partner join market on market.market = partner.market
        order by partner.partner_id
        """,
    )
    currencies = {partner["partner_id"]: json.loads(partner["market"])["currency"] for partner in partners}
    return [
        PartnerDebt(
            partner["partner_id"],
            name_in(partner["body"]) or partner["partner_id"],
            currency := currencies[partner["partner_id"]],
            held(connection, "partner_receivable", of_partner(partner["partner_id"]), currency=currency),
        )
        for partner in partners
    ]
