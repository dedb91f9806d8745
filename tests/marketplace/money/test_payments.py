"""An order is paid at the provider, whatever the provider, the network and two impatient fingers do meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from werkzeug.test import TestResponse

from demo import bank_books
from demo.bank import Bank
from demo.bank_webhooks import signature
from marketplace.db import reading, run_tx
from marketplace.money import payments
from marketplace.money.payments import OPEN_FOR, check_payment
from marketplace.money.provider import Provider, RefundFacts, provider
from marketplace.money.refunds import retry_refund
from marketplace.orders.units import Actor, refund, units_of_order
from pos import clock
from tests.marketplace.hq import IPHONE_13, IPHONE_13_WITH_PLAN, LAST_IPHONE_12, Hq, words
from tests.marketplace.money.books import assert_adds_up, balances, open_accounts
from tests.marketplace.money.paying import bank_of
from tests.marketplace.test_console import log_in

BEGIN = datetime.fromisoformat("2026-12-01T09:00:00+00:00")


@pytest.fixture(autouse=True)
def time() -> Iterator[time_machine.Coordinates]:
    """A clock that both sides share and only the test moves."""
    with time_machine.travel(BEGIN, tick=False) as moved:
        yield moved


@pytest.fixture
def bank(hq: Hq, tmp_path: Path, time: time_machine.Coordinates) -> Iterator[Bank]:
    with bank_of(hq, tmp_path / "bank") as running:
        yield running


def order(hq: Hq, *lines: object, counter: int = 1) -> str:
    """Claim a slip and return its order's id."""
    answer = hq.claim(hq.digits(*(lines or (IPHONE_13,)), counter=counter))  # type: ignore[arg-type]
    return str(answer.location.rpartition("/")[2])


def pay(hq: Hq, order_id: str) -> TestResponse:
    return hq.client.post(f"/orders/{order_id}/payment")


def session_of(answer: TestResponse) -> str:
    assert answer.status_code == 303
    return str(answer.location.rpartition("/")[2])


def state(hq: Hq, order_id: str) -> str:
    [found] = hq.rows("select state from customer_order where order_id = :order_id", order_id=order_id)
    return str(found["state"])


def payment_states(hq: Hq) -> list[str]:
    return [found["state"] for found in hq.rows("select state from payment order by attempt")]


def events(bank: Bank) -> list[bytes]:
    """The bodies of the bank's events, the oldest first."""
    return [json.dumps(event).encode() for event in reversed(bank.books.listed("event"))]


def tell(hq: Hq, bank: Bank, body: bytes, *, at: datetime | None = None) -> int:
    """Post an event as the bank signs it, and do the jobs that follow."""
    secret = bank.webhook_secret.read_text(encoding="utf-8").strip()
    signed = signature(body, secret, at=int((at or clock.now()).timestamp()))
    answer = hq.client.post("/payments/events", data=body, headers={"Stripe-Signature": signed})
    hq.work()
    return answer.status_code


def assert_booked(hq: Hq, **accounts: int) -> None:
    with reading(hq.engine) as connection:
        assert balances(connection) == accounts
        assert_adds_up(connection)


