"""What people, the payment provider and time do to a trading marketplace, for histories.

The provider is `Till`, which keeps the truth of every payment and lets HQ hear it late, twice or out of order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, event
from stdnum import luhn

from marketplace.db import run_tx
from marketplace.money.payouts import move_payout, plan_payouts
from marketplace.money.provider import DisputeFacts, PaymentFacts, RefundFacts
from marketplace.money.refunds import retry_refund
from marketplace.money.truth import take_truth
from marketplace.orders import cases, parts, returns
from marketplace.orders.cases import UnitCase, unit_of_case
from marketplace.orders.claims import Claim, make_claim
from marketplace.orders.order_pages import zone_of
from marketplace.orders.orders import Order, order
from marketplace.orders.placing import claim_slip, order_selection
from marketplace.orders.shipments import Shipment
from marketplace.orders.substitutions import decide, expire_offers, give_up
from marketplace.orders.timeline import PartOfOrder, parts_of_order, unit_name
from marketplace.orders.timers import move_late_units
from marketplace.orders.units import Actor, Unit, accept, cancel, deliver, ship
from marketplace.sellers.fulfilment import refund_units
from pos import clock
from pos.errors import PosError
from pos.line_facts import Wish
from pos.tokens import TokenLine
from tests.marketplace.hq import CONTACT, Hq
from tests.marketplace.money.paying import open_by_hand
from tests.marketplace.trading_world import CURRENCIES, MARKETS

NEW_YORK = "350 Fifth Avenue, New York, NY 10118"
BEGIN = datetime.fromisoformat("2026-11-02T09:00:00+00:00")


@dataclass
class Paid:
    """One payment at the provider: what is true of it now, and all that was ever true, the oldest first."""

    customer_id: str
    order_id: str
    currency: str
    cents: int
    facts: PaymentFacts
    told: list[PaymentFacts] = field(default_factory=list)

    def change(self, **changes: Any) -> None:
        self.told.append(self.facts)
        self.facts = replace(self.facts, **changes)

    @property
    def left_cents(self) -> int:
        """What the provider would still pay back of it."""
        return self.facts.received_cents - sum(refund.cents for refund in self.facts.refunds if refund.state != "failed")

    @property
    def is_taken(self) -> bool:
        """Whether the customer's bank took the money back."""
        return any(dispute.state in ("open", "lost") for dispute in self.facts.disputes)

    @property
    def kept_cents(self) -> int:
        """What of it is with us at the provider."""
        taken = self.facts.received_cents if self.is_taken else 0
        back = sum(refund.cents for refund in self.facts.refunds if refund.state == "done")
        return self.facts.received_cents - taken - back


class Till(dict[str, Paid]):
    """The provider: its payments by their id."""

    def open(self, hq: Hq, order_id: str, attempt: int) -> str:
        """Open a page where an order is paid, as HQ does, and return the payment's id."""
        payment_id, placed, cents = open_by_hand(hq, order_id, attempt=attempt)
        facts = PaymentFacts(session="open", intent_id=payment_id, received_cents=0, refunds=[], disputes=[])
        self[payment_id] = Paid(placed["customer_id"], order_id, placed["currency"], cents, facts)
        return payment_id

    def pay(self, payment_id: str) -> None:
        """Take the customer's money."""
        self[payment_id].change(session="complete", received_cents=self[payment_id].cents)

    def settle(self, payment_id: str, refund: RefundFacts, state: str) -> None:
        """Let a refund arrive, or come back."""
        self.refund(payment_id, replace(refund, state=state, reason="account closed" * (state == "failed")))

    def by_hand(self, payment_id: str, cents: int) -> None:
        """Refund at the provider's own page."""
        provider_id = f"re_hand{len(self[payment_id].facts.refunds)}_{payment_id}".replace(".", "_")
        made = RefundFacts(provider_id=provider_id, key=provider_id, is_ours=False, cents=cents, state="done", reason="")
        self.refund(payment_id, made)

    def dispute(self, payment_id: str, state: str) -> None:
        """Open a dispute of a payment, or decide the one it has."""
        paid = self[payment_id]
        paid.change(disputes=[DisputeFacts(f"dp_{payment_id}", paid.facts.received_cents, state)])

    def may_dispute(self, payment_id: str, state: str) -> bool:
        """Tell whether the customer's bank may say this of a payment now."""
        facts = self[payment_id].facts
        before = facts.disputes[0].state if facts.disputes else ""
        follows = {
            "open": ("", "warned"),
            "warned": ("",),
            "prevented": ("", "warned", "open"),
            "won": ("open",),
            "lost": ("open",),
        }
        return facts.received_cents > 0 and before in follows[state]

    def refund(self, payment_id: str, refund: RefundFacts) -> None:
        """Make a refund or move it on; one of more than is left fails, as does one of money that a bank took back."""
        paid = self[payment_id]
        others = [known for known in paid.facts.refunds if known.key != refund.key]
        is_new = len(others) == len(paid.facts.refunds)
        is_refused = is_new and (refund.cents > paid.left_cents or paid.is_taken)
        paid.change(refunds=[*others, replace(refund, state="failed", reason="refused") if is_refused else refund])


