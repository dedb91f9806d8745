"""Every event arrives, and counts once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos import outbox
from pos.db import Store
from pos.ops import open_ops, setting, store_setting
from pos.tokens import key_id
from sync.corner.client import Client
from sync.corner.uplink import MAX_BATCH_BYTES, Pushed, push
from sync.errors import Malformed, Offline, Rejected, Untrusted
from sync.messages import MAX_EVENTS, corner_sha256, uplink_reply
from sync.signatures import sign_reply, verify
from tests.sync.conftest import NOW, Answer, Line, json_answer

CORNER = {
    "corner_id": "nantes-crebillon",
    "corner_no": 101,
    "name": "Nantes Crébillon",
    "city": "Nantes",
    "market": "fr",
    "currency": "EUR",
    "tax_included": True,
    "languages": ["fr", "en"],
    "time_zone": "Europe/Paris",
    "phone": "02 00 00 00 00",
    "paper_mm": 80,
    "slip_prefix": "https://hq.example/k/",
    "partner": {"partner_id": "loire-mobile", "name": "Loire Mobile"},
    "planogram": [],
    "clerks": [],
}


class Inbox:
    """HQ's side in its simplest honest form: stored once by (stream, seq), in a dictionary that outlives a lost answer."""

    def __init__(self, key: Ed25519PrivateKey, reply_key: Ed25519PrivateKey) -> None:
        self.key = key
        self.reply_key = reply_key
        self.time = "2026-11-22T09:00:00Z"
        self.stored: dict[tuple[str, int], tuple[str, str]] = {}
        self.heartbeats: list[dict[str, Any]] = []
        self.corner: dict[str, Any] | None = None
        self.replaced_at: str | None = None
        self.takes_stubs = False
        self.claimed: Any = None

    def __call__(self, request: requests.PreparedRequest) -> Answer:
        body = request.body if isinstance(request.body, bytes) else b""
        public = self.key.public_key().public_bytes_raw()
        known = {key_id(public).hex(): public}
        try:
            signed_by = verify("POST", request.url or "", request.headers, body, public_key=known.get)
        except Untrusted as problem:
            return json_answer({"code": problem.code}, problem.status)
        batch = json.loads(body)
        assert signed_by == batch["key_id"]
        for seq, event in enumerate(batch["events"], start=batch["from_seq"]):
            assert event["seq"] == seq
            if not (self.takes_stubs and "set_aside" in event["body"]):
                assert outbox.link(seq, event["kind"], event["body"], event["prev"]) == event["sha256"]
            stored = self.stored.setdefault((batch["stream"], seq), (event["sha256"], event["body"]))
            if stored != (event["sha256"], event["body"]):
                return json_answer({"code": "stream_forked"}, 409)
        self.heartbeats.append(batch["heartbeat"])
        ack = self.ack(batch["stream"])
        answer = json_answer(uplink_reply(ack, self.time, self.corner, replaced_at=self.replaced_at, claimed=self.claimed))
        return self.signed(request, answer)

    def signed(self, request: requests.PreparedRequest, answer: Answer) -> Answer:
        status, headers, body = answer
        signature = sign_reply(
            self.reply_key, status=status, headers=headers, body=body, request_headers=request.headers, now=NOW
        )
        return status, {**headers, **signature}, body

    def ack(self, stream: str) -> int:
        ack = 0
        while (stream, ack + 1) in self.stored:
            ack += 1
        return ack


class Uplink:
    def __init__(self, directory: Path) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.inbox = Inbox(self.key, Ed25519PrivateKey.generate())
        self.known = self.inbox.reply_key.public_key().public_bytes_raw()
        self.line = Line(directory)
        self.line.posts["/sync/v1/up"] = self.inbox
        session = requests.Session()
        session.mount("http://", self.line)
        self.client = Client("http://hq.example:8000", session=session)
        self.ops: Store = open_ops(directory / "ops.db")
        with self.ops.write() as database:
            for name, value in (("corner", CORNER), ("stream", "s-1"), ("acked", 0)):
                store_setting(database, name, value)

    def record(self, count: int, *, size: int = 10) -> None:
        with self.ops.write() as database:
            for number in range(count):
                outbox.record(database, "demo_checked", {"n": number, "é": "€" * size}, now=NOW)

    def push(self) -> Pushed:
        known = {key_id(self.known).hex(): self.known}
        return push(self.ops, self.client, key=self.key, reply_key=known.get, heartbeat={"publication": 3}, now=NOW)

    def settings(self, name: str) -> Any:
        return setting(self.ops.read(), name)


