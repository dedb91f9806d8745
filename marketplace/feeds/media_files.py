"""The media files of a feed: judged by what they are, then kept as blobs under their SHA-256.

Invariant: a row of `media` is committed after its blob is on disk.
"""

from __future__ import annotations

import codecs
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from PIL import Image, UnidentifiedImageError

from marketplace.feeds.problems import NotInOrder, Problems
from marketplace.publishing.media import has_blob, store_blob
from pos.files import read_file
from pos.svg import NotADrawing, drawing_size
from sync.blobs import ref_of

FILE = "media.jsonl"
FOLDER = "media"
MOST_BYTES = {"drawing": 12_000, "picture": 20_000}
"""A page weighs at most 120 kB on a first visit, and a SKU's about 100 kB without a medium; of drawings a list shows many."""
MOST_READ_BYTES = 2**20
MOST_SIDE = 2_000
MOST_PIXELS = 2_000_000
PNG, JPEG, WEBP, DRAWING = "image/png", "image/jpeg", "image/webp", "image/svg+xml"
FORMATS = {PNG: "PNG", JPEG: "JPEG", WEBP: "WEBP"}
ENDINGS = {".svg": DRAWING, ".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".webp": WEBP}


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """What a judged file is: its blob, its MIME type and its size in pixels or units."""

    path: Path
    sha256: str
    length: int
    type: str
    width: int
    height: int


def judge_files(directory: Path, lines: dict[int, dict[str, Any]], problems: Problems) -> dict[int, MediaFile]:
    """Return the file of each row of `media.jsonl`, by its line; what is wrong goes to `problems`."""
    judged: dict[tuple[str, str], MediaFile | str] = {}
    files = {}
    for line, row in lines.items():
        wish = (row["file"], row["kind"])
        if wish not in judged:
            judged[wish] = _judged(directory / FOLDER / row["file"], row["kind"])
        file = judged[wish]
        if isinstance(file, str):
            problems.add(FILE, line, "file", f"{row['file']}: {file}")
        elif row.get("sha256") not in (None, file.sha256):
            problems.add(FILE, line, "sha256", f"{row['file']} is {file.sha256}")
        else:
            files[line] = file
    return files


def store_files(files: Iterable[MediaFile], static: Path, problems: Problems) -> set[str]:
    """Store judged files durably as blobs below `static`; return the SHA-256 of those that were not there.

    Raises: FeedRefused when a file changed since it was judged; what was stored names nothing and is swept up later.
    """
    fresh = set()
    for file in {file.sha256: file for file in files}.values():
        if has_blob(static, file.sha256):
            continue
        try:
            content = read_file(file.path, most_bytes=file.length)
        except OSError as problem:
            problems.add(FILE, 0, "file", f"{file.path.name}: {problem.strerror}")
            continue
        if ref_of(content).sha256 != file.sha256:
            problems.add(FILE, 0, "file", f"{file.path.name} changed while it was read")
            continue
        store_blob(static, content)
        fresh.add(file.sha256)
    problems.refuse_any()
    return fresh


def _judged(path: Path, kind: str) -> MediaFile | str:
    """Judge one file once, however many rows show it; a reason in words when it is refused."""
    try:
        if path.is_symlink():
            return "no such file in the feed's media folder"
        content = read_file(path, most_bytes=MOST_READ_BYTES)
        if not 0 < len(content) <= MOST_BYTES[kind]:
            return f"{len(content):,} bytes: a {kind} has at most {MOST_BYTES[kind]:,}"
        type_ = _type_of(content)
        if type_ != ENDINGS.get(PurePath(path.name).suffix.lower()):
            return f"is {type_}, which its name does not say"
        if (type_ == DRAWING) != (kind == "drawing"):
            return "a drawing is an SVG, a picture is PNG, JPEG or WebP"
        width, height = drawing_size(content) if type_ == DRAWING else _picture_size(content, type_)
    except FileNotFoundError:
        return "no such file in the feed's media folder"
    except OSError as problem:
        return f"cannot be read: {problem.strerror or problem}"
    except (NotInOrder, NotADrawing) as problem:
        return str(problem)
    ref = ref_of(content)
    return MediaFile(path=path, sha256=ref.sha256, length=ref.length, type=type_, width=width, height=height)


def _type_of(content: bytes) -> str:
    """Return the MIME type by the first bytes. Raises: NotInOrder."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<svg", b"<?xml", b"<!")):
        return DRAWING
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"<\0", b"\0<"):
        raise NotInOrder("UTF-16: an SVG is text in UTF-8")
    raise NotInOrder("neither SVG, PNG, JPEG nor WebP")


def _picture_size(content: bytes, type_: str) -> tuple[int, int]:
    """Return width and height, having decoded the picture whole. The size is judged before any pixel is unpacked."""
    try:
        with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(content), formats=[FORMATS[type_]]) as picture:
            width, height = picture.size
            if max(width, height) > MOST_SIDE or width * height > MOST_PIXELS:
                raise NotInOrder(f"{width} × {height} pixels: at most {MOST_SIDE} on a side and {MOST_PIXELS:,} in all")
            if getattr(picture, "n_frames", 1) > 1:
                raise NotInOrder("moves: one picture, no animation")
            picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotInOrder(f"unpacks to far more than {MOST_PIXELS:,} pixels") from None
    except NotInOrder:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Warning) as problem:
        raise NotInOrder(f"cannot be decoded: {problem}") from None
    return width, height
