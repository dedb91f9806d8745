"""Drawings and pictures from HQ on the screens: shown where they are here, replaced by our own drawing where they are not.

Invariant: a page never waits for a medium and never shows a hole; only bytes that the catalogue names now are sent.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from kiosk import web
from kiosk.drawings import drawing_name
from pos import clock, media, skus
from pos.errors import NotFound
from pos.media import Medium

routes = Blueprint("media", __name__)

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@routes.get("/media/<sha256>")
def medium(sha256: str) -> Response:
    """Send a medium of the catalogue, to be kept for good; one thrown out meanwhile is replaced by our own drawing."""
    catalog = web.catalog()
    found = media.medium_by_sha256(catalog, sha256) if SHA256.fullmatch(sha256) else None
    if found is None:
        raise NotFound(path=sha256)
    content = web.kiosk().media.read(sha256, now=clock.now())
    if content is None:
        web.kiosk().media.ask(sha256)
        return web.see_other(_own_drawing(found))
    short = gzip.compress(content, mtime=0) if found.kind == "drawing" else None
    response = web.keep(content, short, found.type)
    response.headers["Content-Security-Policy"] = POLICY
    return response


def shown(item: Mapping[str, Any]) -> Medium | None:
    """Return the medium the page of this SKU shows: HQ's first choice among those here. A better one missing is asked for."""
    return web.kiosk().media.first_here(media.media_of_sku(web.catalog(), item["sku_id"]))


def drawing_url(item: Mapping[str, Any]) -> str:
    """Return the address of the drawing of a SKU or category: HQ's where it is here, else our own of its form and colour."""
    store = web.kiosk().media
    if store.is_empty():
        return own_drawing_url(item)
    sku_id, category_id = item.get("sku_id"), item.get("category_id")
    drawings: list[Medium] = []
    if sku_id is not None:
        drawings = media.drawings_of_sku(web.catalog(), sku_id)
    elif category_id is not None:
        drawings = media.drawings_of_category(web.catalog(), category_id)
    here = next((drawing for drawing in drawings if store.has(drawing.sha256)), None)
    return f"/media/{here.sha256}" if here else own_drawing_url(item)


def own_drawing_url(item: Mapping[str, Any]) -> str:
    """Return the address of our drawing of anything with a `form`, a `color` and `specs`."""
    color, specs = item.get("color") or {}, item.get("specs") or {}
    return f"/drawings/{drawing_name(item['form'], color.get('hex'), specs.get('lenses'))}.svg"


def _own_drawing(medium: Medium) -> str:
    catalog = web.catalog()
    if medium.sku_id is not None:
        return own_drawing_url(skus.sku_by_id(catalog, medium.sku_id))
    row = catalog.execute("select body ->> '$.form' from category where category_id = ?", [medium.category_id]).fetchone()
    return own_drawing_url({"form": row[0] if row else "box"})