def test_a_paid_order_becomes_its_sellers_parts_and_the_money_is_held(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    session_id = session_of(pay(hq, order_id))
    assert "Votre commande attend son paiement." in words(hq.client.get(f"/orders/{order_id}"))
    bank.act("pay", session_id)

    assert tell(hq, bank, events(bank)[-1]) == 204
    assert (state(hq, order_id), payment_states(hq)) == ("paid", ["paid"])
    assert len(hq.rows("select * from unit")) == 1
    assert "Votre commande est payée." in words(hq.client.get(f"/orders/{order_id}"))
    assert_booked(hq, provider=36900, customer_money=-36900)
    assert pay(hq, order_id).location == f"/orders/{order_id}", "there is nothing more to pay"


def test_without_any_news_the_provider_is_asked(hq: Hq, bank: Bank, time: time_machine.Coordinates) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    hq.work()
    assert state(hq, order_id) == "open", "nobody has asked yet"

    time.shift(timedelta(minutes=1))
    hq.work()
    assert state(hq, order_id) == "paid"


def test_events_in_any_order_and_twice_book_once(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    for body in [*reversed(events(bank)), *events(bank)]:
        assert tell(hq, bank, body) == 204
    assert_booked(hq, provider=36900, customer_money=-36900)
    assert len(hq.rows("select * from unit")) == 1


def test_what_the_provider_did_not_sign_now_is_not_believed(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    [*_, body] = events(bank)
    answer = hq.client.post("/payments/events", data=body, headers={"Stripe-Signature": "t=1,v1=00"})
    assert (answer.status_code, state(hq, order_id)) == (400, "open")
    assert tell(hq, bank, body, at=clock.now() - timedelta(hours=1)) == 400
    assert hq.rows("select * from payment_event") == []


def test_an_event_about_somebody_else_s_payment_is_taken_and_changes_nothing(hq: Hq, bank: Bank) -> None:
    body = json.dumps({"id": "evt_1", "type": "charge.refunded", "data": {"object": {"id": "ch_1"}}}).encode()
    assert tell(hq, bank, body) == 204
    assert hq.rows("select * from payment_event") == []


def test_a_customer_comes_back_to_their_order_by_an_address_that_opens_it_to_nobody_else(hq: Hq, bank: Bank) -> None:
    order_id, other_id = order(hq), order(hq, counter=2)
    session = bank.books.get("checkout.session", session_of(pay(hq, order_id)))
    assert order_id not in json.dumps(session)
    back = urlsplit(session["success_url"]).path
    assert back == urlsplit(session["cancel_url"]).path
    assert hq.client.get(back).location == f"/orders/{order_id}"
    stranger, neighbour = hq.app.test_client(), hq.app.test_client()
    neighbour.post(f"/orders/{other_id}/payment")
    assert {browser.get(back).location for browser in (stranger, neighbour)} == {"/my-orders"}
    neighbour.set_cookie("comptoir_paying", other_id, path=back)
    assert neighbour.get(back).location == "/my-orders", "another order's secret opens only that order"
    assert stranger.get("/payments/none/return").location == "/my-orders", "nobody learns which payments there are"


def test_two_orders_paid_side_by_side_are_each_come_back_to(hq: Hq, bank: Bank) -> None:
    placed, ways = [order(hq), order(hq, counter=2)], []
    for each in placed:
        session = bank.books.get("checkout.session", session_of(pay(hq, each)))
        ways.append(urlsplit(session["cancel_url"]).path)
    assert [hq.client.get(back).location for back in ways] == [f"/orders/{each}" for each in placed]


def test_a_refused_card_leaves_the_same_page_to_try_again(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    first = session_of(pay(hq, order_id))
    bank.act("refuse", first)
    for body in events(bank):
        tell(hq, bank, body)
    assert (state(hq, order_id), session_of(pay(hq, order_id))) == ("open", first)


def test_many_taps_on_pay_open_one_page(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    with ThreadPoolExecutor(4) as fingers:
        answers = list(fingers.map(lambda _: hq.app.test_client().post(f"/orders/{order_id}/payment"), range(12)))
    led = {answer.location for answer in answers if answer.status_code == 303}
    assert {answer.status_code for answer in answers} <= {303, 503}, "who waits too long is asked to come back"
    assert (len(led), payment_states(hq), len(bank.books.listed("checkout.session"))) == (1, ["open"], 1)


@pytest.mark.parametrize("mood", ["broken", "busy", "down"])
def test_a_provider_out_of_order_loses_nothing(hq: Hq, bank: Bank, mood: str, time: time_machine.Coordinates) -> None:
    order_id = order(hq)
    bank.mood = mood
    answer = pay(hq, order_id)
    assert (answer.status_code, state(hq, order_id)) == (503, "open")
    time.shift(timedelta(hours=1))
    hq.work()
    assert hq.rows("select reserved from listing where listing_id = 11") == [{"reserved": 1}], (
        "it may have been paid: nobody knows"
    )

    bank.mood = "fine"
    time.shift(timedelta(minutes=5))
    hq.work()
    assert (state(hq, order_id), hq.rows("select reserved from listing where listing_id = 11")) == ("unpaid", [{"reserved": 0}])
    bank.act("pay", session_of(pay(hq, order_id)))
    time.shift(timedelta(minutes=1))
    hq.work()
    assert state(hq, order_id) == "paid"


def test_an_order_nobody_paid_in_time_can_be_opened_again(hq: Hq, bank: Bank, time: time_machine.Coordinates) -> None:
    order_id = order(hq, LAST_IPHONE_12)
    first = session_of(pay(hq, order_id))
    time.shift(OPEN_FOR + timedelta(minutes=1))
    hq.work()
    assert (state(hq, order_id), payment_states(hq)) == ("unpaid", ["expired"])
    assert "Votre commande n’est pas payée." in words(hq.client.get(f"/orders/{order_id}"))
    assert hq.rows("select reserved from listing where listing_id = 21") == [{"reserved": 0}]

    second = session_of(pay(hq, order_id))
    assert (second != first, state(hq, order_id)) == (True, "open")
    assert hq.rows("select reserved from listing where listing_id = 21") == [{"reserved": 1}]


def test_who_comes_back_when_the_last_unit_is_gone_is_told_before_paying(
    hq: Hq, bank: Bank, time: time_machine.Coordinates
) -> None:
    late = order(hq, LAST_IPHONE_12)
    session_of(pay(hq, late))
    time.shift(OPEN_FOR + timedelta(minutes=1))
    hq.work()
    order(hq, LAST_IPHONE_12, counter=2)
    answer = pay(hq, late)
    assert (answer.status_code, "vient de partir" in words(answer)) == (409, True)


def test_prices_of_an_unpaid_order_are_not_kept_for_ever(hq: Hq, bank: Bank, time: time_machine.Coordinates) -> None:
    order_id = order(hq)
    time.shift(timedelta(days=20))
    hq.work()
    answer = pay(hq, order_id)
    assert (answer.status_code, "n’a pas été payée à temps" in words(answer)) == (409, True)


def test_money_that_comes_when_the_unit_is_gone_goes_back_at_once(hq: Hq, bank: Bank, time: time_machine.Coordinates) -> None:
    order_id = order(hq, LAST_IPHONE_12)
    session_id = session_of(pay(hq, order_id))
    bank.act("pay", session_id)
    hq.write("update customer_order set state = 'unpaid', reserved_until = null")  # as a restored backup would have it
    hq.write("update listing set reserved = 0, quantity = 0 where listing_id = 21")
    time.shift(timedelta(minutes=2))
    hq.work()
    assert (state(hq, order_id), payment_states(hq)) == ("unpaid", ["returned"])
    assert hq.rows("select state, amount_cents from refund") == [{"state": "done", "amount_cents": 24900}]
    assert_booked(hq)


def test_a_cancelled_unit_s_money_reaches_the_customer_once(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    assert hq.client.post(f"/orders/{order_id}/cancellation").status_code == 303
    hq.client.post(f"/orders/{order_id}/cancellation")
    hq.work()

    assert [(made["amount"], made["status"]) for made in bank.books.listed("refund")] == [(36900, "succeeded")]
    for body in events(bank):
        tell(hq, bank, body)
    assert hq.rows("select state, refunded_cents from payment") == [{"state": "paid", "refunded_cents": 36900}]
    assert_booked(hq)


@pytest.mark.parametrize("by_hand", [36900, 10000])
def test_a_unit_can_be_cancelled_after_its_money_was_returned_by_hand_at_the_provider(hq: Hq, bank: Bank, by_hand: int) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    return_by_hand(bank, by_hand)
    look(hq)
    assert hq.client.post(f"/orders/{order_id}/cancellation").status_code == 303
    hq.work()
    assert sum(made["amount"] for made in bank.books.listed("refund")) == 36900
    assert hq.rows("select state, refunded_cents from unit") == [{"state": "cancelled", "refunded_cents": 36900}]
    assert_booked(hq)
    with reading(hq.engine) as connection:
        assert open_accounts(connection) == set()


@pytest.mark.parametrize("by_hand", [36900, 10000])
def test_money_returned_by_hand_while_ours_waits_is_not_owed_twice(hq: Hq, bank: Bank, by_hand: int) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    assert hq.client.post(f"/orders/{order_id}/cancellation").status_code == 303
    return_by_hand(bank, by_hand)
    hq.work()
    for failed in hq.rows("select customer_id, refund_id from refund where state = 'failed'"):
        run_tx(hq.engine, lambda connection, failed=failed: retry_refund(connection, **failed))
    hq.work()
    assert sum(made["amount"] for made in bank.books.listed("refund") if made["status"] == "succeeded") == 36900
    assert {refund["state"] for refund in hq.rows("select state from refund")} == {"done"}
    assert hq.rows("select refunded_cents from payment") == [{"refunded_cents": 36900}]
    assert_booked(hq)


def test_a_refund_is_sent_once_though_its_answer_was_lost(hq: Hq, bank: Bank, time: time_machine.Coordinates) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    give_back(hq, order_id, 5000)
    hq.work()
    hq.write("update refund set state = 'requested', provider_id = null")  # as after a crash between the answer and our writing
    hq.write("update job set state = 'waiting', finished_at = null where kind = 'refund'")
    time.shift(timedelta(hours=20))
    hq.work()
    assert [made["amount"] for made in bank.books.listed("refund")] == [5000]
    assert hq.rows("select state from refund") == [{"state": "done"}]
    assert_booked(hq, provider=31900, customer_money=-31900)


def test_a_refund_that_fails_stays_owed_and_in_sight_until_it_is_sent_again(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    give_back(hq, order_id, 5000)
    hq.work()
    [made] = bank.books.listed("refund")
    bank.act("fail", made["id"])
    tell(hq, bank, events(bank)[-1])
    assert_booked(hq, provider=36900, customer_money=-31900, refunds_due=-5000)

    log_in(hq)
    page = words(hq.client.get("/console/payments"))
    assert "50,00 €" in page
    [failed] = hq.rows("select customer_id, refund_id from refund where state = 'failed'")
    customer_id, refund_id = failed["customer_id"], failed["refund_id"]
    address = f"/console/payments/refunds/{customer_id}/{refund_id}/retry"
    assert hq.client.post(address).status_code == 303
    assert hq.client.post(address).status_code == 409, "somebody sent it already"
    hq.work()
    assert_booked(hq, provider=31900, customer_money=-31900)


@pytest.mark.parametrize("by_hand", [5000, 2000])
def test_a_failed_refund_is_sent_again_less_what_was_returned_by_hand_meanwhile(hq: Hq, bank: Bank, by_hand: int) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    give_back(hq, order_id, 5000)
    hq.work()
    [made] = bank.books.listed("refund")
    bank.act("fail", made["id"])
    tell(hq, bank, events(bank)[-1])
    return_by_hand(bank, by_hand)
    [failed] = hq.rows("select customer_id, refund_id from refund where state = 'failed'")
    run_tx(hq.engine, lambda connection: retry_refund(connection, **failed))
    hq.work()
    tell(hq, bank, events(bank)[-1])
    assert sum(each["amount"] for each in bank.books.listed("refund") if each["status"] == "succeeded") == 5000
    assert {refund["state"] for refund in hq.rows("select state from refund")} == {"done"}
    assert hq.rows("select state from job where kind = 'refund' and state <> 'done'") == []
    assert_booked(hq, provider=31900, customer_money=-31900)


@pytest.mark.parametrize("by_hand", [5000, 2000])
def test_money_returned_by_hand_while_ours_is_on_its_way_again_is_booked_beside_ours(
    hq: Hq, bank: Bank, monkeypatch: pytest.MonkeyPatch, by_hand: int
) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    give_back(hq, order_id, 5000)
    hq.work()
    [made] = bank.books.listed("refund")
    bank.act("fail", made["id"])
    tell(hq, bank, events(bank)[-1])
    refund = Provider.refund

    def meanwhile(self: Provider, *args: Any, **wanted: Any) -> RefundFacts:
        """Return money by hand, and let HQ hear of it, just before the provider gets what HQ sends."""
        monkeypatch.undo()
        return_by_hand(bank, by_hand)
        look(hq)
        return refund(self, *args, **wanted)

    monkeypatch.setattr(Provider, "refund", meanwhile)
    [failed] = hq.rows("select customer_id, refund_id from refund where state = 'failed'")
    run_tx(hq.engine, lambda connection: retry_refund(connection, **failed))
    hq.work()
    for _ in range(2):
        assert_booked(hq, provider=31900 - by_hand, customer_money=by_hand - 31900)
        assert hq.rows("select refunded_cents from payment") == [{"refunded_cents": 5000 + by_hand}]
        assert [refund["state"] for refund in hq.rows("select state from refund")] == ["done", "done"]
        look(hq)


@pytest.mark.parametrize("is_ours", [True, False])
def test_an_older_answer_brings_no_refund_back_that_failed_since_and_another_took_the_place_of(
    hq: Hq, bank: Bank, monkeypatch: pytest.MonkeyPatch, is_ours: bool
) -> None:
    order_id = order(hq)
    session_id = session_of(pay(hq, order_id))
    bank.act("pay", session_id)
    tell(hq, bank, events(bank)[-1])
    if is_ours:
        give_back(hq, order_id, 5000)
        hq.work()
    else:
        return_by_hand(bank, 5000)
        look(hq)
    with reading(hq.engine) as connection:
        older = provider(connection).payment(session_id)
    [made] = bank.books.listed("refund")
    bank.act("fail", made["id"])
    look(hq)
    return_by_hand(bank, 5000)
    look(hq)
    monkeypatch.setattr(Provider, "payment", lambda self, session_id: older)
    for _ in range(2):
        assert_booked(hq, provider=31900, customer_money=-31900)
        assert hq.rows("select state, amount_cents from refund") == [{"state": "done", "amount_cents": 5000}]
        assert hq.rows("select refunded_cents from payment") == [{"refunded_cents": 5000}]
        look(hq)


def return_by_hand(bank: Bank, cents: int) -> None:
    """Refund at the provider's own page."""
    [intent] = bank.books.listed("payment_intent")
    with bank.books.change() as told:
        bank_books.refund(bank.books, told, {"payment_intent": intent["id"], "amount": cents})


def test_a_refund_the_provider_pays_later_is_asked_about_without_any_news(
    hq: Hq, bank: Bank, time: time_machine.Coordinates
) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    bank.mood = "owing"
    give_back(hq, order_id, 5000)
    hq.work()
    assert hq.rows("select state from refund") == [{"state": "sent"}]
    assert_booked(hq, provider=36900, customer_money=-31900, refunds_due=-5000)
    [made] = bank.books.listed("refund")
    for waited, stood in ((timedelta(hours=2), "sent"), (timedelta(hours=2), "done")):
        time.shift(waited)
        hq.work()
        assert hq.rows("select state from refund") == [{"state": stood}]
        bank.act("arrive", made["id"])
    assert_booked(hq, provider=31900, customer_money=-31900)


def test_a_refund_that_stays_pending_does_not_keep_the_others_from_being_asked_about(
    hq: Hq, bank: Bank, time: time_machine.Coordinates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payments, "MOST_LOOKS", 1)
    bank.mood = "owing"
    for counter in (1, 2):
        order_id = order(hq, counter=counter)
        bank.act("pay", session_of(pay(hq, order_id)))
        tell(hq, bank, events(bank)[-1])
        give_back(hq, order_id, 5000)
    hq.work()
    bank.act("arrive", bank.books.listed("refund")[0]["id"])
    for _ in range(2):
        time.shift(timedelta(minutes=90))
        hq.work()
    assert sorted(each["state"] for each in hq.rows("select state from refund")) == ["done", "sent"]


@pytest.mark.parametrize(("backlog", "rounds"), [("refund", 2), ("fees", 1)])
def test_a_payment_that_cannot_be_asked_about_holds_up_no_refund(
    hq: Hq, bank: Bank, time: time_machine.Coordinates, monkeypatch: pytest.MonkeyPatch, backlog: str, rounds: int
) -> None:
    monkeypatch.setattr(payments, "MOST_LOOKS", 1)
    bank.mood = "owing"
    for counter in (1, 2):
        order_id = order(hq, counter=counter)
        bank.act("pay", session_of(pay(hq, order_id)))
        tell(hq, bank, events(bank)[-1])
        if counter == 2 or backlog == "refund":
            give_back(hq, order_id, 5000)
        hq.work()
        if counter == 1:
            hq.write("update payment set session_id = 'cs_of_another_account', fees_at = null")
            time.shift(timedelta(minutes=1))
    time.shift(2 * OPEN_FOR)
    hq.work()  # the checks of a payment itself are over
    bank.act("arrive", bank.books.listed("refund")[0]["id"])
    for _ in range(rounds):
        time.shift(timedelta(minutes=90))
        hq.work()
    assert "done" in {each["state"] for each in hq.rows("select state from refund")}


def give_back(hq: Hq, order_id: str, cents: int) -> None:
    with reading(hq.engine) as connection:
        [unit] = units_of_order(connection, order_id)
    run_tx(hq.engine, lambda connection: refund(connection, unit, cents, Actor(by="hq", at=clock.to_text(clock.now()), why="x")))


def test_a_disputed_payment_is_booked_and_given_back_when_we_win(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    session_id = session_of(pay(hq, order_id))
    bank.act("pay", session_id)
    tell(hq, bank, events(bank)[-1])
    [intent] = bank.books.listed("payment_intent")
    bank.act("dispute", intent["id"])
    tell(hq, bank, events(bank)[-1])
    assert_booked(hq, customer_money=-36900, disputes=36900)
    [claimed] = bank.books.listed("dispute")
    bank.act("won", claimed["id"])
    tell(hq, bank, events(bank)[-1])
    assert_booked(hq, provider=36900, customer_money=-36900)
    assert hq.rows("select dispute from payment") == [{"dispute": "won"}]


def test_a_completed_page_whose_payment_failed_gives_its_units_back(hq: Hq, bank: Bank, time: time_machine.Coordinates) -> None:
    order_id = order(hq, LAST_IPHONE_12)
    session_id = session_of(pay(hq, order_id))
    bank.act("refuse", session_id)
    session = bank.books.get("checkout.session", session_id)
    assert session["payment_method_types"] == ["card"], "no means of payment that clears days after the page"
    bank.books.put({**session, "status": "complete"})
    time.shift(OPEN_FOR + timedelta(minutes=1))
    hq.work()
    assert (state(hq, order_id), payment_states(hq)) == ("unpaid", ["expired"])
    assert hq.rows("select reserved from listing where listing_id = 21") == [{"reserved": 0}]


def test_a_warning_of_a_dispute_takes_no_money_and_a_dispute_that_was_prevented_gives_it_back(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    tell(hq, bank, events(bank)[-1])
    [intent] = bank.books.listed("payment_intent")
    bank.act("dispute", intent["id"])
    [claimed] = bank.books.listed("dispute")
    for status, accounts, shown in (
        ("warning_needs_response", {"provider": 36900, "customer_money": -36900}, ""),
        ("needs_response", {"customer_money": -36900, "disputes": 36900}, "open"),
        ("prevented", {"provider": 36900, "customer_money": -36900}, "won"),
    ):
        bank.books.put({**claimed, "status": status})
        look(hq)
        assert_booked(hq, **accounts)
        assert hq.rows("select dispute from payment") == [{"dispute": shown}], status


@pytest.mark.parametrize(("end", "accounts"), [("won", {"provider": 36900}), ("lost", {"dispute_losses": 36900})])
def test_what_was_true_of_a_dispute_earlier_neither_ends_it_nor_changes_its_end(
    hq: Hq, bank: Bank, end: str, accounts: dict[str, int]
) -> None:
    """Two looks at once may be written down in either order."""
    bank.act("pay", session_of(pay(hq, order(hq))))
    tell(hq, bank, events(bank)[-1])
    [intent] = bank.books.listed("payment_intent")
    bank.act("dispute", intent["id"])
    [claimed] = bank.books.listed("dispute")
    warnings = ("warning_needs_response", "warning_under_review", "warning_closed")
    for status in ("needs_response", *warnings, "under_review"):
        bank.books.put({**claimed, "status": status})
        look(hq)
        assert_booked(hq, customer_money=-36900, disputes=36900)
        assert hq.rows("select dispute from payment") == [{"dispute": "open"}], status
    for status in (end, "needs_response", *warnings, "prevented"):
        bank.books.put({**claimed, "status": status})
        look(hq)
        assert_booked(hq, customer_money=-36900, **accounts)
        assert hq.rows("select dispute from payment") == [{"dispute": end}], status


def look(hq: Hq) -> None:
    [paid] = hq.rows("select customer_id, payment_id from payment")
    check_payment(hq.engine, paid["customer_id"], paid["payment_id"], now=clock.now())


def test_a_bundle_s_page_asks_for_the_device_s_share_alone(hq: Hq, bank: Bank) -> None:
    pay(hq, order(hq, IPHONE_13_WITH_PLAN))
    [session] = bank.books.listed("checkout.session")
    assert session["amount_total"] == 16900


def test_the_provider_learns_no_secret_of_the_order(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    pay(hq, order_id)
    [session] = bank.books.listed("checkout.session")
    assert session["metadata"] == {"payment_id": hq.rows("select payment_id from payment")[0]["payment_id"]}
    assert order_id not in json.dumps(session)


def test_a_payment_looked_at_from_two_sides_at_once_is_booked_once(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    bank.act("pay", session_of(pay(hq, order_id)))
    [paid] = hq.rows("select customer_id, payment_id from payment")

    def look_once(_: int) -> str:
        return check_payment(hq.engine, paid["customer_id"], paid["payment_id"], now=clock.now())

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(look_once, range(8))) == {"paid"}
    assert len(hq.rows("select * from unit")) == 1
    assert_booked(hq, provider=36900, customer_money=-36900)


def test_only_order_pages_may_lead_to_the_provider(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    assert bank.address in hq.client.get(f"/orders/{order_id}").headers["Content-Security-Policy"]
    assert bank.address not in hq.client.get("/home").headers["Content-Security-Policy"]


def test_without_a_provider_nothing_can_be_paid_and_the_page_says_so(hq: Hq) -> None:
    order_id = order(hq)
    answer = pay(hq, order_id)
    assert answer.status_code == 503
    assert state(hq, order_id) == "open"
