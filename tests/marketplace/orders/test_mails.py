"""A customer is told of an order by mail, once, in the language it was placed in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from marketplace.running.mail import write_mail
from pos.languages import LANGUAGES
from tests.marketplace.hq import IPHONE_13_WITH_PLAN, LAST_IPHONE_12, URL, Hq


def mails(hq: Hq) -> list[dict[str, Any]]:
    return [json.loads(job["body"]) for job in hq.rows("select body from job where kind = 'mail' order by enqueued_at, job_id")]


def test_a_claimed_slip_is_confirmed_once_with_the_address_of_its_order(hq: Hq) -> None:
    digits = hq.digits(IPHONE_13_WITH_PLAN)
    order = hq.claim(digits).headers["Location"]
    assert hq.claim(digits).headers["Location"] == order
    [mail] = mails(hq)
    assert (mail["to"], mail["language"], mail["facts"]["path"]) == ("camille@example.org", "fr", order)
    written = write_mail(mail["template"], mail["language"], {**mail["facts"], "public_url": URL})
    assert URL + order in written.text
    for fact in ("Apple iPhone 13", "128\xa0Go", "bleu", "Très bon état", "Série 100 Go", "170,00\xa0€", "21,98\xa0€", "× 1"):
        assert fact in written.text, fact


def test_the_mail_is_in_the_language_of_the_page_the_order_was_placed_on(hq: Hq) -> None:
    answer = hq.client.post(
        f"/k/{hq.digits()}/claim?lang=en",
        data={"name": "Camille Roux", "email": "camille@example.org", "address": "12 rue Crébillon\n44000 Nantes"},
    )
    assert answer.status_code == 303
    assert [mail["language"] for mail in mails(hq)] == ["en"]


def test_no_mail_speaks_of_an_order_that_was_not_placed(hq: Hq) -> None:
    assert hq.claim(hq.digits(), email="nobody").status_code == 422
    hq.write("update listing set quantity = 0")
    assert hq.claim(hq.digits(LAST_IPHONE_12, counter=2)).status_code == 409
    assert mails(hq) == []


def test_neither_a_job_s_name_nor_the_console_gives_the_order_away(hq: Hq) -> None:
    order_id = hq.claim(hq.digits()).headers["Location"].rpartition("/")[2]
    assert [job for job in hq.rows("select job_id, owner_id, error from job") if order_id in str(job)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_order_of_a_plan_alone_is_named_by_its_plan(language: str) -> None:
    plan = {"title": None, "storage_gb": None, "color": None, "grade": None, "plan": {"fr": "Libre", "en": "Free"}, "options": []}
    facts = {
        "number": "W-1", "currency": "EUR", "placed_at": "2026-11-29T03:00:00Z", "reserved_until": None, "path": "/orders/x",
        "zone": "Europe/Paris", "totals": {"due_today_cents": 0, "monthly_now_cents": 999}, "lines": [{**plan, "quantity": 1}],
        "public_url": URL,
    }  # fmt: skip
    text = write_mail("order_placed", language, facts).text
    assert f"{plan['plan'].get(language, 'Free')}  × 1" in text  # type: ignore[attr-defined]
    assert "None" not in text
