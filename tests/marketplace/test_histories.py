"""Any history of orders, payments, shipments, refunds, fees, disputes and payouts adds up after each step, in every currency."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from marketplace.db import run_tx
from marketplace.money.adjustments import Adjustment, adjust
from marketplace.money.fees import FeeRule, add_rule
from marketplace.orders.cases import OPEN
from marketplace.orders.units import refundable_cents
from pos import clock
from pos.line_facts import Wish
from pos.tokens import TokenLine
from tests.amounts import amount
from tests.marketplace.explained import BY_HAND, Books, assert_explained, assert_stated, left_out_zeros
from tests.marketplace.hq import CopiedHq
from tests.marketplace.trading import BEGIN, Trade
from tests.marketplace.trading_world import CURRENCIES, SELLERS, TradingHq

PLANS: dict[str, tuple[int | None, ...]] = {
    "fr": (None, None, 1, 2, 3, 4),
    "us": (None, None, 10, 11),
    "jp": (None,),
    "kw": (None,),
}
PLACE = st.integers(0, 5)
SHARES = st.sampled_from((1, 3, 10, 50, 97, 100))
STEPS = {
    "to_accept": ("accept", "accept", "accept", "give_up", "cancel"),
    "accepted": ("ship", "ship", "ship", "give_up", "cancel"),
    "shipped": ("deliver",),
}
CASE_STEPS = ("grant", "repair", "send", "receive", "settle", "mend", "refuse", "drop")


@pytest.fixture(scope="module")
def founded_trade(tmp_path_factory: pytest.TempPathFactory) -> TradingHq:
    with time_machine.travel(BEGIN, tick=False):
        made = TradingHq(tmp_path_factory.mktemp("trade") / "hq", None)
    made.close()
    return made


class Histories(RuleBasedStateMachine):
    """What customers, sellers, the provider, the bank and HQ do, in any order."""

    founded: TradingHq

    @initialize(data=st.data(), market=st.sampled_from(sorted(CURRENCIES)))
    def begin(self, data: st.DataObject, market: str) -> None:
        self.time, self.patch = time_machine.travel(BEGIN, tick=False), pytest.MonkeyPatch()
        same_ids_each_time(self.patch)
        self.directory = Path(mkdtemp(prefix="history-"))
        self.trade = Trade(CopiedHq(self.founded, self.directory / "hq"), self.time.start().shift)
        self.count, self.stated, self.gone = 0, dict[int, int](), Counter[int]()
        self.look()
        for _ in range(data.draw(st.integers(0, 2))):
            self.fees_change(data=data)
        self.trade.wait(timedelta(days=1))
        for _ in range(data.draw(st.integers(1, 2))):
            self.order(data=data, market=market, may_substitute=data.draw(st.booleans()))
        for placed in self.trade.orders("open"):
            payment_id = self.trade.pay(placed["order_id"])
            assert payment_id
            self.trade.till.pay(payment_id)
            self.trade.hear(payment_id)
        self.carriers_acknowledge()
        for state, step in (("to_accept", self.trade.accept), ("accepted", self.trade.ship), ("shipped", self.trade.deliver)):
            for unit in self.trade.units(state):
                if data.draw(st.integers(0, 3)):
                    step(unit)
        for unit in self.trade.units("shipped", "delivered"):
            for share in data.draw(st.sampled_from(((), (), (50,), (100,), (33, 100)))):
                self.trade.refund(unit, refundable_cents(self.trade.fresh(unit)) * share // 100)
        self.look()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.bring_to_its_end()
        finally:
            self.time.stop()
            self.patch.undo()
            self.trade.hq.close()
            rmtree(self.directory)

    def look(self) -> None:
        self.books = assert_explained(self.trade.hq)
        gone, before, self.gone = taken(self.books), self.gone, taken(self.books)
        for listing in self.books["listing"]:
            listing_id = listing["listing_id"]
            left = max(self.stated.get(listing_id, listing["quantity"]) - gone[listing_id] + before[listing_id], 0)
            assert listing["quantity"] == left, "what a seller stated, less what was shipped or was not there"
            self.stated[listing_id] = left

    def has(self, table: str, *states: str) -> bool:
        """Tell whether there is a row in one of these states."""
        return any(row["state"] in states for row in self.books[table])

    # Customers and their money

    @rule(data=st.data(), market=st.sampled_from(sorted(CURRENCIES)), may_substitute=st.booleans())
    def order(self, data: st.DataObject, market: str, may_substitute: bool) -> None:
        self.count += 1
        first = 10 * (1 + list(CURRENCIES).index(market))
        wishes = [
            Wish(
                listing_id=first + data.draw(PLACE),
                plan_id=data.draw(st.sampled_from(PLANS[market])),
                quantity=data.draw(st.integers(1, 2)),
            )
            for _ in range(data.draw(st.integers(1, 2)))
        ]
        said = {"email": f"c{self.count}", "may_substitute": may_substitute}
        alone = [replace(wish, plan_id=None, quantity=1) for wish in wishes]
        self.trade.order(market, wishes, **said) or self.trade.order(market, alone[:1], **said)
        self.look()

    @rule(place=PLACE, plan=st.sampled_from((0, 2)), cents=st.integers(1, 40_000), may_substitute=st.booleans())
    def claim(self, place: int, plan: int, cents: int, may_substitute: bool) -> None:
        self.count += 1
        line = TokenLine(listing_id=10 + place, plan_id=plan, one_off_cents=cents, monthly_cents=1499 if plan else 0)
        self.trade.claim([line], counter=self.count, email=f"c{self.count}", may_substitute=may_substitute)
        self.look()

    @precondition(lambda self: self.has("customer_order", "open", "unpaid"))
    @rule(data=st.data(), outcome=st.sampled_from(("paid", "paid", "paid", "left", "refused")))
    def pay(self, data: st.DataObject, outcome: str) -> None:
        if waiting := self.trade.orders("open", "unpaid"):
            payment_id = self.trade.pay(data.draw(st.sampled_from(waiting))["order_id"])
            if payment_id and outcome == "paid":
                self.trade.till.pay(payment_id)
                if data.draw(st.booleans()):
                    self.trade.hear(payment_id)
        self.look()

    @precondition(lambda self: bool(self.trade.till))
    @rule(data=st.data(), age=st.sampled_from((0, 0, 1, 2)))
    def hear(self, data: st.DataObject, age: int) -> None:
        """HQ hears of a payment, once more, or what was true some changes ago."""
        if self.trade.till:
            self.trade.hear(data.draw(st.sampled_from(sorted(self.trade.till))), age)
        self.look()

    @precondition(lambda self: any(paid.facts.session == "expired" for paid in self.trade.till.values()))
    @rule(data=st.data())
    def money_comes_late(self, data: st.DataObject) -> None:
        """A payment that was over brings money after all."""
        over = [payment_id for payment_id, paid in self.trade.till.items() if paid.facts.session != "complete"]
        if over:
            self.trade.till.pay(data.draw(st.sampled_from(over)))
        self.look()

    @precondition(lambda self: self.has("refund", "requested"))
    @rule(state=st.sampled_from(("done", "done", "sent", "failed")))
    def refunds_move(self, state: str) -> None:
        self.trade.send_refunds(state)
        self.look()

    @precondition(lambda self: self.has("refund", "sent", "done"))
    @rule(data=st.data(), state=st.sampled_from(("done", "failed")))
    def refund_arrives_or_not(self, data: st.DataObject, state: str) -> None:
        under_way = [
            (payment_id, refund)
            for payment_id, paid in sorted(self.trade.till.items())
            for refund in paid.facts.refunds
            if refund.state == "sent" or (refund.state == "done" and state == "failed")
        ]
        if under_way:
            self.trade.till.settle(*data.draw(st.sampled_from(under_way)), state)
        self.look()

    @precondition(lambda self: self.has("refund", "failed"))
    @rule()
    def failed_refunds_are_sent_again(self) -> None:
        self.trade.retry_refunds()
        self.look()

    @precondition(lambda self: any(paid.left_cents for paid in self.trade.till.values()))
    @rule(data=st.data(), share=SHARES)
    def refund_by_hand(self, data: st.DataObject, share: int) -> None:
        left = {payment_id: paid.left_cents for payment_id, paid in self.trade.till.items() if paid.left_cents}
        payment_id = data.draw(st.sampled_from(sorted(left)))
        self.trade.till.by_hand(payment_id, -(-left[payment_id] * share // 100))
        self.trade.hear(payment_id)
        self.look()

    @precondition(lambda self: self.has("payment", "paid", "returned"))
    @rule(data=st.data(), state=st.sampled_from(("open", "won", "lost", "warned", "prevented")))
    def dispute(self, data: st.DataObject, state: str) -> None:
        paid = [name for name, paid in self.trade.till.items() if self.trade.till.may_dispute(name, state)]
        if paid:
            payment_id = data.draw(st.sampled_from(sorted(paid)))
            self.trade.till.dispute(payment_id, state)
        self.look()

    # Units

    @precondition(lambda self: self.has("unit", *STEPS))
    @rule(data=st.data())
    def move_units(self, data: st.DataObject) -> None:
        state = data.draw(st.sampled_from([state for state in STEPS if self.has("unit", state)]))
        step = data.draw(st.sampled_from(STEPS[state]))
        for unit in self.some(data, self.trade.units(state)):
            getattr(self.trade, step)(unit)
        self.look()

    @precondition(lambda self: self.has("unit", "to_accept", "accepted"))
    @rule()
    def carriers_acknowledge(self) -> None:
        self.trade.acknowledge_plans()
        self.look()

    @precondition(lambda self: self.has("unit", "shipped", "delivered", "returned"))
    @rule(data=st.data(), share=SHARES)
    def seller_refunds(self, data: st.DataObject, share: int) -> None:
        for unit in self.some(data, self.trade.units("shipped", "delivered", "returned")):
            self.trade.refund(unit, None if share == 100 else refundable_cents(self.trade.fresh(unit)) * share // 100)
        self.look()

    @precondition(lambda self: self.has("substitution", "offered"))
    @rule(data=st.data(), decision=st.sampled_from(("taken", "declined")))
    def customer_decides(self, data: st.DataObject, decision: str) -> None:
        for unit in self.some(data, self.trade.units("cancelled")):
            self.trade.decide(unit, decision)
        self.look()

    @precondition(lambda self: self.has("unit", "to_accept", "accepted", "shipped", "delivered"))
    @rule(data=st.data(), right=st.sampled_from(("withdraw", "send_back", "legal", "commercial")))
    def customer_has_a_right(self, data: st.DataObject, right: str) -> None:
        for unit in self.some(data, self.trade.units("to_accept", "accepted", "shipped", "delivered")):
            if right in ("legal", "commercial"):
                self.trade.claim_for(unit, right, data.draw(st.sampled_from(("refund", "reduction", "repair"))))
            else:
                getattr(self.trade, right)(unit)
        self.look()

    @precondition(lambda self: self.has("unit_case", *OPEN))
    @rule(data=st.data(), step=st.sampled_from(CASE_STEPS), share=SHARES)
    def case_moves(self, data: st.DataObject, step: str, share: int) -> None:
        for case in self.some(data, self.trade.open_cases()):
            [unit] = [each for each in self.trade.units(*("shipped", "delivered", "returned")) if name(each) == name(case)]
            self.trade.move_case(case, step, None if share == 100 else refundable_cents(self.trade.fresh(unit)) * share // 100)
        self.look()

    @rule(market=st.sampled_from(sorted(CURRENCIES)), place=PLACE, quantity=st.integers(0, 6))
    def seller_states_stock(self, market: str, place: int, quantity: int) -> None:
        listing_id = 10 * (1 + list(CURRENCIES).index(market)) + place
        self.trade.hq.write(
            "update listing set quantity = :quantity where listing_id = :listing_id", quantity=quantity, listing_id=listing_id
        )
        self.stated[listing_id] = quantity
        self.look()

    # HQ and time

    @rule(data=st.data())
    def fees_change(self, data: st.DataObject) -> None:
        self.count += 1
        cents = st.integers(0, 50_000)
        least, most = sorted((data.draw(cents), data.draw(cents)))
        fee = FeeRule(
            rule_id=f"rule-{self.count}",
            name=data.draw(st.sampled_from(("commission", "service"))),
            seller_id=data.draw(st.sampled_from((None, *SELLERS))),
            category_id=data.draw(st.sampled_from((None, "phones", "headphones"))),
            market=data.draw(st.sampled_from((None, *CURRENCIES))),
            currency=data.draw(st.sampled_from(sorted(CURRENCIES.values()))),
            rate_bp=data.draw(st.sampled_from((0, 333, 1000, 1777, 10_000))),
            fixed_cents=data.draw(st.sampled_from((0, 1, 99))),
            least_cents=data.draw(st.sampled_from((None, least))),
            most_cents=data.draw(st.sampled_from((None, most))),
            valid_from=clock.to_text(self.trade.now + timedelta(days=1))[:10],
            valid_to=data.draw(st.sampled_from((None, clock.to_text(self.trade.now + timedelta(days=9))[:10]))),
        )
        today = clock.to_text(self.trade.now)[:10]
        assert run_tx(self.trade.hq.engine, lambda connection: add_rule(connection, fee, today=today, at=self.trade.at))
        self.look()

    @rule(
        seller_id=st.sampled_from(SELLERS),
        currency=st.sampled_from(sorted(CURRENCIES.values())),
        cents=st.integers(-9_000, 9_000),
    )
    def adjust(self, seller_id: int, currency: str, cents: int) -> None:
        self.count += 1
        made = Adjustment(
            seller_id=seller_id,
            adjustment_id=f"a{self.count}",
            currency=currency,
            amount_cents=cents,
            reason="goodwill",
            at=self.trade.at,
        )
        self.trade.do(lambda connection: adjust(connection, made))
        self.look()

    @precondition(lambda self: self.has("payout", "planned", "sent", "settled"))
    @rule(data=st.data(), state=st.sampled_from(("sent", "sent", "settled", "settled", "returned")))
    def payouts_move(self, data: st.DataObject, state: str) -> None:
        found = self.trade.hq.rows("select seller_id, payout_id from payout order by seller_id, payout_id")
        for payout in self.some(data, found):
            self.trade.move_payout(payout, state)
        self.look()

    @rule(
        time=st.sampled_from(
            ({"minutes": 5}, {"minutes": 32}, {"hours": 5}, {"hours": 25}, {"hours": 49}, {"days": 11}, {"days": 16})
        )
    )
    def wait(self, time: dict[str, int]) -> None:
        self.trade.wait(timedelta(**time))
        self.look()
        assert_stated(self.books)

    def some(self, data: st.DataObject, found: list[Any]) -> list[Any]:
        """Draw one of them, or all."""
        if not found or data.draw(st.booleans()):
            return found
        return [data.draw(st.sampled_from(found))]

    def bring_to_its_end(self) -> None:
        """Let everything under way end: then clearing accounts hold nothing, and the provider has what the ledger says."""
        self.trade.end_orders()
        self.trade.end_money()
        books = assert_explained(self.trade.hq)
        assert_stated(books)
        by_hand = {f"order:{refund['order_id']}" for refund in books["refund"] if refund["reason"] == BY_HAND}
        left = {order for order, _ in books.held("customer_money")}
        assert left <= by_hand, "HQ sees what went back by hand until the unit is refunded whole"
        lost = {f"order:{paid.order_id}" for paid in self.trade.till.values() if paid.is_taken}
        assert {order for order, _ in books.held("refunds_due")} <= lost, "the provider refunds nothing that a bank took back"
        for account in ("disputes", "payout_transit"):
            assert books.held(account) == {}, account
        kept = Counter[tuple[str, str]]()
        for paid in self.trade.till.values():
            kept["", paid.currency] += paid.kept_cents
        assert books.held("provider") == left_out_zeros(kept)


def taken(books: Books) -> Counter[int]:
    """Count the units of each listing that were shipped, or that their seller gave up or let pass."""
    given_up = {
        name(step) for step in books["unit_step"] if step["state"] == "cancelled" and step["by"] not in ("customer", "plan")
    }
    return Counter(unit["listing_id"] for unit in books["unit"] if unit["shipped_at"] or name(unit) in given_up)


def same_ids_each_time(patch: pytest.MonkeyPatch) -> None:
    """Let ids come in the same order whenever a history is tried again: some things are done in the order of their ids."""
    chance = Random(0)
    patch.setattr(secrets, "randbits", chance.getrandbits)
    patch.setattr(secrets, "token_hex", lambda size: chance.randbytes(size).hex())
    patch.setattr(secrets, "choice", chance.choice)


def name(row: Any) -> tuple[str, int, int]:
    return row["part_id"], row["line_no"], row["unit_no"]


@pytest.mark.long
def test_any_history_of_the_trade_adds_up_after_each_step(founded_trade: TradingHq) -> None:
    Histories.founded = founded_trade
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=amount("histories of the trade"),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
