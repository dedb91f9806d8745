from __future__ import annotations

import pytest
from flask import Flask

import sync.errors
import templates
from shop.web import template
from sync.faults import FAULTS, Severity, severity
from tests.marketplace.hq import Hq

UNKNOWN = "unknown_to_everybody"


def words_of(app: Flask, code: str, language: str) -> list[str]:
    with app.test_request_context(f"/?lang={language}"):
        return [
            str(getattr(template("marketplace/fleet/faults.html").module, part)(code)).strip()
            for part in ("name", "meaning", "remedy")
        ]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_fault_has_its_own_words_and_a_remedy(hq: Hq, language: str) -> None:
    unknown = words_of(hq.app, UNKNOWN, language)
    names = [words_of(hq.app, code, language) for code in FAULTS]
    assert all(all(each) for each in [*names, unknown])
    assert unknown[0] not in [each[0] for each in names]
    assert len({each[0] for each in names}) == len({each[1] for each in names}) == len(FAULTS)


def test_whatever_a_round_can_leave_behind_is_a_known_fault() -> None:
    elsewhere = {"not_confirmed", "not_enough_keys"}  # said by `kiosk enrol` and by `marketplace keys rotate`: no round begins
    left = {kind("").code for kind in sync.errors.SyncError.__subclasses__()} - elsewhere
    assert left - set(FAULTS) == set()
    assert severity(UNKNOWN) == Severity.ACT


def test_the_counter_says_every_fault_too() -> None:
    said = (templates.PATH / "kiosk" / "faults.html").read_text(encoding="utf-8")
    assert [code for code in FAULTS if f'"{code}"' not in said] == []
