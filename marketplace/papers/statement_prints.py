"""Statements as PDF: a seller's of a period, a partner's of a month, as their pages show them."""

from __future__ import annotations

from marketplace.money.statements import PartnerStatement, Statement
from marketplace.papers.parties import Party
from marketplace.papers.printing import print_page
from pos import clock

TEMPLATE = "statement"


def print_statement(statement: Statement, name: str, party: Party, *, language: str) -> bytes:
    """Return a seller's statement as PDF, the same bytes while the ledger says the same."""
    facts = {
        "name": name,
        "party": party,
        "month": None,
        "after": statement.after,
        "day": statement.day,
        "zone": clock.HOME_ZONE,
        "currency": statement.currency,
        "opening_cents": statement.opening_cents,
        "lines": statement.lines,
        "closing_cents": statement.closing_cents,
    }
    return print_page(TEMPLATE, facts, language=language, at=f"{statement.day}T00:00:00Z")


def print_partner_statement(statement: PartnerStatement, name: str, *, language: str) -> bytes:
    """Return a partner's statement as PDF."""
    facts = {
        "name": name,
        "party": None,
        "month": statement.month,
        "zone": clock.HOME_ZONE,
        "currency": statement.currency,
        "opening_cents": statement.opening_cents,
        "lines": statement.lines,
        "closing_cents": statement.closing_cents,
    }
    return print_page(TEMPLATE, facts, language=language, at=f"{statement.month}-01T00:00:00Z")
