"""The fleet's requests have their own few places: the shop goes on, and what was sent away comes again and counts once."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from marketplace import bulkhead
from marketplace.app import UPLINKS, UPLINKS_WAITING
from marketplace.db import reading, row
from marketplace.events.inbox import judge
from marketplace.installation import sync_path
from marketplace.running.judging import Backlog, Judging
from marketplace.web import marketplace_of
from pos import clock, outbox
from pos.db import Store
from pos.ops import open_ops, store_setting
from sync.corner.client import Client
from sync.corner.uplink import push
from sync.errors import Offline
from sync.hq.repository import announced
from sync.signatures import HQ_TARGET
from tests.marketplace.hq import URL, Hq
from tests.processes import PATIENCE_S


class IntoHq(BaseAdapter):
    """Hands a kiosk's requests to the app itself."""

    def __init__(self, hq: Hq) -> None:
        super().__init__()
        self.hq = hq

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = self.hq.client.open(
            request.path_url, method=request.method, base_url=URL, data=request.body, headers=dict(request.headers.items())
        )
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(dict(answer.headers.items()))
        response.raw = io.BytesIO(answer.data)
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""


class Kiosk:
    def __init__(self, hq: Hq, directory: Path) -> None:
        self.hq = hq
        self.ops: Store = open_ops(directory / "ops.db")
        session = requests.Session()
        session.mount("http://", IntoHq(hq))
        self.client = Client(URL, session=session)
        with self.ops.write() as database:
            for name, value in (("corner", {"corner_id": "nantes-crebillon"}), ("stream", hq.stream), ("acked", 0)):
                store_setting(database, name, value)
            for number in range(700):
                outbox.record(database, "demo_checked", {"position": f"A{number}"}, now=clock.now())

    def push(self) -> int:
        heartbeat = {"corner_sha256": self.hq.corner_sha256()}
        hq_keys = json.loads(announced(sync_path(self.hq.directory), HQ_TARGET) or b"{}")["keys"]
        known = {key_id: bytes.fromhex(public_key) for key_id, public_key in hq_keys.items()}
        return push(self.ops, self.client, key=self.hq.key, reply_key=known.get, heartbeat=heartbeat, now=clock.now()).acked


@pytest.fixture
def kiosk(hq: Hq, tmp_path: Path) -> Iterator[Kiosk]:
    kiosk = Kiosk(hq, tmp_path)
    yield kiosk
    kiosk.ops.close()


def fill(hq: Hq, stack: ExitStack, places: int = UPLINKS) -> None:
    for _ in range(places):
        stack.enter_context(marketplace_of(hq.app).uplink_room.admitted())


def test_with_every_place_taken_the_shop_answers_and_the_kiosk_comes_again(
    hq: Hq, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulkhead, "WAIT_S", 0.05)
    with ExitStack() as stack:
        fill(hq, stack)
        with pytest.raises(Offline) as sent_away:
            kiosk.push()
        assert bulkhead.SOONEST_S <= sent_away.value.data["retry_after_s"] <= bulkhead.LATEST_S
        assert hq.client.get("/").status_code == 200
        assert hq.client.get(f"/k/{hq.digits()}").status_code == 200
        assert hq.claim(hq.digits()).status_code == 303
        assert hq.rows("select * from inbox") == []
    assert kiosk.push() == 700
    assert kiosk.push() == 700
    assert hq.rows("select count(*) as n, count(distinct seq) as seqs from inbox") == [{"n": 700, "seqs": 700}]


def test_who_finds_no_place_is_sent_away_unread_at_once(hq: Hq) -> None:
    with ExitStack() as stack:
        room = marketplace_of(hq.app).uplink_room
        fill(hq, stack)
        for _ in range(UPLINKS_WAITING):
            assert room._door.acquire(blocking=False)  # somebody who waits
        started = time.monotonic()
        waits = set()
        for _ in range(20):
            answer = hq.client.post("/sync/v1/up", data=b"no JSON, unsigned", base_url=URL)
            assert (answer.status_code, answer.json["code"]) == (503, "overloaded")
            waits.add(answer.headers["Retry-After"])
        assert time.monotonic() - started < 2
        assert len(waits) > 3, "they do not come back together"


def test_nothing_more_is_taken_while_too_much_waits_to_be_judged(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"format": "comptoir-up/1", "corner_id": "nantes-crebillon", "key_id": hq.key_id, "stream": hq.stream}
    first, second = hq.event("demo_checked", {}), hq.event("demo_checked", {})
    assert hq.post_signed({**document, "events": [first]}).status_code == 200
    backlog = Backlog(hq.engine, longest=1)
    monkeypatch.setattr(marketplace_of(hq.app).uplink_room, "_is_shut", backlog.is_long)
    assert hq.post_signed({**document, "events": [second]}).status_code == 503
    judge(hq.engine)
    monkeypatch.setattr(backlog, "_asked_at", float("-inf"))
    assert hq.post_signed({**document, "events": [second]}).json["ack"] == 2


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_full_disk_is_said_and_leaves_nothing_half_stored(hq: Hq) -> None:
    with hq.app.extensions["marketplace"].engine.connect() as held:
        pages = held.exec_driver_sql("pragma page_count").scalar()
        held.exec_driver_sql(f"pragma max_page_count = {pages}")
    events = [hq.event("demo_checked", {"position": "x" * 5000}) for _ in range(100)]
    answer = hq.up(*events)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert hq.rows("select * from inbox") == []
    assert hq.client.get("/").status_code == 200
    with hq.app.extensions["marketplace"].engine.connect() as held:
        held.exec_driver_sql("pragma max_page_count = 1000000")
    assert hq.up(*events).json["ack"] == 100


def test_one_thread_judges_and_another_takes_over(hq: Hq) -> None:
    first, second = (Judging(hq.engine, hq.directory, threading.Event()) for _ in range(2))
    document = {"format": "comptoir-up/1", "corner_id": "nantes-crebillon", "key_id": hq.key_id, "stream": hq.stream}
    threads = [first.start()]
    time.sleep(0.1)
    threads.append(second.start())
    hq.post_signed({**document, "events": [hq.event("demo_checked", {"position": "A1"})]})
    _until_judged(hq)
    first.end()
    hq.post_signed({**document, "events": [hq.event("demo_checked", {"position": "A2"})]})
    _until_judged(hq)
    second.end()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def _until_judged(hq: Hq) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with reading(hq.engine) as connection:
            if row(connection, "select 1 as one from inbox where state = 'new'") is None:
                return
        time.sleep(0.05)
    raise AssertionError("nobody judged")
