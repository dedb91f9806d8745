from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from werkzeug.test import TestResponse

from marketplace.fleet.enrolments import MOST_TRIES, start_enrolment
from pos import clock
from sync.errors import Untrusted
from sync.hq.repository import announced, rotate
from sync.messages import corner_sha256
from sync.signatures import HQ_TARGET, verify_reply
from tests.marketplace.hq import URL, Hq


def test_the_answer_carries_the_corner_document_when_the_kiosks_is_older(hq: Hq) -> None:
    answer = hq.up().json
    assert answer["corner"]["document"]["name"] == "Nantes Crébillon"
    assert answer["corner"]["document"]["partner"]["name"] == "Loire Mobile"
    assert corner_sha256(answer["corner"]["document"]) == answer["corner"]["sha256"]
    assert hq.up(heartbeat={"corner_sha256": answer["corner"]["sha256"]}).json["corner"] is None


def test_what_a_corner_that_left_the_feed_still_delivers_is_stored(hq: Hq) -> None:
    with hq.engine.begin() as connection:
        connection.execute(text("delete from corner where corner_id = 'nantes-crebillon'"))
    assert hq.up(hq.event("demo_checked", {"position": "A1"})).status_code == 404
    assert [each["seq"] for each in hq.rows("select seq from inbox")] == [1]


def test_the_console_sees_what_the_heartbeat_said(hq: Hq) -> None:
    hq.up(heartbeat={"publication": 1, "printer": {"state": "ok"}, "pending": 3})
    (device,) = hq.rows("select seen_at, heartbeat from device")
    assert device["seen_at"]
    assert '"pending": 3' in device["heartbeat"]


def test_only_the_devices_own_signature_is_believed(hq: Hq) -> None:
    event = hq.event("demo_checked", {"position": "A1"})
    document = {"format": "comptoir-up/1", "corner_id": "nantes-crebillon", "key_id": hq.key_id, "stream": hq.stream,
                "from_seq": 1, "events": [event], "heartbeat": {}}  # fmt: skip
    spoilt = hq.post_signed(document, spoil=True)
    assert (spoilt.status_code, spoilt.json["code"]) == (401, "untrusted")
    assert hq.client.post("/sync/v1/up", json=document, base_url=URL).status_code == 401
    assert hq.up(event, corner_id="paris-beaubourg").status_code == 401
    assert hq.up(event, stream="another").status_code == 401
    assert hq.rows("select * from inbox") == []


@pytest.mark.parametrize(
    "change",
    [{"seq": 0}, {"seq": "1"}, {"seq": True}, {"kind": 5}, {"sha256": "x"}, {"body": {}}],
)
def test_a_malformed_envelope_is_refused_whole(hq: Hq, change: dict[str, object]) -> None:
    answer = hq.up({**hq.event("demo_checked", {}), **change})
    assert (answer.status_code, set(answer.json)) == (400, {"code", "detail", "status"})
    assert hq.rows("select * from inbox") == []


def test_static_files_are_served_to_be_cached(hq: Hq) -> None:
    static = hq.directory / "sync"
    with hq.client.get("/sync/v1/metadata/timestamp.json") as timestamp:
        assert timestamp.data == (static / "metadata" / "timestamp.json").read_bytes()
        assert timestamp.headers["Cache-Control"] == "public, max-age=0, s-maxage=10, stale-while-revalidate=30"
    for stored in (static / "b").iterdir():
        with hq.client.get(f"/sync/v1/b/{stored.name}") as blob:
            assert hashlib.sha256(blob.data).hexdigest() == stored.name
    for path in (
        "metadata/99.root.json",
        "b/" + "0" * 64,
        "b/..%2F..%2Fmarketplace.json",
        "targets/../../marketplace.json",
        "nothing",
    ):
        missing = hq.client.get(f"/sync/v1/{path}")
        assert (missing.status_code, missing.json["status"]) == (404, 404)


