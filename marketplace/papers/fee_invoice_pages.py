"""Our fee invoices: `/console/fee-invoices` for HQ, and the documents that the desk's money page links to."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from marketplace.db import reading
from marketplace.money.identity import our_identity
from marketplace.papers.fee_invoices import FeeInvoice, fee_invoice_of, newest_fee_invoices
from marketplace.papers.pages import pdf_response
from marketplace.papers.parties import Party
from marketplace.papers.printing import print_page
from marketplace.sellers.guard import desk_role, signed_in_seller
from marketplace.web import marketplace
from shop.web import render_template

pages = Blueprint("fee_invoices", __name__, url_prefix="/fee-invoices")
desk_fee_invoices = Blueprint("fee_invoices", __name__, url_prefix="/fee-invoices")


@dataclass(frozen=True, slots=True)
class FeeInvoicesPage:
    """The newest of all sellers, and who issues them: None before HQ said who we are."""

    invoices: list[FeeInvoice]
    us: Party | None


@pages.get("")
def listing() -> str:
    """Show the newest fee invoices, and what is missing where none are made."""
    with reading(marketplace().engine) as connection:
        page = FeeInvoicesPage(newest_fee_invoices(connection), our_identity(connection))
    return render_template("marketplace/papers/fee_invoices.html", page=page)


@pages.get("/<int:fee_invoice_no>.pdf")
def document(fee_invoice_no: int) -> Response:
    """Send a fee invoice to HQ."""
    with reading(marketplace().engine) as connection:
        return _sent(fee_invoice_of(connection, fee_invoice_no))


@desk_fee_invoices.get("/<int:fee_invoice_no>.pdf")
@desk_role("owner")
def desk_document(fee_invoice_no: int) -> Response:
    """Send a fee invoice of the signed-in seller."""
    with reading(marketplace().engine) as connection:
        return _sent(fee_invoice_of(connection, fee_invoice_no, signed_in_seller().seller_id))


def _sent(issued: FeeInvoice) -> Response:
    content = print_page("fee_invoice", issued.facts, language=issued.language, at=issued.issued_at)
    return pdf_response(content, f"{issued.number}.pdf")
