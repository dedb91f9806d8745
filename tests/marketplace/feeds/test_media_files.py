from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from marketplace.db import reading
from marketplace.feeds.imports import import_feed
from marketplace.feeds.media_files import MOST_BYTES, judge_files
from marketplace.feeds.problems import FeedRefused, Problems
from marketplace.installation import replica_path, sync_path
from marketplace.publishing.media import media_blobs
from pos.db import connect
from sync.blobs import ref_of
from tests.marketplace import world
from tests.marketplace.hq import Hq, quiet

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 120">{}</svg>'
DRAWING = SVG.format('<rect width="9" height="9" fill="#123456"/>').encode()
ROW: dict[str, Any] = {
    "media_id": 1,
    "sku_id": 1,
    "kind": "drawing",
    "file": "iphone.svg",
    "alt": {"fr": "iPhone bleu", "en": "Blue iPhone"},
    "credit": "Comptoir",
    "rank": 1,
}


def picture(format_: str, size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, "#38506b").save(content, format_, **options)
    return content.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that unpacks to a wall of pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 5000)) + chunk(b"IEND", b"")


def feed_with(hq: Hq, rows: list[dict[str, Any]], files: dict[str, bytes]) -> Path:
    hq.feeds += 1
    feed = world.write_feed(hq.directory / f"media{hq.feeds}", world.world() | {"media": rows}, world.listings())
    (feed / "media").mkdir(exist_ok=True)
    for name, content in files.items():
        (feed / "media" / name).write_bytes(content)
    return feed


def imported(hq: Hq, *rows: dict[str, Any], **files: bytes) -> None:
    named = {name.replace("_", "."): content for name, content in files.items()}
    import_feed(hq.engine, feed_with(hq, list(rows), named), static=sync_path(hq.directory), progress=quiet)


def refused(hq: Hq, *rows: dict[str, Any], **files: bytes) -> list[tuple[str, int, str, str]]:
    """Import a bad feed; return its problems, having checked that nothing of it was kept."""
    before = hq.rows("select * from media"), {path.name for path in (sync_path(hq.directory) / "b").iterdir()}
    with pytest.raises(FeedRefused) as refusal:
        imported(hq, *rows, **files)
    assert (hq.rows("select * from media"), {path.name for path in (sync_path(hq.directory) / "b").iterdir()}) == before
    return [(each["file"], each["line"], each["field"], each["reason"]) for each in refusal.value.data["problems"]]


def published(hq: Hq) -> dict[int, tuple[Any, ...]]:
    replica = connect(replica_path(hq.directory, "fr"), durable=False)
    try:
        return {
            row[0]: tuple(row[1:]) for row in replica.execute("select media_id, sku_id, category_id, kind, sha256 from media")
        }
    finally:
        replica.close()


def test_a_feed_s_media_are_published_and_served_by_their_hash(hq: Hq) -> None:
    photo = picture("WEBP")
    other = {**ROW, "media_id": 2, "kind": "picture", "file": "photo.webp", "sha256": ref_of(photo).sha256}
    tile = {**ROW, "media_id": 3, "category_id": "phones", "sku_id": None}
    imported(hq, ROW, other, tile, iphone_svg=DRAWING, photo_webp=photo)
    hq.publish()

    drawing_sha, photo_sha = ref_of(DRAWING).sha256, ref_of(photo).sha256
    assert published(hq) == {
        1: (1, None, "drawing", drawing_sha),
        2: (1, None, "picture", photo_sha),
        3: (None, "phones", "drawing", drawing_sha),
    }
    for sha256, content in ((drawing_sha, DRAWING), (photo_sha, photo)):
        with hq.client.get(f"/sync/v1/b/{sha256}") as answer:
            assert answer.data == content


def test_the_same_media_twice_change_nothing_and_a_feed_without_takes_them_back(hq: Hq) -> None:
    imported(hq, ROW, iphone_svg=DRAWING)
    hq.publish()
    imported(hq, ROW, iphone_svg=DRAWING)
    assert hq.publish() is None
    hq.import_world()
    hq.publish()
    assert published(hq) == {}


def test_a_medium_whose_blob_is_missing_is_not_named_until_its_file_comes_again(hq: Hq) -> None:
    imported(hq, ROW, iphone_svg=DRAWING)
    blob = sync_path(hq.directory) / "b" / ref_of(DRAWING).sha256
    blob.unlink()
    hq.change(l11={"price": "349.00"})
    imported(hq, ROW, iphone_svg=DRAWING)
    blob.unlink()
    hq.publish()
    assert published(hq) == {}

    imported(hq, ROW, iphone_svg=DRAWING)
    hq.publish()
    assert blob.read_bytes() == DRAWING
    assert list(published(hq)) == [1]


def test_what_the_sweep_must_spare_is_named_by_the_marketplace_and_by_each_replica(hq: Hq) -> None:
    imported(hq, ROW, iphone_svg=DRAWING)
    hq.publish()
    newer = SVG.format('<circle r="4"/>').encode()
    imported(hq, {**ROW, "file": "newer.svg"}, newer_svg=newer)
    replica = connect(replica_path(hq.directory, "fr"), durable=False)
    with reading(hq.engine) as connection:
        assert media_blobs(connection) == {ref_of(newer).sha256}
    assert media_blobs(replica) == {ref_of(DRAWING).sha256}
    replica.close()


