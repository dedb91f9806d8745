"""Statements as HQ and their sellers ask for them: the days they end with, one of them, and its files."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, request
from sqlalchemy import Connection

from marketplace.money.days import end_of_day, next_payout_day, payout_day, period_before
from marketplace.money.pages import currency_in
from marketplace.money.payouts import SEPA_CURRENCY, payables_on
from marketplace.money.statements import Statement, statement_csv, statement_of
from marketplace.papers.parties import seller_party
from marketplace.papers.statement_prints import print_statement
from pos.csv_files import csv_text
from pos.errors import NotFound
from shop import door

SHOWN_PERIODS = 9
"""A quarter of a year."""


def statement_days(today: str) -> list[str]:
    """Return the days with which a seller's statements end, that of the running period first."""
    days = [next_payout_day(today)]
    while len(days) < SHOWN_PERIODS:
        days.append(period_before(days[-1]))
    return days


def statement_in(connection: Connection, seller_id: int, day: str) -> Statement:
    """Return a seller's statement in the currency that the address asks for, or the first it is due something in.

    Raises: Invalid, NotFound for another day.
    """
    end_of_day(day)
    if payout_day(day) != day:
        raise NotFound("statements end with a day of payouts")
    usual = next(iter(payables_on(connection, seller_id, day)), SEPA_CURRENCY)
    return statement_of(connection, seller_id, currency_in(request.args.get("currency") or usual), day)


def statement_as_csv(statement: Statement) -> Response:
    """Return a statement's lines as a file."""
    text = "\ufeff" + statement_csv(statement.currency, statement.lines)
    return sent_file(text.encode(), f"{_file_name(statement)}.csv", "text/csv; charset=utf-8")


def statement_as_pdf(connection: Connection, statement: Statement, name: str) -> Response:
    """Return a statement as PDF, in the language of whoever asks."""
    party = seller_party(connection, statement.seller_id)
    content = print_statement(statement, name, party, language=door.visitor().language)
    return sent_file(content, f"{_file_name(statement)}.pdf", "application/pdf")


def sent_table(table: Sequence[Sequence[str]], name: str) -> Response:
    """Return rows as a CSV file to keep."""
    return sent_file(f"\ufeff{csv_text(table)}".encode(), name, "text/csv; charset=utf-8")


def sent_file(document: bytes, name: str, kind: str) -> Response:
    """Return a file to keep."""
    return Response(document, headers={"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'})


def _file_name(statement: Statement) -> str:
    return f"statement-{statement.seller_id}-{statement.day}-{statement.currency}"
