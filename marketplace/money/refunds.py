"""Money on its way back to customers: asked for with the fact it follows, sent by a job, and seen through until it arrived.

Invariants: never more is asked back than was received; the provider makes one refund of each key, however often we ask; one
that failed stays owed and in sight until somebody sends it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict, cast

from sqlalchemy import Connection, Engine

from marketplace.db import changed, new_id, reading, row, rows, run_tx
from marketplace.money.accounts import of_unit
from marketplace.money.payment_events import REFUND_FAILED, failed_event, keep_event
from marketplace.money.provider import ProviderRefused, RefundFacts, provider
from marketplace.money.provider_fees import take_fees
from marketplace.money.sales import (
    OrderMoney,
    post_refund_bounced,
    post_refund_paid,
    post_returned_before,
    post_unused,
)
from marketplace.orders.step_mails import mail_refund
from marketplace.running.jobs import Work, enqueue
from pos import clock
from pos.errors import Conflict, NotFound

JOB = "refund"
MOST_REASON = 200
BEFORE = {"sent": "('requested')", "done": "('requested', 'sent')", "failed": "('requested', 'sent', 'done')"}
"""The states a refund may come from: what an older answer of the provider says never takes a newer one back."""

FAILED = """
    select refund_id, amount_cents, seller_id, part_id, line_no, unit_no from refund
    where customer_id = :customer_id and payment_id = :payment_id and (state = 'failed' or state = 'requested' and attempt > 0)
    order by refund_id <> :own, amount_cents <> :cents, requested_at, refund_id
"""


class NothingToRefund(Conflict):
    """The order has no payment with so much left; nothing was asked back."""


class RefundMoved(Conflict):
    """The refund is no longer one that failed; nothing was changed."""


class RefundedUnit(TypedDict):
    """The unit a refund is for."""

    seller_id: int
    part_id: str
    line_no: int
    unit_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund with what sending it needs."""

    customer_id: str
    refund_id: str
    payment_id: str
    order_id: str
    intent_id: str
    session_id: str
    currency: str
    amount_cents: int
    state: str
    attempt: int

    @property
    def key(self) -> str:
        """What the provider knows this attempt by: the refund's own id, and the number of the attempt after the first."""
        return self.refund_id if self.attempt == 0 else f"{self.refund_id}.{self.attempt}"


def request_refund(
    connection: Connection, customer_id: str, order_id: str, *, cents: int, unit: RefundedUnit | None, reason: str, at: str
) -> str:
    """Ask for money of a paid order back, in the caller's transaction, and return the refund's id; a job sends it.

    `unit` is whom it is for, None for the order as a whole. Raises: NothingToRefund.
    """
    paid = row(
        connection,
        """
        select payment_id, currency from payment
        where customer_id = :customer_id and order_id = :order_id and state = 'paid' and received_cents - refunded_cents >= :cents
        order by attempt limit 1
        """,
        customer_id=customer_id,
        order_id=order_id,
        cents=cents,
    )
    if paid is None or cents <= 0:
        raise NothingToRefund(cents=cents)
    return refund_payment(connection, customer_id, paid["payment_id"], cents=cents, unit=unit, reason=reason, at=at)


def request_rest(
    connection: Connection, customer_id: str, order_id: str, *, cents: int, unit: RefundedUnit, reason: str, at: str
) -> None:
    """Ask for all that a unit still gives back, less what somebody returned by hand at the provider before.

    In the caller's transaction, once a unit. Raises: NothingToRefund without a payment.
    """
    paid = row(
        connection,
        """
        select currency, received_cents - refunded_cents as left_cents from payment
        where customer_id = :customer_id and order_id = :order_id and state = 'paid' order by attempt limit 1
        """,
        customer_id=customer_id,
        order_id=order_id,
    )
    if paid is None:
        raise NothingToRefund(cents=cents)
    asked = min(cents, paid["left_cents"])
    if asked:
        request_refund(connection, customer_id, order_id, cents=asked, unit=unit, reason=reason, at=at)
    if asked < cents:
        money = OrderMoney(
            customer_id=customer_id,
            order_id=order_id,
            reference=of_unit(unit["part_id"], unit["line_no"], unit["unit_no"]),
            currency=paid["currency"],
            cents=cents - asked,
            at=at,
        )
        post_returned_before(connection, money)


