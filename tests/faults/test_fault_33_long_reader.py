"""Fault 33: a reader that never ends keeps the catalogue's log from being written back. Applying pauses; nothing is corrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

import sync.corner.room
from pos.db import connect
from sync.corner.room import check_room
from sync.errors import WalLarge
from tests.sync.conftest import Hq, Kiosk, listing

ROUNDS = 12


def test_fault_33_applying_pauses_while_a_reader_holds_the_log_and_goes_on_after(
    hq: Hq, follower: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync.corner.room, "MOST_WAL_BYTES", 200_000)
    hq.publish()
    follower.follow()
    reader = connect(follower.catalog.path, durable=False)
    reader.execute("begin")
    seen = reader.execute("select count(*), sum(price_cents) from listing").fetchone()

    applied = 0
    for number in range(ROUNDS):
        hq.put("listing", *(listing(key, price_cents=10_000 + number) for key in range(1, 200, 2)))
        hq.publish()
        try:
            check_room(follower.catalog)
        except WalLarge:
            break
        follower.follow()
        applied += 1
    size = log_size(follower)

    assert 0 < applied < ROUNDS
    assert reader.execute("select count(*), sum(price_cents) from listing").fetchone() == seen
    with pytest.raises(WalLarge):
        check_room(follower.catalog)
    assert log_size(follower) == size
    assert follower.is_sound()

    reader.close()
    check_room(follower.catalog)
    follower.follow()
    assert log_size(follower) < 200_000
    assert follower.rows() == hq.rows
    assert follower.is_sound()


def log_size(follower: Kiosk) -> int:
    path = follower.catalog.path
    return Path(f"{path}-wal").stat().st_size
