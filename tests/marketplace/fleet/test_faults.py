from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from marketplace.fleet.standings import seen_faults
from shop.filters import told_fault
from sync.faults import UNKNOWN, faults
from sync.heartbeats import read_heartbeat
from tests.marketplace.fleet.test_corner_list import NANTES, beat, log_in
from tests.marketplace.hq import Hq
from tests.sentences import plain

NOW = datetime(2026, 11, 22, 14, 32, tzinfo=UTC)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_console_says_a_fault_as_the_counter_does_and_what_support_does(hq: Hq, language: str) -> None:
    log_in(hq)
    hq.up(heartbeat=beat(faults={"printer_paper_out": "2026-11-22T09:00:00Z"}))
    told = told_fault("printer_paper_out", language)

    corner, fleet = (
        plain(hq.client.get(f"{path}?lang={language}").text) for path in (f"/console/corners/{NANTES}", "/console/fleet")
    )

    for words in ("P-21", told.name, told.meaning, told.remedy, told.repair):
        assert words in corner
    assert f"P-21 {told.name}" in fleet


def test_hq_sees_a_printer_s_trouble_itself_only_where_the_kiosk_names_none() -> None:
    broken = {"printer": {"name": "printer", "state": "fault", "queue": 1}}
    assert seen_faults(read_heartbeat(broken), NOW) == {"printer_fault"}
    assert seen_faults(read_heartbeat({**broken, "faults": {"printer_cover_open": None}}), NOW) == set()


@pytest.mark.parametrize("asked", ["fault=P-21", "fault=printer_paper_out", "words=p21", "words=P-21", "words=P+21"])
def test_the_code_a_clerk_reads_out_finds_the_corners(hq: Hq, asked: str) -> None:
    log_in(hq)
    hq.up(heartbeat=beat(faults={"printer_paper_out": None}))

    found = re.findall(r'<td><a href="/console/corners/([^"]+)">', hq.client.get(f"/console/fleet?{asked}").text)

    assert found == [NANTES]


def test_the_fleet_can_be_asked_for_every_fault(hq: Hq) -> None:
    log_in(hq)
    page = hq.client.get("/console/fleet").text
    assert [code for code in faults() if code != UNKNOWN and f'<option value="{code}"' not in page] == []
