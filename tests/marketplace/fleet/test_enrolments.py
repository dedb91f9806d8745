from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.test import TestResponse

from marketplace.db import reading
from marketplace.fleet import enrolments
from marketplace.fleet.corners import corner_called
from marketplace.fleet.enrolments import RESERVE, VALID_MINUTES, confirm_device, refuse_device, start_enrolment
from marketplace.fleet.revocations import DELIVERS_DAYS, ROOM
from pos import clock
from pos.errors import NotFound
from pos.tokens import key_id
from sync.messages import fingerprint_of, plain_code
from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.hq import IPHONE_13, Hq, words
from tests.marketplace.test_console import log_in

NEW = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
RAW = NEW.public_key().public_bytes_raw()
NAME = key_id(RAW).hex()


def ask(hq: Hq, code: str, raw: bytes = RAW) -> TestResponse:
    return hq.client.post("/sync/v1/enrolments", json={"code": code, "public_key": raw.hex()})


def waiting(hq: Hq) -> str:
    """Let a device of Paris wait, and return its code."""
    code = start_enrolment(hq.engine, "paris-beaubourg", must_confirm=True, now=clock.now())
    assert ask(hq, code).status_code == 202
    return code


def test_a_waiting_device_is_told_nothing_of_its_corner_and_is_no_device(hq: Hq) -> None:
    code = start_enrolment(hq.engine, "paris-beaubourg", must_confirm=True, now=clock.now())
    answer = ask(hq, code)
    assert answer.json["state"] == "waiting"
    assert "eaubourg" not in answer.text
    assert hq.rows("select * from device where key_id = :key_id", key_id=NAME) == []
    slip = hq.digits(IPHONE_13, key=NEW)
    assert hq.client.get(f"/k/{slip}").status_code == 202, "a slip of its is of a kiosk not known yet"
    hq.key, hq.key_id, hq.stream = NEW, NAME, answer.json["stream"]
    assert hq.up(hq.event("demo_checked", {}), corner_id="paris-beaubourg").status_code == 401


def test_a_device_is_confirmed_by_the_fingerprint_both_sides_show(hq: Hq) -> None:
    log_in(hq)
    code = waiting(hq)
    told = ask(hq, code).json
    fingerprint = fingerprint_of(RAW, root=told.get("root", ""), code=code.lower(), stream=told["stream"])
    page = hq.client.get("/console/devices/").text
    assert f'<p class="fingerprint">{fingerprint}</p>' in page
    assert "borne attend d’être confirmée" in hq.client.get("/console/").text
    assert hq.client.post(f"/console/devices/{NAME}/confirmation").status_code == 303
    answer = ask(hq, code)
    assert (answer.status_code, answer.json["corner"]["corner_no"], answer.json["stream"]) == (201, 102, told["stream"])
    assert 'class="fingerprint"' not in hq.client.get("/console/devices/").text
    assert confirm_device(hq.engine, NAME, now=clock.now())["state"] == "confirmed", "a second tap changes nothing"


def test_a_refused_device_stays_refused(hq: Hq) -> None:
    log_in(hq)
    code = waiting(hq)
    assert hq.client.post(f"/console/devices/{NAME}/refusal").status_code == 303
    answer = ask(hq, code)
    assert (answer.status_code, answer.json["code"]) == (403, "device_refused")
    with pytest.raises(NotFound):
        confirm_device(hq.engine, NAME, now=clock.now())


def test_nothing_is_confirmed_after_the_code_is_over(hq: Hq) -> None:
    waiting(hq)
    late = clock.now() + timedelta(minutes=VALID_MINUTES, seconds=1)
    for decide in (confirm_device, refuse_device):
        with pytest.raises(NotFound):
            decide(hq.engine, NAME, now=late)
    assert hq.client.post("/console/devices/00000000/confirmation").status_code == 303, "without a session: the log-in page"


def test_asking_again_and_again_uses_up_no_try(hq: Hq) -> None:
    code = waiting(hq)
    for _ in range(enrolments.MOST_TRIES + 2):
        assert ask(hq, code).status_code == 202
    assert ask(hq, code, hq.key.public_key().public_bytes_raw()).status_code == 422, "it is this key's code now"


def test_codes_cannot_be_swept(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolments, "MOST_MISSES", 3)
    code = start_enrolment(hq.engine, "paris-beaubourg", now=clock.now())
    absent = ("0000" if not code.startswith("0000") else "1111") + "-0000-0000"
    assert [ask(hq, absent).status_code for _ in range(5)] == [422, 422, 422, 429, 429]
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    answer = ask(hq, wrong)
    assert answer.status_code == 429, "a code that exists answers like one that does not"
    assert int(answer.headers["Retry-After"]) > 0
    assert ask(hq, code).status_code == 201, "who holds a code is not locked out by those who guess"


