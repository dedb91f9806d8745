"""Static files as both apps send them: read once, under an address that changes with any byte of them, and kept for good."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, current_app, request

from pos.errors import NotFound

JOINED = {
    "corner.css": ("tokens.css", "shop.css", "kiosk.css", "panels.css"),
    "corner.js": ("vendor/htmx-2.0.11.min.js", "pages.js", "taps.js", "shop.js", "kiosk.js", "scans.js"),
    "online.css": ("tokens.css", "shop.css", "home.css"),
    "online.js": ("vendor/htmx-2.0.11.min.js", "pages.js", "shop.js"),
}
"""What every page of a door begins with, as one file each: a file more is some 10 ms of a slow browser before its first paint."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file as it is sent: plain, and compressed where it is text."""

    body: bytes
    compressed: bytes | None
    kind: str


def add_assets(app: Flask, folder: Path) -> None:
    """Serve the files of `folder` as `/static/<version>/<name>`; templates know the beginning of that address as `assets`."""
    version, assets = load_assets(folder)
    app.extensions.update({"comptoir-assets": assets, "comptoir-assets-version": version})
    app.jinja_env.globals["assets"] = f"/static/{version}"
    app.add_url_rule("/static/<version>/<path:name>", "static", send_asset)


def load_assets(folder: Path) -> tuple[str, dict[str, Asset]]:
    """Read the static files once: a version that changes with any byte of them, and each file by its path."""
    digest = hashlib.sha256()
    assets = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.suffix != ".py"):
        body = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        digest.update(name.encode() + b"\0" + body)
        short = compressed(body) if path.suffix in (".css", ".js", ".svg") else None
        assets[name] = Asset(body, short, mimetypes.guess_type(name)[0] or "application/octet-stream")
    for name, parts in JOINED.items():
        body = (b";\n" if name.endswith(".js") else b"\n").join(assets[part].body for part in parts)
        assets[name] = Asset(body, compressed(body), assets[parts[0]].kind)
    return digest.hexdigest()[:10], assets


def send_asset(version: str, name: str) -> Response:
    """Send a static file under its versioned address, to be kept for good. Raises: NotFound."""
    asset: Asset | None = current_app.extensions["comptoir-assets"].get(name)
    if asset is None or version != current_app.extensions["comptoir-assets-version"]:
        raise NotFound(path=name)
    return keep(asset.body, asset.compressed, asset.kind)


def keep(body: bytes, short: bytes | None, kind: str) -> Response:
    """Return bytes that never change under their address, compressed where the browser takes it."""
    use_gzip = short is not None and "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(short if use_gzip else body, content_type=kind)
    if use_gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@lru_cache(maxsize=1024)
def compressed(body: bytes) -> bytes:
    """Return bytes compressed as tightly as gzip can, once."""
    return gzip.compress(body, compresslevel=9, mtime=0)
