"""What sellers are paid: on the 6th, 16th and 26th, all that fell due, less what is held back; and what became of each transfer.

Invariants: a seller has one payout a day and currency, however many workers plan it and wherever one dies; what is not paid
(held, negative, too little) stays the seller's and counts on the next day; a returned transfer puts the earnings back. Our fees
are invoiced in the payout's own transaction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace.db import changed, new_id, reading, row, rows, run_tx
from marketplace.money.accounts import of_seller, seller_in
from marketplace.money.days import later, ready_payout_day
from marketplace.money.fees import share
from marketplace.money.identity import our_identity
from marketplace.money.ledger import Fact, Posting, held, post
from marketplace.papers.fee_invoices import issue_fee_invoices
from marketplace.running.jobs import Work
from marketplace.settings import setting, store_setting
from pos import clock
from pos.currencies import places
from pos.errors import Conflict, Invalid

SEPA_CURRENCY = "EUR"
PAYOUTS_EVERY = timedelta(hours=1)
LEAST_UNITS = 10
"""The least a payout is worth making, in whole units of the currency, unless the seller's terms say otherwise."""
MOST_SHOWN = 300
NEXT_STATES = {"planned": ("sent",), "sent": ("settled", "returned"), "settled": ("returned",), "returned": ()}
"""A bank may return what it had settled: a closed account, a refused credit."""


class PayoutMoved(Conflict):
    """The payout is in another state than the one that was acted on; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutTerms:
    """How a seller is paid. A share is kept in reserve until the end of a day; an IBAN that is empty means by hand."""

    holder: str
    iban: str
    is_held: bool
    reserve_bp: int
    reserve_until: str | None
    least_cents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """A payout as it stands; `reason` says why it was returned."""

    seller_id: int
    payout_id: str
    currency: str
    day: str
    amount_cents: int
    state: str
    holder: str
    iban: str
    reason: str
    file_id: str | None
    planned_at: str
    sent_at: str | None
    ended_at: str | None

    @property
    def is_sepa(self) -> bool:
        """Whether it goes out with the bank's file; the others are transferred by hand."""
        return self.currency == SEPA_CURRENCY and bool(self.iban)

    @property
    def next_states(self) -> tuple[str, ...]:
        """What it may be marked as."""
        return NEXT_STATES[self.state]


def pay_out(work: Work, _: dict[str, Any]) -> str:
    """Plan the payouts of every currency whose day has come: a job, started by a timer."""
    planned = plan_payouts(work.engine, now=work.now)
    issued = invoice_fees(work.engine, now=work.now)
    said = [f"{sum(planned.values())} payouts: {', '.join(planned)}"] if planned else []
    return "; ".join(said + ([f"{issued} invoices of our fees"] if issued else []))


def plan_payouts(engine: Engine, *, now: datetime) -> dict[str, int]:
    """Plan what is due, each seller in a transaction of its own; return how many by the day and currency that were begun."""
    with reading(engine) as connection:
        bodies = rows(connection, "select body from market")
        currencies = sorted({json.loads(market["body"])["currency"] for market in bodies})
        days = {currency: ready_payout_day(connection, currency, now=now) for currency in currencies}
        due = {currency: day for currency, day in days.items() if day and setting(connection, _mark(currency)) != day}
    return {f"{day} {currency}": _plan_day(engine, currency, day, now=now) for currency, day in due.items()}


def plan_payout(connection: Connection, seller_id: int, currency: str, day: str, *, now: datetime) -> bool:
    """Plan a seller's payout of a day in the caller's transaction; False when there is none to make, or it was made."""
    seller, payout_id, at = of_seller(seller_id), f"{day}-{currency}", clock.to_text(now)
    if row(connection, "select 1 as is_there from payout where seller_id = :s and payout_id = :p", s=seller_id, p=payout_id):
        return False
    terms = payout_terms(connection, seller_id)

    def book(kind: str, account: str, party: str, cents: int) -> None:
        fact = Fact(owner_id=seller, name=f"{kind}:{payout_id}", subject=payout_id, kind=kind, currency=currency, at=at)
        post(connection, fact, [Posting("seller_payable", seller, cents, day), Posting(account, party, -cents)])

    is_reserving = terms.reserve_until is not None and day <= terms.reserve_until
    kept = -held(connection, "seller_reserve", seller, currency=currency)
    if kept and not is_reserving:
        book("reserve_release", "seller_reserve", seller, -kept)
    payable = payable_on(connection, seller_id, currency, day)
    least = terms.least_cents if terms.least_cents is not None else LEAST_UNITS * 10 ** places(currency)
    if terms.is_held or payable < max(least, 1):
        return False
    reserve = share(payable, terms.reserve_bp) if is_reserving else 0
    if reserve:
        book("reserve", "seller_reserve", seller, reserve)
    if payable == reserve:
        return False
    changed(
        connection,
        """
        insert into payout (seller_id, payout_id, currency, day, amount_cents, state, holder, iban, reason, planned_at)
        values (:seller_id, :payout_id, :currency, :day, :amount_cents, 'planned', :holder, :iban, '', :at)
        on conflict (seller_id, payout_id) do nothing
        """,
        seller_id=seller_id,
        payout_id=payout_id,
        currency=currency,
        day=day,
        amount_cents=payable - reserve,
        holder=terms.holder,
        iban=terms.iban,
        at=at,
    )
    book("payout", "payout_transit", _party(seller_id, payout_id), payable - reserve)
    return True


