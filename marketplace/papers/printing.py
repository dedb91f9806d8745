"""Documents printed from what was kept of them: a page of templates/marketplace/papers set as PDF, the same bytes each time."""

from __future__ import annotations

import html
import importlib
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from marketplace.papers.confirmations import Confirmation, confirmation
from marketplace.papers.invoices import Invoice, invoice_of_seller
from marketplace.running.mail import Attachment, PaperName, page_without_request
from pos import clock
from pos.languages import PAPER, paper_language

FOLDER = "marketplace/papers"
PDF_MODULE = "shop.pdf"
"""Loaded late: what sets type costs a server's start half a second."""


def print_invoice(invoice: Invoice) -> bytes:
    """Return an invoice or credit note as PDF."""
    return print_page("invoice", invoice.facts, language=invoice.language, at=invoice.issued_at)


def print_confirmation(issued: Confirmation) -> bytes:
    """Return a confirmation as PDF."""
    return print_page("confirmation", issued.facts, language=issued.language, at=issued.issued_at)


def print_attached(connection: Connection, papers: Sequence[PaperName]) -> list[Attachment]:
    """Return the documents that go with a mail. Raises: NotFound."""
    return [_attached(connection, paper) for paper in papers]


def print_page(template: str, facts: Mapping[str, object], *, language: str, at: str) -> bytes:
    """Return a document as PDF, made at a moment (UTC text); its template has blocks `title`, `foot` and `main`."""
    language = paper_language(language, PAPER)
    page = page_without_request(f"{FOLDER}/{template}.html", language)
    values = {"paper": facts, "language": language}

    def block(name: str) -> str:
        return "".join(page.blocks[name](page.new_context(values)))

    title, foot = (" ".join(html.unescape(block(name)).split()) for name in ("title", "foot"))
    write_pdf = importlib.import_module(PDF_MODULE).write_pdf
    return bytes(write_pdf(page.render(values), title=title, language=language, made_at=clock.from_text(at), foot=foot))


def _attached(connection: Connection, paper: PaperName) -> Attachment:
    if paper["kind"] == "confirmation":
        confirmed = confirmation(connection, paper["owner"], paper["name"])
        return Attachment(f"comptoir-{confirmed.facts['number']}.pdf", print_confirmation(confirmed))
    invoice = invoice_of_seller(connection, int(paper["owner"]), paper["name"])
    return Attachment(f"{invoice.number}.pdf", print_invoice(invoice))
