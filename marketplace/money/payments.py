"""Payments of orders: a page at the provider is opened, and what became of it is asked, never inferred.

Invariants: a payment's state comes from the provider's own answer alone; no transaction waits for the provider; what is asked of
it carries the payment's id as idempotency key, so that a crash between asking and writing down opens nothing twice.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace.db import changed, new_id, reading, row, rows, run_tx
from marketplace.money.payment_events import keep_event
from marketplace.money.provider import Provider, ProviderDown, ProviderRefused, SessionWish, pages_origin, provider
from marketplace.money.truth import Payment, payment_of, take_truth
from marketplace.orders import parts
from marketplace.running.jobs import Postponed, Work, enqueue
from pos import clock
from pos.errors import Conflict, NotFound, Unavailable

JOB, RELEASE_TIMER, LOOK_TIMER = "payment_check", "release_unpaid", "unsettled_payments"
OPEN_FOR = timedelta(minutes=31)
"""The provider takes no less than 30 minutes, counted when our request arrives (Stripe, Checkout Sessions, `expires_at`)."""
SHORTEST = timedelta(minutes=30)
CHECKS = (timedelta(minutes=1), timedelta(minutes=5), OPEN_FOR)
"""When a payment is asked for after its opening, whatever webhooks say."""
BACK = "/payments/{payment_id}/return"
"""Where the provider sends a customer back to: an order's own address is its access, and the provider needs none."""
CHECK_AGAIN = timedelta(minutes=1)
LOOKS_EVERY, LOOKED_AT_AGAIN = timedelta(minutes=10), timedelta(hours=1)
"""How often is looked for payments whose refunds or fees the provider has not told yet, and how long after a look at one the next
follows."""
MOST_LOOKS = 50
logger = logging.getLogger(__name__)
PRICES_KEPT = timedelta(hours=24)
"""How long an order that nobody paid may still be paid at its prices, where its slip does not promise them for longer."""


class NothingToPay(Conflict):
    """The order is paid, closed, or costs nothing here: its own page says how it stands."""


class OrderTooOld(Conflict):
    """The order was not paid while its prices held; it has to be placed anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOfOrder:
    """The newest payment of an order, for its page: `state` is "" before the first, `cents` what the order costs.

    `origin` is where the provider's pages stand, None before one is set up.
    """

    state: str
    cents: int
    can_pay: bool
    origin: str | None


@dataclass(frozen=True, slots=True)
class PaymentAtProvider:
    """A payment under way and the address of the provider's page for it."""

    payment_id: str
    url: str


def open_payment(engine: Engine, order_id: str, *, public_url: str, now: datetime) -> PaymentAtProvider:
    """Return the provider's page where an order is paid, the same one while it is open.

    The provider sends the customer back to an address below `public_url` that names the payment, never the order.
    Raises: NoProvider, ProviderDown, ProviderRefused, NotFound, NothingToPay, OrderTooOld, LinesGone.
    """
    with reading(engine) as connection:
        bank = provider(connection)
        placed = row(connection, "select customer_id from customer_order where order_id = :order_id", order_id=order_id)
    if placed is None:
        raise NotFound("no such order")
    if not has_ended(engine, placed["customer_id"], order_id, now=now):
        raise ProviderDown("what became of the last payment is not known yet")
    for _ in range(2):
        begun = run_tx(engine, partial(_begin, order_id=order_id, public_url=public_url, now=now))
        url = begun.url or _open_page(engine, bank, begun, now=now)
        if url:
            return PaymentAtProvider(begun.payment_id, url)
    raise Unavailable("no payment page could be opened")


def check_payment(engine: Engine, customer_id: str, payment_id: str, *, now: datetime) -> str:
    """Ask the provider what became of a payment, write it down, and return the payment's state.

    May be called at any moment, in any order and any number of times. Raises: NotFound, NoProvider, ProviderDown.
    """
    with reading(engine) as connection:
        payment = payment_of(connection, customer_id, payment_id)
        bank = provider(connection)
    session_id = payment.session_id
    if session_id is None and payment.state == "opening":
        # Nobody has seen the page of a payment whose opening was cut short; the same wish finds it, or that there is none.
        _open_page(engine, bank, payment, now=now)
        with reading(engine) as connection:
            payment = payment_of(connection, customer_id, payment_id)
            session_id = payment.session_id
    if session_id is None:
        return payment.state
    truth = bank.payment(session_id)
    if truth.session == "open" and payment.expires_at <= clock.to_text(now):
        bank.end_session(session_id)
        truth = bank.payment(session_id)
    return run_tx(engine, lambda connection: take_truth(connection, customer_id, payment_id, truth, at=clock.to_text(now)))


