from __future__ import annotations

import pytest

from marketplace.db import reading
from marketplace.events.inbox import judge
from marketplace.fleet.gaps import gaps
from sync.corner.uplink import stub_of
from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.hq import Hq, words
from tests.marketplace.test_console import log_in


def poison(hq: Hq) -> str:
    """Send an event nobody can make sense of, and return the address of its page."""
    event = hq.event("slip_exploded", {"wick": "short"})
    hq.up(event)
    return f"/console/dead-letters/nantes-crebillon/{hq.key_id}/{hq.stream}/{event['seq']}"


def states(hq: Hq) -> list[str]:
    return [each["state"] for each in hq.rows("select state from inbox order by seq")]


@pytest.mark.parametrize("body", ['{"facts":"\\ud800"}', '["\\udfff", NaN]', '{"a":1,"a":2}', "1" * 5000, '{"\\ud800":1e999}'])
def test_whatever_a_dead_letter_holds_it_can_be_read(hq: Hq, body: str) -> None:
    log_in(hq)
    assert hq.up(hq.event("slip_issued", body)).json["ack"] == 1
    assert hq.rows("select state from inbox") == [{"state": "dead"}]
    [event] = hq.rows("select * from inbox")
    address = f"/console/dead-letters/{event['corner_id']}/{event['key_id']}/{event['stream']}/{event['seq']}"
    assert [hq.client.get(page).status_code for page in (address, "/console/dead-letters")] == [200, 200]


def test_an_event_left_at_its_kiosk_says_so_and_is_no_gap(hq: Hq) -> None:
    log_in(hq)
    whole = hq.event("slip_issued", {**slip_body(hq), "facts": {"long": "x" * 1000}})
    stub, after = stub_of(whole, "too_large"), hq.event("slip_issued", slip_body(hq, counter=2))
    assert hq.up(stub, after).json["ack"] == 2
    states = [(each["state"], each["reason"]) for each in hq.rows("select state, reason from inbox order by seq")]
    size = f"{len(whole['body']):,}"
    assert states == [("dead", f"LeftAtKiosk: too_large: its kiosk keeps the {size} bytes of it"), ("judged", "")]
    with reading(hq.engine) as connection:
        assert gaps(connection, "nantes-crebillon") == []


def test_a_dead_letter_can_be_read_with_its_reason(hq: Hq) -> None:
    log_in(hq)
    address = poison(hq)
    assert address in hq.client.get("/console/dead-letters").text
    page = hq.client.get(address).text
    assert "KeyError: &#39;slip_exploded&#39;" in page
    assert "&#34;wick&#34;: &#34;short&#34;" in page
    assert hq.client.get(f"{address}9").status_code == 404


def test_one_or_all_are_judged_again(hq: Hq) -> None:
    log_in(hq)
    hq.up(hq.event("slip_issued", slip_body(hq)))
    hq.write("update inbox set state = 'dead', reason = 'an old mistake of ours'")
    hq.write("delete from slip")
    poison(hq)
    assert hq.client.post(f"/console/dead-letters/nantes-crebillon/{hq.key_id}/{hq.stream}/2/retry").status_code == 303
    assert states(hq) == ["dead", "new"]
    assert "événement est en cours de lecture" in words(hq.client.get("/console/dead-letters"))
    judge(hq.engine)
    assert states(hq) == ["dead", "dead"], "what is wrong stays wrong"
    assert hq.client.post("/console/dead-letters/retries").status_code == 303
    judge(hq.engine)
    assert states(hq) == ["judged", "dead"]
    assert len(hq.rows("select * from slip")) == 1


def test_a_letter_set_aside_keeps_its_note_and_is_not_retried_with_the_others(hq: Hq) -> None:
    log_in(hq)
    address = poison(hq)
    note = f"/console/dead-letters/nantes-crebillon/{hq.key_id}/{hq.stream}/1/note"
    assert hq.client.post(note, data={"note": " "}).status_code == 400
    assert hq.client.post(note, data={"note": "of a test kiosk"}).status_code == 303
    assert "of a test kiosk" in hq.client.get(address).text
    hq.client.post("/console/dead-letters/retries")
    assert states(hq) == ["set_aside"]
    assert hq.client.post(note, data={"note": "twice"}).status_code == 409
    assert hq.client.post(f"{address}/retry").status_code == 303
    assert states(hq) == ["new"]
    assert hq.client.post(f"{address}/retry").status_code == 409
