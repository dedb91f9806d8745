"""Changing one's mind: the two buttons, the record, what comes back, what is refunded, and nobody else's order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine

from marketplace.db import reading, run_tx
from marketplace.money.provider import RefundFacts
from marketplace.money.refunds import take_facts
from marketplace.orders.returns import settle_overdue
from marketplace.orders.shipments import Shipment
from marketplace.orders.units import Actor, Unit, accept, deliver, ship, take_back, units_of_order
from marketplace.running.mail import write_mail
from pos import clock
from tests.marketplace.hq import IPHONE_13, IPHONE_13_WITH_PLAN, LAST_IPHONE_12, URL, Hq, words
from tests.marketplace.money.books import assert_adds_up, balances
from tests.marketplace.money.paying import money_arrives
from tests.marketplace.orders.test_orders import PLAN_ALONE
from tests.marketplace.sellers.desks import desk, names_of, paid_part, units_of
from tests.processes import PATIENCE_S

MONDAY = datetime(2026, 11, 9, 9, tzinfo=UTC)
IMEI = "490154203237518"


@pytest.fixture(autouse=True)
def moved() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


def order(part: dict[str, Any]) -> str:
    return str(part["order_id"])


def address(part: dict[str, Any]) -> str:
    return f"/orders/{order(part)}"


def delivered(hq: Hq, part: dict[str, Any], *, imei: str = IMEI) -> str:
    """Bring the one unit of a part to its customer now, and return how forms name it."""
    sent = Shipment(carrier="Colissimo", tracking="6A12345678901", imeis={1: imei}, serials={})
    actor = Actor(by="seller:1", at=clock.to_text(clock.now()))
    for step in (accept, lambda connection, units, by: ship(connection, units, sent, by), deliver):
        run_tx(hq.engine, lambda connection, step=step: step(connection, own(connection, part), actor))  # type: ignore[misc]
    return names_of(hq, part)[0]


def own(connection: Any, part: dict[str, Any]) -> list[Unit]:
    return [unit for unit in units_of_order(connection, part["order_id"]) if unit["part_id"] == part["part_id"]]


def mails(hq: Hq, template: str) -> list[dict[str, Any]]:
    every = [json.loads(job["body"]) for job in hq.rows("select body from job where kind = 'mail' order by enqueued_at, job_id")]
    return [mail for mail in every if mail["template"] == template]


def withdrawn(hq: Hq, part: dict[str, Any]) -> str:
    """Withdraw from the one unit of a part that was delivered, and return the name of its case."""
    name = delivered(hq, part)
    assert hq.client.post(f"/orders/{order(part)}/withdrawal", data={"unit": name}).status_code == 303
    return f"{name}:1"


def test_two_buttons_lead_to_an_acknowledgement_that_stays(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    name = delivered(hq, part)
    page = words(hq.client.get(address(part)))
    assert "Renoncer au contrat ici" in page
    form = words(hq.client.get(f"/orders/{order(part)}/withdrawal"))
    assert "Confirmer la rétractation" in form
    assert hq.rows("select * from withdrawal") == [], "looking declares nothing"

    answer = hq.client.post(f"/orders/{order(part)}/withdrawal", data={"unit": name})
    assert (answer.status_code, answer.location) == (303, f"/orders/{order(part)}/withdrawals/1")
    shown = words(hq.client.get(answer.location))
    for fact in ("Votre rétractation est enregistrée.", part["number"], "Apple iPhone 13", "Atelier Loire", "C. R."):
        assert fact in shown, fact
    [mail] = mails(hq, "withdrawal")
    written = write_mail("withdrawal", "fr", {**mail["facts"], "public_url": URL})
    assert mail["to"] == "camille@example.org"
    assert "Apple iPhone 13, Atelier Loire" in written.text
    assert "Déclaration reçue le" in written.text
    assert f"{URL}{answer.location}" in written.text
    assert "accusé de réception" in words(hq.client.get(address(part)))


def test_what_was_not_shipped_is_cancelled_and_refunded_at_once(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    [name] = names_of(hq, part)
    assert hq.client.post(f"/orders/{order(part)}/withdrawal", data={"unit": name}).status_code == 303
    assert [(unit["state"], unit["refunded_cents"]) for unit in units_of(hq, part)] == [("cancelled", 36900)]
    assert hq.rows("select * from unit_case") == []
    assert "Annulé avant l’envoi" in words(hq.client.get(f"/orders/{order(part)}/withdrawals/1"))


def test_a_withdrawn_device_goes_back_is_received_and_refunded_and_the_books_add_up(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case, browser = withdrawn(hq, part), desk(hq, 1)
    assert "IPHONE" not in (shown := words(browser.get("/seller/returns")))
    assert "Le client renvoie l’appareil." in shown
    assert "amille" not in shown

    assert hq.client.post(f"/orders/{order(part)}/returns/{case}/shipment", data={"tracking": "?"}).status_code == 422
    assert hq.client.post(f"/orders/{order(part)}/returns/{case}/shipment", data={"tracking": "8R 0123 456"}).status_code == 303
    assert "8R 0123 456" in words(browser.get("/seller/returns"))
    assert browser.post(f"/seller/returns/{case}/arrival").status_code == 303
    assert browser.post(f"/seller/returns/{case}/refund").status_code == 303
    [unit] = units_of(hq, part)
    assert (unit["state"], unit["refunded_cents"]) == ("returned", 36900)
    steps = hq.rows("select state, by, cents from case_step order by step_no")
    assert [step["state"] for step in steps] == ["granted", "sent", "received", "refunded"]
    assert steps[-1]["cents"] == 36900
    with reading(hq.engine) as connection:
        assert balances(connection) == {"provider": 36900, "refunds_due": -36900}
        assert_adds_up(connection)
    assert [mail["facts"]["state"] for mail in mails(hq, "case_moved")] == ["received", "refunded"]
    assert "remboursé" in words(hq.client.get(address(part)))


def test_less_than_all_takes_the_device_and_a_reason_the_customer_reads(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case, browser = withdrawn(hq, part), desk(hq, 1)
    assert browser.post(f"/seller/returns/{case}/refund", data={"amount": "300", "why": "rayé"}).status_code == 422
    browser.post(f"/seller/returns/{case}/arrival")
    for form in ({"amount": "300"}, {"amount": "x", "why": "rayé"}, {"amount": "369,01", "why": "rayé"}):
        refused = browser.post(f"/seller/returns/{case}/refund", data=form)
        assert refused.status_code == 422, form
        assert f'value="{form["amount"]}"' in refused.text, "what was typed stays"
    assert units_of(hq, part)[0]["refunded_cents"] == 0
    assert browser.post(f"/seller/returns/{case}/refund", data={"amount": "300", "why": "écran rayé"}).status_code == 303
    assert units_of(hq, part)[0]["refunded_cents"] == 30000
    assert "écran rayé" in words(hq.client.get(address(part)))


def test_a_refusal_says_why_and_the_unit_stays_its_customers(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case, browser = withdrawn(hq, part), desk(hq, 1)
    browser.post(f"/seller/returns/{case}/arrival")
    assert browser.post(f"/seller/returns/{case}/refusal").status_code == 422
    assert browser.post(f"/seller/returns/{case}/refusal", data={"why": "un autre téléphone"}).status_code == 303
    assert [(unit["state"], unit["refunded_cents"]) for unit in units_of(hq, part)] == [("delivered", 0)]
    assert browser.post(f"/seller/returns/{case}/refund").status_code == 409, "a settled case stays settled"
    assert "un autre téléphone" in words(hq.client.get(address(part)))


def test_nothing_is_declared_after_the_last_day_nor_twice(hq: Hq, moved: time_machine.Traveller) -> None:
    moved.move_to(MONDAY)
    part = paid_part(hq, IPHONE_13)
    name = delivered(hq, part)
    moved.move_to(datetime(2026, 11, 23, 23, tzinfo=UTC))
    assert "Renoncer au contrat ici" not in words(hq.client.get(address(part)))
    assert hq.client.post(f"/orders/{order(part)}/withdrawal", data={"unit": name}).status_code == 409
    moved.shift(timedelta(seconds=-1))
    assert "jusqu’au 23 novembre 2026 inclus" in words(hq.client.get(address(part)))
    assert hq.client.post(f"/orders/{order(part)}/withdrawal", data={"unit": name}).status_code == 303
    for path in ("withdrawal", "returns"):
        assert hq.client.post(f"/orders/{order(part)}/{path}", data={"unit": name}).status_code == 409, path
    assert len(hq.rows("select * from unit_case")) == len(hq.rows("select * from withdrawal")) == 1


def test_a_device_comes_back_within_thirty_days_and_a_return_can_be_given_up(hq: Hq, moved: time_machine.Traveller) -> None:
    moved.move_to(MONDAY)
    part = paid_part(hq, IPHONE_13)
    name = delivered(hq, part)
    moved.move_to(datetime(2026, 12, 9, 22, 59, 59, tzinfo=UTC))
    assert "Renvoyer un appareil" in words(hq.client.get(address(part)))
    assert "Annoncer le retour" in words(hq.client.get(f"/orders/{order(part)}/returns"))
    assert hq.client.post(f"/orders/{order(part)}/returns", data={}).status_code == 422
    assert hq.client.post(f"/orders/{order(part)}/returns", data={"unit": name, "said": "x" * 1001}).status_code == 422
    assert hq.client.post(f"/orders/{order(part)}/returns", data={"unit": name, "said": "<b>trop grand</b>"}).status_code == 303
    assert "&lt;b&gt;trop grand" in hq.client.get(address(part)).text
    assert hq.client.post(f"/orders/{order(part)}/returns/{name}:1/removal").status_code == 303
    moved.shift(timedelta(seconds=1))
    assert hq.client.post(f"/orders/{order(part)}/returns", data={"unit": name}).status_code == 409


def test_a_withdrawal_is_not_taken_back(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case = withdrawn(hq, part)
    assert hq.client.post(f"/orders/{order(part)}/returns/{case}/removal").status_code == 409


def test_what_was_sent_back_and_not_answered_is_refunded_by_itself(hq: Hq, moved: time_machine.Traveller) -> None:
    part = paid_part(hq, IPHONE_13)
    case = withdrawn(hq, part)
    moved.shift(timedelta(days=2))
    hq.client.post(f"/orders/{order(part)}/returns/{case}/shipment", data={"tracking": "8R0123456"})
    declared = clock.now() - timedelta(days=2)
    assert settle_overdue(hq.engine, now=declared + timedelta(days=14)) == 0
    assert settle_overdue(hq.engine, now=declared + timedelta(days=14, seconds=1)) == 1
    assert settle_overdue(hq.engine, now=declared + timedelta(days=30)) == 0
    assert [(unit["state"], unit["refunded_cents"]) for unit in units_of(hq, part)] == [("returned", 36900)]


def test_a_device_that_hq_noted_as_back_is_refunded_when_its_time_is_over(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case = withdrawn(hq, part)
    hq.client.post(f"/orders/{order(part)}/returns/{case}/shipment", data={"tracking": "8R0123456"})
    by_hq = Actor(by="hq", at=clock.to_text(clock.now()), why="found in the parcel room")
    run_tx(hq.engine, lambda connection: take_back(connection, own(connection, part), by_hq))
    assert settle_overdue(hq.engine, now=clock.now() + timedelta(days=15)) == 1
    assert [(unit["state"], unit["refunded_cents"]) for unit in units_of(hq, part)] == [("returned", 36900)]


def test_a_case_that_cannot_be_settled_holds_up_no_other(hq: Hq, moved: time_machine.Traveller) -> None:
    first, second = paid_part(hq, IPHONE_13), paid_part(hq, LAST_IPHONE_12, seller_id=2, counter=2)
    for part, imei in ((first, IMEI), (second, "011415009346880")):
        name = delivered(hq, part, imei=imei)
        hq.client.post(f"/orders/{order(part)}/withdrawal", data={"unit": name})
        hq.client.post(f"/orders/{order(part)}/returns/{name}:1/shipment", data={"tracking": "8R0123456"})
        moved.shift(timedelta(minutes=1))
    hq.write("update payment set state = 'returned' where order_id = :order_id", order_id=order(first))
    assert settle_overdue(hq.engine, now=clock.now() + timedelta(days=15)) == 1
    assert [units_of(hq, part)[0]["refunded_cents"] for part in (first, second)] == [0, 24900]


def test_nobody_reaches_the_units_or_cases_of_another(hq: Hq) -> None:
    part, other = paid_part(hq, IPHONE_13), paid_part(hq, LAST_IPHONE_12, seller_id=2, counter=2)
    case, name = withdrawn(hq, part), delivered(hq, other, imei="011415009346880")
    stranger = desk(hq, 2)
    before = hq.rows("select * from unit_case"), hq.rows("select * from unit")
    for form in ({"unit": name}, {"unit": [case[:-2], name]}, {"unit": "x"}):
        for path in ("withdrawal", "returns"):
            assert hq.client.post(f"/orders/{order(part)}/{path}", data=form).status_code == 404, (path, form)
    for path in ("shipment", "removal"):
        assert (
            hq.client.post(f"/orders/{order(other)}/returns/{case}/{path}", data={"tracking": "8R0123456"}).status_code == 404
        ), path
    for path in ("arrival", "refund", "refusal"):
        assert stranger.post(f"/seller/returns/{case}/{path}", data={"why": "x"}).status_code == 404, path
    assert hq.client.get(f"/orders/{order(other)}/withdrawals/1").status_code == 404
    assert "Atelier" not in words(stranger.get("/seller/returns"))
    assert (hq.rows("select * from unit_case"), hq.rows("select * from unit")) == before


def test_two_withdrawals_at_once_are_two_records(hq: Hq) -> None:
    other = replace(IPHONE_13, listing_id=12, one_off_cents=37200)
    order_id = hq.claim(hq.digits(IPHONE_13, other)).location.rpartition("/")[2]
    assert money_arrives(hq, order_id) == "paid"
    devices = zip(hq.rows("select * from part order by number"), (IMEI, "011415009346880"), strict=True)
    names = [delivered(hq, part, imei=imei) for part, imei in devices]
    path, both = f"/orders/{order_id}/withdrawal", Barrier(2)

    def declare(name: str) -> int:
        browser = hq.app.test_client()
        browser.get(path)
        both.wait(PATIENCE_S)
        return browser.post(path, data={"unit": name}).status_code

    with ThreadPoolExecutor(2) as fingers:
        assert list(fingers.map(declare, names)) == [303, 303]
    assert [each["withdrawal_no"] for each in hq.rows("select withdrawal_no from withdrawal order by withdrawal_no")] == [1, 2]


def test_a_plan_alone_is_withdrawn_from_for_fourteen_days_from_the_order(hq: Hq, moved: time_machine.Traveller) -> None:
    moved.move_to(MONDAY)
    order_id = hq.claim(hq.digits(PLAN_ALONE)).location.rpartition("/")[2]
    moved.move_to(datetime(2026, 11, 23, 23, tzinfo=UTC))
    assert "Renoncer au contrat ici" not in words(hq.client.get(f"/orders/{order_id}"))
    assert hq.client.post(f"/orders/{order_id}/withdrawal", data={"unit": "plan:1:1"}).status_code == 409
    moved.shift(timedelta(seconds=-1))
    assert "Renoncer au contrat ici" in words(hq.client.get(f"/orders/{order_id}"))
    assert "Libre 20 Go" in words(hq.client.get(f"/orders/{order_id}/withdrawal"))
    answer = hq.client.post(f"/orders/{order_id}/withdrawal", data={"unit": "plan:1:1"})
    assert answer.status_code == 303
    assert "Libre 20 Go" in words(hq.client.get(answer.location))
    [mail] = mails(hq, "withdrawal")
    assert "Libre 20 Go" in write_mail("withdrawal", "fr", {**mail["facts"], "public_url": URL}).text
    assert hq.rows("select state from activation") == [{"state": "given_up"}]
    assert hq.client.post(f"/orders/{order_id}/withdrawal", data={"unit": "plan:1:1"}).status_code == 409


def delivered_with_plan(hq: Hq) -> tuple[dict[str, Any], str]:
    """Bring a device to its customer whose plan its carrier accepted; return its part and how forms name it."""
    part = paid_part(hq, IPHONE_13_WITH_PLAN, acquisition_1="new")
    hq.write("update activation set state = 'acknowledged'")
    return part, delivered(hq, part)


def plans(hq: Hq) -> list[str]:
    return [str(asked["state"]) for asked in hq.rows("select state from activation order by line_no, unit_no")]


def test_a_device_that_goes_back_leaves_its_plan_and_every_page_says_how_to_withdraw_from_that(
    hq: Hq, moved: time_machine.Traveller
) -> None:
    moved.move_to(MONDAY)
    part, name = delivered_with_plan(hq)
    withdrawal = f"/orders/{order(part)}/withdrawal"
    form = words(hq.client.get(withdrawal))
    assert "Série 100 Go · vendu avec Apple iPhone 13" in form
    assert "ne met pas fin à son forfait" in form
    assert "un contrat avec l’opérateur, reste en place" in words(hq.client.get(f"/orders/{order(part)}/returns"))

    answer = hq.client.post(withdrawal, data={"unit": name})
    assert (answer.status_code, plans(hq)) == (303, ["acknowledged"])
    record = hq.client.get(answer.location)
    assert "Le forfait Série 100 Go, un contrat avec l’opérateur, reste en place." in words(record)
    assert f'href="{withdrawal}"' in record.text
    [mail] = mails(hq, "withdrawal")
    written = write_mail("withdrawal", "fr", {**mail["facts"], "public_url": URL})
    assert "Vous pouvez y renoncer jusqu’au" in written.text
    assert f"{URL}{withdrawal}" in written.text

    answer = hq.client.post(withdrawal, data={"unit": "plan:1:1"})
    assert (answer.status_code, plans(hq)) == (303, ["given_up"])
    assert "reste en place" not in words(hq.client.get(answer.location))


def test_a_plan_sold_with_a_device_is_withdrawn_from_with_it_and_not_without(hq: Hq) -> None:
    part, name = delivered_with_plan(hq)
    withdrawal = f"/orders/{order(part)}/withdrawal"
    refused = hq.client.post(withdrawal, data={"unit": "plan:1:1"})
    assert (refused.status_code, plans(hq)) == (422, ["acknowledged"])
    assert "se rétracte avec lui" in words(refused)
    assert hq.rows("select * from withdrawal") == []
    answer = hq.client.post(withdrawal, data={"unit": [name, "plan:1:1"]})
    assert (answer.status_code, plans(hq)) == (303, ["given_up"])
    shown = words(hq.client.get(answer.location))
    assert "L’opérateur annule ce forfait." in shown
    assert "reste en place" not in shown


def test_after_fourteen_days_from_the_order_a_plan_stays_and_the_page_says_so(hq: Hq, moved: time_machine.Traveller) -> None:
    moved.move_to(MONDAY)
    part = paid_part(hq, IPHONE_13_WITH_PLAN, acquisition_1="new")
    hq.write("update activation set state = 'acknowledged'")
    moved.shift(timedelta(days=10))
    name = delivered(hq, part)
    moved.shift(timedelta(days=6))
    withdrawal = f"/orders/{order(part)}/withdrawal"
    assert "il se résilie auprès de l’opérateur" in words(hq.client.get(withdrawal))
    assert hq.client.post(withdrawal, data={"unit": [name, "plan:1:1"]}).status_code == 409
    answer = hq.client.post(withdrawal, data={"unit": name})
    assert (answer.status_code, plans(hq)) == (303, ["acknowledged"])
    assert "Le délai pour y renoncer est passé" in words(hq.client.get(answer.location))


def test_a_device_that_was_not_shipped_takes_its_plan_along(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13_WITH_PLAN, acquisition_1="new")
    [name] = names_of(hq, part)
    withdrawal = f"/orders/{order(part)}/withdrawal"
    assert "Le forfait d’un appareil qui n’est pas encore parti est annulé avec lui." in words(hq.client.get(withdrawal))
    answer = hq.client.post(withdrawal, data={"unit": name})
    assert (answer.status_code, plans(hq)) == (303, ["given_up"])
    assert "reste en place" not in words(hq.client.get(answer.location))


def test_the_page_of_a_return_says_when_it_is_refunded_and_what_is_still_to_come(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    page = words(hq.client.get(address(part)))
    assert ("Vous payez, puis" in page, "Votre colis part." in page, "pour changer d’avis." in page) == (False, True, True)
    case, browser = withdrawn(hq, part), desk(hq, 1)
    page = words(hq.client.get(address(part)))
    assert "Votre colis part." not in page
    hq.client.post(f"/orders/{order(part)}/returns/{case}/shipment", data={"tracking": "8R 0123 456"})
    browser.post(f"/seller/returns/{case}/arrival")
    browser.post(f"/seller/returns/{case}/refund")
    page = words(hq.client.get(address(part)))
    assert "Votre retour est remboursé." in page
    assert "Le remboursement suit." not in page
    assert "Et maintenant ?" not in page


def test_the_mail_of_a_refund_carries_the_credit_note_issued_with_it(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case, browser = withdrawn(hq, part), desk(hq, 1)
    hq.client.post(f"/orders/{order(part)}/returns/{case}/shipment", data={"tracking": "8R 0123 456"})
    browser.post(f"/seller/returns/{case}/arrival")
    browser.post(f"/seller/returns/{case}/refund")
    [asked] = hq.rows("select customer_id, payment_id, refund_id from refund")
    told = RefundFacts(provider_id="re_1", key=asked["refund_id"], is_ours=True, cents=36900, state="done", reason="")
    at = clock.to_text(clock.now())
    payment = (asked["customer_id"], asked["payment_id"])
    run_tx(hq.engine, lambda connection: take_facts(connection, *payment, [told], at=at))
    [note] = hq.rows("select number from invoice where kind = 'credit_note'")
    [mail] = mails(hq, "refund_sent")
    assert [paper["name"] for paper in mail["papers"]] == [note["number"]]
    assert "L’avoir du vendeur est joint" in write_mail("refund_sent", "fr", {**mail["facts"], "public_url": URL}).text
