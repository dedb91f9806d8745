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
from sync.client import Client
from sync.enrolment import corner_sha256, enrol
from sync.errors import Malformed, Offline, Rejected, Untrusted
from sync.repository import create, newest_root
from tests.sync.conftest import NOW, Answer, Line, json_answer
from tests.sync.test_uplink import CORNER


class Desk:
    """HQ's side: a code is good for one key, and the same code with the same key gets the same answer."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.codes: dict[str, str | None] = {"7K4M-2Q9T": None, "SECOND": None}
        self.spoil: dict[str, Any] = {}

    def __call__(self, request: requests.PreparedRequest) -> Answer:
        asked = json.loads(request.body or b"")
        code, public = asked["code"], asked["public_key"]
        if self.codes.get(code, "") not in (None, public):
            return json_answer({"code": "code_refused", "detail": "", "status": 422}, 422)
        self.codes[code] = public
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
        self.line = Line(directory)
        self.line.posts["/sync/v1/enrolments"] = self.desk
        session = requests.Session()
        session.mount("http://", self.line)
        self.client = Client("http://hq.example/", session=session)
        self.ops: Store = open_ops(directory / "ops.db")

    def enrol(self, code: str = "7K4M-2Q9T") -> dict[str, Any]:
        return enrol(self.directory, self.ops, self.client, code, now=NOW)

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
    assert refused.value.data == {"status": 422, "code": "code_refused"}
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
