"""The files of `/sync/v1/` in front of an app: what a fleet asks for all day costs no more than reading a file.

Only names of the protocol's own forms reach the disk. Everything but `timestamp.json` is named by its hash or version and never
changes, so caches may keep it for a year; nothing is ever re-encoded, so ranges and ETags mean the bytes (RFC 9110 §8.8, §14).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

PREFIX = "/sync/v1/"
TIMESTAMP = "metadata/timestamp.json"
CHUNK_BYTES = 2**18
SMALL_BYTES = 2**18
HEAD_CACHE = "public, max-age=0, s-maxage=10, stale-while-revalidate=30"
FOREVER_CACHE = "public, max-age=31536000, immutable, no-transform"
NEXT_ROOT_CACHE = "public, max-age=0, s-maxage=60"
"""For a root that is not there: a shared cache may say so for a minute."""

_FOLDERS = re.compile(r"/sync/v1/(metadata|targets|b)/", re.ASCII)
_NAMED = re.compile(
    r"metadata/[1-9][0-9]{0,18}\.(root|snapshot|targets)\.json"
    r"|targets/([a-z0-9-]{1,32}/)?[0-9a-f]{64}\.[a-z0-9-]{1,32}\.(json|head)"
    r"|b/[0-9a-f]{64}",
    re.ASCII,
)
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)

StartResponse = Callable[..., Any]
App = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
Header = tuple[str, str]


class StaticFiles:
    """A WSGI app that answers GET and HEAD for the files below `directory`, and leaves everything else to `app`."""

    def __init__(self, app: App, directory: Path) -> None:
        self._app = app
        self._directory = str(directory)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        path: str = environ.get("PATH_INFO", "")
        if not _FOLDERS.match(path) or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._app(environ, start_response)
        name = path.removeprefix(PREFIX)
        if name != TIMESTAMP and not _NAMED.fullmatch(name):
            return _missing(environ, start_response, name)
        try:
            file = open(f"{self._directory}/{name}", "rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return _missing(environ, start_response, name)
        return _send(environ, start_response, name, file)


def _send(environ: dict[str, Any], start_response: StartResponse, name: str, file: IO[bytes]) -> Iterable[bytes]:
    length = os.fstat(file.fileno()).st_size
    content = None
    if name == TIMESTAMP:
        content = file.read()
        length, tag, cache = len(content), f'"{hashlib.sha256(content).hexdigest()[:32]}"', HEAD_CACHE
    else:
        tag, cache = f'"{name.rpartition("/")[2][:64]}"', FOREVER_CACHE
    headers = [("ETag", tag), ("Cache-Control", cache), ("Accept-Ranges", "bytes"), ("X-Content-Type-Options", "nosniff")]
    if _is_known(environ.get("HTTP_IF_NONE_MATCH", ""), tag):
        file.close()
        start_response("304 Not Modified", headers)
        return []
    headers.append(("Content-Type", "application/json" if name.endswith(".json") else "application/octet-stream"))
    first, last = 0, length - 1
    status = "200 OK"
    if (wanted := _range(environ, tag, length)) is not None:
        first, last = wanted
        if first >= length or first > last:
            file.close()
            start_response(
                "416 Range Not Satisfiable", [*headers, ("Content-Range", f"bytes */{length}"), ("Content-Length", "0")]
            )
            return []
        status = "206 Partial Content"
        headers.append(("Content-Range", f"bytes {first}-{last}/{length}"))
    headers.append(("Content-Length", str(last - first + 1)))
    start_response(status, headers)
    if environ["REQUEST_METHOD"] == "HEAD":
        file.close()
        return []
    if content is not None:
        file.close()
        return [content[first : last + 1]]
    file.seek(first)
    if last - first < SMALL_BYTES:
        with file:
            return [file.read(last - first + 1)]
    if send := environ.get("wsgi.file_wrapper"):
        wrapped: Iterable[bytes] = send(file, CHUNK_BYTES)
        return wrapped
    return _chunks(file, last - first + 1)


def _chunks(file: IO[bytes], left: int) -> Iterator[bytes]:
    with file:
        while left and (chunk := file.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def _is_known(header: str, tag: str) -> bool:
    """Whether If-None-Match names what we hold; a cache on the way may have made the tag a weak one."""
    return bool(header) and any(each.strip().removeprefix("W/") in (tag, "*") for each in header.split(","))


def _range(environ: dict[str, Any], tag: str, length: int) -> tuple[int, int] | None:
    """Return the first and last byte asked for, or None to send everything: no range, one we need not honour, another file."""
    asked = _RANGE.fullmatch(environ.get("HTTP_RANGE", ""))
    if asked is None or environ.get("HTTP_IF_RANGE", tag) != tag:
        return None
    first, last = asked.groups()
    if first:
        end = min(int(last), length - 1) if last else length - 1
        return None if last and int(last) < int(first) else (int(first), end)
    return (max(0, length - int(last)), length - 1) if last else None


def _missing(environ: dict[str, Any], start_response: StartResponse, name: str) -> Iterable[bytes]:
    content = json.dumps({"code": "not_found", "detail": "not_found", "status": 404}).encode()
    is_next_root = name.startswith("metadata/") and name.endswith(".root.json")
    headers: list[Header] = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("Cache-Control", NEXT_ROOT_CACHE if is_next_root else "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response("404 Not Found", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]