def test_an_answer_is_signed_for_its_request_by_the_key_that_hq_json_names(hq: Hq) -> None:
    static = hq.directory / "sync"
    keys = json.loads(announced(static, HQ_TARGET) or b"")["keys"]
    answer = hq.up()
    verify_reply(answer, answer.data, public_key=lambda name: bytes.fromhex(keys[name]))
    with pytest.raises(Untrusted):
        verify_reply(answer, answer.data + b" ", public_key=lambda name: bytes.fromhex(keys[name]))
    another = hq.up(heartbeat={"publication": 2})
    another.request = answer.request
    with pytest.raises(Untrusted):
        verify_reply(another, another.data, public_key=lambda name: bytes.fromhex(keys[name]))


def test_a_rotation_counts_from_the_next_answer_on(hq: Hq) -> None:
    before = hq.up().headers["Signature-Input"]
    rotate(hq.directory / "sync", hq.directory / "keys", now=clock.now())
    assert hq.up().headers["Signature-Input"].split("keyid=")[1][:10] != before.split("keyid=")[1][:10]


def test_the_answer_to_an_enrolment_carries_the_newest_root_and_the_time(hq: Hq) -> None:
    rotate(hq.directory / "sync", hq.directory / "keys", now=clock.now())
    code = start_enrolment(hq.engine, "paris-beaubourg", now=clock.now())
    answer = enrol(hq, code, key(1)).json
    assert answer["root"] == (hq.directory / "sync" / "metadata" / "2.root.json").read_text()
    assert clock.now() - clock.from_text(answer["time"]) < timedelta(minutes=1)


def enrol(hq: Hq, code: str, public_key: str) -> TestResponse:
    return hq.client.post("/sync/v1/enrolments", json={"code": code, "public_key": public_key})


def key(number: int) -> str:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key().public_bytes_raw().hex()


def test_a_code_enrols_one_key_once(hq: Hq) -> None:
    code = start_enrolment(hq.engine, "paris-beaubourg", now=clock.now())
    first = enrol(hq, code.lower().replace("-", " "), key(1))
    assert first.status_code == 201
    assert first.json["corner"]["corner_no"] == 102
    assert first.json["corner"]["slip_prefix"] == f"{URL}/k/"
    again = enrol(hq, code, key(1))
    assert again.json["stream"] == first.json["stream"], "a lost answer is asked for again"
    assert enrol(hq, code, key(2)).status_code == 422


def test_a_code_dies_of_wrong_tries_and_of_age(hq: Hq) -> None:
    code = start_enrolment(hq.engine, "paris-beaubourg", now=clock.now())
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    for _ in range(MOST_TRIES):
        assert enrol(hq, wrong, key(1)).status_code == 422
    assert enrol(hq, code, key(1)).status_code == 422
    old = start_enrolment(hq.engine, "paris-beaubourg", now=clock.now() - timedelta(minutes=11))
    assert enrol(hq, old, key(1)).json["code"] == "wrong_code"
    assert hq.rows("select count(*) as n from device") == [{"n": 1}]
    assert code.replace("-", "") not in str(hq.rows("select * from enrolment_code"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"code": 1}',
        b'{"code": "AAAA-BBBB-CCCC", "public_key": "zz"}',
        b'{"format": "comptoir-enrolment/9", "code": "AAAA-BBBB-CCCC", "public_key": "%s"}' % (b"ab" * 32),
        b"[" * 100_000,
    ],
)
def test_malformed_enrolments_are_refused(hq: Hq, body: bytes) -> None:
    answer = hq.client.post("/sync/v1/enrolments", data=body)
    assert (answer.status_code, set(answer.json)) == (400, {"code", "detail", "status"})


def test_a_key_enrols_at_one_corner_only(hq: Hq) -> None:
    code = start_enrolment(hq.engine, "paris-beaubourg", now=clock.now())
    assert enrol(hq, code, hq.public_key).json["code"] == "key_taken"
