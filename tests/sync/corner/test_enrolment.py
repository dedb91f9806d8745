"""A one-time code makes a kiosk a corner's, once, even when the answer is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pos.db import Store
from pos.errors import NotFound
from pos.ops import open_ops, setting
from pos.slips import load_device
from pos.tokens import key_id
from sync.corner.client import Client
from sync.corner.enrolment import enrol
from sync.errors import Malformed, NotConfirmed, Offline, Rejected, Untrusted
from sync.hq.repository import create
from sync.hq.trusted_roots import newest_root
from sync.messages import corner_sha256, fingerprint_of
from tests.sync.conftest import NOW, Answer, Line, json_answer
from tests.sync.corner.test_uplink import CORNER


class Desk:
    """HQ's side: a code is good for one key, and the same code with the same key gets the same answer."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.codes: dict[str, str | None] = {"7K4M-2Q9T": None, "SECOND": None}
        self.spoil: dict[str, Any] = {}
        self.waits = 0
        self.refuses = False

    def __call__(self, request: requests.PreparedRequest) -> Answer:
        asked = json.loads(request.body or b"")
        code, public = asked["code"], asked["public_key"]
        if self.codes.get(code, "") not in (None, public):
            return json_answer({"code": "code_refused", "detail": "", "status": 422}, 422)
        self.codes[code] = public
        if self.refuses:
            return json_answer({"code": "device_refused", "detail": "", "status": 403}, 403)
        if self.waits:
            self.waits -= 1
            return json_answer({"state": "waiting", "root": self.root, "stream": f"stream-{code}", **self.spoil}, 202)
        answer = {
            "corner": CORNER,
            "corner_sha256": corner_sha256(CORNER),
            "first_counter": 1,
            "key_id": key_id(bytes.fromhex(public)).hex(),
            "stream": f"stream-{code}",
            "root": self.root,
            "time": "2026-11-22T09:00:00Z",
        }
        return json_answer({**answer, **self.spoil})


class Place:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        create(directory / "sync", directory / "keys", now=NOW)
        self.desk = Desk(newest_root(directory / "sync"))
        self.shown: list[str] = []
        self.slept: list[float] = []
        self.line = Line(directory)
        self.line.posts["/sync/v1/enrolments"] = self.desk
        session = requests.Session()
        session.mount("http://", self.line)
        self.client = Client("http://hq.example/", session=session)
        self.ops: Store = open_ops(directory / "ops.db")

    def enrol(self, code: str = "7K4M-2Q9T", *, wait: bool = True) -> dict[str, Any]:
        about = {"show": self.shown.append, "wait": wait, "sleep": self.slept.append}
        return enrol(self.directory, self.ops, self.client, code, now=lambda: NOW, **about)

    def settings(self) -> dict[str, Any]:
        names = ("corner_sha256", "marketplace_url", "key_id", "stream", "acked")
        return {name: setting(self.ops.read(), name) for name in names}

    def key_id(self) -> str:
        return key_id(load_device(self.directory).private_key.public_key().public_bytes_raw()).hex()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.ops.close()


def test_an_enrolled_kiosk_knows_its_corner(place: Place) -> None:
    assert place.enrol() == CORNER
    assert place.settings() == {
        "corner_sha256": corner_sha256(CORNER),
        "marketplace_url": "http://hq.example",
        "key_id": place.key_id(),
        "stream": "stream-7K4M-2Q9T",
        "acked": 0,
    }
    assert (place.directory / "device.key").stat().st_mode & 0o777 == 0o600
    assert place.key_id() not in (place.line.asked[0].body or b"").decode()


def test_before_it_there_is_no_key(place: Place) -> None:
    with pytest.raises(NotFound):
        load_device(place.directory)


def test_a_lost_answer_is_asked_for_again(place: Place) -> None:
    def lost(request: Any, answer: Answer) -> Answer:
        raise requests.ConnectionError("the line broke")

    plain, place.line.after = place.line.after, lost
    with pytest.raises(Offline):
        place.enrol()
    assert place.settings()["key_id"] is None
    place.line.after = plain
    assert place.enrol() == CORNER


def test_a_refused_code_says_so_and_changes_nothing(place: Place) -> None:
    with pytest.raises(Rejected) as refused:
        place.enrol("WRONG")
    assert refused.value.data == {"status": 422, "code": "code_refused", "is_signed": False}
    assert place.settings()["corner_sha256"] is None


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        ({"key_id": "00000000"}, Untrusted),
        ({"corner_sha256": "0" * 64}, Untrusted),
        ({"corner": {}}, Malformed),
        ({"stream": 5}, Malformed),
        ({"root": "{}"}, Malformed),
        ({"time": "soon"}, Malformed),
    ],
)
def test_an_answer_that_does_not_fit_is_not_stored(place: Place, spoil: dict[str, Any], error: type[Exception]) -> None:
    place.desk.spoil = spoil
    with pytest.raises(error):
        place.enrol()
    assert place.settings()["corner_sha256"] is None