def test_a_bad_medium_is_named_by_line_and_reason_and_nothing_is_kept(hq: Hq) -> None:
    good = {**ROW, "media_id": 9, "file": "fresh.svg"}
    problems = refused(
        hq,
        good,
        {**ROW, "media_id": 2, "file": "absent.svg"},
        {**ROW, "media_id": 3, "file": "photo.png"},
        {**ROW, "media_id": 4, "sha256": "0" * 64},
        {**ROW, "media_id": 5, "file": "evil.svg"},
        {**ROW, "media_id": 6, "kind": "picture"},
        {**ROW, "media_id": 7, "file": "large.svg"},
        iphone_svg=DRAWING,
        fresh_svg=SVG.format("<g/>").encode(),
        photo_png=picture("JPEG"),
        evil_svg=SVG.format("\n<script/>").encode(),
        large_svg=DRAWING + b" " * MOST_BYTES["drawing"],
    )
    assert [(line, field) for _, line, field, _ in problems] == [
        (2, "file"),
        (3, "file"),
        (4, "sha256"),
        (5, "file"),
        (6, "file"),
        (7, "file"),
    ]
    assert [reason for *_, reason in problems] == [
        "absent.svg: no such file in the feed's media folder",
        "photo.png: is image/jpeg, which its name does not say",
        f"iphone.svg is {ref_of(DRAWING).sha256}",
        "evil.svg: SVG line 2: element script is not allowed",
        "iphone.svg: a drawing is an SVG, a picture is PNG, JPEG or WebP",
        f"large.svg: {len(DRAWING) + MOST_BYTES['drawing']:,} bytes: a drawing has at most 12,000",
    ]


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"sku_id": 99}, "sku_id", "unknown SKU 99"),
        ({"sku_id": None}, "sku_id", "one of sku_id and category_id, and not both"),
        ({"category_id": "phones"}, "sku_id", "one of sku_id and category_id, and not both"),
        ({"sku_id": None, "category_id": "toys"}, "category_id", "unknown category toys"),
        ({"file": "../feed.json"}, "file", "not a plain file name"),
        ({"alt": {"fr": "iPhone"}}, "alt", "needs fr and en"),
        ({"alt": {"fr": "comme neuf", "en": "blue"}}, "alt", "forbidden wording: comme neuf"),
        ({"kind": "film"}, "kind", "not one of 'drawing' or 'picture'"),
        ({"credit": ""}, "credit", "empty, or with a line break or an invisible sign"),
    ],
)
def test_a_row_is_judged_like_any_other(tmp_path: Path, change: dict[str, Any], field: str, reason: str) -> None:
    from marketplace.feeds.content import read_content

    feed = world.write_feed(tmp_path / "feed", world.world() | {"media": [{**ROW, **change}]})
    (feed / "media").mkdir()
    (feed / "media" / "iphone.svg").write_bytes(DRAWING)
    with pytest.raises(FeedRefused) as refusal:
        read_content(feed, Problems())
    assert [(each["field"], each["reason"]) for each in refusal.value.data["problems"]] == [(field, reason)]


def test_a_link_out_of_the_feed_is_no_file(hq: Hq) -> None:
    feed = feed_with(hq, [ROW], {})
    (feed / "outside.svg").write_bytes(DRAWING)
    (feed / "media" / "iphone.svg").symlink_to(feed / "outside.svg")
    with pytest.raises(FeedRefused, match="no such file"):
        import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bomb(60_000, 60_000), "unpacks to far more"),
        (bomb(30_000, 4_000), "unpacks to far more"),
        (bomb(2_001, 10), "2001 × 10 pixels"),
        (bomb(2_000, 1_500), "2000 × 1500 pixels"),
        (picture("PNG")[:52], "cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n" + b"<script>alert(1)</script>", "cannot be decoded"),
        (b"<html><script>alert(1)</script></html>", "neither SVG, PNG, JPEG nor WebP"),
        (b"GIF89a\x01\x00\x01\x00", "neither SVG, PNG, JPEG nor WebP"),
        (b"", "0 bytes"),
    ],
)
def test_a_picture_that_is_none_or_far_too_large_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:

    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.png").write_bytes(content)
    problems = Problems()
    with warnings.catch_warnings(action="error"):
        assert judge_files(tmp_path, {4: {"file": "a.png", "kind": "picture"}}, problems) == {}
    assert reason in problems.found[0].reason
    assert problems.found[0].line == 4


def test_a_picture_that_moves_is_refused(tmp_path: Path) -> None:

    (tmp_path / "media").mkdir()
    frames = [Image.new("RGB", (8, 8), "black")]
    (tmp_path / "media" / "a.webp").write_bytes(picture("WEBP", (8, 8), save_all=True, append_images=frames, duration=100))
    problems = Problems()
    judge_files(tmp_path, {1: {"file": "a.webp", "kind": "picture"}}, problems)
    assert "no animation" in problems.found[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('<?xml version="1.0" encoding="UTF-16"?>' + DRAWING.decode(), "says it is UTF-16: an SVG is text in UTF-8"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>' + DRAWING.decode(), "says it is ISO-8859-1: an SVG is text in UTF-8"),
        ("<!DOCTYPE svg>" + DRAWING.decode(), "a document type is not allowed"),
        ('<!DOCTYPE svg [<!ENTITY a "b">]>' + DRAWING.decode(), "a document type is not allowed"),
        (DRAWING.decode().encode("utf-16"), "UTF-16: an SVG is text in UTF-8"),
        (DRAWING.decode().encode("utf-16-be"), "UTF-16: an SVG is text in UTF-8"),
        (DRAWING.replace(b"<rect", b"<!-- \xe9 --><rect"), "an SVG is text in UTF-8"),
    ],
)
def test_a_drawing_in_or_of_another_encoding_is_refused_by_name(tmp_path: Path, content: str | bytes, reason: str) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "iphone.svg").write_bytes(content.encode() if isinstance(content, str) else content)
    problems = Problems()
    assert judge_files(tmp_path, {1: ROW}, problems) == {}
    assert reason in problems.found[0].reason