def has_ended(engine: Engine, customer_id: str, order_id: str, *, now: datetime) -> bool:
    """Tell that no payment of an order whose time is over can still bring money: each was asked for. False where unknown.

    Raises: NoProvider, ProviderDown.
    """
    query = """
        select payment_id from payment
        where customer_id = :customer_id and order_id = :order_id and state in ('opening', 'open') and expires_at <= :at
    """
    with reading(engine) as connection:
        late = rows(connection, query, customer_id=customer_id, order_id=order_id, at=clock.to_text(now))
    try:
        states = [check_payment(engine, customer_id, payment["payment_id"], now=now) for payment in late]
    except ProviderRefused:
        return False
    return not any(state in ("opening", "open") for state in states)


def take_event(connection: Connection, *, event_id: str, kind: str, payment_id: str, intent_id: str, at: str) -> bool:
    """Keep an event of the provider once and enqueue the look at its payment; False where it is not about one of ours."""
    ours = row(
        connection,
        """
        select customer_id, payment_id from payment
        where payment_id = :payment_id or (intent_id = :intent_id and intent_id <> '')
        order by payment_id = :payment_id desc limit 1
        """,
        payment_id=payment_id,
        intent_id=intent_id,
    )
    if ours is None:
        return False
    if keep_event(connection, **ours, event_id=event_id, kind=kind, at=at):
        enqueue(connection, JOB, ours, owner_id=ours["customer_id"], unique=event_id)
    return True


def payment_of_order(connection: Connection, customer_id: str, order_id: str) -> PaymentOfOrder:
    """Return how the payment of an order stands, for its page."""
    newest = row(connection, NEWEST, customer_id=customer_id, order_id=order_id)
    placed = row(connection, ORDER, order_id=order_id)
    cents = parts.amount_cents(connection, customer_id, order_id)
    is_payable = placed is not None and placed["state"] in ("open", "unpaid") and cents > 0
    state = newest["state"] if newest else ""
    return PaymentOfOrder(state=state, cents=cents, can_pay=is_payable, origin=pages_origin(connection))


def check(work: Work, body: dict[str, Any]) -> str:
    """Do the job of one look at a payment; one still open past its time is looked at again."""
    state = check_payment(work.engine, body["customer_id"], body["payment_id"], now=work.now)
    with reading(work.engine) as connection:
        payment = payment_of(connection, body["customer_id"], body["payment_id"])
    if state in ("opening", "open") and payment.expires_at <= clock.to_text(work.now):
        raise Postponed("still open at the provider", until=work.now + CHECK_AGAIN)
    return state


def release(work: Work, _body: dict[str, Any]) -> str:
    """Do the job of giving back what was reserved for orders whose time to pay is over, once no money can come for them."""
    released = parts.release_unpaid(work.engine, now=work.now, has_ended=partial(has_ended, work.engine, now=work.now))
    return f"{released} orders"


def look_at_unsettled(work: Work, _body: dict[str, Any]) -> str:
    """Do the job of asking about refunds that the provider took and has not paid, and of what it keeps where it did not say.

    What was not asked about the longest comes first; a payment that cannot be asked about holds up no other, nor do fees refunds.

    Raises: NoProvider, ProviderDown.
    """
    values = {"before": clock.to_text(work.now - LOOKED_AT_AGAIN), "most": MOST_LOOKS}
    with reading(work.engine) as connection:
        found = [payment for query in UNSETTLED for payment in rows(connection, query, **values)]
    pending = {payment["payment_id"]: payment for payment in found}.values()
    asked = "update payment set checked_at = :at where customer_id = :customer_id and payment_id = :payment_id"
    for payment in pending:
        key = {"customer_id": payment["customer_id"], "payment_id": payment["payment_id"]}
        run_tx(work.engine, partial(changed, sql=asked, **key, at=clock.to_text(work.now)))
        try:
            check_payment(work.engine, **key, now=work.now)
        except ProviderRefused:
            logger.exception("a payment that is not settled cannot be asked about")
    return f"{len(pending)} payments"


UNSETTLED = (
    """
    select distinct payment.customer_id, payment.payment_id, coalesce(checked_at, opened_at) as asked_at from refund
    join payment on payment.customer_id = refund.customer_id and payment.payment_id = refund.payment_id
    where refund.state = 'sent' and coalesce(checked_at, opened_at) <= :before
    order by asked_at, payment.payment_id limit :most
    """,
    """
    select customer_id, payment_id, coalesce(checked_at, opened_at) as asked_at from payment
    where fees_at is null and received_cents > 0 and coalesce(checked_at, opened_at) <= :before
    order by asked_at, payment_id limit :most
    """,
)
"""The payments whose refunds are under way, and those whose fees are not told."""
ORDER = """
    select customer_id, order_id, number, state, currency, language, facts, placed_at from customer_order
    where order_id = :order_id
"""
NEWEST = """
    select * from payment where customer_id = :customer_id and order_id = :order_id order by attempt desc limit 1
"""


