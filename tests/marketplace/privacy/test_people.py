"""A customer is given all we hold of them, and is erased so that nothing of them is left but what the law keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from marketplace.db import reading, run_tx
from marketplace.orders.units import Actor, accept, cancel, deliver, refund, ship
from marketplace.privacy import erasures
from marketplace.privacy.erasures import OrderRuns, end_keeping, erase_person
from marketplace.tables import metadata
from pos import clock
from pos.tokens import TokenLine
from tests.marketplace.hq import IPHONE_13, LAST_IPHONE_12, Hq, words
from tests.marketplace.money.books import balances
from tests.marketplace.orders.test_units import IMEI, act, paid, shipment, units
from tests.marketplace.sellers.desks import desk
from tests.marketplace.test_console import log_in

STRINGS = ("camille@", "roux", "rue cr", "scratched on the left", "6a12345678901")
PAPERS = ("invoice", "confirmation")


def delivered(hq: Hq, *, counter: int = 1) -> dict[str, Any]:
    """Place an order of one phone, pay it, have it delivered, and give some money back in the customer's words."""
    placed = paid(hq, IPHONE_13, counter=counter)
    act(hq, accept)
    act(hq, ship, shipment(IMEI))
    act(hq, deliver)
    said = Actor(by="customer", at=clock.to_text(clock.now()), why="Scratched on the left, says Camille Roux")
    run_tx(hq.engine, lambda connection: refund(connection, units(hq)[0], 1000, said))
    hq.write("update refund set state = 'done'")
    return placed


def address(placed: dict[str, Any], what: str = "") -> str:
    customer_id, number = placed["customer_id"], placed["number"]
    return {
        "": f"/console/people/{customer_id}/{number}",
        "export": f"/console/people/{customer_id}/{number}/export",
        "erasure": f"/console/people/{customer_id}/{number}/erasure",
    }[what]


def erase(hq: Hq, placed: dict[str, Any], *, now: Any = None) -> int:
    return erase_person(hq.engine, placed["customer_id"], placed["number"], reason="asked on Monday", now=now or clock.now())


def places(hq: Hq) -> set[str]:
    """Return every table and column of the whole database that still holds a string of Camille's."""
    found = set()
    for table in metadata.tables:
        for each in hq.rows(f"select * from {table}"):
            found |= {f"{table}.{name}" for name, value in each.items() if any(known in str(value).lower() for known in STRINGS)}
    return found


def test_an_erased_customer_is_nowhere_but_in_the_documents_the_law_keeps(hq: Hq) -> None:
    placed = delivered(hq)
    with reading(hq.engine) as connection:
        booked = balances(connection)
    assert {"customer_order.name", "order_name.word", "unit_step.why", "refund.reason", "unit.tracking", "job.body"} <= places(hq)

    assert erase(hq, placed) == 1

    assert {place.partition(".")[0] for place in places(hq)} <= set(PAPERS)
    with reading(hq.engine) as connection:
        assert balances(connection) == booked
    assert hq.rows("select imei, collected_cents, refunded_cents from unit") == [
        {"imei": IMEI, "collected_cents": 36900, "refunded_cents": 1000}
    ]
    [logged] = hq.rows("select reason, kept_until from erasure")
    assert logged["reason"] == "asked on Monday"
    assert hq.client.get(f"/orders/{placed['order_id']}").status_code == 200


def test_after_ten_years_the_documents_are_emptied_too(hq: Hq) -> None:
    placed = delivered(hq)
    erase(hq, placed)
    kept = places(hq)
    assert kept == {f"{table}.body" for table in PAPERS}

    assert end_keeping(hq.engine, now=clock.now() + timedelta(days=9 * 365)) == 0
    assert places(hq) == kept
    assert end_keeping(hq.engine, now=clock.now() + timedelta(days=11 * 366)) == 1
    assert places(hq) == set()
    assert hq.rows("select kept_until from erasure") == [{"kept_until": None}]
    assert end_keeping(hq.engine, now=clock.now() + timedelta(days=11 * 366)) == 0


def test_all_orders_of_one_address_are_erased_and_nobody_else_s(hq: Hq) -> None:
    first = delivered(hq)
    hq.claim(hq.digits(LAST_IPHONE_12, counter=2), name="Zoë d’Arc", email="zoe@example.org")
    hq.claim(hq.digits(IPHONE_13, counter=3), email="CAMILLE@example.org")
    hq.write("update customer_order set state = 'unpaid', reserved_until = null")

    assert erase(hq, first) == 2
    left = hq.rows("select name, email from customer_order order by placed_at, number")
    assert {"name": "Zoë d’Arc", "email": "zoe@example.org"} in left
    assert sum("@erased.invalid" in order["email"] for order in left) == 2


