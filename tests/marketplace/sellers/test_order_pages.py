"""A seller's orders at the desk: what waits, what its people may do, and that nobody sees or moves another's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient

from marketplace.orders.timers import REMIND_BEFORE, move_late_units, remind_sellers
from marketplace.sellers import orders as seller_orders
from pos import clock
from pos.tokens import TokenLine
from tests.marketplace.hq import CONTACT, IPHONE_13, LAST_IPHONE_12, Hq, words
from tests.marketplace.sellers.desks import desk, names_of, paid_part, units_of

IMEI, OTHER_IMEI = "490154203237518", "011415009346880"
TWO_IPHONES = TokenLine(listing_id=11, one_off_cents=36900, monthly_cents=0, quantity=2)
PARCEL = {"carrier": "Colissimo", "tracking": "6A12345678901"}


def post(browser: FlaskClient, part: dict[str, Any], what: str, hq: Hq, **form: Any) -> int:
    data = {"unit": names_of(hq, part), **form}
    return browser.post(f"/seller/orders/{part['part_id']}/{what}", data=data).status_code


def states(hq: Hq, part: dict[str, Any]) -> list[str]:
    return [unit["state"] for unit in units_of(hq, part)]


def test_the_day_begins_with_what_waits_and_its_time(hq: Hq) -> None:
    owner = desk(hq, 1)
    assert "Rien n’attend votre accord." in words(owner.get("/seller"))
    part = paid_part(hq, TWO_IPHONES)
    hq.write("update unit set since = :since", since=clock.to_text(clock.now() - timedelta(hours=23, minutes=18)))
    page = words(owner.get("/seller"))
    assert "2 appareils attendent votre accord" in page
    assert "41 min" in page or "42 min" in page
    assert part["number"] in page
    assert "738,00 €" in page
    assert CONTACT["name"] not in page

    assert owner.post("/seller/acceptances", data={"unit": names_of(hq, part)}).location == "/seller"
    assert states(hq, part) == ["accepted", "accepted"]
    assert "Rien n’attend votre accord." in words(owner.get("/seller"))


def test_an_order_goes_its_way_by_the_desk(hq: Hq) -> None:
    shipper, part = desk(hq, 1, "shipping"), paid_part(hq, IPHONE_13)
    address = f"/seller/orders/{part['part_id']}"
    assert CONTACT["name"] not in shipper.get(address).text, "nobody needs the address before the sale is accepted"
    assert post(shipper, part, "acceptance", hq) == 303
    page = words(shipper.get(address))
    assert CONTACT["name"] in page
    assert "12 rue Crébillon" in page
    assert CONTACT["email"] not in page
    assert post(shipper, part, "shipment", hq, **PARCEL, imei_1=IMEI) == 303

    assert states(hq, part) == ["shipped"]
    assert "Suivi Colissimo : 6A12345678901 · 490154203237518" in words(shipper.get(address))
    [step] = hq.rows("select by from unit_step where state = 'shipped'")
    [person] = hq.rows("select user_id from seller_user")
    assert step["by"] == f"seller:{person['user_id']}"
    hq.client.post(f"/orders/{part['order_id']}/delivery")
    assert CONTACT["name"] not in shipper.get(address).text, "the parcel is there: the address is gone"


def test_a_shipment_that_is_not_complete_keeps_what_was_typed(hq: Hq) -> None:
    owner, part = desk(hq, 1), paid_part(hq, IPHONE_13)
    post(owner, part, "acceptance", hq)
    answer = owner.post(f"/seller/orders/{part['part_id']}/shipment", data={**PARCEL, "unit": names_of(hq, part)})
    assert answer.status_code == 422
    assert "Rien n’est parti" in words(answer)
    assert 'value="6A12345678901"' in answer.text
    assert 'name="serial_1"' not in answer.text, "a phone is known by its IMEI"
    assert states(hq, part) == ["accepted"]
    form = {**PARCEL, "unit": names_of(hq, part), "imei_1": "490154203237519"}
    assert "Ce n’est pas un IMEI" in words(owner.post(f"/seller/orders/{part['part_id']}/shipment", data=form))


def test_an_accepted_order_says_by_when_it_ships(hq: Hq) -> None:
    owner, part = desk(hq, 1), paid_part(hq, IPHONE_13)
    post(owner, part, "acceptance", hq)
    address = f"/seller/orders/{part['part_id']}"
    hq.write("update unit set since = '2026-11-09T09:00:00Z'")
    with time_machine.travel("2026-11-10T09:00:00Z", tick=False):
        assert "À expédier avant le 11 novembre 2026, 10:00" in words(owner.get(address))
    with time_machine.travel("2026-11-11T09:01:00Z", tick=False):
        assert "cet envoi compte comme en retard" in words(owner.get(address))


def test_two_phones_of_a_line_go_in_one_parcel_each_by_its_imei(hq: Hq) -> None:
    owner, part = desk(hq, 1), paid_part(hq, TWO_IPHONES)
    post(owner, part, "acceptance", hq)
    assert post(owner, part, "shipment", hq, **PARCEL, imei_1=IMEI, imei_2=OTHER_IMEI) == 303
    assert [unit["imei"] for unit in units_of(hq, part)] == [IMEI, OTHER_IMEI]


def test_giving_up_takes_a_reason_and_the_money_goes_back(hq: Hq) -> None:
    owner, part = desk(hq, 1), paid_part(hq, TWO_IPHONES)
    first, _ = names_of(hq, part)
    assert post(owner, part, "cancellation", hq, unit=first) == 422
    assert post(owner, part, "cancellation", hq, unit=first, reason="because") == 422
    assert post(owner, part, "cancellation", hq, unit=[], reason="stock") == 422, "no unit is ticked: none is meant"
    assert states(hq, part) == ["to_accept", "to_accept"]
    assert post(owner, part, "cancellation", hq, unit=first, reason="stock") == 303
    assert states(hq, part) == ["cancelled", "to_accept"]
    assert hq.rows("select amount_cents from refund") == [{"amount_cents": 36900}]
    page = " ".join(words(owner.get(f"/seller/orders/{part['part_id']}")).split())
    assert "vente annulée, votre équipe : plus en stock" in page


def test_an_owner_refunds_a_part_and_then_the_rest(hq: Hq) -> None:
    owner, part = desk(hq, 1), paid_part(hq, IPHONE_13)
    assert post(owner, part, "refund", hq, reason="late", amount="10") == 409, "what was not shipped is cancelled instead"
    post(owner, part, "acceptance", hq)
    post(owner, part, "shipment", hq, **PARCEL, imei_1=IMEI)
    for typed, status in (("abc", 422), ("400,00", 422), ("0", 422), ("25,50 €", 303), ("", 303), ("", 422)):
        assert post(owner, part, "refund", hq, reason="late", amount=typed) == status, typed
    refunds = hq.rows("select amount_cents, reason from refund order by amount_cents")
    assert [(refund["amount_cents"], refund["reason"]) for refund in refunds] == [(2550, "late"), (34350, "late")]


@pytest.mark.parametrize(
    ("role", "refused"), [("reader", {"acceptance", "shipment", "cancellation", "refund"}), ("shipping", {"refund"})]
)
def test_a_role_reaches_so_far(hq: Hq, role: str, refused: set[str]) -> None:
    browser, part = desk(hq, 1, role), paid_part(hq, IPHONE_13)
    answers = {
        what: post(browser, part, what, hq, reason="stock" if what == "cancellation" else "late", **PARCEL, imei_1=IMEI)
        for what in ("acceptance", "shipment", "refund", "cancellation")
    }
    assert {what for what, status in answers.items() if status == 403} == refused
    assert (browser.post("/seller/acceptances", data={"unit": names_of(hq, part)}).status_code == 403) == (role == "reader")
    if role == "reader":
        post(desk(hq, 1), part, "acceptance", hq)
        assert CONTACT["name"] not in browser.get(f"/seller/orders/{part['part_id']}").text


def test_another_seller_s_order_is_not_there(hq: Hq) -> None:
    stranger, part = desk(hq, 2), paid_part(hq, IPHONE_13)
    own = paid_part(hq, LAST_IPHONE_12, seller_id=2, counter=2)
    assert stranger.get(f"/seller/orders/{part['part_id']}").status_code == 404
    data = {"unit": names_of(hq, part), "reason": "stock", **PARCEL}
    for part_id in (part["part_id"], own["part_id"]):
        for address in (
            f"/seller/orders/{part_id}/acceptance",
            f"/seller/orders/{part_id}/shipment",
            f"/seller/orders/{part_id}/cancellation",
            f"/seller/orders/{part_id}/refund",
        ):
            assert stranger.post(address, data=data).status_code == 404, address
    assert stranger.post("/seller/acceptances", data={"unit": names_of(hq, own) + names_of(hq, part)}).status_code == 404
    assert (states(hq, part), states(hq, own)) == (["to_accept"], ["to_accept"])
    for odd in ("x", "%00", "x:1:1"):
        assert stranger.get(f"/seller/orders/{odd}").status_code == 404
        assert stranger.post(f"/seller/orders/{own['part_id']}/acceptance", data={"unit": odd}).status_code == 404


def test_orders_are_found_by_state_and_number_page_by_page(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = desk(hq, 1)
    parts = []
    for counter in (1, 2, 3):
        with time_machine.travel(clock.now() + timedelta(minutes=counter)):
            parts.append(paid_part(hq, IPHONE_13, counter=counter))
    post(owner, parts[0], "acceptance", hq)
    numbers = [part["number"] for part in parts]

    def listed(query: str) -> list[str]:
        page = owner.get(f"/seller/orders{query}").text
        return sorted((number for number in numbers if number in page), key=page.index)

    assert listed("") == numbers[::-1], "the newest first"
    assert listed("?state=accepted") == numbers[:1]
    assert listed("?state=to_accept") == numbers[:0:-1]
    assert listed(f"?number={numbers[1].lower()}") == [numbers[1]]
    assert listed("?number=%25") == []
    assert listed("?number=%01&before=x&state=x") == []
    monkeypatch.setattr("marketplace.sellers.order_pages.PAGE", 2)
    assert listed("") == numbers[:0:-1]
    assert f"before={parts[1]['part_id']}" in owner.get("/seller/orders").text
    assert listed(f"?before={parts[1]['part_id']}") == numbers[:1]


def test_a_seller_is_reminded_once_six_hours_before_the_unit_is_taken(hq: Hq) -> None:
    desk(hq, 1)
    desk(hq, 1, "reader")
    part = paid_part(hq, IPHONE_13)
    due = clock.from_text(part["accept_by"])
    for ahead, reminded in ((timedelta(hours=7), 0), (REMIND_BEFORE, 1), (timedelta(hours=5), 0)):
        assert remind_sellers(hq.engine, now=due - ahead) == reminded, ahead
    [mail] = hq.rows("select body from job where job_id like 'mail:units_wait:%' and owner_id = 'seller:1'")
    body = json.loads(mail["body"])
    assert (body["template"], body["to"]) == ("units_wait", "owner-1@vendeur.example")
    assert body["facts"]["path"] == f"/seller/orders/{part['part_id']}"
    assert part["order_id"] not in mail["body"]


def test_nobody_is_reminded_of_what_was_accepted(hq: Hq) -> None:
    owner, part = desk(hq, 1), paid_part(hq, IPHONE_13)
    post(owner, part, "acceptance", hq)
    assert remind_sellers(hq.engine, now=clock.from_text(part["accept_by"]) - timedelta(hours=1)) == 0


def test_the_timer_takes_late_units_by_itself(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    hq.work()
    with time_machine.travel(clock.now() + timedelta(hours=25)):
        hq.work()
    assert states(hq, part) == ["cancelled"]
    assert hq.rows("select amount_cents from refund") == [{"amount_cents": 36900}]


def test_a_unit_that_cannot_be_moved_holds_up_no_other(hq: Hq) -> None:
    stuck, other = paid_part(hq, IPHONE_13), paid_part(hq, IPHONE_13, counter=2)
    hq.write("delete from payment where order_id = :order_id", order_id=stuck["order_id"])
    assert move_late_units(hq.engine, now=clock.now() + timedelta(hours=25)) == 1
    assert (states(hq, stuck), states(hq, other)) == (["to_accept"], ["cancelled"])


def test_an_id_sorts_before_the_end_of_the_list(hq: Hq) -> None:
    [found] = hq.rows("select case when 'ffffffff-ffff' < :end then 1 else 0 end as is_before", end=seller_orders.AFTER_ALL)
    assert found["is_before"] == 1
