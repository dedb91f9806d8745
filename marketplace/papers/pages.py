"""Documents at the address of their order, for whoever holds it, and at the desk of their seller."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from marketplace.db import reading
from marketplace.orders.cases import case_of
from marketplace.orders.order_pages import order_of_address
from marketplace.papers.confirmations import confirmation
from marketplace.papers.invoices import MOST_SHOWN, Invoice, invoice_of_order, invoice_of_seller, newest_invoices
from marketplace.papers.labels import label_of
from marketplace.papers.parties import language_of
from marketplace.papers.printing import print_confirmation, print_invoice, print_page
from marketplace.sellers.guard import signed_in_seller
from marketplace.web import marketplace
from shop.web import render_template

papers = Blueprint("papers", __name__)
desk_papers = Blueprint("papers", __name__, url_prefix="/invoices")
AFTER_ALL = "9"
"""Sorts after every moment of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicesPage:
    """A seller's invoices and credit notes, the newest first; `older` leads to the next page, None on the last."""

    invoices: list[Invoice]
    older: str | None


@papers.get("/orders/<order_id>/confirmation.pdf")
def confirmation_page(order_id: str) -> Response:
    """Send the confirmation of an order to whoever holds its address."""
    with reading(marketplace().engine) as connection:
        placed = order_of_address(connection, order_id)
        issued = confirmation(connection, placed["customer_id"], placed["order_id"])
    return pdf_response(print_confirmation(issued), f"comptoir-{issued.facts['number']}.pdf")


@papers.get("/orders/<order_id>/invoices/<number>.pdf")
def invoice_page(order_id: str, number: str) -> Response:
    """Send an invoice or credit note of an order to whoever holds its address."""
    with reading(marketplace().engine) as connection:
        placed = order_of_address(connection, order_id)
        issued = invoice_of_order(connection, placed["customer_id"], placed["order_id"], number)
    return pdf_response(print_invoice(issued), f"{issued.number}.pdf")


@papers.get("/orders/<order_id>/returns/<case_name>/label.pdf")
def label_page(order_id: str, case_name: str) -> Response:
    """Send the label of a device that is to be sent back to whoever holds the order's address."""
    with reading(marketplace().engine) as connection:
        placed = order_of_address(connection, order_id)
        case = case_of(connection, case_name, order_id=placed["order_id"])
        label, language = label_of(connection, case), language_of(connection, placed["customer_id"], placed["order_id"])
    content = print_page("return_label", label, language=language, at=label["opened_at"])
    return pdf_response(content, f"{label['part_number']}.pdf")


@desk_papers.get("")
def listing() -> str:
    """Show the signed-in seller's invoices and credit notes."""
    before = request.args.get("before") or AFTER_ALL
    with reading(marketplace().engine) as connection:
        found = newest_invoices(connection, signed_in_seller().seller_id, before=before)
    older = found[-1].place if len(found) == MOST_SHOWN else None
    page = InvoicesPage(invoices=found, older=older)
    return render_template("marketplace/papers/invoices.html", page=page)


@desk_papers.get("/<number>.pdf")
def desk_invoice(number: str) -> Response:
    """Send an invoice or credit note of the signed-in seller."""
    with reading(marketplace().engine) as connection:
        issued = invoice_of_seller(connection, signed_in_seller().seller_id, number)
    return pdf_response(print_invoice(issued), f"{issued.number}.pdf")


def pdf_response(content: bytes, name: str) -> Response:
    """Return a document for the browser to show or keep under a name; no cache between keeps it."""
    response = Response(content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response
