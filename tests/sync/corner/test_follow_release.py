"""The program's next version at a kiosk: fetched, wanted, and told to HQ."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from kiosk import releases
from kiosk.releases import follow_release, update_fault
from pos.ops import setting
from sync.corner.mirrors import open_trust
from sync.releases import UPDATE, release_name, write_release
from tests.sync.conftest import NOW, Hq, Kiosk
from tests.sync.corner.test_releases import signed

LATER = "9999-12-31T00:00:00Z"


def followed(kiosk: Kiosk, *, version: str = "1") -> Any:
    """Follow what HQ announces; return what the heartbeat says of it."""
    trust = open_trust(kiosk.directory, kiosk.ops, kiosk.client, now=lambda: NOW)
    trust.head("fr", "stable")
    document = trust.seen_target(release_name("stable")) or write_release(None)
    follow_release(kiosk.directory, kiosk.ops, trust, document, version=version)
    return setting(kiosk.ops.read(), UPDATE)


def wanted(kiosk: Kiosk) -> bool:
    return (kiosk.directory / "update/wanted").exists()


def test_a_release_is_fetched_wanted_and_told_until_it_serves(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    assert (followed(kiosk), wanted(kiosk)) == (None, False)
    signed(hq)
    assert (followed(kiosk), wanted(kiosk)) == ({"version": "2", "state": "waiting", "at": None}, True)
    assert update_fault(kiosk.ops.read()) == {}
    assert (followed(kiosk, version="2"), wanted(kiosk)) == (None, False)


def test_what_root_said_of_a_release_is_told_and_one_refused_is_wanted_no_more(
    hq: Hq, kiosk: Kiosk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state.json"
    monkeypatch.setattr(releases.update_word, "__kwdefaults__", {"state": state})
    hq.publish()
    document = signed(hq)
    told = {"version": "2", "code": "update_stepped_back", "at": "2026-11-22T03:00:00Z", "until": LATER}
    state.write_text(json.dumps({"refused": {hashlib.sha256(document).hexdigest(): told}}))
    assert followed(kiosk)["state"] == "update_stepped_back"
    assert (wanted(kiosk), update_fault(kiosk.ops.read())) == (False, {"update_stepped_back": "2026-11-22T03:00:00Z"})

    # What may be tried again is wanted, and said all the same.
    state.write_text(json.dumps({"problem": {"code": "update_failed", "at": "2026-11-22T03:00:00Z"}}))
    assert (followed(kiosk)["state"], wanted(kiosk)) == ("update_failed", True)
    state.write_text("{")
    assert (followed(kiosk)["state"], wanted(kiosk)) == ("waiting", True)

    # HQ takes it back: there is nothing to want, and nothing wrong.
    trust = open_trust(kiosk.directory, kiosk.ops, kiosk.client, now=lambda: NOW)
    follow_release(kiosk.directory, kiosk.ops, trust, write_release(None), version="1")
    assert (setting(kiosk.ops.read(), UPDATE), wanted(kiosk)) == (None, False)


def test_a_disk_without_room_is_told(hq: Hq, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    hq.publish()
    signed(hq)
    monkeypatch.setattr("sync.corner.releases.LOW_DISK_BYTES", 2**60)
    assert followed(kiosk)["state"] == "update_no_room"
    assert list(update_fault(kiosk.ops.read())) == ["update_no_room"]