def invoice_fees(engine: Engine, *, now: datetime) -> int:
    """Issue what is missing of our fee invoices up to the last day whose payouts were planned, and return how many.

    Those of sellers that nothing is due to, and all of them where our identity came later than the payouts. Nothing without it.
    """
    with reading(engine) as connection:
        if our_identity(connection) is None:
            return 0
        parties = rows(connection, "select distinct party, currency from posting where account in ('commission', 'adjustments')")
        days = {currency: setting(connection, _mark(currency)) for currency in {each["currency"] for each in parties}}
        behind = {currency: day for currency, day in days.items() if day and setting(connection, _invoiced(currency)) != day}
    issued = 0
    for currency, day in sorted(behind.items()):
        issue = partial(issue_fee_invoices, currency=currency, until=day, at=clock.to_text(now))
        sellers = sorted(seller_in(each["party"]) for each in parties if each["currency"] == currency)
        issued += sum(run_tx(engine, partial(issue, seller_id=seller_id)) for seller_id in sellers)
        run_tx(engine, partial(store_setting, name=_invoiced(currency), value=day))
    return issued


def payable_on(connection: Connection, seller_id: int, currency: str, day: str) -> int:
    """Return what a seller may be paid on a day: all that fell due until then and was not paid; negative where it owes us."""
    return payables_on(connection, seller_id, day).get(currency, 0)


def payables_on(connection: Connection, seller_id: int, day: str) -> dict[str, int]:
    """Return by currency what a seller may be paid on a day, euros first; without those in which nothing ever fell due."""
    found = rows(
        connection,
        """
        select currency, cast(-sum(amount_cents) as bigint) as cents
        from posting
        where account = 'seller_payable' and party = :party and due_on <= :day
        group by currency
        """,
        party=of_seller(seller_id),
        day=day,
    )
    cents = {each["currency"]: int(each["cents"]) for each in found}
    return {currency: cents[currency] for currency in sorted(cents, key=lambda each: (each != SEPA_CURRENCY, each))}


def move_payout(connection: Connection, seller_id: int, payout_id: str, state: str, *, reason: str, now: datetime) -> None:
    """Mark a payout as sent, settled or returned, with its entry, in the caller's transaction. Raises: PayoutMoved, Invalid."""
    before = [name for name, following in NEXT_STATES.items() if state in following]
    if not before or (state == "returned" and not reason):
        raise Invalid("a payout is sent, settled, or returned for a reason", field="reason" if before else "state")
    stored = payout(connection, seller_id, payout_id)
    if stored.state not in before:
        raise PayoutMoved(f"the payout is {stored.state}")
    at, column = clock.to_text(now), "sent_at" if state == "sent" else "ended_at"
    moved = changed(
        connection,
        f"""
        update payout set state = :state, reason = :reason, {column} = :at
        where seller_id = :seller_id and payout_id = :payout_id and state = :before
        """,
        **{"state": state, "reason": reason, "at": at, "seller_id": seller_id, "payout_id": payout_id, "before": stored.state},
    )
    if not moved:
        raise PayoutMoved("somebody else marked the payout")
    party, cents = _party(seller_id, payout_id), stored.amount_cents
    transit = Posting("bank", "", cents) if stored.state == "settled" else Posting("payout_transit", party, cents)
    due_on = later(clock.local_day(now, clock.HOME_ZONE), 1)
    to = {"settled": Posting("bank", "", -cents), "returned": Posting("seller_payable", of_seller(seller_id), -cents, due_on)}
    if state in to:
        fact = {"owner_id": of_seller(seller_id), "name": f"payout_{state}:{payout_id}", "subject": payout_id}
        post(connection, Fact(**fact, kind=f"payout_{state}", currency=stored.currency, at=at), [transit, to[state]])


def send_file(connection: Connection, *, now: datetime) -> str | None:
    """Put every planned payout that a bank's file can carry into one, mark them as sent, and return the file's name."""
    file_id = new_id()
    moved = changed(
        connection,
        """
        update payout set state = 'sent', sent_at = :at, file_id = :file_id
        where state = 'planned' and currency = :currency and iban <> ''
        """,
        at=clock.to_text(now),
        file_id=file_id,
        currency=SEPA_CURRENCY,
    )
    return file_id if moved else None


