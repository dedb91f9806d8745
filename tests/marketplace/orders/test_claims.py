"""Claims: on which guarantee, what the seller may answer, and what that does to the unit, its money and its clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from werkzeug.test import TestResponse

from marketplace.running.mail import write_mail
from tests.marketplace.hq import IPHONE_13, LAST_IPHONE_12, URL, Hq, words
from tests.marketplace.orders.test_returns import delivered, mails, order
from tests.marketplace.sellers.desks import desk, paid_part, units_of

SAID = "L’écran s’éteint tout seul."


@pytest.fixture(autouse=True)
def moved() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2026, 11, 9, 9, tzinfo=UTC), tick=False) as traveller:
        yield traveller


def claim(hq: Hq, part: dict[str, Any], name: str, **changes: str) -> TestResponse:
    form = {"unit": name, "ground": "legal", "wish": "repair", "said": SAID} | changes
    return hq.client.post(f"/orders/{order(part)}/claims", data=form)


def claimed(hq: Hq, part: dict[str, Any], **changes: str) -> str:
    """Claim for the one unit of a part, and return the name of its case."""
    name = delivered(hq, part)
    assert claim(hq, part, name, **changes).status_code == 303
    return f"{name}:1"


def test_a_claim_is_repaired_and_the_guarantee_lasts_six_months_longer(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case, browser = claimed(hq, part), desk(hq, 1)
    assert "10 novembre 2028" not in words(hq.client.get(f"/orders/{order(part)}/claims"))
    assert "Garantie légale de conformité jusqu’au 9 novembre 2028" in words(hq.client.get(f"/orders/{order(part)}/claims"))
    shown = words(browser.get("/seller/returns"))
    assert SAID in shown
    assert "présumé présent à la livraison" in shown

    assert browser.post(f"/seller/returns/{case}/answer", data={"remedy": "repair"}).status_code == 303
    assert browser.post(f"/seller/returns/{case}/remedy", data={"tracking": "6A123456"}).status_code == 409, "it is not here yet"
    assert hq.client.post(f"/orders/{order(part)}/returns/{case}/shipment", data={"tracking": "8R0123456"}).status_code == 303
    assert browser.post(f"/seller/returns/{case}/arrival").status_code == 303
    assert browser.post(f"/seller/returns/{case}/remedy", data={"tracking": "6A123456"}).status_code == 303
    assert [(unit["state"], unit["refunded_cents"]) for unit in units_of(hq, part)] == [("delivered", 0)]
    assert "Garantie légale de conformité jusqu’au 9 mai 2029" in words(hq.client.get(f"/orders/{order(part)}/claims"))
    granted, *others = [mail["facts"] for mail in mails(hq, "case_moved")]
    assert [told["state"] for told in (granted, *others)] == ["granted", "received", "repaired"]
    assert f"{URL}{granted['label_path']}" in write_mail("case_moved", "fr", {**granted, "public_url": URL}).text
    assert granted["label_path"] == f"/orders/{part['order_id']}/returns/{case}/label.pdf"


def test_a_claim_for_less_is_refunded_in_part_while_the_customer_keeps_the_device(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case, browser = claimed(hq, part, wish="reduction"), desk(hq, 1)
    assert browser.post(f"/seller/returns/{case}/refund", data={"amount": "50", "why": "batterie"}).status_code == 303
    assert [(unit["state"], unit["refunded_cents"]) for unit in units_of(hq, part)] == [("delivered", 5000)]
    name = case.rpartition(":")[0]
    assert claim(hq, part, name, wish="refund").status_code == 303, "what is settled bars no further claim"
    browser.post(f"/seller/returns/{name}:2/answer", data={"remedy": "refund"})
    browser.post(f"/seller/returns/{name}:2/arrival")
    assert browser.post(f"/seller/returns/{name}:2/refund").status_code == 303
    assert [(unit["state"], unit["refunded_cents"]) for unit in units_of(hq, part)] == [("returned", 36900)]


def test_nobody_is_paid_off_who_wished_for_something_else(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case, browser = claimed(hq, part, wish="repair"), desk(hq, 1)
    assert browser.post(f"/seller/returns/{case}/refund", data={"amount": "50", "why": "batterie"}).status_code == 422
    assert browser.post(f"/seller/returns/{case}/answer", data={"remedy": "nothing"}).status_code == 422
    assert browser.post(f"/seller/returns/{case}/refusal", data={"why": ""}).status_code == 422
    assert browser.post(f"/seller/returns/{case}/refusal", data={"why": "trace de chute"}).status_code == 303
    assert "trace de chute" in words(hq.client.get(f"/orders/{order(part)}"))
    assert units_of(hq, part)[0]["refunded_cents"] == 0


@pytest.mark.parametrize(
    "changes", [{"ground": "return"}, {"ground": ""}, {"wish": "gift"}, {"said": "cassé"}, {"said": "x" * 1001}]
)
def test_a_claim_says_which_guarantee_what_is_wished_and_what_is_wrong(hq: Hq, changes: dict[str, str]) -> None:
    part = paid_part(hq, IPHONE_13)
    name = delivered(hq, part)
    answer = claim(hq, part, name, **changes)
    assert answer.status_code == 422
    assert "Rien n’a été demandé" in words(answer)
    assert hq.rows("select * from unit_case") == []


def test_no_claim_is_made_after_the_last_day_of_a_guarantee(hq: Hq, moved: time_machine.Traveller) -> None:
    part = paid_part(hq, IPHONE_13)
    name = delivered(hq, part)
    moved.move_to(datetime(2028, 11, 9, 23, tzinfo=UTC))
    for ground in ("legal", "commercial"):
        assert claim(hq, part, name, ground=ground).status_code == 409, ground
    moved.shift(timedelta(seconds=-1))
    assert claim(hq, part, name).status_code == 303
    assert [case["presumed"] for case in hq.rows("select presumed from unit_case")] == [0], "only for the first twelve months"
    assert claim(hq, part, name).status_code == 409, "one case at a time"


def test_nobody_claims_for_the_device_of_another_nor_before_it_came(hq: Hq) -> None:
    part, other = paid_part(hq, IPHONE_13), paid_part(hq, LAST_IPHONE_12, seller_id=2, counter=2)
    name = delivered(hq, other)
    early = f"{units_of(hq, part)[0]['part_id']}:1:1"
    for unit in (name, early, "x"):
        assert claim(hq, part, unit).status_code == 404, unit
    assert claim(hq, other, name).status_code == 303
    stranger = desk(hq, 1)
    for path in ("answer", "remedy"):
        assert stranger.post(f"/seller/returns/{name}:1/{path}", data={"remedy": "repair"}).status_code == 404


def test_a_claim_takes_nothing_from_the_right_to_withdraw(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case = claimed(hq, part)
    assert "Renoncer au contrat ici" in words(hq.client.get(f"/orders/{order(part)}"))
    name = case.rpartition(":")[0]
    assert hq.client.post(f"/orders/{order(part)}/withdrawal", data={"unit": name}).status_code == 303
    states = hq.rows("select ground, state from unit_case order by case_no")
    assert [tuple(state.values()) for state in states] == [("legal", "dropped"), ("withdrawal", "granted")]
