from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from marketplace.db import changed, run_tx
from marketplace.events.inbox import judge
from marketplace.fleet.enrolments import start_enrolment
from pos import clock, tokens
from pos.totals import Line, OptionTerms, PlanTerms, line_totals
from tests.marketplace import world
from tests.marketplace.hq import Hq


def slip_body(hq: Hq, *, counter: int = 1, price_cents: int = 36900) -> dict[str, Any]:
    """What the kiosk reports of the slip that `Hq.digits` issues."""
    plan = PlanTerms.from_body(world.WORLD["plans"][1])
    option = OptionTerms.from_body(world.WORLD["options"][0])
    totals = line_totals(Line(quantity=1, device_cents=price_cents, plan=plan, options=(option,))).to_facts()
    line = {
        "quantity": 1,
        "listing": {"all_in_cents": price_cents},
        "plan": {"terms": plan.to_facts()},
        "options": [{"terms": option.to_facts()}],
        "totals": totals,
    }
    return {
        "number": tokens.slip_number(101, counter),
        "key_id": hq.key_id,
        "counter": counter,
        "digits": hq.digits(counter=counter),
        "facts": {"lines": [line], "totals": totals},
    }


def test_the_slip_and_its_order_meet_whichever_comes_first(hq: Hq) -> None:
    body = slip_body(hq)
    hq.claim(body["digits"])
    assert hq.up(hq.event("slip_issued", body)).json["ack"] == 1
    later = slip_body(hq, counter=2)
    assert hq.up(hq.event("slip_issued", later)).json["ack"] == 2
    hq.claim(later["digits"])
    matched = hq.rows(
        """
        select slip.counter, slip.difference, claim.difference as token
        from slip join claim using (corner_id, key_id, counter) order by 1
        """
    )
    assert matched == [{"counter": 1, "difference": None, "token": None}, {"counter": 2, "difference": None, "token": None}]


def test_totals_that_differ_by_a_cent_are_flagged(hq: Hq) -> None:
    hq.up(hq.event("slip_issued", slip_body(hq, price_cents=36901)))
    (slip,) = hq.rows("select difference from slip")
    said, ours = json.loads(slip["difference"])["said"], json.loads(slip["difference"])["ours"]
    assert said["due_today_cents"] - ours["due_today_cents"] == 1


def test_events_count_once_however_often_they_arrive(hq: Hq) -> None:
    first, second = hq.event("slip_issued", slip_body(hq)), hq.event("demo_checked", {"position": "A1", "state": "present"})
    assert hq.up(first).json["ack"] == 1
    assert hq.up(first, second).json["ack"] == 2
    assert hq.up(first, second).json["ack"] == 2
    assert len(hq.rows("select * from inbox")) == 2
    assert len(hq.rows("select * from slip")) == 1


def test_a_gap_is_kept_and_acknowledged_once_filled(hq: Hq) -> None:
    events = [hq.event("demo_checked", {"position": name}) for name in ("A1", "A2", "A3")]
    assert hq.up(events[2]).json["ack"] == 0
    assert hq.up(events[0]).json["ack"] == 1
    assert hq.up(events[1]).json["ack"] == 3


@pytest.mark.parametrize("change", ["hash", "prev"])
def test_another_story_under_the_same_number_suspends_the_stream(hq: Hq, change: str) -> None:
    first = hq.event("demo_checked", {"position": "A1"})
    hq.up(first)
    hq.sent.clear()
    other = hq.event("demo_checked", {"position": "B1"})
    if change == "prev":
        other = hq.event("demo_checked", {"position": "B2"})
    answer = hq.up(other)
    assert (answer.status_code, answer.json["code"]) == (409, "stream_forked")
    assert hq.up(first).status_code == 409, "nothing of this stream is believed any more"
    assert [each["body"] for each in hq.rows("select body from inbox")] == [first["body"]]
    assert 'comptoir_devices{state="quarantined"} 1' in hq.client.get("/metrics").text
    code = start_enrolment(hq.engine, "nantes-crebillon", now=clock.now())
    again = hq.client.post("/sync/v1/enrolments", json={"code": code, "public_key": hq.public_key})
    assert again.json["code"] == "key_taken", "a new code does not make the key believed again"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("slip_issued", {}),
        ("slip_issued", "[1, 2"),
        ("slip_issued", {"digits": "1" * 300, "number": "x", "counter": 1, "facts": {}}),
        ("slip_voided", {"key_id": "x", "counter": 10**30, "reason": "mistake", "voided_at": "2026-11-22T12:00:00Z"}),
        ("slip_voided", {"key_id": "x", "counter": "1"}),
        ("slip_voided", {"key_id": "x", "counter": 1, "reason": "mistake", "voided_at": "2026-99-99T99:99:99Z"}),
        ("slip_exploded", {}),
        ("Slip \x00 Issued", {}),
        ("demo_checked", "[" * 100_000),
    ],
)
def test_a_poison_event_is_set_aside_and_holds_up_nobody(hq: Hq, kind: str, body: Any) -> None:
    poison, good = hq.event(kind, body), hq.event("slip_issued", slip_body(hq))
    assert hq.up(poison, good).json["ack"] == 2
    assert [each["state"] for each in hq.rows("select state from inbox order by seq")] == ["dead", "judged"]
    assert hq.rows("select reason from inbox where seq = 1")[0]["reason"]
    assert len(hq.rows("select * from slip")) == 1


