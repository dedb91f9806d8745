from __future__ import annotations

import re
from pathlib import Path

import pytest

from marketplace.app import create_app
from marketplace.running.metrics import Family, exposition
from marketplace.tallies import Tallies, forget
from tests.marketplace.hq import Hq

SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? (\d+(\.\d+)?|\+Inf)')


def test_health_and_readiness(hq: Hq) -> None:
    assert hq.client.get("/healthz").json == {"status": "ok"}
    assert hq.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "203.0.113.9"},
        {"REMOTE_ADDR": "10.0.0.7"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"},
        {"REMOTE_ADDR": "203.0.113.9", "HTTP_X_FORWARDED_FOR": "127.0.0.1"},
    ],
)
def test_the_metrics_are_for_this_machine(hq: Hq, environ: dict[str, str]) -> None:
    assert hq.client.get("/metrics", environ_base={"REMOTE_ADDR": "::1"}).status_code == 200
    answer = hq.client.get("/metrics", environ_base=environ)
    assert answer.status_code == 404
    assert "comptoir_" not in answer.text


def test_the_metrics_say_how_trade_and_fleet_are(hq: Hq) -> None:
    hq.claim(hq.digits())
    hq.up(hq.event("slip_exploded", {}), heartbeat={"publication": 1, "faults": {"wrong_root": None}, "pending": 4})
    hq.client.get("/sync/v1/head/fr.json").close()
    answer = hq.client.get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    for line in (
        'comptoir_orders{state="open"} 1',
        'comptoir_publication{market="fr",line=""} 1',
        'comptoir_events{state="dead"} 1',
        "comptoir_events_stored_total 1",
        'comptoir_corners{market="fr",ring="stable",state="fault"} 1',
        'comptoir_corners_behind{market="fr",ring="stable",publications="0"} 1',
        'comptoir_corners_seen_within{seconds="120"} 1',
        'comptoir_faults{code="wrong_root"} 1',
        "comptoir_outbox_events 4",
        'comptoir_up_requests_total{result="stored"} 1',
        'comptoir_sync_request_duration_seconds_count{route="up"} 1',
        'comptoir_sync_request_duration_seconds_bucket{route="up",le="+Inf"} 1',
    ):
        assert line in answer.text.splitlines(), line
    assert "nantes" not in answer.text, "no label per corner"


def test_every_line_of_the_metrics_is_as_the_format_says(hq: Hq) -> None:
    known: set[str] = set()
    for line in hq.client.get("/metrics").text.splitlines():
        if line.startswith("# "):
            known.add(line.split()[2])
        else:
            assert SAMPLE.fullmatch(line), line
            assert re.sub("_(bucket|sum|count)$", "", line.split("{")[0].split()[0]) in known, line
    told = list(exposition([Family("a", "gauge", "x\\y\nz", (("", {"l": 'a"b\\c\nd'}, 1),))]).splitlines())
    assert told == ["# HELP a x\\\\y\\nz", "# TYPE a gauge", 'a{l="a\\"b\\\\c\\nd"} 1']


def test_any_worker_tells_of_all_of_them_and_a_new_run_begins_again(tmp_path: Path) -> None:
    first, second = Tallies(tmp_path), Tallies(tmp_path)
    first.add("up", "stored", number=2)
    second.add("up", "stored", number=3)
    assert dict(first.sums())["up", "stored", ""] == dict(second.sums())["up", "stored", ""] == 5
    forget(tmp_path)
    assert dict(Tallies(tmp_path).sums())["up", "stored", ""] == 0


def test_errors_are_json_for_machines_and_pages_for_people(hq: Hq) -> None:
    assert set(hq.client.get("/sync/v1/nothing").json) == {"code", "detail", "status"}
    assert hq.client.post("/sync/v1/up", data=b"x" * (3 * 2**20)).status_code in (401, 413)
    page = hq.client.get("/nothing")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert hq.client.put(f"/k/{hq.digits()}").status_code == 405


def test_a_host_that_is_no_name_is_refused(hq: Hq) -> None:
    for host in ("", "a b", "é", "[::1", "::1", f"{'a' * 64}.test", "a..test", "marche.test:port", "marche.test/"):
        answer = hq.client.get("/", headers={"Host": host})
        assert (answer.status_code, answer.json["status"]) == (400, 400), host


def test_only_trusted_hosts_are_answered_when_named(hq: Hq) -> None:
    app = create_app(hq.directory, trusted_hosts=["marche.test", "::1"])
    for host in ("marche.test", "marche.test:8000", "[::1]", "[::1]:8000"):
        assert app.test_client().get("/healthz", headers={"Host": host}).status_code == 200, host
    for host in ("evil.test", "marche.test.evil.test", "[::2]", "[::1", "", "a b", "é", "::1", "marche.test:port"):
        answer = app.test_client().get("/healthz", headers={"Host": host})
        assert (answer.status_code, answer.json["status"]) == (400, 400), host
    app.extensions["marketplace"].engine.dispose()
