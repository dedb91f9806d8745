"""What a customer and a seller write to each other: as text, to the other side alone, within limits, and in sight of HQ."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from marketplace.orders.messages import MOST_LETTERS
from marketplace.running.mail import write_mail
from tests.marketplace.hq import IPHONE_13, LAST_IPHONE_12, URL, Hq, words
from tests.marketplace.orders.test_returns import mails, order
from tests.marketplace.sellers.desks import desk, paid_part


def write(hq: Hq, order_id: str, part_id: str, text: str) -> int:
    return hq.client.post(f"/orders/{order_id}/messages", data={"part": part_id, "text": text}).status_code


def test_both_sides_write_and_each_is_told_by_mail_without_the_words(hq: Hq) -> None:
    part, browser = paid_part(hq, IPHONE_13), desk(hq, 1)
    assert write(hq, order(part), part["part_id"], "Quand part-il ?\n<script>x</script>") == 303
    page = browser.get(f"/seller/orders/{part['part_id']}")
    assert "Quand part-il ?" in page.text
    assert "<script>x" not in page.text
    part_id = part["part_id"]
    assert browser.post(f"/seller/orders/{part_id}/messages", data={"text": "Demain."}).status_code == 303
    shown = words(hq.client.get(f"/orders/{order(part)}"))
    assert "Demain." in shown
    assert "vendeur.example" not in shown
    to_seller, to_customer = mails(hq, "message")
    assert (to_seller["to"], to_customer["to"]) == ("owner-1@vendeur.example", "camille@example.org")
    written = write_mail("message", "fr", {**to_customer["facts"], "public_url": URL}).text
    assert f"{URL}/orders/{order(part)}" in written
    assert "Demain" not in written
    assert order(part) not in str(to_seller), "a seller learns no customer's secret"
    [placed] = hq.rows("select customer_id, number from customer_order")
    hq.client.post("/console/login", data={"password": hq.password})
    console = words(hq.client.get(f"/console/orders/{placed['customer_id']}/{placed['number']}"))
    assert "Quand part-il ?" in console
    assert "Demain." in console


@pytest.mark.parametrize("text", ["", "  \n\t ", "\u200b", "x" * (MOST_LETTERS + 1)])
def test_nothing_and_too_much_are_no_message(hq: Hq, text: str) -> None:
    part = paid_part(hq, IPHONE_13)
    assert write(hq, order(part), part["part_id"], text) == 422
    assert hq.rows("select * from message") == mails(hq, "message") == []


def test_nobody_writes_in_the_order_of_another(hq: Hq) -> None:
    part, other = paid_part(hq, IPHONE_13), paid_part(hq, LAST_IPHONE_12, seller_id=2, counter=2)
    for part_id in (other["part_id"], "", "x"):
        assert write(hq, order(part), part_id, "Bonjour") == 404
    part_id, reader = part["part_id"], desk(hq, 1, "reader")
    assert desk(hq, 2).post(f"/seller/orders/{part_id}/messages", data={"text": "Bonjour"}).status_code == 404
    assert reader.post(f"/seller/orders/{part_id}/messages", data={"text": "Bonjour"}).status_code == 403
    assert hq.rows("select * from message") == []


def test_messages_written_at_once_are_all_kept_and_numbered(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    form = {"part": part["part_id"], "text": "Bonjour"}
    with ThreadPoolExecutor(4) as fingers:
        sent = [fingers.submit(hq.app.test_client().post, f"/orders/{order(part)}/messages", data=form) for _ in range(8)]
    assert {each.result().status_code for each in sent} == {303}
    assert [each["message_no"] for each in hq.rows("select message_no from message order by message_no")] == list(range(1, 9))


def test_a_seller_notes_that_nothing_is_to_be_answered_and_the_customer_reads_nothing_of_it(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    browser = desk(hq, 1)
    part_id = part["part_id"]
    closing = f"/seller/orders/{part_id}/messages/closing"
    assert browser.post(closing).status_code == 303
    assert hq.rows("select * from message") == [], "nothing waits"
    form = {"part": part["part_id"], "text": "Merci, bien reçu."}
    hq.client.post(f"/orders/{part['order_id']}/messages", data=form)
    assert "Rien à répondre" in words(browser.get(f"/seller/orders/{part['part_id']}"))
    mails = len(hq.rows("select job_id from job where kind = 'mail'"))
    assert browser.post(closing).status_code == 303
    assert hq.rows("select asked_at from part") == [{"asked_at": None}]
    assert len(hq.rows("select job_id from job where kind = 'mail'")) == mails
    assert "rien à répondre" in words(browser.get(f"/seller/orders/{part['part_id']}"))
    assert "rien à répondre" not in words(hq.client.get(f"/orders/{part['order_id']}"))
    assert desk(hq, 1, role="reader").post(closing).status_code == 403
