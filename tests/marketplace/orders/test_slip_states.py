"""What HQ tells a corner's kiosk of its slips, and that it costs nothing while nothing changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from marketplace.db import run_tx
from marketplace.fleet.enrolments import enrol_device, start_enrolment
from marketplace.fleet.revocations import revoke_device
from marketplace.orders.parts import ACCEPT_WITHIN
from marketplace.orders.slip_states import CHANGES, note_slip_state
from marketplace.orders.timers import move_late_units
from marketplace.orders.units import accept, cancel, ship, take_back
from pos import clock
from tests.marketplace.hq import IPHONE_13, LAST_IPHONE_12, URL, Hq
from tests.marketplace.orders.test_units import IMEI, act, paid, phones, shipment


def told(hq: Hq, after: int | None = 0) -> Any:
    """Send a heartbeat that heard up to `after`, and return what the answer says of slips."""
    heartbeat = {"publication": 1, "corner_sha256": hq.corner_sha256()}
    return hq.up(heartbeat=heartbeat if after is None else {**heartbeat, "claimed": after}).json.get("claimed")


def states(news: Any) -> list[tuple[int, str]]:
    return [(slip["counter"], slip["state"]) for slip in news["slips"]]


def test_a_slip_is_told_as_ordered_then_shipped_then_returned(hq: Hq) -> None:
    phones(hq)
    paid(hq, IPHONE_13, counter=3)
    first = told(hq)
    act(hq, accept)
    assert states(told(hq, first["upto"])) == [], "what changed nothing for the counter is no news"
    act(hq, ship, shipment(IMEI))
    second = told(hq, first["upto"])
    act(hq, take_back)

    assert states(first) == [(3, "ordered")]
    assert first["slips"][0].keys() == {"key_id", "counter", "state", "state_at"}
    assert first["slips"][0]["key_id"] == hq.key_id
    assert states(second) == [(3, "shipped")]
    assert states(told(hq, second["upto"])) == [(3, "returned")]


def test_a_change_is_told_until_the_kiosk_says_that_it_heard_it(hq: Hq) -> None:
    hq.claim(hq.digits(IPHONE_13))
    once, again = told(hq), told(hq)

    assert states(once) == states(again) == [(1, "ordered")]
    assert told(hq, once["upto"]) == {"upto": once["upto"], "slips": []}
    assert states(told(hq, 0)) == [(1, "ordered")], "records that were restored hear it again"


def test_an_order_that_is_given_up_is_cancelled_and_one_of_two_devices_is_not_all(hq: Hq) -> None:
    paid(hq, IPHONE_13, LAST_IPHONE_12)
    heard = told(hq)["upto"]
    assert move_late_units(hq.engine, now=clock.now() + ACCEPT_WITHIN + timedelta(minutes=1)) == 2
    assert states(told(hq, heard)) == [(1, "cancelled")]

    paid(hq, IPHONE_13, counter=2)
    act(hq, cancel, by="customer")
    assert states(told(hq, 0)) == [(1, "cancelled"), (2, "cancelled")]


def test_two_hundred_changes_are_told_at_once_and_the_rest_thereafter(hq: Hq) -> None:
    hq.claim(hq.digits(IPHONE_13))
    [slip] = hq.rows("select * from claim")
    names = ", ".join(slip)
    for counter in range(2, 202):
        row = {**slip, "counter": counter, "change_no": slip["change_no"] + counter, "order_id": f"order {counter}"}
        hq.write(f"insert into claim ({names}) values ({', '.join(f':{name}' for name in slip)})", **row)
    hq.write("update corner_counter set value = :last", last=slip["change_no"] + 201)
    first = told(hq)
    rest = told(hq, first["upto"])

    assert [counter for counter, _ in states(first)] == list(range(1, 201))
    assert states(rest) == [(201, "ordered")]
    assert rest["upto"] == slip["change_no"] + 201


def test_numbers_grow_with_every_change_even_when_the_clock_is_set_back(hq: Hq) -> None:
    order_id = hq.claim(hq.digits(IPHONE_13)).location.rpartition("/")[2]
    first = told(hq)["upto"]
    hq.write("update customer_order set state = 'closed', reserved_until = null")
    run_tx(hq.engine, lambda connection: note_slip_state(connection, order_id, at="2020-01-01T00:00:00Z"))

    news = told(hq, first)
    assert news["upto"] > first
    assert states(news) == [(1, "cancelled")]


def test_a_kiosk_that_does_not_ask_is_told_nothing(hq: Hq) -> None:
    hq.claim(hq.digits(IPHONE_13))

    assert told(hq, None) is None


def test_only_the_corner_s_device_of_today_is_told(hq: Hq) -> None:
    hq.claim(hq.digits(IPHONE_13))
    code = start_enrolment(hq.engine, "nantes-crebillon", now=clock.now())
    enrol_device(hq.engine, code, "ab" * 32, slip_prefix=f"{URL}/k/", now=clock.now())
    answer = hq.up(heartbeat={"claimed": 0}).json
    assert ("replaced_at" in answer, "claimed" in answer) == (True, False)

    revoke_device(hq.engine, hq.key_id, now=clock.now())
    assert "claimed" not in hq.up(heartbeat={"claimed": 0}).json


def test_no_other_corner_is_told(hq: Hq) -> None:
    hq.claim(hq.digits(IPHONE_13))
    hq.write("update claim set corner_id = 'paris-beaubourg'")
    hq.write("update corner_counter set corner_id = 'paris-beaubourg'")

    assert told(hq) == {"upto": 0, "slips": []}


@pytest.mark.parametrize("is_news", [False, True])
def test_a_heartbeat_costs_one_query_more_where_there_is_news_and_none_elsewhere(hq: Hq, is_news: bool) -> None:
    hq.claim(hq.digits(IPHONE_13))
    heard = told(hq)["upto"]
    told(hq, heard)
    asked: list[str] = []
    engine = hq.app.extensions["marketplace"].engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, sql, *_: asked.append(sql))
    told(hq, 0 if is_news else heard)

    assert len([sql for sql in asked if "change_no from claim" in sql]) == int(is_news)


def test_what_changed_is_found_by_its_number(hq: Hq) -> None:
    if hq.engine.name == "sqlite":
        plan = hq.rows("explain query plan " + CHANGES, corner_id="nantes-crebillon", after=0, most=1)
        assert [row["detail"] for row in plan] == ["SEARCH claim USING INDEX claim_by_change (corner_id=? AND change_no>?)"]