def refund_payment(
    connection: Connection, customer_id: str, payment_id: str, *, cents: int, unit: RefundedUnit | None, reason: str, at: str
) -> str:
    """Ask for money of one payment back, in the caller's transaction. Raises: NothingToRefund."""
    if not _take(connection, customer_id, payment_id, cents):
        raise NothingToRefund(cents=cents)
    refund_id = new_id()
    _insert(connection, customer_id, payment_id, refund_id, cents=cents, unit=unit, reason=reason, at=at)
    enqueue(connection, JOB, {"customer_id": customer_id, "refund_id": refund_id}, owner_id=customer_id, unique=refund_id)
    return refund_id


def send_refund(engine: Engine, customer_id: str, refund_id: str, *, now: datetime) -> str:
    """Have the provider pay a refund that was asked for, once, and return its state afterwards.

    Raises: NotFound where one made by hand took its place, NoProvider, ProviderDown: then asking again does no harm.
    """
    with reading(engine) as connection:
        wanted = _refund(connection, customer_id, refund_id)
        if wanted.state != "requested":
            return wanted.state
        bank = provider(connection)
    # An answer that was lost may have been a yes: the provider's own list says so, for longer than it remembers a key.
    listed = bank.payment(wanted.session_id).refunds
    made = next((facts for facts in listed if facts.key == wanted.key), None)
    if made is None and wanted.attempt:
        # What failed may have been returned by hand since: only what is left of it is sent.
        run_tx(engine, lambda connection: take_facts(connection, customer_id, wanted.payment_id, listed, at=clock.to_text(now)))
        with reading(engine) as connection:
            wanted = _refund(connection, customer_id, refund_id)
    try:
        made = made or bank.refund(wanted.intent_id, payment_id=wanted.payment_id, cents=wanted.amount_cents, key=wanted.key)
    except ProviderRefused as problem:
        made = RefundFacts(
            provider_id="", key=wanted.key, is_ours=True, cents=wanted.amount_cents, state="failed", reason=problem.data["reason"]
        )
    told = [made, *listed]

    def work(connection: Connection) -> str:
        take_facts(connection, customer_id, wanted.payment_id, told, at=clock.to_text(now))
        money = _money(wanted, wanted.key, clock.to_text(now))
        take_fees(connection, wanted.payment_id, money, [facts.fees for facts in told])
        known = "select state from refund where customer_id = :customer_id and refund_id = :refund_id"
        stands = row(connection, known, customer_id=customer_id, refund_id=refund_id)
        return stands["state"] if stands else "done"  # One that somebody made by hand took its place.

    return run_tx(engine, work)


def retry_refund(connection: Connection, customer_id: str, refund_id: str) -> None:
    """Send a refund that failed once more, under a new key. Raises: RefundMoved."""
    wanted = row(
        connection,
        """
        update refund set state = 'requested', attempt = attempt + 1, provider_id = null, problem = '', settled_at = null
        where customer_id = :customer_id and refund_id = :refund_id and state = 'failed'
        returning attempt
        """,
        customer_id=customer_id,
        refund_id=refund_id,
    )
    if wanted is None:
        raise RefundMoved("this refund is under way or done")
    body = {"customer_id": customer_id, "refund_id": refund_id}
    enqueue(connection, JOB, body, owner_id=customer_id, unique=f"{refund_id}.{wanted['attempt']}")


