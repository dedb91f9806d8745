from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import event

from marketplace.running.working import Working
from marketplace.sellers import repeats
from pos import clock
from tests.marketplace.hq import Hq
from tests.marketplace.sellers.selling import Seller

KEY = {"Idempotency-Key": "7f3a"}


@pytest.fixture
def seller(hq: Hq) -> Seller:
    return Seller(hq)


def test_the_same_write_is_done_once_and_answered_the_same(seller: Seller) -> None:
    first = seller.put(headers=KEY)
    seller.patch(quantity=1)

    again = seller.put(headers=KEY)

    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert [row["quantity"] for row in seller.on_sale()] == [1]


def test_the_same_key_for_another_write_is_refused(seller: Seller) -> None:
    seller.put(headers=KEY)

    assert [seller.put(price="300.00", headers=KEY).status_code, seller.put("B-2", headers=KEY).status_code] == [422, 422]
    assert Seller(seller.hq, 2).put(headers=KEY).status_code == 201


def test_a_write_in_flight_is_not_done_a_second_time_until_it_must_have_died(seller: Seller) -> None:
    seller.put(headers=KEY)
    seller.hq.write("update api_answer set status = null, body = null, claim = 'another'")

    answer = seller.put(headers=KEY)

    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        assert seller.put(headers=KEY).status_code == 200


def test_a_refused_write_may_be_mended_under_its_key(seller: Seller) -> None:
    assert seller.put(grade="VERY_GOOD", headers=KEY).status_code == 422
    assert seller.put(headers=KEY).status_code == 201


def test_answers_are_kept_for_a_day(seller: Seller) -> None:
    seller.put(headers=KEY)
    later = clock.now() + timedelta(hours=25)

    with time_machine.travel(later, tick=False):
        assert seller.put(headers=KEY).status_code == 200
    with time_machine.travel(later + timedelta(hours=25), tick=False):
        Working(seller.hq.engine, seller.hq.directory, "http://marche.test").do_due()
    assert seller.hq.rows("select repeat_key from api_answer") == []


def test_a_key_nobody_could_send_twice_is_refused(seller: Seller) -> None:
    assert seller.put(headers={"Idempotency-Key": "x" * 300}).status_code == 400


def test_answers_are_forgotten_some_at_a_time(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "CHANGED_AT_ONCE", 2)
    for number in range(5):
        seller.put(headers={"Idempotency-Key": f"k{number}"})
    deleted: list[int] = []
    event.listen(seller.hq.engine, "after_cursor_execute", lambda *told: deleted.append(told[1].rowcount))

    assert repeats.forget_answers(seller.hq.engine, now=clock.now() + timedelta(hours=25)) == 5
    assert deleted == [2, 2, 1, 0]