def _begin(connection: Connection, *, order_id: str, public_url: str, now: datetime) -> Payment:
    """Return the payment under way for an order, or a new one with its checks enqueued and the units held until its end.

    Raises: NothingToPay, OrderTooOld, LinesGone.
    """
    placed = row(connection, ORDER, order_id=order_id)
    if placed is None or placed["state"] not in ("open", "unpaid"):
        raise NothingToPay("nothing of this order is to be paid")
    key = {"customer_id": placed["customer_id"], "order_id": order_id}
    cents = parts.amount_cents(connection, placed["customer_id"], order_id)
    if cents == 0:
        raise NothingToPay("this order costs nothing here")
    newest = row(connection, NEWEST, **key)
    if newest is not None and newest["state"] in ("opening", "open") and newest["amount_cents"] == cents:
        return Payment.of(newest)
    if placed["state"] == "unpaid":
        _refuse_old(placed, now)
    payment_id, expires_at = new_id(), clock.to_text(now + OPEN_FOR)
    changed(
        connection,
        """
        insert into payment (customer_id, payment_id, order_id, attempt, state, currency, amount_cents, received_cents,
          refunded_cents, back_url, opened_at, expires_at, dispute)
        values (:customer_id, :payment_id, :order_id, :attempt, 'opening', :currency, :cents, 0, 0, :back_url, :at,
          :expires_at, '')
        on conflict do nothing
        """,
        **key,
        payment_id=payment_id,
        attempt=newest["attempt"] + 1 if newest else 1,
        currency=placed["currency"],
        cents=cents,
        back_url=f"{public_url}{BACK.format(payment_id=payment_id)}",
        at=clock.to_text(now),
        expires_at=expires_at,
    )
    parts.keep_reserved(connection, **key, until=expires_at)
    body = {"customer_id": placed["customer_id"], "payment_id": payment_id}
    for number, after in enumerate(CHECKS, start=1):
        unique = f"{payment_id}:{number}"
        enqueue(connection, JOB, body, owner_id=placed["customer_id"], due_at=now + after, unique=unique)
    return payment_of(connection, placed["customer_id"], payment_id)


def _refuse_old(placed: dict[str, Any], now: datetime) -> None:
    """Raise OrderTooOld where the prices of an order no longer hold: those of a slip do while it is valid."""
    kept_until = clock.from_text(placed["placed_at"]) + PRICES_KEPT
    if now > max(kept_until, clock.from_text(json.loads(placed["facts"])["valid_until"])):
        raise OrderTooOld(number=placed["number"])


def _open_page(engine: Engine, bank: Provider, payment: Payment, *, now: datetime) -> str | None:
    """Ask the provider for a payment's page and write down where it stands; None where there is none and none can come of it.

    Raises: ProviderDown, and ProviderRefused where the provider will not take the wish at all.
    """
    key = {"customer_id": payment.customer_id, "payment_id": payment.payment_id}
    with reading(engine) as connection:
        wish = _wish(connection, payment)
    try:
        opened = bank.open_session(wish)
    except ProviderRefused:
        update = """
            update payment set state = 'expired'
            where customer_id = :customer_id and payment_id = :payment_id and state = 'opening'
        """
        run_tx(engine, lambda connection: changed(connection, update, **key))
        if wish.expires_at - now >= SHORTEST:
            raise
        return None  # It came too late for its own end, so nothing was opened under this id before.
    update = """
        update payment set state = 'open', session_id = :session_id, url = :url
        where customer_id = :customer_id and payment_id = :payment_id and state = 'opening'
    """
    values = {**key, "session_id": opened.session_id, "url": opened.url}
    run_tx(engine, lambda connection: changed(connection, update, **values))
    return opened.url


def _wish(connection: Connection, payment: Payment) -> SessionWish:
    """Return what the provider is asked for: made of what is frozen, so that it is the same whenever it is asked."""
    placed = row(connection, ORDER, order_id=payment.order_id)
    lines = rows(
        connection,
        """
        select line_no, quantity, quantity * (collected_cents + tax_cents) as cents from order_line
        where customer_id = :customer_id and order_id = :order_id and basis <> 'dropped' order by line_no
        """,
        customer_id=payment.customer_id,
        order_id=payment.order_id,
    )
    frozen: dict[str, Any] = placed or {}
    names = {line["line_no"]: _name(line) for line in json.loads(frozen["facts"])["lines"]}
    items = [
        (names.get(line["line_no"], frozen["number"]) + (f" × {line['quantity']}" if line["quantity"] > 1 else ""), line["cents"])
        for line in lines
        if line["cents"]
    ]
    return SessionWish(
        payment_id=payment.payment_id,
        currency=payment.currency,
        items=items,
        back_url=payment.back_url,
        language=frozen["language"],
        expires_at=clock.from_text(payment.expires_at),
    )


def _name(line: dict[str, Any]) -> str:
    """Return what a frozen line sells, as the provider's page names it."""
    instead = line.get("instead") if line.get("basis") == "replaced" else None
    listing = (instead or line).get("listing") or {}
    return str(listing.get("title") or "Comptoir")