def take_facts(connection: Connection, customer_id: str, payment_id: str, told: Iterable[RefundFacts], *, at: str) -> None:
    """Write down what the provider says of a payment's refunds, in any order and any number of times, and book what moved.

    One that nobody here asked for was made by hand at the provider: it becomes ours as it is, once ours have moved. So does one
    of ours that went out while another took its place, or a part of it: that money is gone as well.
    """
    asked, others = list[RefundFacts](), list[RefundFacts]()
    for facts in told:
        (asked if _is_asked(connection, customer_id, facts) else others).append(facts)
    for facts in asked:
        _move(connection, customer_id, facts, at=at, **facts.named)
    for facts in others:
        _adopt(connection, customer_id, payment_id, facts, at=at)
        _move(connection, customer_id, facts, refund_id=facts.provider_id, attempt=0, at=at)


def send(work: Work, body: dict[str, Any]) -> str:
    """Do the job of one refund."""
    try:
        return send_refund(work.engine, body["customer_id"], body["refund_id"], now=work.now)
    except NotFound:
        return "done"


def _take(connection: Connection, customer_id: str, payment_id: str, cents: int) -> bool:
    """Note that so much of a payment is asked back; False where less is left of it."""
    return bool(
        changed(
            connection,
            """
            update payment set refunded_cents = refunded_cents + :cents
            where customer_id = :customer_id and payment_id = :payment_id and refunded_cents + :cents <= received_cents
            """,
            customer_id=customer_id,
            payment_id=payment_id,
            cents=cents,
        )
    )


def _insert(
    connection: Connection,
    customer_id: str,
    payment_id: str,
    refund_id: str,
    *,
    cents: int,
    unit: RefundedUnit | None,
    reason: str,
    at: str,
) -> None:
    columns = ("seller_id", "part_id", "line_no", "unit_no")
    given: Mapping[str, object] = unit or {}
    changed(
        connection,
        """
        insert into refund (customer_id, refund_id, payment_id, order_id, seller_id, part_id, line_no, unit_no, currency,
          amount_cents, reason, state, attempt, problem, requested_at)
        select customer_id, :refund_id, payment_id, order_id, :seller_id, :part_id, :line_no, :unit_no, currency,
          :cents, :reason, 'requested', 0, '', :at
        from payment where customer_id = :customer_id and payment_id = :payment_id
        """,
        customer_id=customer_id,
        payment_id=payment_id,
        refund_id=refund_id,
        cents=cents,
        reason=reason[:MOST_REASON],
        at=at,
        **{name: given.get(name) for name in columns},
    )


def _refund(connection: Connection, customer_id: str, refund_id: str) -> Refund:
    found = row(
        connection,
        """
        select refund.customer_id, refund.refund_id, refund.payment_id, refund.order_id, payment.intent_id, payment.session_id,
          refund.currency, refund.amount_cents, refund.state, refund.attempt
        from refund
        join payment on payment.customer_id = refund.customer_id and payment.payment_id = refund.payment_id
        where refund.customer_id = :customer_id and refund.refund_id = :refund_id
        """,
        customer_id=customer_id,
        refund_id=refund_id,
    )
    if found is None:
        raise NotFound("no such refund")
    return Refund(**found)


def _is_asked(connection: Connection, customer_id: str, facts: RefundFacts) -> bool:
    """Tell whether it is a refund of ours that no other took the place of, in whole or part, while the provider had it."""
    query = """
        select 1 as one from refund
        where customer_id = :customer_id and refund_id = :refund_id
          and (amount_cents = :cents or state <> 'requested' or attempt <> :attempt or :state = 'failed')
    """
    asked = {"customer_id": customer_id, "cents": facts.cents, "state": facts.state, **facts.named}
    return facts.is_ours and row(connection, query, **asked) is not None