class Trade:
    """One history: what was done so far is in the database, in the till, and in what of stock its sellers stated."""

    def __init__(self, hq: Hq, move_time: Callable[[timedelta], object]) -> None:
        self.hq, self.move_time, self.till = hq, move_time, Till()
        event.listen(hq.engine, "connect", lambda connection, _: connection.execute("pragma synchronous = off"))
        self.imei = 49015420323750

    @property
    def now(self) -> datetime:
        return clock.now()

    @property
    def at(self) -> str:
        return clock.to_text(clock.now())

    def actor(self, by: str, why: str = "other") -> Actor:
        return Actor(by=by, at=self.at, why=why)

    def do(self, act: Callable[[Connection], object]) -> bool:
        """Act in one transaction; False where the product refuses, and then nothing was done."""
        with suppressed() as refused:
            run_tx(self.hq.engine, act)
        return not refused

    # Customers

    def order(self, market: str, wishes: Sequence[Wish], *, email: str, may_substitute: bool) -> bool:
        """Order what a selection holds."""
        target = {"market": market, "currency": CURRENCIES[market], "tax_included": MARKETS[market]["tax_included"]}
        with suppressed() as refused:
            order_selection(
                self.hq.engine,
                f"selection-{email}",
                list(enumerate(wishes, start=1)),
                form(email, len(wishes), may_substitute=may_substitute),
                market=cast(Any, target),
                zone="Europe/Paris",
                language="en",
                seen_cents=10**9,
                now=self.now,
            )
        return not refused

    def claim(self, lines: Sequence[TokenLine], *, counter: int, email: str, may_substitute: bool) -> bool:
        """Order what a slip says."""
        with suppressed() as refused:
            claim_slip(
                self.hq.engine,
                self.hq.digits(*lines, counter=counter),
                form(email, len(lines), may_substitute=may_substitute),
                language="fr",
                replace={},
                seen_cents=10**9,
                now=self.now,
            )
        return not refused

    def orders(self, *states: str) -> list[dict[str, Any]]:
        found = self.hq.rows("select customer_id, order_id, state from customer_order order by placed_at, number")
        return [placed for placed in found if placed["state"] in states]

    def pay(self, order_id: str) -> str | None:
        """Open a payment page, or none while another is open."""
        own = [payment for payment in self.till.values() if payment.order_id == order_id]
        states = self.hq.rows("select state from payment where order_id = :order_id", order_id=order_id)
        if any(payment["state"] in ("opening", "open") for payment in states):
            return None
        customer_id = next(placed["customer_id"] for placed in self.orders("open", "unpaid") if placed["order_id"] == order_id)
        until = clock.to_text(self.now + timedelta(minutes=31))
        if not self.do(lambda connection: parts.keep_reserved(connection, customer_id, order_id, until=until)):
            return None
        return self.till.open(self.hq, order_id, len(own) + 1)

    def hear(self, payment_id: str, age: int = 0) -> None:
        """Let HQ hear what is true of a payment, or was some changes ago."""
        paid = self.till[payment_id]
        facts = [*paid.told, paid.facts][-1 - min(age, len(paid.told))]
        run_tx(self.hq.engine, lambda connection: take_truth(connection, paid.customer_id, payment_id, facts, at=self.at))

    def send_refunds(self, state: str) -> None:
        """Let the provider have every refund that was asked for, and hear what it makes of them."""
        for wanted in self.hq.rows("select * from refund where state = 'requested' order by refund_id"):
            key = f"{wanted['refund_id']}.{wanted['attempt']}" if wanted["attempt"] else wanted["refund_id"]
            made = RefundFacts(
                provider_id=f"re_{key}",
                key=key,
                is_ours=True,
                cents=wanted["amount_cents"],
                state=state,
                reason="odd" * (state == "failed"),
            )
            self.till.refund(wanted["payment_id"], made)
            self.hear(wanted["payment_id"])

    def retry_refunds(self) -> None:
        """Have every refund that failed sent again, as HQ does in its console."""
        for failed in self.hq.rows("select customer_id, refund_id from refund where state = 'failed' order by refund_id"):
            run_tx(self.hq.engine, lambda connection, failed=failed: retry_refund(connection, **failed))

    def move_payout(self, payout: dict[str, Any], state: str) -> bool:
        return self.do(lambda connection: move_payout(connection, **payout, state=state, reason="AC04", now=self.now))

    # Units

    def acknowledge_plans(self) -> None:
        self.hq.write("update activation set state = 'acknowledged', rio = null where state in ('to_send', 'sent')")

    def units(self, *states: str) -> list[Unit]:
        found = self.hq.rows("select * from unit order by part_id, line_no, unit_no")
        return [cast(Unit, unit) for unit in found if unit["state"] in states]

    def fresh(self, unit: Unit) -> Unit:
        """Return a unit as it is now."""
        key = {name: unit[name] for name in ("part_id", "line_no", "unit_no")}  # type: ignore[literal-required]
        query = "select * from unit where part_id = :part_id and line_no = :line_no and unit_no = :unit_no"
        return cast(Unit, self.hq.rows(query, **key)[0])

    def accept(self, unit: Unit) -> bool:
        return self.do(lambda connection: accept(connection, [unit], self.actor(f"seller:{unit['seller_id']}")))

    def give_up(self, unit: Unit) -> bool:
        return self.do(lambda connection: give_up(connection, [unit], self.actor(f"seller:{unit['seller_id']}", "stock")))

    def cancel(self, unit: Unit) -> bool:
        return self.do(lambda connection: cancel(connection, [unit], self.actor("customer")))

    def ship(self, unit: Unit) -> bool:
        self.imei += 1
        imei = f"{self.imei}{luhn.calc_check_digit(str(self.imei))}"
        sent = Shipment(carrier="Colissimo", tracking="6A12345678901", imeis={unit["unit_no"]: imei}, serials={})
        return self.do(lambda connection: ship(connection, [unit], sent, self.actor(f"seller:{unit['seller_id']}")))

    def deliver(self, unit: Unit) -> bool:
        return self.do(lambda connection: deliver(connection, [unit], self.actor("customer")))

    def refund(self, unit: Unit, cents: int | None) -> bool:
        unit = self.fresh(unit)
        return self.do(lambda connection: refund_units(connection, [unit], cents, self.actor("seller:1", "goodwill")))

    def decide(self, unit: Unit, decision: Any) -> bool:
        return self.do(lambda connection: decide(connection, unit, decision, self.actor("customer")))

    # Rights

    def withdraw(self, unit: Unit) -> bool:
        def work(connection: Connection) -> None:
            placed, every = placed_of(connection, unit)
            said: returns.Declaration = {
                "number": placed["number"],
                "name": "C",
                "email": "c",
                "units": [],
                "zone": zone_of(placed),
            }
            returns.withdraw(connection, placed, every, {unit_name(unit)}, said, self.actor("customer", ""))

        return self.do(work)

    def send_back(self, unit: Unit) -> bool:
        def work(connection: Connection) -> None:
            placed, every = placed_of(connection, unit)
            zone, named = zone_of(placed), {unit_name(unit)}
            returns.ask_return(connection, placed, every, named, "", zone=zone, actor=self.actor("customer", ""))

        return self.do(work)

    def claim_for(self, unit: Unit, ground: str, wish: str) -> bool:
        claim = Claim(unit=unit_name(unit), ground=ground, wish=wish, said="Il ne s'allume plus.")

        def work(connection: Connection) -> None:
            placed, every = placed_of(connection, unit)
            make_claim(connection, placed, every, claim, zone=zone_of(placed), actor=self.actor("customer", ""))

        return self.do(work)

    def open_cases(self) -> list[UnitCase]:
        found = self.hq.rows("select * from unit_case order by part_id, line_no, unit_no, case_no")
        return [cast(UnitCase, case) for case in found if case["state"] in cases.OPEN]

    def move_case(self, case: UnitCase, step: str, cents: int | None = None) -> bool:
        seller, customer = self.actor(f"seller:{case['seller_id']}", "seen"), self.actor("customer")
        steps: dict[str, Callable[[Connection], None]] = {
            "grant": lambda connection: cases.grant(connection, case, "refund", seller),
            "repair": lambda connection: cases.grant(connection, case, "repair", seller),
            "send": lambda connection: cases.send(connection, case, "6A12345678901", customer),
            "receive": lambda connection: cases.receive(connection, case, seller),
            "settle": lambda connection: cases.settle(connection, case, unit_of_case(connection, case), cents, seller),
            "mend": lambda connection: cases.mend(connection, case, "6A12345678901", seller),
            "refuse": lambda connection: cases.refuse(connection, case, seller),
            "drop": lambda connection: cases.drop(connection, case, customer),
        }
        return self.do(steps[step])

    # Time

    def wait(self, time: timedelta) -> None:
        """Let time pass, and do what HQ does by itself meanwhile."""
        self.move_time(time)
        for payment_id, paid in self.till.items():
            if paid.facts.session == "open" and self._is_over(payment_id):
                paid.change(session="expired")
        parts.release_unpaid(self.hq.engine, now=self.now, has_ended=self._has_ended)
        move_late_units(self.hq.engine, now=self.now)
        expire_offers(self.hq.engine, now=self.now)
        returns.settle_overdue(self.hq.engine, now=self.now)
        plan_payouts(self.hq.engine, now=self.now)

    def end_orders(self) -> None:
        """Ship what can be shipped, and let all time pass."""
        self.acknowledge_plans()
        for unit in self.units("to_accept"):
            self.accept(unit)
        for unit in self.units("accepted"):
            assert self.ship(unit) or self.give_up(unit)
        for days in (3, 60):
            self.wait(timedelta(days=days))
            for payment_id in self.till:
                self.hear(payment_id)
        for unit in self.units("to_accept", "accepted"):
            assert self.give_up(unit)
        self.wait(timedelta(days=3))

    def end_money(self) -> None:
        """Let disputes be decided, refunds arrive and payouts be settled."""
        for payment_id, paid in self.till.items():
            if any(dispute.state == "open" for dispute in paid.facts.disputes):
                self.till.dispute(payment_id, "won")
            for refund in [refund for refund in paid.facts.refunds if refund.state == "sent"]:
                self.till.settle(payment_id, refund, "done")
            self.hear(payment_id)
        for _ in range(2):  # One that fails because of what went back by hand is less the next time.
            self.retry_refunds()
            self.send_refunds("done")
        for payout in self.hq.rows("select seller_id, payout_id from payout order by seller_id, payout_id"):
            for state in ("sent", "settled"):
                self.move_payout(payout, state)

    def _is_over(self, payment_id: str) -> bool:
        [stored] = self.hq.rows("select opened_at from payment where payment_id = :payment_id", payment_id=payment_id)
        return clock.from_text(stored["opened_at"]) + timedelta(minutes=31) <= self.now

    def _has_ended(self, _customer_id: str, order_id: str) -> bool:
        """Ask the provider, as HQ does before it gives units back."""
        for payment_id, paid in self.till.items():
            if paid.order_id == order_id:
                self.hear(payment_id)
        return True


def form(email: str, lines: int, *, may_substitute: bool) -> dict[str, str]:
    """Return what a customer fills in: an address that is taxed, any tax seen, a new number for each plan."""
    said = {**CONTACT, "email": f"{email}@example.org", "address": NEW_YORK, "seen_tax_cents": "999999999"}
    return said | {f"acquisition_{no}": "new" for no in range(1, lines + 1)} | ({"substitute": "yes"} if may_substitute else {})


def placed_of(connection: Connection, unit: Unit) -> tuple[Order, list[PartOfOrder]]:
    placed = order(connection, unit["order_id"])
    return placed, parts_of_order(connection, placed)


@contextmanager
def suppressed() -> Iterator[list[PosError]]:
    """Lend a list that gets the product's refusal."""
    refused: list[PosError] = []
    try:
        yield refused
    except PosError as problem:
        refused.append(problem)
