"""Fault 5: a mirror edits one price. The blob's hash fails; with everything above it edited too, the signature does."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from sync.blobs import BlobFolder, BlobRef
from sync.errors import SyncError, TooLarge, Untrusted
from sync.heads import encode_head
from sync.hq.repository import targets_of
from sync.indexes import encode_index
from sync.segments import Block, decode_segment, encode_segment
from tests.faults.forgers import Forger, Mirror, shadow_of
from tests.sync.conftest import Hq, Kiosk, listing

RIGHT, WRONG = 25_000, 100


@pytest.fixture
def mirror(hq: Hq, follower: Kiosk, tmp_path: Path) -> Mirror:
    """A mirror with all of HQ's files, of a kiosk that lacks the last publication."""
    hq.publish()
    follower.follow()
    hq.put("listing", listing(1, price_cents=RIGHT))
    hq.publish()
    return Mirror(follower, Path(shutil.copytree(hq.static, tmp_path / "mirror")))


def edited(segment: bytes) -> bytes:
    """Return a segment whose one price is another."""
    found = decode_segment(segment)
    (table,) = found.tables
    (block,) = table.changed
    spoilt = Block(block.columns, [[WRONG if value == RIGHT else value for value in column] for column in block.values])
    assert spoilt != block
    return encode_segment(replace(found, tables=(replace(table, changed=(spoilt,)),)))


def price(follower: Kiosk) -> int:
    return int(follower.rows()["listing"][1][4])


def refuses(mirror: Mirror, follower: Kiosk, error: type[SyncError] | tuple[type[SyncError], ...] = Untrusted) -> None:
    """Assert that the mirror in HQ's place moves nothing, and that with HQ in reach the right price comes all the same."""
    before = follower.rows()
    mirror.is_in_hqs_place = True
    with pytest.raises(error):
        mirror.follow()
    assert follower.rows() == before
    mirror.is_in_hqs_place = False
    mirror.asked.clear()
    assert mirror.follow().publication == 2
    assert mirror.asked != []
    assert price(follower) == RIGHT
    assert follower.is_sound()


def test_fault_05_an_edited_blob_is_not_what_was_announced(hq: Hq, follower: Kiosk, mirror: Mirror) -> None:
    ref = hq.head().track.channels["price"].tail[-1].blob
    (mirror.static / "b" / ref.sha256).write_bytes(edited(hq.blob(ref)))
    refuses(mirror, follower, (Untrusted, TooLarge))


@pytest.mark.parametrize("is_length_kept", [True, False])
def test_fault_05_an_edited_head_over_an_edited_blob_is_not_what_was_signed(
    hq: Hq, follower: Kiosk, mirror: Mirror, is_length_kept: bool
) -> None:
    """The new blob has its right name, the index and the head name it, and the head lies where the old one lay."""
    blobs = BlobFolder(mirror.static / "b")
    head = hq.head()
    there = head.track.channels["price"]
    blob = blobs.store(edited(hq.blob(there.tail[-1].blob)))
    tail = (*there.tail[:-1], replace(there.tail[-1], blob=blob))
    index = blobs.store(encode_index(replace(hq.index("price"), segments=tail)))
    channels = {**head.track.channels, "price": replace(there, index=index, tail=tail)}
    forged = encode_head(replace(head, track=replace(head.track, channels=channels)))
    place = mirror.static / "targets" / targets_of(hq.static)["fr/stable.head"].get_prefixed_paths()[0]
    length = place.stat().st_size
    place.write_bytes(forged[:length].ljust(length, b"\0") if is_length_kept else forged)
    refuses(mirror, follower, (Untrusted, TooLarge))


def test_fault_05_metadata_that_names_the_edited_head_is_not_hqs(hq: Hq, follower: Kiosk, mirror: Mirror, tmp_path: Path) -> None:
    """The whole chain is consistent, roots included, and signed with a key of the mirror's own."""
    shadow = shadow_of(hq, tmp_path / "shadow", l1=WRONG)
    forger = Forger(hq, tmp_path / "forged", CryptoSigner.generate_ed25519())
    forger.take_from(shadow, version=2**40)
    mirror.static = forger.static
    refuses(mirror, follower)


def test_fault_05_a_blob_under_another_blobs_name_is_refused(hq: Hq, follower: Kiosk, mirror: Mirror) -> None:
    """A right blob of HQ's own in the place of another."""
    ref: BlobRef = hq.head().track.channels["price"].tail[-1].blob
    other = hq.blob(hq.head().track.channels["stock"].index)
    (mirror.static / "b" / ref.sha256).write_bytes(other)
    refuses(mirror, follower, (Untrusted, TooLarge))
