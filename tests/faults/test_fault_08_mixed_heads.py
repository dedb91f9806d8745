"""Fault 8: the head of one ring is served to another, and parts of two publications are mixed. Nothing of it is believed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.errors import Malformed, SyncError, Untrusted
from sync.heads import Track, encode_head, head_name
from sync.hq.repository import announce, announced, targets_of
from sync.hq.trials import try_out, whole_ring
from tests.faults.forgers import Mirror, begin_round
from tests.sync.conftest import Hq, Kiosk, listing


@pytest.fixture
def before(hq: Hq, follower: Kiosk) -> dict[str, Any]:
    """What a stable kiosk holds; a price on trial in the canary ring and one for everybody wait at HQ."""
    hq.publish()
    follower.follow()
    hq.put("listing", listing(1, price_cents=100))
    try_out(hq.place, shares=whole_ring("canary"), now=hq.tick())
    hq.put("listing", listing(2, price_cents=25_000))
    hq.publish()
    return follower.rows()


def arrives(follower: Kiosk) -> None:
    """Assert that HQ's own head is taken afterwards, without what is on trial."""
    begin_round(follower)
    follower.follow()
    rows = follower.rows()["listing"]
    assert (rows[1][4], rows[2][4]) == (36_900, 25_000)
    assert follower.is_sound()


@pytest.mark.parametrize("is_alone", [True, False])
def test_fault_08_a_mirror_serves_the_head_of_another_ring(
    hq: Hq, follower: Kiosk, before: dict[str, Any], tmp_path: Path, is_alone: bool
) -> None:
    mirror = Mirror(follower, Path(shutil.copytree(hq.static, tmp_path / "mirror")))
    paths = {name: info.get_prefixed_paths()[0] for name, info in targets_of(hq.static).items()}
    shutil.copyfile(hq.static / "targets" / paths["fr/canary.head"], mirror.static / "targets" / paths["fr/stable.head"])
    mirror.is_in_hqs_place = is_alone
    if is_alone:
        with pytest.raises(SyncError):
            mirror.follow()
        assert follower.rows() == before
    mirror.is_in_hqs_place = False
    arrives(follower)


@pytest.mark.parametrize("ring", ["canary", "early"])
def test_fault_08_hq_itself_signs_the_head_of_another_ring_in_its_place(
    hq: Hq, follower: Kiosk, before: dict[str, Any], ring: str
) -> None:
    """The ring stands in the head's own body, so that no mistake in the names leads a kiosk astray."""
    right = announced(hq.static, head_name("fr", "stable"))
    wrong = announced(hq.static, head_name("fr", ring))
    assert right is not None
    assert wrong is not None
    announce(hq.static, hq.keys, {head_name("fr", "stable"): wrong}, now=hq.tick())
    with pytest.raises(Untrusted):
        follower.follow()
    assert follower.rows() == before
    announce(hq.static, hq.keys, {head_name("fr", "stable"): right}, now=hq.tick())
    arrives(follower)


def test_fault_08_hq_itself_signs_the_head_of_another_market_in_its_place(
    hq: Hq, follower: Kiosk, before: dict[str, Any]
) -> None:
    right = hq.head()
    wrong = encode_head(replace(right, market="us"))
    announce(hq.static, hq.keys, {head_name("fr", "stable"): wrong}, now=hq.tick())
    with pytest.raises(Untrusted):
        follower.follow()
    assert follower.rows() == before
    hq.announce(right)
    arrives(follower)


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_fault_08_metadata_of_two_publications_does_not_mix(
    hq: Hq, follower: Kiosk, before: dict[str, Any], tmp_path: Path, role: str
) -> None:
    """A mirror serves an earlier file of a role under the newest one's name."""
    mirror = Mirror(follower, Path(shutil.copytree(hq.static, tmp_path / "mirror")))
    older, newest = sorted((mirror.static / "metadata").glob(f"*.{role}.json"), key=lambda path: int(path.name.split(".")[0]))[
        -2:
    ]
    shutil.copyfile(older, newest)
    mirror.is_in_hqs_place = True
    with pytest.raises(SyncError):
        mirror.follow()
    assert follower.rows() == before
    mirror.is_in_hqs_place = False
    arrives(follower)


def swapped(track: Track, **parts: Any) -> Track:
    return replace(track, channels={**track.channels, **parts})


@pytest.mark.parametrize("mixture", ["an index of another channel", "a segment of another channel", "a channel of an older head"])
def test_fault_08_a_head_whose_parts_do_not_belong_together_is_not_applied(
    hq: Hq, follower: Kiosk, before: dict[str, Any], mixture: str
) -> None:
    """HQ signs it; what it names is read and found to be something else."""
    right = hq.head()
    price, stock = right.track.channels["price"], right.track.channels["stock"]
    hq.put("stock", (3, 0))
    hq.publish()
    newest = hq.head()
    moved = newest.track.channels["stock"]
    wrong = {
        "an index of another channel": lambda: swapped(newest.track, price=replace(price, tail=(), index=stock.index)),
        "a segment of another channel": lambda: swapped(
            newest.track, price=replace(price, tail=(replace(price.tail[-1], blob=moved.tail[-1].blob),), index=moved.index)
        ),
        "a channel of an older head": lambda: swapped(
            newest.track, stock=replace(moved, root=stock.root, version=stock.version + 7)
        ),
    }[mixture]()
    hq.announce(replace(newest, track=wrong))
    if mixture == "a channel of an older head":
        # Rows with the announced root are the announced rows, whatever version they are said to have.
        follower.follow()
        assert follower.rows()["stock"] == before["stock"]
    else:
        with pytest.raises(Malformed):
            follower.follow()
        assert follower.rows() == before
    hq.announce(replace(newest, track=replace(newest.track, publication=newest.track.publication + 1)))
    arrives(follower)
    assert follower.rows()["stock"][3] == (3, 0)