def _adopt(connection: Connection, customer_id: str, payment_id: str, facts: RefundFacts, *, at: str) -> None:
    """Write down a refund that somebody made at the provider, once, with what it takes of the order's money.

    It stands for those of ours that failed and wait, as far as it goes: what they were for is owed already. One that failed
    and is gone for another that stands for it does not come again with an older answer.
    """
    known = """
        select 1 as one from refund where customer_id = :customer_id and refund_id = :refund_id
        union all
        select 1 as one from payment_event where customer_id = :customer_id and event_id in (:by_id, :by_key)
    """
    events = {"by_id": failed_event(facts.provider_id), "by_key": failed_event(facts.key)}
    if facts.state == "failed" or rows(connection, known, customer_id=customer_id, refund_id=facts.provider_id, **events):
        return
    own = facts.named["refund_id"]
    failed = rows(connection, FAILED, customer_id=customer_id, payment_id=payment_id, own=own, cents=facts.cents)
    rest = max(facts.cents - sum(refund["amount_cents"] for refund in failed), 0)
    if rest and not _take(connection, customer_id, payment_id, rest):
        return
    units = [_lessen(connection, customer_id, refund, cents) for refund, cents in _spread(failed, facts.cents)]
    unit = units[0] if len(units) == 1 and not rest else None
    reason = "made at the provider"
    _insert(connection, customer_id, payment_id, facts.provider_id, cents=facts.cents, unit=unit, reason=reason, at=at)
    if rest:
        refund = replace(_refund(connection, customer_id, facts.provider_id), amount_cents=rest)
        post_unused(connection, _money(refund, f"made {facts.provider_id}", at))


def _spread(failed: Iterable[dict[str, Any]], cents: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the refunds that an amount stands for, with how much of it each gets."""
    for refund in failed:
        if share := min(cents, refund["amount_cents"]):
            cents -= share
            yield refund, share


def _lessen(connection: Connection, customer_id: str, failed: dict[str, Any], cents: int) -> RefundedUnit:
    """Take so much off a refund that failed, which is gone where that is all of it, and return its unit."""
    change = "update refund set amount_cents = amount_cents - :cents" if cents < failed["amount_cents"] else "delete from refund"
    where = "where customer_id = :customer_id and refund_id = :refund_id"
    changed(connection, f"{change} {where}", customer_id=customer_id, refund_id=failed["refund_id"], cents=cents)
    return cast(RefundedUnit, {name: failed[name] for name in ("seller_id", "part_id", "line_no", "unit_no")})


def _move(connection: Connection, customer_id: str, facts: RefundFacts, *, refund_id: str, attempt: int, at: str) -> None:
    """Take a refund forward to where the provider has it, and book what that moves; what is older changes nothing."""
    before = row(
        connection,
        "select state from refund where customer_id = :customer_id and refund_id = :refund_id and attempt = :attempt",
        customer_id=customer_id,
        refund_id=refund_id,
        attempt=attempt,
    )
    moved = changed(
        connection,
        f"""
        update refund set state = :state, provider_id = :provider_id, problem = :problem, settled_at = :at
        where customer_id = :customer_id and refund_id = :refund_id and attempt = :attempt and state in {BEFORE[facts.state]}
        """,
        state=facts.state,
        provider_id=facts.provider_id or None,
        problem=facts.reason,
        at=at,
        customer_id=customer_id,
        refund_id=refund_id,
        attempt=attempt,
    )
    if not moved or before is None:
        return
    refund = _refund(connection, customer_id, refund_id)
    if facts.state == "done":
        post_refund_paid(connection, _money(refund, refund.key, at))
        mail_refund(connection, customer_id, refund.order_id, refund_id, cents=refund.amount_cents, key=refund.key)
    elif facts.state == "failed":
        failed = failed_event(refund.key)
        keep_event(connection, customer_id, refund.payment_id, failed, kind=REFUND_FAILED, at=at)
        if before["state"] == "done":
            post_refund_bounced(connection, _money(refund, refund.key, at))


def _money(refund: Refund, reference: str, at: str) -> OrderMoney:
    return OrderMoney(
        customer_id=refund.customer_id,
        order_id=refund.order_id,
        reference=reference,
        currency=refund.currency,
        cents=refund.amount_cents,
        at=at,
    )
