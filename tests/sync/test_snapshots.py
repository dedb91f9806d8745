"""A snapshot is all rows of a channel, in parts that stay small."""

from __future__ import annotations

import json

import pytest

import sync.snapshots
from sync.blobs import BlobRef, ref_of
from sync.channels import scan
from sync.errors import Malformed
from sync.follower import new_catalog
from sync.segments import decode_part
from sync.snapshots import Manifest, decode_manifest, encode_manifest, load_part, write_snapshot
from tests.sync.conftest import Hq, Kiosk, listing


def test_parts_keep_to_their_size_and_lose_no_row(hq: Hq, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.snapshots, "PART_ROWS", 40)
    monkeypatch.setattr(sync.snapshots, "FETCH_ROWS", 7)
    hq.publish()
    source = new_catalog(kiosk.directory / "source.db")
    blobs: dict[BlobRef, bytes] = {}

    def keep(blob: bytes) -> BlobRef:
        blobs[ref_of(blob)] = blob
        return ref_of(blob)

    source.conn.execute("begin")
    source.conn.executemany(f"insert into listing values ({', '.join('?' * 12)})", [listing(number) for number in range(1, 301)])
    source.conn.execute("commit")
    manifest = write_snapshot(source, "price", version=4, store=keep)
    parts = [decode_part(blobs[ref]) for ref in manifest.parts]
    assert (manifest.rows, manifest.length) == (300, sum(map(len, blobs.values())))
    assert max(len(block) for part in parts for _, block in part.tables) <= 40
    target = new_catalog(kiosk.directory / "target.db")
    assert sum(load_part(target, part) for part in parts) == 300
    assert scan(target, "price").value == scan(source, "price").value
    source.close()
    target.close()


def test_a_manifest_round_trips() -> None:
    manifest = Manifest("price", 3, 12, (BlobRef("ab" * 32, 5), BlobRef("cd" * 32, 6)))
    assert decode_manifest(encode_manifest(manifest)) == manifest


@pytest.mark.parametrize(
    "part",
    [
        {"sha256": "../../etc/passwd", "length": 1},
        {"sha256": "AB" * 32, "length": 1},
        {"sha256": "ab" * 31, "length": 1},
        {"sha256": "ab" * 32, "length": "1"},
        {"sha256": 7, "length": 1},
        {},
        None,
    ],
)
def test_a_name_that_is_no_hash_never_becomes_a_path(part: object) -> None:
    document = {"format": "comptoir-snapshot/1", "channel": "price", "version": 1, "rows": 1, "parts": [part]}
    with pytest.raises(Malformed):
        decode_manifest(json.dumps(document).encode())


def test_small_tables_share_a_part(hq: Hq) -> None:
    hq.publish()
    manifest = decode_manifest(hq.blob(hq.index("content").snapshot.manifest))
    (part,) = [decode_part(hq.blob(ref)) for ref in manifest.parts]
    tables = [name for name, _ in part.tables]
    assert len(set(tables)) == len(tables) > 1
    assert sum(len(block) for _, block in part.tables) == manifest.rows
