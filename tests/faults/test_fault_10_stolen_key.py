"""Fault 10: HQ's online key is stolen. The next root takes it away: what the thief published is undone, and never comes again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sync.errors import SyncError
from sync.hq.keys import ONLINE, signer_at
from sync.hq.repository import rotate
from tests.faults.forgers import Forger, begin_round, shadow_of
from tests.sync.conftest import Hq, Kiosk, listing

FAR_AHEAD = 2**40


@pytest.fixture
def thief(hq: Hq, follower: Kiosk, tmp_path: Path) -> Forger:
    """Somebody with HQ's online key, who has published wrong prices under huge numbers; the kiosk has taken them."""
    hq.publish()
    follower.follow()
    shadow = shadow_of(hq, tmp_path / "shadow", l1=100)
    made = Forger(hq, tmp_path / "thief", signer_at(hq.keys / ONLINE))
    made.take_from(shadow, version=FAR_AHEAD)
    follower.line.static = made.static
    begin_round(follower)
    assert follower.follow().publication == 999
    assert follower.rows()["listing"][1][4] == 100, "nothing tells the thief from HQ yet"
    return made


def round_of(follower: Kiosk, static: Path) -> int:
    follower.line.static = static
    begin_round(follower)
    return follower.follow().publication


def test_fault_10_a_new_root_leads_back_to_hqs_rows_though_its_numbers_are_lower(hq: Hq, follower: Kiosk, thief: Forger) -> None:
    rotate(hq.static, hq.keys, now=hq.tick())
    hq.put("listing", listing(2, price_cents=25_000))
    hq.publish()
    assert round_of(follower, hq.static) == 2
    assert follower.rows() == hq.rows
    assert follower.is_sound()


@pytest.mark.parametrize("loss", ["nothing", "trust", "trust and catalogue"])
def test_fault_10_the_old_key_is_refused_for_good(hq: Hq, follower: Kiosk, thief: Forger, loss: str) -> None:
    """Also by a kiosk that lost its directory of trust: the root that took the key away is kept with its records."""
    rotate(hq.static, hq.keys, now=hq.tick())
    assert round_of(follower, hq.static) == 1
    thief.announce({}, version=FAR_AHEAD + 1)
    if loss != "nothing":
        shutil.rmtree(follower.directory / "trust")
    if loss == "trust and catalogue":
        follower.catalog.close()
        for path in follower.directory.glob("catalog.db*"):
            path.unlink()
    with pytest.raises(SyncError):
        round_of(follower, thief.static)
    if loss == "trust and catalogue":
        assert not follower.catalog.path.exists()
    else:
        assert follower.rows() == hq.rows
    assert round_of(follower, hq.static) == 1
    assert follower.rows() == hq.rows


def test_fault_10_numbers_count_again_under_the_new_key(hq: Hq, follower: Kiosk, thief: Forger, tmp_path: Path) -> None:
    """The reset is for the change of keys alone: under the new one, an older head is old again."""
    rotate(hq.static, hq.keys, now=hq.tick())
    assert round_of(follower, hq.static) == 1
    old = Path(shutil.copytree(hq.static, tmp_path / "old"))
    hq.put("stock", (1, 0))
    hq.publish()
    assert round_of(follower, hq.static) == 2
    with pytest.raises(SyncError):
        round_of(follower, old)
    assert follower.rows() == hq.rows


def test_fault_10_a_second_rotation_is_walked_in_one_round(hq: Hq, follower: Kiosk, thief: Forger) -> None:
    """The new key leaks as well before the kiosk is back."""
    rotate(hq.static, hq.keys, now=hq.tick())
    stolen = signer_at(hq.keys / ONLINE)
    again = Forger(hq, follower.directory / "again", stolen)
    again.announce({}, version=FAR_AHEAD + 2)
    rotate(hq.static, hq.keys, now=hq.tick())
    hq.put("stock", (1, 0))
    hq.publish()
    assert round_of(follower, hq.static) == 2
    with pytest.raises(SyncError):
        round_of(follower, again.static)
    assert follower.rows() == hq.rows