def test_a_new_device_replaces_the_old_one_which_may_still_deliver(hq: Hq) -> None:
    log_in(hq)
    code = start_enrolment(hq.engine, "nantes-crebillon", now=clock.now())
    assert ask(hq, code).status_code == 201
    answer = hq.up(hq.event("demo_checked", {"position": "A1"})).json
    [device] = hq.rows("select superseded_at from device where key_id = :key_id", key_id=hq.key_id)
    assert (answer["ack"], answer["replaced_at"]) == (1, device["superseded_at"])
    page = words(hq.client.get("/console/devices/"))
    assert "remplacée" in page
    assert "livre encore jusqu’au" in page
    long_ago = clock.to_text(clock.now() - timedelta(days=DELIVERS_DAYS + 1))
    hq.write("update device set superseded_at = :at where key_id = :key_id", at=long_ago, key_id=hq.key_id)
    answer = hq.up(hq.event("demo_checked", {"position": "A2"}))
    assert (answer.status_code, answer.json["code"]) == (403, "revoked")
    assert "ne livre plus" in hq.client.get("/console/devices/").text


def test_an_answer_lost_with_its_code_is_made_good_by_the_next_code(hq: Hq) -> None:
    first = ask(hq, start_enrolment(hq.engine, "paris-beaubourg", now=clock.now()))
    second = ask(hq, start_enrolment(hq.engine, "paris-beaubourg", now=clock.now()))
    assert second.status_code == 201
    assert second.json["stream"] != first.json["stream"]
    assert hq.rows("select stream, superseded_at from device where key_id = :key_id", key_id=NAME) == [
        {"stream": second.json["stream"], "superseded_at": None}
    ]


def test_the_first_counter_is_above_what_the_last_heartbeat_said(hq: Hq) -> None:
    hq.up(heartbeat={"next_counter": 42})
    hq.up(heartbeat={"next_counter": 7})
    answer = ask(hq, start_enrolment(hq.engine, "nantes-crebillon", now=clock.now()))
    assert answer.json["first_counter"] > 41
    assert hq.rows("select next_counter from device where key_id = :key_id", key_id=hq.key_id) == [{"next_counter": 42}]


def enrolled_again(hq: Hq) -> int:
    answer = ask(hq, start_enrolment(hq.engine, "nantes-crebillon", now=clock.now()))
    assert answer.status_code == 201
    return int(answer.json["first_counter"])


def test_a_key_cannot_use_up_a_corner_s_numbers_by_what_it_says(hq: Hq) -> None:
    hq.up(hq.event("slip_issued", slip_body(hq)), heartbeat={"next_counter": 2})
    for said in (2**40 - 1, 2**53 - 1, ROOM + 4):
        assert hq.up(heartbeat={"next_counter": said}).status_code == 200
    assert hq.rows("select next_counter from device") == [{"next_counter": 2}]
    assert enrolled_again(hq) == 2 - 1 + RESERVE


def test_a_counter_that_an_earlier_version_believed_stops_no_enrolment(hq: Hq) -> None:
    hq.write("update device set next_counter = :counter", counter=2**40 - 1)
    assert enrolled_again(hq) == ROOM + RESERVE


def test_a_counter_that_a_long_silence_explains_is_believed(hq: Hq) -> None:
    hq.up(heartbeat={"next_counter": ROOM})
    assert enrolled_again(hq) == ROOM - 1 + RESERVE


def test_a_signed_slip_cannot_use_up_a_corner_s_numbers_either(hq: Hq) -> None:
    far = slip_body(hq, counter=2**40 - 1)
    assert hq.up(hq.event("slip_issued", far)).json["ack"] == 1
    assert hq.rows("select state, reason from inbox") == [
        {"state": "dead", "reason": "Invalid: the device cannot have counted so far"}
    ]
    assert [hq.client.get(f"/k/{far['digits']}").status_code, hq.claim(far["digits"]).status_code] == [400, 400]
    assert enrolled_again(hq) == 1


@pytest.mark.parametrize("typed", ["nantes-crebillon", "Nantes Crébillon", " NANTES  CREBILLON ", "nantes_crébillon", "101"])
def test_a_corner_is_known_by_what_people_call_it(hq: Hq, typed: str) -> None:
    with reading(hq.engine) as connection:
        assert corner_called(connection, typed) == "nantes-crebillon"


@pytest.mark.parametrize("typed", ["", "nantes", "nowhere", "99999999999999999999", "0", "١٠١"])
def test_a_corner_nobody_has_is_unknown(hq: Hq, typed: str) -> None:
    with reading(hq.engine) as connection, pytest.raises(NotFound):
        corner_called(connection, typed)


@pytest.mark.parametrize(
    "spell", [str.lower, lambda code: code.replace("-", " "), lambda code: f" {code.replace('-', '–')}\u200b"]
)
def test_a_code_is_understood_however_it_is_typed(hq: Hq, spell: Callable[[str], str]) -> None:
    code = start_enrolment(hq.engine, "nantes-crebillon", now=clock.now())

    assert plain_code(spell(code)) == plain_code(code)
