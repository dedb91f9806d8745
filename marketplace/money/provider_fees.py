"""What the provider keeps: booked once by each movement of our account there, and asked for until it is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from marketplace.db import changed
from marketplace.money.provider import ProviderFee
from marketplace.money.sales import OrderMoney, post_provider_fee

Told = Iterable[Sequence[ProviderFee] | None]


def take_fees(connection: Connection, payment_id: str, money: OrderMoney, told: Told) -> None:
    """Book fees of a payment's movements, in the caller's transaction, any number of times; `money` says whose and when.

    Where the provider does not say one yet (None), its payment is among those that are asked about (`payment.fees_at`).
    """
    for fees in told:
        for fee in fees or ():
            post_provider_fee(connection, replace(money, reference=fee.reference, currency=fee.currency, cents=fee.cents))
        if fees is None:
            update = "update payment set fees_at = null where customer_id = :customer_id and payment_id = :payment_id"
            changed(connection, update, customer_id=money.customer_id, payment_id=payment_id)
