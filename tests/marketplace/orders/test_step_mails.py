"""Whoever waits for a step of an order is told of it by mail, once, in the order's language, with its documents."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from marketplace.db import reading, run_tx
from marketplace.money.accounts import of_seller
from marketplace.money.provider import RefundFacts
from marketplace.money.refunds import take_facts
from marketplace.orders.parts import release_unpaid
from marketplace.orders.shipments import Shipment
from marketplace.orders.substitutions import give_up
from marketplace.orders.units import Actor, accept, cancel, deliver, ship
from marketplace.papers.printing import print_attached
from marketplace.running.mail import WrittenMail, write_mail
from marketplace.sellers.decision_mails import make_link
from marketplace.sellers.fulfilment import units_of_part
from pos import clock
from tests.marketplace.hq import IPHONE_13, LAST_IPHONE_12, URL, Hq
from tests.marketplace.sellers.applicants import REASONS, admitted, apply, decide, log_in
from tests.marketplace.sellers.desks import desk, paid_part

IMEI = "490154203237518"
CUSTOMER = "camille@example.org"


def mails(hq: Hq, template: str) -> list[dict[str, Any]]:
    bodies = [json.loads(job["body"]) for job in hq.rows("select body from job where kind = 'mail' order by job_id")]
    return [body for body in bodies if body["template"] == template]


def written(mail: dict[str, Any], language: str | None = None) -> WrittenMail:
    return write_mail(mail["template"], language or mail["language"], {**mail["facts"], "public_url": URL})


def act(hq: Hq, part: dict[str, Any], step: Any, *more: Any, by: str = "seller:1") -> None:
    def work(connection: Any) -> None:
        units = units_of_part(connection, part["seller_id"], part["part_id"])
        step(connection, units, *more, Actor(by=by, at=clock.to_text(clock.now())))

    run_tx(hq.engine, work)


def test_a_paid_order_is_told_to_its_customer_with_the_confirmation_and_to_the_seller_s_people(hq: Hq) -> None:
    for role in ("owner", "shipping", "reader"):
        desk(hq, 1, role)
    part = paid_part(hq, IPHONE_13)

    [mail] = mails(hq, "order_paid")
    assert (mail["to"], mail["facts"]["path"]) == (CUSTOMER, f"/orders/{part['order_id']}")
    with reading(hq.engine) as connection:
        [paper] = print_attached(connection, mail["papers"])
    assert paper.file.endswith(".pdf")
    assert paper.content.startswith(b"%PDF-")
    told = mails(hq, "order_to_accept")
    assert {mail["to"] for mail in told} == {"owner-1@vendeur.example", "shipping-1@vendeur.example"}
    assert part["number"] in written(told[0]).subject
    assert f"{URL}/seller/orders/{part['part_id']}" in written(told[0]).text


def test_each_step_on_the_way_is_told_once(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    act(hq, part, accept)
    act(hq, part, ship, Shipment(carrier="Colissimo", tracking="6A12345678901", imeis={1: IMEI}, serials={}))
    act(hq, part, deliver, by="timer")

    for template, fact in (
        ("units_accepted", "Atelier Loire a confirmé"),
        ("units_shipped", "Suivi Colissimo : 6A12345678901"),
        ("units_delivered", "Sans nouvelle du transporteur"),
    ):
        [mail] = mails(hq, template)
        text = written(mail).text
        assert mail["to"] == CUSTOMER
        for expected in (fact, "Apple iPhone 13", f"{URL}/orders/{part['order_id']}"):
            assert expected in text, (template, expected)
    [sent] = mails(hq, "units_shipped")
    with reading(hq.engine) as connection:
        assert [paper.file for paper in print_attached(connection, sent["papers"])] == ["1-F-000001.pdf"]


@pytest.mark.parametrize(
    ("step", "by", "fact"),
    [
        (cancel, "customer", "comme vous l’avez demandé"),
        (give_up, "seller:1", "Le vendeur ne peut pas vous livrer."),
        (give_up, "timer", "Le vendeur n’a pas confirmé à temps."),
        (cancel, "hq", "Une partie de votre commande est annulée."),
    ],
)
def test_a_cancellation_says_who_gave_up_and_that_the_money_comes_back(hq: Hq, step: Any, by: str, fact: str) -> None:
    hq.write("update listing set quantity = 0 where listing_id <> 11")
    part = paid_part(hq, IPHONE_13)
    act(hq, part, step, by=by)

    [mail] = mails(hq, "units_cancelled")
    text = written(mail).text
    assert fact in text
    assert "vous est remboursé" in text


def test_a_refund_is_told_when_the_provider_made_it_once(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    act(hq, part, cancel, by="customer")
    assert mails(hq, "refund_sent") == []
    [refund] = hq.rows("select * from refund")
    made = RefundFacts(key=f"{refund['refund_id']}.0", is_ours=True, provider_id="re_1", cents=36900, state="done", reason="")
    whose = (refund["customer_id"], refund["payment_id"])
    for _ in range(2):
        run_tx(hq.engine, lambda connection: take_facts(connection, *whose, [made], at="2026-11-29T10:00:00Z"))

    [mail] = mails(hq, "refund_sent")
    assert "369,00\xa0€" in written(mail).text


def test_an_order_to_pay_is_reminded_of_before_its_units_go_and_told_when_they_went(hq: Hq) -> None:
    hq.claim(hq.digits(LAST_IPHONE_12))
    hq.work()
    assert mails(hq, "payment_reminder") == []
    with time_machine.travel(clock.now() + timedelta(minutes=21), tick=False):
        hq.work()
    [mail] = mails(hq, "payment_reminder")
    assert "encore dix minutes" in written(mail).subject
    assert release_unpaid(hq.engine, now=clock.now() + timedelta(minutes=31), has_ended=lambda *_: True) == 1
    [mail] = mails(hq, "order_unpaid")
    assert "Rien n’a été débité." in written(mail).text


def test_an_order_that_was_paid_is_not_reminded_of(hq: Hq) -> None:
    paid_part(hq, IPHONE_13)
    with time_machine.travel(clock.now() + timedelta(minutes=21), tick=False):
        hq.work()
    assert mails(hq, "payment_reminder") == []


def test_an_applicant_is_told_the_decision_its_reasons_and_the_way_in(hq: Hq) -> None:
    seller_id = admitted(hq)
    [mail] = mails(hq, "seller_decision")
    # The link is made when the mail leaves, as here.
    path = run_tx(hq.engine, lambda connection: make_link(connection, of_seller(seller_id), mail["to"], clock.now()))
    text = written({**mail, "facts": {**mail["facts"], "path": path}}).text
    assert mail["to"] == "nora@renouveau.example"
    assert path in text
    for fact in REASONS.values():
        assert fact in text, fact
    browser = hq.app.test_client()
    assert browser.get(path).status_code == 200
    assert browser.post(path, data={"password": "quai de la fosse"}).status_code == 303

    assert decide(hq, seller_id, "warned").status_code == 303
    told = [mail for mail in mails(hq, "seller_decision") if mail["facts"]["state"] == "warned"]
    assert [mail["to"] for mail in told] == ["nora@renouveau.example"]
    assert "averti" in written(told[0]).text


def test_a_refused_applicant_is_told_why(hq: Hq) -> None:
    assert apply(hq).status_code == 303
    [waiting] = hq.rows("select seller_id from seller_application where state = 'applied'")
    log_in(hq)
    assert decide(hq, waiting["seller_id"], "refused").status_code == 303
    [mail] = mails(hq, "seller_decision")
    assert written(mail).subject == "Votre candidature est refusée"
    assert "None" not in written(mail, "en").text
