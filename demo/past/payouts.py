"""What HQ did about money in the past: what the provider paid to its account, files for the bank, and what that said of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from demo.past.story import Story
from marketplace.db import reading, run_tx
from marketplace.money.bank_files import BankAccount
from marketplace.money.ledger import trial_balance
from marketplace.money.payout_pages import ACCOUNT
from marketplace.money.payouts import Payout, move_payout, newest_payouts, send_file
from marketplace.money.receipts import BankReceipt, book_receipt
from marketplace.settings import store_setting
from pos import clock

ACCOUNT_HELD = BankAccount("Comptoir SAS", "FR7630006000011234567890189", "")
"""The IBAN that the European Payments Council's examples use."""
CLOSED = "AC04: compte clos"
"""A reason as banks give them (ISO 20022, external code list)."""
SETTLED_AFTER = timedelta(hours=26)
RECEIVED_EVERY, UNDER_WAY = timedelta(days=7), timedelta(days=2)
"""How often the provider pays what it took for HQ, and how long that takes."""


def plan_payouts(engine: Engine, story: Story, *, since: datetime, returned: int) -> None:
    """Each morning HQ sends what is planned; the bank settles it the day after, but for the first of the seller `returned`."""
    run_tx(engine, lambda connection: store_setting(connection, ACCOUNT, asdict(ACCOUNT_HELD)))
    morning = since.replace(hour=9, minute=30, second=0) + timedelta(days=1)
    while morning < story.until:
        story.plan(morning, partial(_send, engine, story, returned))
        morning += timedelta(days=1)
    received = since + RECEIVED_EVERY
    while received < story.until:
        story.plan(received, partial(_receive, engine))
        received += RECEIVED_EVERY


def _receive(engine: Engine, at: datetime) -> None:
    """Note what the provider held for HQ when it sent it."""

    def work(connection: Connection) -> None:
        for balance in trial_balance(connection, until=clock.to_text(at - UNDER_WAY)):
            if balance.account == "provider" and balance.cents > 0:
                receipt = BankReceipt(
                    receipt_id=f"provider-{at.date()}",
                    source="provider",
                    partner_id="",
                    currency=balance.currency,
                    cents=balance.cents,
                    at=clock.to_text(at),
                )
                book_receipt(connection, receipt)

    run_tx(engine, work)


def _send(engine: Engine, story: Story, returned: int, at: datetime) -> None:
    run_tx(engine, lambda connection: send_file(connection, now=at))
    with reading(engine) as connection:
        payouts = newest_payouts(connection)
    has_returned = any(payout.state == "returned" for payout in payouts)
    for payout in sorted((payout for payout in payouts if payout.state == "sent"), key=lambda payout: payout.seller_id):
        if payout.sent_at is not None and payout.sent_at[:10] == at.date().isoformat():
            state = "returned" if payout.seller_id == returned and not has_returned else "settled"
            story.plan(at + SETTLED_AFTER, partial(_end, engine, payout, state))


def _end(engine: Engine, payout: Payout, state: str, at: datetime) -> None:
    def work(connection: Connection) -> None:
        reason = CLOSED if state == "returned" else ""
        move_payout(connection, payout.seller_id, payout.payout_id, state, reason=reason, now=at)

    run_tx(engine, work)
