"""The plans of orders at their carriers: asked once, answered, and what follows a refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from werkzeug.test import TestResponse

from demo.bank import Bank
from marketplace import tables
from marketplace.db import reading, run_tx
from marketplace.orders.activations import ActivationPending, activations_of, take_truth
from marketplace.orders.carriers import CarrierTruth
from marketplace.orders.overdue import count_overdue
from marketplace.orders.parts import mark_paid
from marketplace.orders.plan_waits import end_plans
from marketplace.orders.shipments import Shipment
from marketplace.orders.substitutions import give_up as lose_units
from marketplace.orders.units import Actor, accept, ship, units_of_order
from marketplace.sellers.orders import waiting
from marketplace.sellers.quality import figures_of
from marketplace.sellers.quality_rules import rules_of
from pos import clock
from pos.tokens import TokenLine
from tests.marketplace.hq import IPHONE_13_WITH_PLAN, Hq, words
from tests.marketplace.money.banks import running_bank
from tests.marketplace.orders.carriers import connect_carrier
from tests.marketplace.test_console import log_in

PLAN_ALONE = TokenLine(plan_id=1, one_off_cents=100, monthly_cents=999)
NUMBER = {"phone": "06 12 34 56 78", "rio": "03p 123456 559"}


@pytest.fixture
def bank(hq: Hq, tmp_path: Path) -> Iterator[Bank]:
    """A bank with the carrier beside it, whose key the marketplace has."""
    with running_bank(tmp_path / "bank") as answering:
        connect_carrier(hq, answering)
        yield answering


def order(hq: Hq, line: TokenLine = PLAN_ALONE, *, way: str = "new", counter: int = 1) -> str:
    """Order a slip of one line, paid where it costs something, and return the order's id."""
    placed = hq.claim(hq.digits(line, counter=counter), acquisition_1=way)
    assert placed.status_code == 303, words(placed)
    order_id = str(placed.location.rpartition("/")[2])
    if line.listing_id:
        [who] = hq.rows("select customer_id from customer_order where order_id = :order_id", order_id=order_id)
        run_tx(hq.engine, lambda connection: mark_paid(connection, who["customer_id"], order_id, at=clock.to_text(clock.now())))
    return order_id


def turn(hq: Hq, minutes: int = 0) -> None:
    """Do what jobs are due, some minutes later."""
    with time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=False):
        hq.work()


def state(hq: Hq) -> str:
    [asked] = hq.rows("select state from activation")
    return str(asked["state"])


def answer(hq: Hq, order_id: str, **form: str) -> TestResponse:
    return hq.client.post(f"/orders/{order_id}/activations/1/1/number", data=form)


def choose(hq: Hq, order_id: str, choice: str) -> TestResponse:
    return hq.client.post(f"/orders/{order_id}/activations/1/1/choice", data={"choice": choice})


def paid_at_the_provider(hq: Hq) -> None:
    """Let the one bundle's money have come by a payment, so that it can go back."""
    hq.write(
        """
        insert into payment (customer_id, payment_id, order_id, attempt, state, currency, amount_cents, received_cents,
          refunded_cents, back_url, opened_at, expires_at, dispute)
        select customer_id, 'p', order_id, 1, 'paid', 'EUR', 17000, 17000, 0, '', placed_at, placed_at, '' from customer_order
        """
    )


def mails(hq: Hq, template: str) -> list[dict[str, Any]]:
    """Return what the mails of a template say, the oldest first."""
    found = hq.rows("select body from job where kind = 'mail' order by enqueued_at, job_id")
    bodies = [json.loads(mail["body"]) for mail in found]
    return [body["facts"] for body in bodies if body["template"] == template]


def unit_states(hq: Hq) -> list[str]:
    return [str(unit["state"]) for unit in hq.rows("select state from unit")]


def send(hq: Hq, order_id: str) -> None:
    """Accept and ship all units of an order."""
    at = clock.to_text(clock.now())

    def work(connection: Any) -> None:
        units = units_of_order(connection, order_id)
        accept(connection, [unit for unit in units if unit["state"] == "to_accept"], Actor(by="seller:1", at=at))
        shipment = Shipment(carrier="Colissimo", tracking="6A12345678901", imeis={1: "490154203237518"}, serials={})
        ship(connection, units_of_order(connection, order_id), shipment, Actor(by="seller:1", at=at))

    run_tx(hq.engine, work)


