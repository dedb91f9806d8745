"""What applicants send to prove who they are: judged by content, kept outside whatever is served, under names nobody can guess.

Invariant: a document is a PDF, JPEG or PNG of at most `MOST_BYTES`; it leaves only as a download for HQ.
"""

from __future__ import annotations

import io
import os
import secrets
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from sqlalchemy import Connection, Engine
from werkzeug.datastructures import FileStorage

from marketplace import tables
from marketplace.db import reading, row, rows
from pos import clock
from pos.errors import NotFound, Refused

FOLDER = "documents"
MOST_BYTES = 5 * 10**6
MOST_DOCUMENTS = 5
MOST_PIXELS = 60_000_000
LONGEST_NAME = 120
LOST_AFTER = timedelta(days=1)
"""A file that no row names was left by a request that ended halfway: kept a day, since its row may be about to be written."""
PICTURES = {"image/jpeg": (b"\xff\xd8\xff", "JPEG"), "image/png": (b"\x89PNG\r\n\x1a\n", "PNG")}


class DocumentRefused(Refused):
    """A file that is no PDF, JPEG or PNG, is damaged, or too large; or too many of them; `data` carries `name` and `reason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as it was sent: `kind` is its MIME type by what is in it, whatever it is called."""

    name: str
    kind: str
    content: bytes


def read_documents(files: Iterable[FileStorage]) -> list[Document]:
    """Read the files of a form; a field left empty is none. Raises: DocumentRefused."""
    sent = [file for file in files if file.filename]
    if len(sent) > MOST_DOCUMENTS:
        raise DocumentRefused("too many documents", name="", reason="many")
    return [_read(file) for file in sent]


def write_documents(directory: Path, documents: Sequence[Document]) -> list[str]:
    """Write documents to files that nobody else may open, and return the files' names."""
    folder = directory / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    names = [secrets.token_hex(16) for _ in documents]
    for name, document in zip(names, documents, strict=True):
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(document.content)
            target.flush()
            os.fsync(target.fileno())
    return names


def remove_documents(directory: Path, files: Iterable[str]) -> None:
    """Delete files whose documents are not kept after all."""
    for name in files:
        (directory / FOLDER / name).unlink(missing_ok=True)


def record_documents(
    connection: Connection, seller_id: int, documents: Sequence[Document], files: Sequence[str], *, now: datetime
) -> None:
    """Record documents whose files are written, in the caller's transaction."""
    for number, (document, file) in enumerate(zip(documents, files, strict=True), 1):
        values = {"name": document.name, "kind": document.kind, "file": file, "length": len(document.content)}
        connection.execute(
            tables.seller_document.insert(),
            {"seller_id": seller_id, "document_no": number, **values, "stored_at": clock.to_text(now)},
        )


def document(connection: Connection, directory: Path, seller_id: int, document_no: int) -> tuple[str, str, Path]:
    """Return a document's name, MIME type and file. Raises: NotFound."""
    stored = row(
        connection,
        "select name, kind, file from seller_document where seller_id = :seller_id and document_no = :document_no",
        seller_id=seller_id,
        document_no=document_no,
    )
    if stored is None:
        raise NotFound("no such document")
    return stored["name"], stored["kind"], directory / FOLDER / stored["file"]


def sweep_documents(engine: Engine, directory: Path, *, now: datetime) -> int:
    """Delete files that no row names, and return how many. Idempotent."""
    with reading(engine) as connection:
        known = {stored["file"] for stored in rows(connection, "select file from seller_document")}
    folder = directory / FOLDER
    lost = [path for path in folder.glob("*") if path.name not in known and _is_old(path, now)]
    for path in lost:
        path.unlink(missing_ok=True)
    return len(lost)


def _is_old(path: Path, now: datetime) -> bool:
    return path.stat().st_mtime < (now - LOST_AFTER).timestamp()


def _read(file: FileStorage) -> Document:
    name = _plain_name(file.filename or "")
    content = file.stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise DocumentRefused("too large", name=name, reason="large")
    kind = _kind_of(content)
    if kind is None:
        raise DocumentRefused("not a PDF, JPEG or PNG", name=name, reason="kind")
    return Document(name=name, kind=kind, content=content)


def _kind_of(content: bytes) -> str | None:
    if content.startswith(b"%PDF-") and b"%%EOF" in content[-2048:]:
        return "application/pdf"
    for kind, (start, name) in PICTURES.items():
        if content.startswith(start) and _is_picture(content, name):
            return kind
    return None


def _is_picture(content: bytes, name: str) -> bool:
    try:
        with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(content), formats=[name]) as picture:
            width, height = picture.size
            picture.verify()
    except (Image.DecompressionBombError, UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Warning):
        return False
    return width * height <= MOST_PIXELS


def _plain_name(text: str) -> str:
    """Return a file's name without folders or signs that a header could not carry."""
    name = text.replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in name if sign.isprintable() and sign not in '"<>|')[:LONGEST_NAME] or "document"