@pytest.mark.parametrize("recorded_at", ["2026-99-99T99:99:99Z", "2026-1-1T1:1:1Z", "", None, 5])
def test_a_time_that_is_none_is_that_of_its_arrival_and_holds_up_nobody(hq: Hq, recorded_at: Any) -> None:
    assert hq.up(hq.event("demo_checked", {"position": "A1"}, recorded_at=recorded_at)).json["ack"] == 1
    (found,) = hq.rows("select recorded_at, received_at from inbox")
    assert found["recorded_at"] == found["received_at"]


def test_a_quarantine_keeps_the_time_it_began(hq: Hq) -> None:
    since = "2026-01-01T00:00:00Z"
    run_tx(hq.engine, lambda connection: changed(connection, "update device set quarantined_at = :since", since=since))
    assert hq.up(hq.event("demo_checked", {"position": "A1"})).status_code == 409
    assert hq.rows("select quarantined_at from device") == [{"quarantined_at": since}]


def test_an_event_whose_text_was_altered_is_set_aside(hq: Hq) -> None:
    event = hq.event("demo_checked", {"position": "A1"})
    assert hq.up({**event, "body": '{"position":"Z9"}'}).json["ack"] == 1
    assert hq.rows("select state from inbox") == [{"state": "dead"}]
    nul = hq.event("demo_checked", '"\x00"')
    assert hq.up(nul).json["ack"] == 2


def test_a_slip_another_device_signed_is_set_aside(hq: Hq) -> None:
    body = slip_body(hq)
    stranger = hq.digits(key=Ed25519PrivateKey.generate())
    hq.up(hq.event("slip_issued", {**body, "digits": stranger}))
    assert hq.rows("select * from slip") == []
    assert hq.rows("select state from inbox") == [{"state": "dead"}]


def test_a_slip_under_a_known_key_that_it_did_not_sign_is_set_aside(hq: Hq) -> None:
    body = slip_body(hq)
    token = bytearray(tokens.from_digits(body["digits"]))
    token[-1] ^= 1
    hq.up(hq.event("slip_issued", {**body, "digits": tokens.to_digits(bytes(token))}))

    assert hq.rows("select * from slip") == []
    assert hq.rows("select state from inbox") == [{"state": "dead"}]


def test_a_second_slip_under_one_number_is_set_aside_and_the_first_stays(hq: Hq) -> None:
    """A kiosk whose records were put back from a copy counts again from there."""
    first, second = slip_body(hq), slip_body(hq) | {"digits": hq.digits(hours=24)}
    assert hq.up(hq.event("slip_issued", first), hq.event("slip_issued", second), hq.event("slip_issued", first)).json["ack"] == 3
    assert hq.rows("select digits from slip") == [{"digits": first["digits"]}]
    states = [(each["state"], each["reason"]) for each in hq.rows("select state, reason from inbox order by seq")]
    assert states == [("judged", ""), ("dead", "Conflict: another slip has this key and counter"), ("judged", "")]


def test_a_voided_slip_orders_nothing_and_a_later_void_is_flagged(hq: Hq) -> None:
    bodies = [slip_body(hq, counter=counter) for counter in (1, 2)]
    hq.claim(bodies[1]["digits"])
    void = {"clerk_id": "camille", "reason": "mistake", "voided_at": "2026-11-22T12:00:00Z"}
    for body in bodies:
        hq.up(hq.event("slip_voided", {name: body[name] for name in ("number", "key_id", "counter")} | void))
    assert "Ce bon a été annulé" in hq.client.get(f"/k/{bodies[0]['digits']}").text
    assert hq.claim(bodies[0]["digits"]).status_code == 409
    assert len(hq.rows("select * from customer_order")) == 1


def test_an_answer_waits_for_no_judge(hq: Hq) -> None:
    document = {"format": "comptoir-up/1", "corner_id": "nantes-crebillon", "key_id": hq.key_id, "stream": hq.stream,
                "from_seq": 1, "events": [hq.event("slip_issued", slip_body(hq))], "heartbeat": {}}  # fmt: skip
    assert hq.post_signed(document).json["ack"] == 1
    assert hq.rows("select state from inbox") == [{"state": "new"}]
    assert hq.rows("select * from slip") == []
    assert judge(hq.engine) == 1
    assert len(hq.rows("select * from slip")) == 1


def test_judging_goes_on_past_what_the_database_cannot_bear(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the neighbours in its transaction nor the events after it wait for it."""
    from marketplace.events import inbox

    plain = inbox.JUDGES["demo_checked"]

    def ill(connection: Connection, event: inbox.Event, body: dict[str, Any]) -> None:
        if body["position"] == "ILL":
            raise OperationalError("select", {}, Exception("disk I/O error"))
        plain(connection, event, body)

    monkeypatch.setitem(inbox.JUDGES, "demo_checked", ill)
    monkeypatch.setattr(inbox, "JUDGED_AT_ONCE", 2)
    hq.up(*[hq.event("demo_checked", {"position": name}) for name in ("A1", "ILL", "A3", "A4", "A5")])
    states = [each["state"] for each in hq.rows("select state from inbox order by seq")]
    assert states == ["judged", "new", "judged", "judged", "judged"]
    monkeypatch.setitem(inbox.JUDGES, "demo_checked", plain)
    assert judge(hq.engine) == 1
