"""What the provider keeps of payments, refunds and disputes: booked once as it says so, asked for until it does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from demo.bank import Bank
from demo.bank_fees import BankFees
from marketplace.db import run_tx
from marketplace.money.payments import check_payment
from marketplace.money.refunds import request_refund
from pos import clock
from tests.marketplace.hq import Hq
from tests.marketplace.money.paying import bank_of
from tests.marketplace.money.test_payments import BEGIN, assert_booked, events, order, pay, session_of, tell

PRICE, KEPT, DISPUTE = 36900, 579, 2000
"""1.5 % of 369.00 rounded half up, and 0.25; a dispute's fee."""


@pytest.fixture(autouse=True)
def time() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(BEGIN, tick=False) as moved:
        yield moved


@pytest.fixture
def bank(hq: Hq, tmp_path: Path, time: time_machine.Coordinates) -> Iterator[Bank]:
    with bank_of(hq, tmp_path / "bank", fees=BankFees()) as running:
        yield running


def paid(hq: Hq, bank: Bank) -> str:
    """Pay an order at the bank, let it tell, and return the payment at the bank."""
    bank.act("pay", session_of(pay(hq, order(hq))))
    tell_all(hq, bank)
    return str(bank.books.listed("payment_intent")[0]["id"])


def tell_all(hq: Hq, bank: Bank) -> None:
    for body in events(bank):
        assert tell(hq, bank, body) == 204


def unknown(hq: Hq) -> int:
    return len(hq.rows("select 1 as one from payment where fees_at is null"))


def test_what_the_provider_keeps_of_a_payment_is_booked_once_with_it(hq: Hq, bank: Bank) -> None:
    paid(hq, bank)
    tell_all(hq, bank)
    assert_booked(hq, provider=PRICE - KEPT, provider_fees=KEPT, customer_money=-PRICE)
    assert unknown(hq) == 0
    assert [fee["kind"] for fee in hq.rows("select kind from entry where kind = 'provider_fee'")] == ["provider_fee"]


def test_a_fee_that_is_told_later_is_asked_for_without_any_news(hq: Hq, bank: Bank, time: time_machine.Coordinates) -> None:
    bank.mood = "unsettled"
    intent_id = paid(hq, bank)
    assert_booked(hq, provider=PRICE, customer_money=-PRICE)
    assert unknown(hq) == 1
    time.shift(timedelta(minutes=90))
    hq.work()
    assert unknown(hq) == 1, "the provider does not know yet"

    bank.act("settle", intent_id)
    time.shift(timedelta(minutes=90))
    hq.work()
    assert_booked(hq, provider=PRICE - KEPT, provider_fees=KEPT, customer_money=-PRICE)
    asked = hq.rows("select checked_at from payment")
    time.shift(timedelta(minutes=90))
    hq.work()
    assert (unknown(hq), hq.rows("select checked_at from payment")) == (0, asked), "nobody asks again"


def test_the_provider_s_news_of_a_late_fee_is_enough(hq: Hq, bank: Bank) -> None:
    bank.mood = "unsettled"
    bank.act("settle", paid(hq, bank))
    tell_all(hq, bank)
    assert_booked(hq, provider=PRICE - KEPT, provider_fees=KEPT, customer_money=-PRICE)


@pytest.mark.parametrize(("outcome", "booked"), [("won", {}), ("lost", {"dispute_losses": PRICE})])
def test_a_dispute_costs_its_fee_once_whoever_wins(hq: Hq, bank: Bank, outcome: str, booked: dict[str, int]) -> None:
    bank.act("dispute", paid(hq, bank))
    tell_all(hq, bank)
    kept = KEPT + DISPUTE
    assert_booked(hq, provider=-kept, provider_fees=kept, disputes=PRICE, customer_money=-PRICE)
    bank.act(outcome, bank.books.listed("dispute")[0]["id"])
    tell_all(hq, bank)
    assert_booked(
        hq, provider=PRICE - booked.get("dispute_losses", 0) - kept, provider_fees=kept, customer_money=-PRICE, **booked
    )


def test_what_a_refund_costs_is_booked_with_it_and_the_payment_s_own_fee_stays(
    hq: Hq, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BankFees, "of", lambda _, kind, __: {"charge": KEPT, "refund": 30}.get(kind, 0))
    paid(hq, bank)
    [placed] = hq.rows("select customer_id, order_id, payment_id from payment")

    def ask(connection: object) -> str:
        at = clock.to_text(clock.now())
        key = (placed["customer_id"], placed["order_id"])
        return request_refund(connection, *key, cents=5000, unit=None, reason="goodwill", at=at)  # type: ignore[arg-type]

    run_tx(hq.engine, ask)
    hq.work()
    booked = {"provider": PRICE - KEPT - 5000 - 30, "provider_fees": KEPT + 30, "customer_money": -PRICE, "refunds_due": 5000}
    assert_booked(hq, **booked)
    check_payment(hq.engine, placed["customer_id"], placed["payment_id"], now=clock.now())
    assert_booked(hq, **booked)
    assert unknown(hq) == 0


def test_a_fee_in_the_provider_s_own_currency_is_booked_in_that_currency(
    hq: Hq, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bank.books.new
    change = {"currency": "usd", "fee": 700}
    monkeypatch.setattr(
        bank.books, "new", lambda kind, **facts: made(kind, **(facts | change if kind == "balance_transaction" else facts))
    )
    paid(hq, bank)
    found = hq.rows("select account, currency, amount_cents from posting where currency = 'USD' order by account")
    assert [tuple(line.values()) for line in found] == [("provider", "USD", -700), ("provider_fees", "USD", 700)]