@pytest.fixture
def uplink(tmp_path: Path) -> Iterator[Uplink]:
    uplink = Uplink(tmp_path)
    yield uplink
    uplink.ops.close()


def test_events_arrive_in_batches_and_are_acknowledged(uplink: Uplink) -> None:
    uplink.record(1_203)
    pushed = uplink.push()
    assert (pushed.sent, pushed.acked, pushed.pending) == (1_203, 1_203, 0)
    assert len(uplink.inbox.heartbeats) == -(-1_203 // MAX_EVENTS)
    assert uplink.settings("acked") == 1_203
    assert uplink.ops.read().execute("select count(*) from outbox").fetchone() == (1_203,)


def test_big_events_make_smaller_batches(uplink: Uplink) -> None:
    uplink.record(30, size=50_000)
    assert uplink.push().sent == 30
    assert max(len(request.body or b"") for request in uplink.line.asked) < MAX_BATCH_BYTES + 1_000


def too_large(uplink: Uplink) -> None:
    """Record an event as versions did that knew no limit."""
    with uplink.ops.write() as database:
        [(seq, prev)] = database.execute("select seq, sha256 from outbox order by seq desc limit 1")
        body = json.dumps({"number": "35-0001-H", "key_id": "56475aa7", "counter": 1, "facts": "x" * 3_000_000})
        link = outbox.link(seq + 1, "slip_issued", body, prev)
        database.execute(
            "insert into outbox (seq, kind, body, sha256, prev, recorded_at) values (?, ?, ?, ?, ?, ?)",
            [seq + 1, "slip_issued", body, link, prev, "2026-11-22T09:00:00Z"],
        )


def test_an_event_too_large_for_any_request_keeps_its_place_and_holds_up_nobody(uplink: Uplink) -> None:
    uplink.inbox.takes_stubs = True
    uplink.record(3)
    too_large(uplink)
    uplink.record(3)

    assert (uplink.push().acked, uplink.push().sent) == (7, 0)

    sha256, body = uplink.inbox.stored["s-1", 4]
    assert json.loads(body) == {
        "set_aside": "too_large", "bytes": 3_000_072, "number": "35-0001-H", "key_id": "56475aa7", "counter": 1,
    }  # fmt: skip
    assert (sha256,) == uplink.ops.read().execute("select sha256 from outbox where seq = 4").fetchone()
    assert uplink.settings("set_aside") == {"4": {"reason": "too_large", "at": "2026-11-22T09:00:00Z"}}
    assert uplink.ops.read().execute("select length(body) from outbox where seq = 4").fetchone() == (3_000_072,)


@pytest.mark.parametrize(("status", "is_signed", "passes"), [(413, False, True), (400, True, True), (400, False, False)])
def test_an_event_that_is_refused_alone_is_set_aside_alone(uplink: Uplink, status: int, is_signed: bool, passes: bool) -> None:
    """A body too large may be anybody's word on the way; that an event is malformed is HQ's alone to say."""
    uplink.inbox.takes_stubs = True
    uplink.record(20)
    honest = uplink.line.posts["/sync/v1/up"]

    def refuse(request: requests.PreparedRequest) -> Answer:
        if '\\"n\\":13,' not in str(request.body, "utf-8"):
            return honest(request)
        answer = json_answer({"code": "malformed_events"}, status)
        return uplink.inbox.signed(request, answer) if is_signed else answer

    uplink.line.posts["/sync/v1/up"] = refuse
    if not passes:
        with pytest.raises(Rejected):
            uplink.push()
        assert uplink.settings("set_aside") is None
        return
    assert uplink.push().acked == 20
    assert uplink.settings("set_aside").keys() == {"14"}
    uplink.record(2)
    assert uplink.push().sent == 2


def test_a_line_that_refuses_everything_sets_nothing_aside(uplink: Uplink) -> None:
    uplink.record(3)
    uplink.line.posts["/sync/v1/up"] = lambda request: json_answer({}, 413)
    with pytest.raises(Rejected):
        uplink.push()
    assert (uplink.settings("set_aside"), uplink.settings("acked")) == (None, 0)


def test_without_events_the_heartbeat_goes_alone(uplink: Uplink) -> None:
    assert uplink.push().sent == 0
    assert uplink.inbox.heartbeats == [{"publication": 3, "pending": 0, "oldest_at": None, "claimed": 0}]


def test_an_answer_lost_after_hq_stored_leads_to_one_effect(uplink: Uplink) -> None:
    uplink.record(3)

    def lost(request: Any, answer: Answer) -> Answer:
        raise requests.ConnectionError("the line broke")

    plain, uplink.line.after = uplink.line.after, lost
    with pytest.raises(Offline):
        uplink.push()
    assert len(uplink.inbox.stored) == 3
    assert uplink.settings("acked") == 0
    uplink.line.after = plain
    uplink.record(1)
    assert uplink.push().acked == 4
    assert len(uplink.inbox.stored) == 4


def test_every_cut_of_the_line_is_made_good(uplink: Uplink) -> None:
    uplink.record(1_100)
    cuts = iter((True, False, True, False, False, True, False, False))

    def cut(request: Any, answer: Answer) -> Answer:
        if next(cuts, False):
            raise requests.ReadTimeout("too slow")
        return answer

    uplink.line.after = cut
    while uplink.settings("acked") < 1_100:
        try:
            uplink.push()
        except Offline:
            continue
    assert sorted(seq for _, seq in uplink.inbox.stored) == list(range(1, 1_101))


def test_hq_restored_from_a_backup_gets_its_events_again(uplink: Uplink) -> None:
    uplink.record(700)
    uplink.push()
    for seq in range(5, 701):
        del uplink.inbox.stored["s-1", seq]
    uplink.record(1)
    assert uplink.push().acked == 701
    assert len(uplink.inbox.stored) == 701


def test_the_same_number_with_another_hash_is_refused(uplink: Uplink) -> None:
    uplink.inbox.stored["s-1", 2] = ("0" * 64, "{}")
    uplink.record(3)
    with pytest.raises(Rejected) as refused:
        uplink.push()
    assert refused.value.data == {"status": 409, "code": "stream_forked", "is_signed": False}
    assert uplink.settings("acked") == 0


def test_hq_knowing_more_than_we_do_is_a_fork(uplink: Uplink) -> None:
    uplink.record(2)
    uplink.line.posts["/sync/v1/up"] = lambda request: uplink.inbox.signed(
        request, json_answer(uplink_reply(9, "2026-11-22T09:00:00Z"))
    )
    with pytest.raises(Rejected) as refused:
        uplink.push()
    assert refused.value.data["code"] == "stream_forked"
    assert uplink.settings("acked") == 0


def test_an_hq_that_acknowledges_nothing_is_not_asked_for_ever(uplink: Uplink) -> None:
    uplink.record(900)
    uplink.line.posts["/sync/v1/up"] = lambda request: uplink.inbox.signed(
        request, json_answer(uplink_reply(0, "2026-11-22T09:00:00Z"))
    )
    assert uplink.push().pending == 900
    assert len(uplink.line.asked) == 1


def test_a_new_corner_document_is_taken_over(uplink: Uplink) -> None:
    document = {**CORNER, "phone": "02 11 11 11 11"}
    uplink.inbox.corner = {"sha256": corner_sha256(document), "document": document}
    assert uplink.push().is_new_corner
    assert uplink.settings("corner")["phone"] == "02 11 11 11 11"
    assert uplink.settings("corner_sha256") == corner_sha256(document)


@pytest.mark.parametrize(
    ("corner", "error"),
    [({"sha256": "0" * 64, "document": CORNER}, Untrusted), ({"sha256": "0" * 64, "document": {}}, Malformed), ([], Malformed)],
)
def test_a_corner_document_that_is_none_is_set_aside_alone(uplink: Uplink, corner: Any, error: type[Exception]) -> None:
    uplink.inbox.corner = corner
    uplink.record(1)
    with pytest.raises(error):
        uplink.push()
    assert uplink.settings("corner") == CORNER
    assert uplink.settings("acked") == 1  # or one bad document would keep every event here for ever


def claimed(upto: int, *states: tuple[int, str]) -> dict[str, Any]:
    at = "2026-11-22T08:30:00Z"
    slips = [{"key_id": "56475aa7", "counter": counter, "state": state, "state_at": at} for counter, state in states]
    return {"upto": upto, "slips": slips}


def heard(uplink: Uplink) -> list[tuple[Any, ...]]:
    return uplink.ops.read().execute("select counter, state from slip_claim order by counter").fetchall()


def test_what_became_of_slips_is_kept_and_confirmed_by_the_next_heartbeat(uplink: Uplink) -> None:
    uplink.inbox.claimed = claimed(7, (1, "ordered"), (2, "shipped"))
    uplink.push()
    uplink.inbox.claimed = claimed(7)
    uplink.push()
    uplink.inbox.claimed = claimed(9, (1, "shipped"))
    uplink.push()

    assert [heartbeat["claimed"] for heartbeat in uplink.inbox.heartbeats] == [0, 7, 7]
    assert heard(uplink) == [(1, "shipped"), (2, "shipped")]
    assert uplink.settings("claims") == {"upto": 9, "heard_at": "2026-11-22T09:00:00Z"}


def test_news_of_slips_that_got_lost_is_asked_for_again(uplink: Uplink) -> None:
    uplink.inbox.claimed = claimed(7, (1, "ordered"))

    def lost(request: Any, answer: Answer) -> Answer:
        raise requests.ConnectionError("the line broke")

    plain, uplink.line.after = uplink.line.after, lost
    with pytest.raises(Offline):
        uplink.push()
    assert (heard(uplink), uplink.settings("claims")) == ([], None)
    uplink.line.after = plain
    uplink.push()
    uplink.push()

    assert [heartbeat["claimed"] for heartbeat in uplink.inbox.heartbeats] == [0, 0, 7]
    assert heard(uplink) == [(1, "ordered")]


def test_an_answer_that_comes_after_a_later_one_takes_nothing_back(uplink: Uplink) -> None:
    for news in (claimed(9, (1, "shipped")), claimed(7, (1, "ordered"), (2, "ordered"))):
        uplink.inbox.claimed = news
        uplink.push()

    assert heard(uplink) == [(1, "shipped")]
    assert uplink.settings("claims")["upto"] == 9


def test_an_older_hq_says_nothing_of_slips_and_a_newer_one_may_know_more_states(uplink: Uplink) -> None:
    assert uplink.push().acked == 0
    assert uplink.settings("claims") is None
    uplink.inbox.claimed = claimed(7, (1, "framed"), (2, "ordered"))
    uplink.push()

    assert heard(uplink) == [(2, "ordered")]


def test_while_more_may_wait_nobody_says_that_all_was_heard(uplink: Uplink) -> None:
    uplink.inbox.claimed = claimed(200, *((counter, "ordered") for counter in range(1, 201)))
    uplink.push()
    assert uplink.settings("claims") == {"upto": 200, "heard_at": None}
    uplink.inbox.claimed = claimed(201, (201, "ordered"))
    uplink.push()

    assert uplink.settings("claims") == {"upto": 201, "heard_at": "2026-11-22T09:00:00Z"}
    assert len(heard(uplink)) == 201


@pytest.mark.parametrize(
    "news",
    [
        [],
        "all of them",
        {},
        {"upto": -1, "slips": []},
        {"upto": 2**60, "slips": []},
        {"upto": True, "slips": []},
        {"upto": 8, "slips": {}},
        {"upto": 8, "slips": [None]},
        {"upto": 8, "slips": [{"key_id": "56475AA7", "counter": 1, "state": "ordered", "state_at": "2026-11-22T08:30:00Z"}]},
        {"upto": 8, "slips": [{"key_id": "56475aa7", "counter": 0, "state": "ordered", "state_at": "2026-11-22T08:30:00Z"}]},
        {"upto": 8, "slips": [{"key_id": "56475aa7", "counter": 2**60, "state": "ordered", "state_at": "2026-11-22T08:30:00Z"}]},
        {"upto": 8, "slips": [{"key_id": "56475aa7", "counter": 1, "state": "ordered", "state_at": "yesterday"}]},
        claimed(8, *((counter, "ordered") for counter in range(1, 202))),
        {"upto": 8, "slips": [*claimed(8, (1, "ordered"))["slips"], {}]},
    ],
)
def test_news_of_slips_that_cannot_be_leaves_all_else_of_the_answer(uplink: Uplink, news: Any) -> None:
    uplink.record(2)
    uplink.inbox.claimed, uplink.inbox.corner = news, {"document": CORNER, "sha256": corner_sha256(CORNER)}
    with pytest.raises(Malformed):
        uplink.push()

    assert (uplink.settings("acked"), uplink.settings("corner_sha256")) == (2, corner_sha256(CORNER))
    assert (heard(uplink), uplink.settings("claims")) == ([], None)
