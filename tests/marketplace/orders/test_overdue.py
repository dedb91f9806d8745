"""What somebody should have done by now stands in one list, by kind, with its age and what HQ can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from marketplace.db import reading
from marketplace.orders import overdue
from marketplace.orders.overdue import Kind, count_overdue, overdue_of
from marketplace.orders.units import accept
from pos import clock
from tests.marketplace.hq import IPHONE_13, IPHONE_13_WITH_PLAN, Hq, words
from tests.marketplace.orders.test_activations import PLAN_ALONE
from tests.marketplace.orders.test_returns import delivered, withdrawn
from tests.marketplace.orders.test_units import act
from tests.marketplace.sellers.desks import desk, names_of, paid_part
from tests.marketplace.test_console import log_in


@pytest.fixture(autouse=True)
def moved() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


def late(hq: Hq) -> dict[Kind, int]:
    """Return how much is late now, of the kinds of which anything is."""
    with reading(hq.engine) as connection:
        counts = count_overdue(connection, now=clock.now())
        found = {kind: overdue_of(connection, kind, now=clock.now()) for kind in counts}
    assert {kind: len(things) for kind, things in found.items()} == counts
    return {kind: number for kind, number in counts.items() if number}


def write(hq: Hq, part: dict[str, Any], text: str = "Quand part-il ?") -> None:
    form = {"part": part["part_id"], "text": text}
    assert hq.client.post(f"/orders/{part['order_id']}/messages", data=form).status_code == 303


def claim(hq: Hq, part: dict[str, Any], name: str) -> None:
    form = {"unit": name, "ground": "legal", "wish": "repair", "said": "Il ne charge plus du tout."}
    assert hq.client.post(f"/orders/{part['order_id']}/claims", data=form).status_code == 303


def test_a_unit_is_late_once_its_seller_was_reminded_and_again_when_it_should_have_left(
    hq: Hq, moved: time_machine.Traveller
) -> None:
    part = paid_part(hq, IPHONE_13)
    moved.shift(timedelta(hours=18))
    assert late(hq) == {}
    moved.shift(timedelta(seconds=1))
    assert late(hq) == {"to_accept": 1}
    act(hq, accept)
    moved.shift(timedelta(hours=48))
    assert late(hq) == {}
    moved.shift(timedelta(hours=3))
    assert late(hq) == {"to_ship": 1}
    log_in(hq)
    page = hq.client.get("/console/overdue")
    assert part["number"] in words(page)
    assert "3 h 00" in words(page)
    assert 'kind=to_ship">À expédier</a>' in words(hq.client.get("/console/"))


def test_a_unit_whose_plan_waits_is_not_its_seller_s_delay(hq: Hq, moved: time_machine.Traveller) -> None:
    paid_part(hq, IPHONE_13_WITH_PLAN, acquisition_1="port")
    act(hq, accept)
    moved.shift(timedelta(days=3))
    assert late(hq) == {"plans": 1}
    hq.write("update activation set state = 'acknowledged', decide_by = null")
    assert late(hq) == {"to_ship": 1}


def test_plans_that_wait_for_their_customer_or_their_carrier_are_late_each_by_its_own_time(
    hq: Hq, moved: time_machine.Traveller
) -> None:
    hq.claim(hq.digits(PLAN_ALONE), acquisition_1="new")
    for state, allowed in (("to_send", 1), ("sent", 2), ("acknowledged", 10)):
        hq.write("update activation set state = :state, since = :at", state=state, at=clock.to_text(clock.now()))
        moved.shift(timedelta(days=allowed))
        assert late(hq) == {}, state
        moved.shift(timedelta(seconds=1))
        assert late(hq) == {"plans": 1}, state
    hq.write("update activation set state = 'active'")
    assert late(hq) == {}


def test_a_return_nobody_answered_is_closed_by_hq_with_a_reason(hq: Hq, moved: time_machine.Traveller) -> None:
    part = paid_part(hq, IPHONE_13)
    case = withdrawn(hq, part)
    hq.client.post(f"/orders/{part['order_id']}/returns/{case}/shipment", data={"tracking": "8R0123456"})
    moved.shift(timedelta(days=15))
    assert late(hq) == {"returns": 1}
    log_in(hq)
    [placed] = hq.rows("select customer_id, number from customer_order")
    customer_id, number = placed["customer_id"], placed["number"]
    address, closing = f"/console/orders/{customer_id}/{number}", f"/console/orders/{customer_id}/{number}/cases/{case}/refund"
    assert "Rembourser en entier et clore" in words(hq.client.get(address))
    assert hq.client.post(closing).status_code == 422
    assert hq.client.post(closing, data={"why": "sans réponse"}).status_code == 303
    assert hq.client.post(closing, data={"why": "encore"}).status_code == 409
    assert hq.rows("select state, refunded_cents from unit") == [{"state": "returned", "refunded_cents": 36900}]
    assert late(hq) == {}
    assert hq.client.post(f"{address}/cases/nobody:1:1:1/refund", data={"why": "x"}).status_code == 404


def test_a_claim_without_an_answer_is_late_after_two_days(hq: Hq, moved: time_machine.Traveller) -> None:
    part = paid_part(hq, IPHONE_13)
    claim(hq, part, delivered(hq, part))
    moved.shift(timedelta(hours=48))
    assert late(hq) == {}
    moved.shift(timedelta(seconds=1))
    assert late(hq) == {"claims": 1}
    log_in(hq)
    assert "Il ne charge plus du tout." in words(
        hq.client.get(f"/console/orders/{part['customer_id']}/{part['number'].rpartition('-')[0]}")
    )


def test_a_message_waits_from_the_first_that_nobody_answered_until_seller_or_hq_does(
    hq: Hq, moved: time_machine.Traveller
) -> None:
    part = paid_part(hq, IPHONE_13)
    act(hq, accept)
    write(hq, part)
    moved.shift(timedelta(hours=40))
    write(hq, part, "Toujours rien ?")
    moved.shift(timedelta(hours=8, seconds=1))
    assert late(hq)["messages"] == 1
    browser = desk(hq, 1)
    answered = browser.post(f"/seller/orders/{part['part_id']}/messages", data={"text": "Demain."})
    assert answered.status_code == 303
    assert "messages" not in late(hq)
    write(hq, part, "Et alors ?")
    moved.shift(timedelta(hours=49))
    assert late(hq)["messages"] == 1
    log_in(hq)
    customer_id, number = part["customer_id"], part["number"].rpartition("-")[0]
    form = {"part": part["part_id"], "text": "Nous relançons le vendeur."}
    assert hq.client.post(f"/console/orders/{customer_id}/{number}/messages", data=form).status_code == 303
    assert "messages" not in late(hq)
    page = words(hq.client.get(f"/orders/{part['order_id']}"))
    assert "<b>Comptoir</b>" in page
    assert "Nous relançons le vendeur." in page
    assert hq.client.post(f"/console/orders/{customer_id}/{number}/messages", data={**form, "part": "nobody"}).status_code == 404


def test_refunds_are_late_when_they_failed_or_take_too_long(hq: Hq, moved: time_machine.Traveller) -> None:
    part = paid_part(hq, IPHONE_13)
    assert hq.client.post(f"/orders/{part['order_id']}/cancellation").status_code == 303
    for state, allowed in (("requested", timedelta(days=1)), ("sent", timedelta(days=10)), ("failed", timedelta())):
        hq.write("update refund set state = :state, requested_at = :at", state=state, at=clock.to_text(clock.now()))
        moved.shift(allowed)
        assert late(hq) == {}, state
        moved.shift(timedelta(seconds=1))
        assert late(hq) == {"refunds": 1}, state
    log_in(hq)
    assert "Renvoyer" in words(hq.client.get("/console/overdue?kind=refunds"))


def test_a_long_list_is_read_a_page_at_a_time_and_counted_to_a_bound(
    hq: Hq, moved: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [paid_part(hq, IPHONE_13, counter=counter) for counter in (1, 2)]
    moved.shift(timedelta(hours=20))
    log_in(hq)
    monkeypatch.setattr(overdue, "MOST_SHOWN", 1)
    monkeypatch.setattr("marketplace.orders.overdue_pages.MOST_SHOWN", 1)
    first = hq.client.get("/console/overdue?kind=to_accept")
    seen = {part["number"] for part in parts if part["number"] in words(first)}
    with reading(hq.engine) as connection:
        [thing] = overdue_of(connection, "to_accept", now=clock.now())
        [other] = overdue_of(connection, "to_accept", now=clock.now(), after=thing.place)
        assert overdue_of(connection, "to_accept", now=clock.now(), after=other.place) == []
    assert {thing.part_number} == seen
    assert {thing.part_number, other.part_number} == {part["number"] for part in parts}
    assert "La suite" in words(first)
    monkeypatch.setattr(overdue, "MOST_COUNTED", 1)
    with reading(hq.engine) as connection:
        assert count_overdue(connection, now=clock.now())["to_accept"] == 1
    assert hq.client.get("/console/overdue?kind=nothing&after=x").status_code == 200


@pytest.mark.parametrize("kind", ["sqlite"])  # PostgreSQL reads a table of two rows whole, whatever its indexes.
def test_no_list_reads_a_whole_table(hq: Hq) -> None:
    names_of(hq, paid_part(hq, IPHONE_13))
    asked: list[str] = []
    with reading(hq.engine) as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(asked.append)
        for each in count_overdue(connection, now=clock.now()):
            overdue_of(connection, each, now=clock.now())
        driver.set_trace_callback(None)
        plans = [
            step[-1] for sql in asked if sql.lstrip().startswith("select") for step in driver.execute(f"explain query plan {sql}")
        ]
    large = ("unit", "part", "unit_case", "refund", "activation", "customer_order")
    assert [plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in large] == []