def test_a_plan_alone_is_asked_of_its_carrier_once_and_becomes_active(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    turn(hq)
    assert state(hq) == "sent"
    [asked] = bank.carrier.orders()
    [party] = asked["relatedParty"]
    assert party["name"] == "Camille Roux"
    assert asked["productOrderItem"][0]["productOffering"]["id"] == "1"
    assert order_id not in json.dumps(asked)
    bank.carrier.move(asked["id"], "acknowledged")
    turn(hq, 2)
    assert (state(hq), hq.rows("select state from customer_order")) == ("acknowledged", [{"state": "requested"}])
    bank.carrier.move(asked["id"], "completed")
    turn(hq, 4)
    assert (state(hq), hq.rows("select state from customer_order")) == ("active", [{"state": "closed"}])
    assert "Votre forfait est actif." in words(hq.client.get(f"/orders/{order_id}"))
    assert len(bank.carrier.orders()) == 1


def test_a_carrier_that_takes_its_time_is_asked_less_and_less_often(hq: Hq, bank: Bank) -> None:
    order(hq)
    turn(hq)
    begin, waits = clock.now(), []
    for waited in (timedelta(minutes=2), timedelta(hours=10), timedelta(days=9)):
        with time_machine.travel(begin + waited, tick=False):
            hq.work()
            [job] = hq.rows("select due_at from job where kind = 'activation' and state = 'waiting'")
            waits.append(round((clock.from_text(job["due_at"]) - clock.now()) / timedelta(minutes=1)))
    assert waits == [1, 60, 360]


def test_a_carrier_that_took_the_order_and_failed_to_say_so_is_not_asked_twice(hq: Hq, bank: Bank) -> None:
    order(hq)
    bank.carrier.manner = "broken"
    turn(hq)
    assert state(hq) == "to_send"
    turn(hq, 5)
    assert (state(hq), len(bank.carrier.orders())) == ("sent", 1)


def test_where_the_law_says_so_an_account_and_its_pin_are_asked_for_instead(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, way="port")
    with hq.engine.begin() as connection:
        law = {"law_id": "porting", "market": "fr", "kind": "porting", "valid_from": "2022-01-01", "valid_to": None}
        connection.execute(tables.law.insert().values(**law, body=json.dumps({"asks": "account"})))
    turn(hq)
    page = words(hq.client.get(f"/orders/{order_id}/activations/1/1"))
    assert "PIN de transfert" in page
    assert "RIO" not in page
    wrong = answer(hq, order_id, phone="212 555 0101", account="12345678", pin="12")
    assert (wrong.status_code, "Le PIN de transfert a de 4 à 10 chiffres." in words(wrong)) == (422, True)
    assert answer(hq, order_id, phone="212 555 0101", account="1234-5678", pin="4321 00").status_code == 303
    turn(hq)
    [asked] = bank.carrier.orders()
    facts = {each["name"]: each["value"] for each in asked["productOrderItem"][0]["product"]["productCharacteristic"]}
    assert (facts["accountNumber"], facts["transferPin"], facts["phoneNumber"]) == ("12345678", "432100", "2125550101")
    bank.carrier.move(asked["id"], "acknowledged")
    turn(hq, 2)
    assert hq.rows("select rio, phone from activation") == [{"rio": None, "phone": None}]


def test_the_number_is_asked_checked_passed_on_and_forgotten(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, way="port")
    turn(hq)
    assert (state(hq), bank.carrier.orders()) == ("needs_number", [])
    assert "Répondre" in hq.client.get(f"/orders/{order_id}").text
    assert "RIO, pour garder votre numéro" in hq.client.get(f"/orders/{order_id}/activations/1/1").text
    wrong = answer(hq, order_id, **NUMBER | {"rio": "03P123456558"})
    assert (wrong.status_code, "Ce RIO n’est pas celui de ce numéro." in words(wrong)) == (422, True)
    assert answer(hq, order_id, rio=NUMBER["rio"]).status_code == 422
    assert state(hq) == "needs_number"
    assert answer(hq, order_id, **NUMBER).status_code == 303
    assert answer(hq, order_id, **NUMBER).status_code == 409, "it is answered once"
    turn(hq)
    [asked] = bank.carrier.orders()
    facts = {each["name"]: each["value"] for each in asked["productOrderItem"][0]["product"]["productCharacteristic"]}
    assert (facts["rio"], facts["phoneNumber"], facts["acquisition"]) == ("03P123456559", "0612345678", "port")
    bank.carrier.move(asked["id"], "acknowledged")
    turn(hq, 2)
    assert hq.rows("select rio, phone from activation") == [{"rio": None, "phone": None}]
    with reading(hq.engine) as connection:
        jobs = str(connection.exec_driver_sql("select * from job").all())
    assert "03P123456559" not in jobs


def test_a_device_leaves_only_after_the_carrier_acknowledged_its_plan(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, IPHONE_13_WITH_PLAN)
    with pytest.raises(ActivationPending):
        send(hq, order_id)
    turn(hq)
    bank.carrier.move(bank.carrier.orders()[0]["id"], "acknowledged")
    turn(hq, 2)
    send(hq, order_id)
    assert unit_states(hq) == ["shipped"]


@pytest.mark.parametrize(
    ("choice", "place"),
    [("device", "/selections/new?l=11..1.new."), ("plan", "/sku/IPHONE-13-128-BLUE"), ("nothing", "/orders/")],
)
def test_a_refusal_gives_the_money_back_and_offers_what_else_there_is(hq: Hq, bank: Bank, choice: str, place: str) -> None:
    order_id = order(hq, IPHONE_13_WITH_PLAN)
    paid_at_the_provider(hq)
    assert choose(hq, order_id, choice).status_code == 409, "nothing is refused yet"
    bank.carrier.manner = "refuses"
    turn(hq)
    bank.carrier.judge(now_s=clock.now().timestamp())
    turn(hq, 2)
    page = words(hq.client.get(f"/orders/{order_id}/activations/1/1"))
    assert state(hq) == "refused"
    assert "the line is not eligible" in page
    chosen = choose(hq, order_id, choice)
    assert (chosen.status_code, chosen.location.startswith(place)) == (303, True)
    assert (state(hq), unit_states(hq)) == ("given_up", ["cancelled"])
    assert len(hq.rows("select refund_id from refund")) == 1
    assert choose(hq, order_id, choice).status_code == 409


def test_who_is_asked_for_a_number_is_told_by_mail_reminded_once_and_at_last_gets_the_money_back(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, IPHONE_13_WITH_PLAN, way="port")
    paid_at_the_provider(hq)
    [told] = mails(hq, "plan_waits")
    path = f"/orders/{order_id}/activations/1/1"
    assert (told["path"], told["has_device"], told["state"]) == (path, True, "needs_number")
    page = words(hq.client.get(f"/orders/{order_id}"))
    assert "Votre forfait attend votre numéro." in page
    assert "ce que vous avez payé pour lui vous est remboursé" in page
    seller = Actor(by="seller:1", at=clock.to_text(clock.now()))
    run_tx(hq.engine, lambda connection: accept(connection, units_of_order(connection, order_id), seller))

    for hours, times in ((24 * 2, 1), (24 * 3 + 1, 2), (24 * 4, 2)):
        turn(hq, 60 * hours)
        assert len(mails(hq, "plan_waits")) == times
    [stock] = hq.rows("select quantity, reserved from listing where listing_id = 11")
    turn(hq, 60 * 24 * 5 + 1)
    assert (state(hq), unit_states(hq), len(hq.rows("select refund_id from refund"))) == ("given_up", ["cancelled"], 1)
    assert [mail["by"] for mail in mails(hq, "units_cancelled")] == ["plan"]
    assert hq.rows("select quantity, reserved from listing where listing_id = 11") == [
        {"quantity": stock["quantity"], "reserved": stock["reserved"] - 1}
    ]
    page = words(hq.client.get(f"/orders/{order_id}"))
    assert "Votre commande est annulée." in page
    assert "le délai de son forfait" in page


@pytest.mark.parametrize(("by", "decided"), [("customer", "declined"), ("plan", "expired")])
def test_what_would_stand_in_for_a_device_is_offered_no_longer_than_its_plan_is_wanted(
    hq: Hq, bank: Bank, by: str, decided: str
) -> None:
    hq.change(l12={"price": "350.00"})
    order_id = order(hq, IPHONE_13_WITH_PLAN, way="port")
    paid_at_the_provider(hq)
    seller = Actor(by="seller:1", at=clock.to_text(clock.now()), why="stock")
    run_tx(hq.engine, lambda connection: lose_units(connection, units_of_order(connection, order_id), seller))
    assert hq.rows("select state from substitution") == [{"state": "offered"}]

    if by == "customer":
        assert choose(hq, order_id, "nothing").status_code == 303
    else:
        hq.write("update activation set decide_by = '2020-01-01T00:00:00Z'")
        assert end_plans(hq.engine, now=clock.now()) == 1
    assert (state(hq), hq.rows("select state from substitution")) == ("given_up", [{"state": decided}])
    assert hq.rows("select reserved from listing where listing_id = 12") == [{"reserved": 0}]
    assert len(hq.rows("select refund_id from refund")) == 1
    assert [mail["by"] for mail in mails(hq, "units_cancelled")] == [by]
    assert mails(hq, "plan_ended") == []


def test_a_plan_alone_that_waits_in_vain_ends_and_its_customer_is_told(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, way="port")
    turn(hq, 60 * 24 * 5 + 1)
    assert (state(hq), hq.rows("select state from customer_order")) == ("given_up", [{"state": "closed"}])
    assert [mail["path"] for mail in mails(hq, "plan_ended")] == [f"/orders/{order_id}/activations/1/1"]
    assert "Votre forfait n’est plus demandé." in words(hq.client.get(f"/orders/{order_id}"))
    assert answer(hq, order_id, **NUMBER).status_code == 409


def test_a_refused_portability_is_asked_anew_with_another_rio_as_another_order(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, way="port")
    answer(hq, order_id, **NUMBER)
    bank.carrier.manner = "refuses"
    turn(hq)
    bank.carrier.judge(now_s=clock.now().timestamp())
    turn(hq, 2)
    told = mails(hq, "plan_waits")[-1]
    assert (told["state"], told["reason"], told["has_device"]) == ("refused", "the line is not eligible", False)
    page = words(hq.client.get(f"/orders/{order_id}/activations/1/1"))
    assert "L’un des renseignements n’était pas le bon ?" in page
    assert "Ensuite, ce forfait est annulé." in page

    bank.carrier.manner = "fine"
    assert answer(hq, order_id, **NUMBER).status_code == 303
    turn(hq, 4)
    assert (state(hq), len(bank.carrier.orders())) == ("sent", 2)
    assert hq.rows("select decide_by from activation") == [{"decide_by": None}]
    turn(hq, 60 * 24 * 6)
    assert state(hq) == "sent", "what the carrier has waits for nobody here"
    bank.carrier.move(bank.carrier.orders()[0]["id"], "completed")
    turn(hq, 60 * 24 * 7)
    assert state(hq) == "active"


def test_a_refused_new_number_cannot_be_asked_for_again(hq: Hq, bank: Bank) -> None:
    order_id = order(hq)
    bank.carrier.manner = "refuses"
    turn(hq)
    bank.carrier.judge(now_s=clock.now().timestamp())
    turn(hq, 2)
    assert answer(hq, order_id, acquisition="new").status_code == 409
    assert state(hq) == "refused"


def test_a_waiting_plan_is_in_the_console_with_its_end(hq: Hq, bank: Bank) -> None:
    order(hq, way="port")
    log_in(hq)
    [placed] = hq.rows("select customer_id, number from customer_order")
    page = words(hq.client.get(f"/console/orders/{placed['customer_id']}/{placed['number']}"))
    assert "attend le numéro du client" in page
    assert "Annulé sans réponse du client le" in page


def test_a_unit_that_ends_with_its_plan_is_not_its_seller_s_failure(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, IPHONE_13_WITH_PLAN, way="port")
    paid_at_the_provider(hq)
    seller = Actor(by="seller:1", at=clock.to_text(clock.now()))
    run_tx(hq.engine, lambda connection: accept(connection, units_of_order(connection, order_id), seller))
    turn(hq, 60 * 24 * 5 + 1)
    day = clock.to_text(clock.now() + timedelta(days=6))[:10]
    with reading(hq.engine) as connection:
        figures = figures_of(connection, 1, day, rules_of(connection, day))
    assert (figures.units, figures.cancelled, figures.late) == (1, 0, 0)


def test_the_time_to_ship_begins_when_the_carrier_has_acknowledged_the_plan(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, IPHONE_13_WITH_PLAN, way="port")
    seller = Actor(by="seller:1", at=clock.to_text(clock.now()))
    run_tx(hq.engine, lambda connection: accept(connection, units_of_order(connection, order_id), seller))

    def told(at: datetime) -> tuple[int, int, list[int], int]:
        """Units due and late in that night's figures, minutes the desk says are left, units overdue in the console."""
        night = f"{clock.to_text(at)[:10]}T00:00:00Z"
        with reading(hq.engine) as connection:
            figures = figures_of(connection, 1, night[:10], rules_of(connection, night[:10]))
            waits = waiting(connection, 1, "accepted", now=at)
            overdue = count_overdue(connection, now=at)["to_ship"]
        return figures.due, figures.late, [each.left_minutes for each in waits], overdue

    late = clock.now() + timedelta(days=4)
    assert told(late) == (0, 0, [48 * 60], 0), "nobody can ship it yet"
    with reading(hq.engine) as connection:
        [asked] = activations_of(connection, order_id)
    truth = CarrierTruth(carrier_order_id="1", state="acknowledged", reason="")
    at = clock.to_text(late)
    hq.write("update activation set state = 'to_send'")
    run_tx(hq.engine, lambda connection: take_truth(connection, asked, truth, at=at))
    assert told(late + timedelta(hours=1)) == (0, 0, [47 * 60], 0)
    active = CarrierTruth(carrier_order_id="1", state="active", reason="")
    run_tx(hq.engine, lambda connection: take_truth(connection, asked, active, at=clock.to_text(late + timedelta(days=1))))
    assert told(late + timedelta(days=3)) == (1, 1, [-24 * 60], 1)


def test_a_customer_who_cancels_the_device_has_the_plan_given_up_at_its_carrier(hq: Hq, bank: Bank) -> None:
    order_id = order(hq, IPHONE_13_WITH_PLAN)
    hq.write("update unit set collected_cents = 0")
    turn(hq)
    assert hq.client.post(f"/orders/{order_id}/cancellation").status_code == 303
    turn(hq)
    assert (state(hq), bank.carrier.orders()[0]["state"]) == ("given_up", "cancelled")


def test_a_carrier_s_event_is_a_reason_to_ask_and_only_with_its_key(hq: Hq, bank: Bank) -> None:
    key = connect_carrier(hq, bank)
    order(hq)
    turn(hq)
    [asked] = bank.carrier.orders()
    event = {"eventId": "e1", "event": {"productOrder": {"externalId": asked["externalId"], "state": "completed"}}}
    assert hq.client.post("/activations/events", json=event).status_code == 400
    assert hq.client.post("/activations/events", json=[]).status_code == 400
    headers = {"Authorization": f"Bearer {key}"}
    for _ in range(2):
        assert hq.client.post("/activations/events", json=event, headers=headers).status_code == 204
    turn(hq)
    assert state(hq) == "sent", "what the event claims is not believed"
    bank.carrier.move(asked["id"], "completed")
    hq.client.post("/activations/events", json=event | {"eventId": "e2"}, headers=headers)
    turn(hq)
    assert state(hq) == "active"


def test_without_a_carrier_set_up_a_plan_waits_and_the_jobs_say_why(hq: Hq) -> None:
    order(hq)
    turn(hq)
    assert state(hq) == "to_send"
    [job] = hq.rows("select state, error from job where kind = 'activation'")
    assert job["state"] == "waiting"
    assert "no carrier is set up for loire-mobile" in job["error"]


def test_the_contract_summary_stands_with_its_hash_before_the_button_and_is_frozen_with_the_order(hq: Hq) -> None:
    page = hq.client.get(f"/k/{hq.digits()}").text
    assert page.index("https://example.invalid/1.pdf") < page.index("avec obligation de paiement")
    assert "SHA-256 " + "0" * 64 in page
    order(hq)
    [placed] = hq.rows("select facts from customer_order")
    assert json.loads(placed["facts"])["lines"][0]["plan"]["summary"]["sha256"] == "0" * 64


@pytest.mark.parametrize("without", [{}, {"url": "https://example.invalid/1.pdf", "version": "1"}])
def test_no_plan_is_ordered_without_a_contract_summary_and_its_hash(hq: Hq, without: dict[str, str]) -> None:
    digits = hq.digits(PLAN_ALONE)
    [terms] = hq.rows("select body from plan_terms where plan_id = 1")
    body = json.dumps(json.loads(terms["body"]) | {"summary": without})
    hq.write("update plan_terms set body = :body where plan_id = 1", body=body)
    assert hq.claim(digits, acquisition_1="new").status_code == 409
    assert hq.rows("select order_id from customer_order") == []
    hq.write("update plan_terms set body = :body where plan_id = 1", body=terms["body"])
    assert hq.claim(digits, acquisition_1="new").status_code == 303
