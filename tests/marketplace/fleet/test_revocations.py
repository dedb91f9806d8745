from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.fleet.enrolments import Enrolment, enrol_device, start_enrolment
from marketplace.fleet.revocations import revoke_device
from pos import clock, tokens
from pos.errors import Invalid, NotFound
from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.hq import URL, Hq, words
from tests.marketplace.test_console import log_in


def revoke(hq: Hq, from_counter: int | None = None) -> int:
    return int(revoke_device(hq.engine, hq.key_id, from_counter=from_counter, now=clock.now())["from_counter"])


def test_slips_from_the_cut_off_on_open_nothing_and_earlier_ones_can_be_ordered(hq: Hq) -> None:
    early, late, ordered = (hq.digits(counter=counter) for counter in (1, 2, 3))
    hq.claim(ordered)
    revoke(hq, 2)
    assert hq.claim(early).status_code == 303
    page = hq.client.get(f"/k/{late}")
    assert page.status_code == 410
    assert "La borne de ce bon a été retirée." in words(page)
    assert hq.claim(late).status_code == 410
    assert "Ce bon a déjà servi." in words(hq.client.get(f"/k/{ordered}")), "what was ordered before stays ordered"
    assert len(hq.rows("select * from customer_order")) == 2


@pytest.mark.parametrize("known_by", ["nothing", "event", "claim", "heartbeat"])
def test_the_cut_off_spares_every_slip_hq_has_heard_of(hq: Hq, known_by: str) -> None:
    if known_by == "event":
        hq.up(hq.event("slip_issued", slip_body(hq, counter=4)))
    elif known_by == "claim":
        hq.claim(hq.digits(counter=4))
    elif known_by == "heartbeat":
        hq.up(heartbeat={"next_counter": 5})
    assert revoke(hq) == (1 if known_by == "nothing" else 5)
    assert revoke(hq, 1) == (1 if known_by == "nothing" else 5), "a revocation is made once"


def test_a_withdrawn_key_is_turned_away_and_keeps_what_it_sent(hq: Hq) -> None:
    hq.up(hq.event("slip_issued", slip_body(hq)))
    revoke(hq)
    answer = hq.up(hq.event("slip_issued", slip_body(hq, counter=2)))
    assert (answer.status_code, answer.json["code"]) == (403, "revoked")
    assert [each["counter"] for each in hq.rows("select counter from slip")] == [1]
    assert len(hq.rows("select * from inbox")) == 1


def test_a_corner_enrolled_again_may_still_bring_slips_below_the_cut_off(hq: Hq) -> None:
    below, above = slip_body(hq, counter=1), slip_body(hq, counter=2)
    revoke(hq, 2)
    new = Ed25519PrivateKey.generate()
    code = start_enrolment(hq.engine, "nantes-crebillon", now=clock.now())
    enrolled = enrol_device(hq.engine, code, new.public_key().public_bytes_raw().hex(), slip_prefix=f"{URL}/k/", now=clock.now())
    assert isinstance(enrolled, Enrolment)
    hq.key, hq.key_id, hq.stream = new, enrolled.key_id, enrolled.stream
    hq.up(hq.event("slip_issued", below), hq.event("slip_issued", above))
    assert [each["counter"] for each in hq.rows("select counter from slip")] == [1]
    assert [each["state"] for each in hq.rows("select state from inbox order by seq")] == ["judged", "dead"]


def test_a_revoked_key_cannot_enrol_again(hq: Hq) -> None:
    revoke(hq)
    code = start_enrolment(hq.engine, "nantes-crebillon", now=clock.now())
    answer = hq.client.post("/sync/v1/enrolments", json={"code": code, "public_key": hq.public_key})
    assert answer.json["code"] == "key_taken"


def test_a_device_is_withdrawn_at_the_console(hq: Hq) -> None:
    log_in(hq)
    hq.claim(hq.digits(counter=4))
    assert 'placeholder="5"' in hq.client.get(f"/console/devices/{hq.key_id}/revocation").text
    assert hq.client.post(f"/console/devices/{hq.key_id}/revocation", data={"from_counter": "x"}).status_code == 400
    assert hq.client.post(f"/console/devices/{hq.key_id}/revocation", data={"from_counter": "3"}).status_code == 303
    assert "à partir du bon n° 3" in words(hq.client.get("/console/devices/"))
    assert hq.rows("select from_counter from revocation") == [{"from_counter": 3}]


def test_what_cannot_be_withdrawn_is_said(hq: Hq) -> None:
    with pytest.raises(NotFound):
        revoke_device(hq.engine, tokens.key_id(b"x" * 32).hex(), now=clock.now())
    with pytest.raises(Invalid):
        revoke(hq, 0)