@pytest.mark.parametrize(
    "change",
    [
        "update customer_order set state = 'open', reserved_until = '2030-01-01T00:00:00Z'",
        "update customer_order set state = 'requested'",
        "update unit set state = 'shipped'",
        "update refund set state = 'failed'",
        "update payment set dispute = 'open'",
    ],
)
def test_nobody_is_erased_of_whom_something_still_runs(hq: Hq, change: str) -> None:
    placed = delivered(hq)
    hq.write(change)
    before = hq.rows("select * from customer_order")
    with pytest.raises(OrderRuns):
        erase(hq, placed)
    log_in(hq)
    page = words(hq.client.get(address(placed)))
    assert "Pas encore possible" in page
    answer = hq.client.post(address(placed, "erasure"), data={"why": "asked"})
    assert (answer.status_code, "n’est pas finie" in words(answer)) == (409, True)
    assert hq.rows("select * from customer_order") == before


def test_nobody_is_erased_whose_refused_plan_waits_for_what_they_choose(hq: Hq) -> None:
    hq.claim(hq.digits(TokenLine(plan_id=1, one_off_cents=100, monthly_cents=999)), acquisition_1="new")
    hq.write("update customer_order set state = 'closed'")
    hq.write("update activation set state = 'refused'")
    [placed] = hq.rows("select customer_id, number from customer_order")
    with pytest.raises(OrderRuns):
        erase(hq, placed)


def test_messages_of_an_erased_customer_are_called_so_and_wait_for_no_answer(hq: Hq) -> None:
    placed = delivered(hq)
    [part] = hq.rows("select part_id, seller_id from part")
    form = {"part": part["part_id"], "text": "Camille Roux asks"}
    assert hq.client.post(f"/orders/{placed['order_id']}/messages", data=form).status_code == 303
    erase(hq, placed)
    assert hq.rows("select asked_at from part") == [{"asked_at": None}]
    page = words(desk(hq, part["seller_id"]).get(f"/seller/orders/{part['part_id']}"))
    assert ("effacé" in page, "ien à répondre" in page) == (True, False)


def test_an_erasure_cut_short_is_taken_up_where_it_stopped(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    first = delivered(hq)
    hq.claim(hq.digits(LAST_IPHONE_12, counter=2))
    hq.write("update customer_order set state = 'unpaid', reserved_until = null where state = 'open'")
    whole, done = erasures.erase_order, []

    def dies(*args: Any, **values: Any) -> str | None:
        if done:
            raise OSError("the power went")
        done.append(1)
        return whole(*args, **values)

    monkeypatch.setattr(erasures, "erase_order", dies)
    with pytest.raises(OSError, match="power"):
        erase(hq, first)
    monkeypatch.undo()
    assert len(hq.rows("select * from erasure")) == 1
    assert erase(hq, first) == 1
    assert erase(hq, first) == 0, "asking again changes nothing"
    assert len(hq.rows("select * from erasure")) == 2
    assert {place.partition(".")[0] for place in places(hq)} <= set(PAPERS)


def test_a_mail_that_was_still_to_go_goes_to_nobody(hq: Hq) -> None:
    placed = paid(hq, IPHONE_13)
    act(hq, cancel)
    hq.write("update refund set state = 'done'")
    erase(hq, placed)
    mails = hq.rows("select state, body from job where kind = 'mail'")
    assert {mail["state"] for mail in mails} == {"set_aside"}
    log_in(hq)
    assert hq.client.get("/console/jobs").status_code == 200


def test_a_customer_is_given_all_that_is_held_but_no_secret(hq: Hq) -> None:
    placed = delivered(hq)
    log_in(hq)
    answer = hq.client.get(address(placed, "export"))
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="comptoir-{placed["number"]}')
    [order] = answer.get_json()["orders"]
    held = order["tables"]
    assert held["customer_order"][0]["address"] == "12 rue Crébillon\n44000 Nantes"
    assert held["customer_order"][0]["facts"]["lines"][0]["listing"]["title"] == "Apple iPhone 13"
    assert held["unit"][0]["imei"] == IMEI
    assert {"payment", "refund", "unit_step", "order_line", "claim", "entry", "job", *PAPERS} <= set(held)
    assert placed["order_id"] not in answer.text
    assert hq.client.get(address({**placed, "number": "x"}, "export")).status_code == 404


def test_hq_erases_from_the_console_with_a_reason_and_reads_it_in_the_log(hq: Hq) -> None:
    placed = delivered(hq)
    log_in(hq)
    page = words(hq.client.get(address(placed)))
    assert "Ces documents gardent nom et adresse" in page
    assert hq.client.post(address(placed, "erasure"), data={"why": " "}).status_code == 422
    assert hq.client.post(address(placed, "erasure"), data={"why": "letter of 3 December"}).status_code == 303
    log = words(hq.client.get("/console/people"))
    assert placed["number"] in log
    assert "letter of 3 December" in log
    shown = words(hq.client.get(f"/console/orders/{placed['customer_id']}/{placed['number']}"))
    assert "Camille" not in shown