def payout(connection: Connection, seller_id: int, payout_id: str) -> Payout:
    """Return a payout. Raises: PayoutMoved when there is none."""
    stored = row(
        connection,
        "select * from payout where seller_id = :seller_id and payout_id = :payout_id",
        seller_id=seller_id,
        payout_id=payout_id,
    )
    if stored is None:
        raise PayoutMoved("no such payout")
    return Payout(**stored)


def newest_payouts(connection: Connection) -> list[Payout]:
    """Return the newest payouts of all sellers."""
    found = rows(connection, "select * from payout order by day desc, currency, seller_id limit :most", most=MOST_SHOWN)
    return [Payout(**stored) for stored in found]


def payouts_of(connection: Connection, seller_id: int) -> list[Payout]:
    """Return the newest payouts of a seller."""
    found = rows(
        connection,
        "select * from payout where seller_id = :seller_id order by day desc, currency limit :most",
        seller_id=seller_id,
        most=MOST_SHOWN,
    )
    return [Payout(**stored) for stored in found]


def payouts_in(connection: Connection, file_id: str) -> list[Payout]:
    """Return the payouts that one file of the bank carries."""
    found = rows(connection, "select * from payout where file_id = :file_id order by seller_id, payout_id", file_id=file_id)
    return [Payout(**stored) for stored in found]


def payout_terms(connection: Connection, seller_id: int) -> PayoutTerms:
    """Return how a seller is paid: what HQ set, and its application's name and IBAN where HQ set none."""
    company = row(
        connection,
        """
        select seller.body as seller, seller_application.body as application
        from seller
        left join seller_application on seller_application.seller_id = seller.seller_id
        where seller.seller_id = :seller_id
        """,
        seller_id=seller_id,
    )
    bodies = [json.loads(body) for body in (company or {}).values() if body]
    said = {name: str(body[name]) for body in bodies for name in ("legal_name", "iban") if body.get(name)}
    stored = row(connection, "select * from payout_terms where seller_id = :seller_id", seller_id=seller_id) or {}
    return PayoutTerms(
        holder=stored.get("holder") or said.get("legal_name", ""),
        iban=stored.get("iban") or said.get("iban", ""),
        is_held=bool(stored.get("is_held")),
        reserve_bp=stored.get("reserve_bp", 0),
        reserve_until=stored.get("reserve_until"),
        least_cents=stored.get("least_cents"),
    )


def set_payout_terms(connection: Connection, seller_id: int, terms: PayoutTerms) -> None:
    """Store how a seller is paid from its next payout on, in the caller's transaction."""
    values = {name: getattr(terms, name) for name in terms.__slots__} | {"is_held": int(terms.is_held)}
    changed(
        connection,
        """
        insert into payout_terms (seller_id, holder, iban, is_held, reserve_bp, reserve_until, least_cents)
        values (:seller_id, :holder, :iban, :is_held, :reserve_bp, :reserve_until, :least_cents)
        on conflict (seller_id) do update
        set holder = excluded.holder, iban = excluded.iban, is_held = excluded.is_held, reserve_bp = excluded.reserve_bp,
          reserve_until = excluded.reserve_until, least_cents = excluded.least_cents
        """,
        seller_id=seller_id,
        **values,
    )


def _plan_day(engine: Engine, currency: str, day: str, *, now: datetime) -> int:
    with reading(engine) as connection:
        sellers = _sellers_due(connection, currency)

    def plan(connection: Connection, seller_id: int) -> bool:
        issue_fee_invoices(connection, seller_id, currency, until=day, at=clock.to_text(now))
        return plan_payout(connection, seller_id, currency, day, now=now)

    count = sum(run_tx(engine, partial(plan, seller_id=seller_id)) for seller_id in sellers)
    run_tx(engine, lambda connection: store_setting(connection, _mark(currency), day))
    return count


def _sellers_due(connection: Connection, currency: str) -> list[int]:
    """Return the sellers that we owe anything, whether it is due or kept."""
    found = rows(
        connection,
        """
        select party from posting
        where account in ('seller_payable', 'seller_reserve') and currency = :currency
        group by party
        having sum(amount_cents) < 0
        order by party
        """,
        currency=currency,
    )
    return [seller_in(each["party"]) for each in found]


def _party(seller_id: int, payout_id: str) -> str:
    return f"payout:{seller_id}/{payout_id}"


def _mark(currency: str) -> str:
    return f"payouts_{currency}"


def _invoiced(currency: str) -> str:
    return f"fee_invoices_{currency}"
