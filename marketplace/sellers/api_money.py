"""`/api/v1/payouts` and `/api/v1/statement`: what a seller was paid, and every line of a period."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import BaseModel, Field

from marketplace.money.payouts import Payout, payouts_of
from marketplace.money.statement_files import statement_days, statement_in
from marketplace.money.statements import StatementLine, decimal_text
from marketplace.sellers.api import ApiQuery, answered, caller, looking, new_routes
from pos import clock


class StatementQuery(ApiQuery):
    """The day of payouts that ends the period, the running one where not said, and the currency, EUR where not said."""

    day: Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""


class PayoutAnswer(BaseModel):
    """A payout: `planned`, `sent`, `settled` or `returned`, with the bank's reason; amounts are decimal texts."""

    payout_id: str
    day: str
    amount: str
    currency: str
    state: str
    reason: str


class PayoutsAnswer(BaseModel):
    """The newest payouts."""

    payouts: list[PayoutAnswer]


class StatementLineAnswer(BaseModel):
    """A line: `price` less `fee` less `fee_vat` is `net`; `reference` is the unit, the refund or the adjustment.

    `number` and `order_id` are the order it is of, empty where it is of none.
    """

    at: str
    kind: str
    number: str
    order_id: str
    reference: str
    reason: str
    price: str
    fee: str
    fee_vat: str
    net: str


class StatementAnswer(BaseModel):
    """A period that ends with a day of payouts: `opening` and the lines' `net` sum to `closing`."""

    after: str
    day: str
    currency: str
    opening: str
    lines: list[StatementLineAnswer]
    closing: str


routes = new_routes("money")


@routes.get("/payouts", responses={200: PayoutsAnswer})
def payouts() -> Response:
    """Return the newest payouts."""
    key = caller("money")
    with looking() as connection:
        answers = [_payout(each) for each in payouts_of(connection, key.seller_id)]
    return answered(PayoutsAnswer(payouts=answers))


@routes.get("/statement", responses={200: StatementAnswer})
def statement(query: StatementQuery) -> Response:
    """Return the statement of a period."""
    key = caller("money")
    day = query.day or statement_days(clock.local_day(clock.now(), clock.HOME_ZONE))[0]
    with looking() as connection:
        period = statement_in(connection, key.seller_id, day)
    answer = StatementAnswer(
        after=period.after,
        day=period.day,
        currency=period.currency,
        opening=decimal_text(period.opening_cents, period.currency),
        lines=[_line(line, period.currency) for line in period.lines],
        closing=decimal_text(period.closing_cents, period.currency),
    )
    return answered(answer)


def _payout(made: Payout) -> PayoutAnswer:
    amount = decimal_text(made.amount_cents, made.currency)
    return PayoutAnswer(
        payout_id=made.payout_id, day=made.day, amount=amount, currency=made.currency, state=made.state, reason=made.reason
    )


def _line(line: StatementLine, currency: str) -> StatementLineAnswer:
    return StatementLineAnswer(
        at=line.at,
        kind=line.kind,
        number=line.number,
        order_id=line.part_id,
        reference=line.subject,
        reason=line.reason,
        price=decimal_text(line.price_cents, currency),
        fee=decimal_text(line.fee_cents, currency),
        fee_vat=decimal_text(line.vat_cents, currency),
        net=decimal_text(line.net_cents, currency),
    )
