"""Money for the orders of a test: from a provider's answer made up here, or from the demo's bank as a customer pays there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.bank import Bank
from demo.bank_fees import NO_FEES, BankFees
from marketplace.db import run_tx
from marketplace.money.provider import PaymentFacts, ProviderSettings, store_settings
from marketplace.money.truth import take_truth
from marketplace.orders.parts import amount_cents
from pos import clock
from tests.marketplace.hq import Hq
from tests.marketplace.money.banks import running_bank


def money_arrives(hq: Hq, order_id: str, *, attempt: int = 1) -> str:
    """Let the provider say that the whole amount of an order was paid, and return the payment's state afterwards."""
    payment_id, placed, cents = open_by_hand(hq, order_id, attempt=attempt)
    facts = PaymentFacts(session="complete", intent_id=payment_id, received_cents=cents, refunds=[], disputes=[])
    at = clock.to_text(clock.now())
    return run_tx(hq.engine, lambda connection: take_truth(connection, placed["customer_id"], payment_id, facts, at=at))


def open_by_hand(hq: Hq, order_id: str, *, attempt: int) -> tuple[str, dict[str, str], int]:
    """Write down an open payment of an order, without a provider; return its id, its customer and currency, and the amount."""
    at = clock.to_text(clock.now())
    [placed] = hq.rows("select customer_id, currency from customer_order where order_id = :order_id", order_id=order_id)
    customer_id, payment_id = placed["customer_id"], f"{order_id}.{attempt}"
    cents = run_tx(hq.engine, lambda connection: amount_cents(connection, customer_id, order_id))
    hq.write(
        """
        insert into payment (customer_id, payment_id, order_id, attempt, state, currency, amount_cents, received_cents,
          refunded_cents, back_url, session_id, intent_id, opened_at, expires_at, dispute)
        values (:customer_id, :payment_id, :order_id, :attempt, 'open', :currency, :cents, 0, 0, '', :payment_id, :payment_id,
          :at, :at, '')
        """,
        **placed,
        payment_id=payment_id,
        order_id=order_id,
        attempt=attempt,
        cents=cents,
        at=at,
    )
    return payment_id, placed, cents


@contextmanager
def bank_of(hq: Hq, directory: Path, *, fees: BankFees = NO_FEES) -> Iterator[Bank]:
    """Lend a bank that a marketplace was set up with; its news reaches the marketplace only by `told`."""
    with running_bank(directory, fees=fees) as bank:
        key, secret = (file.read_text(encoding="utf-8").strip() for file in (bank.secret_key, bank.webhook_secret))
        settings = ProviderSettings(key=key, webhook_secret=secret, api=bank.address)
        run_tx(hq.engine, lambda connection: store_settings(connection, settings))
        yield bank