def test_a_second_enrolment_makes_a_new_key_and_stream(place: Place) -> None:
    place.enrol()
    first = place.key_id()
    (place.directory / "catalog.db").write_bytes(b"of the old corner")
    place.enrol("SECOND")
    assert place.key_id() != first
    assert place.settings()["key_id"] == place.key_id()
    assert place.settings()["stream"] == "stream-SECOND"
    assert not (place.directory / "catalog.db").exists()
    assert not (place.directory / "device.key.new").exists()


def test_a_second_enrolment_that_fails_leaves_the_first(place: Place) -> None:
    place.enrol()
    before = (place.settings(), place.key_id())
    with pytest.raises(Rejected):
        place.enrol("WRONG")
    assert (place.settings(), place.key_id()) == before


def test_a_kiosk_that_has_to_wait_shows_its_fingerprint_and_asks_until_it_is_confirmed(place: Place) -> None:
    place.desk.waits = 3
    assert place.enrol() == CORNER
    raw = load_device(place.directory).private_key.public_key().public_bytes_raw()
    assert place.shown == [fingerprint_of(raw, root=place.desk.root, code="7K4M-2Q9T", stream="stream-7K4M-2Q9T")]
    assert len(place.slept) == 3
    assert setting(place.ops.read(), "enrolment") is None


def test_without_waiting_the_same_command_goes_on(place: Place) -> None:
    place.desk.waits = 2
    for _ in range(2):
        with pytest.raises(NotConfirmed) as waiting:
            place.enrol(wait=False)
        assert waiting.value.data["fingerprint"] == place.shown[0]
        assert setting(place.ops.read(), "enrolment")["fingerprint"] == place.shown[0], "the first page shows it"
        assert place.settings()["corner_sha256"] is None
    assert place.enrol(wait=False) == CORNER
    assert place.shown == place.shown[:1] * 3


@pytest.mark.parametrize(
    ("told", "ends_at"),
    [
        ({"time": "2031-01-01T00:00:00Z", "expires_at": "2031-01-01T00:09:30Z"}, "2026-11-22T09:09:30Z"),
        ({"time": "2031-01-01T00:00:00Z"}, None),
        ({"time": "soon", "expires_at": 7}, None),
    ],
)
def test_when_the_code_runs_out_is_kept_by_this_kiosk_s_own_clock(
    place: Place, told: dict[str, Any], ends_at: str | None
) -> None:
    place.desk.waits, place.desk.spoil = 1, told
    with pytest.raises(NotConfirmed):
        place.enrol(wait=False)
    assert setting(place.ops.read(), "enrolment")["ends_at"] == ends_at


def test_a_line_that_breaks_while_one_waits_is_waited_out(place: Place) -> None:
    place.desk.waits = 2
    cuts = iter((False, True, False, False))

    def cut(request: Any, answer: Answer) -> Answer:
        if next(cuts):
            raise requests.ConnectionError("the line broke")
        return answer

    place.line.after = cut
    assert place.enrol() == CORNER


def test_a_refused_key_is_thrown_away(place: Place) -> None:
    place.desk.refuses = True
    with pytest.raises(Rejected) as refused:
        place.enrol()
    assert refused.value.data["code"] == "device_refused"
    assert not (place.directory / "device.key.new").exists()


@pytest.mark.parametrize("changed", ["stream", "root"])
def test_a_stream_or_root_that_changes_behind_the_fingerprint_is_not_believed(place: Place, changed: str) -> None:
    place.desk.waits = 1

    def swap(request: Any, answer: Answer) -> Answer:
        told = json.loads(answer[2])
        return answer if told.get("state") == "waiting" else json_answer({**told, changed: "another"})

    place.line.after = swap
    with pytest.raises(Untrusted):
        place.enrol()
    assert place.settings()["corner_sha256"] is None


def test_whatever_a_stranger_exchanges_shows_in_the_fingerprint() -> None:
    plain = {"root": "{}", "code": "7K4M-2Q9T", "stream": "s"}
    key, other = bytes(32), bytes(31) + b"\x01"
    seen = {fingerprint_of(key, **plain), fingerprint_of(other, **plain)}
    seen |= {fingerprint_of(key, **{**plain, name: "X"}) for name in plain}
    assert len(seen) == 5
    assert all(len(each.split()) == 6 for each in seen)
    assert fingerprint_of(key, **{**plain, "code": "7k4m2q9t"}) == fingerprint_of(key, **plain)
