"""Drawings and pictures from HQ on the screens: shown where they are here, replaced by our own drawing where they are not.

Invariant: a page never waits for a medium and never shows a hole; only bytes that the catalogue names now are sent.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, g
from markupsafe import Markup

from pos import clock, media, skus, svg
from pos.errors import NotFound
from pos.media import Medium
from pos.svg import OWN_ID, NotADrawing
from shop import assets, door, web
from shop.drawings import NAME, draw, drawing_name, inline

routes = Blueprint("media", __name__)

SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
OWN_DRAWING = re.compile(rf"/drawings/({NAME.pattern})\.svg", re.ASCII)
MOST_INLINE = 4_000
"""Letters of a drawing of HQ's that is written into pages: a list shows twenty, and weighs little after the first visit."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@routes.get("/media/<sha256>")
def medium(sha256: str) -> Response:
    """Send a medium of the catalogue, to be kept for good; one thrown out meanwhile is replaced by our own drawing."""
    catalog = door.catalog()
    medium = media.medium_by_sha256(catalog, sha256) if SHA256.fullmatch(sha256) else None
    if medium is None:
        raise NotFound(path=sha256)
    content = door.current().pictures.read(sha256, now=clock.now())
    if content is None:
        door.current().pictures.ask(sha256)
        return web.see_other(_own_drawing(medium))
    short = gzip.compress(content, mtime=0) if medium.kind == "drawing" else None
    response = assets.keep(content, short, medium.type)
    response.headers["Content-Security-Policy"] = POLICY
    return response


@routes.get("/drawings/<name>.svg")
def drawing(name: str) -> Response:
    """Send a drawing of our own, to be kept for good under its name."""
    body = draw(name).encode()
    return assets.keep(body, assets.compressed(body), "image/svg+xml")


def shown(item: Mapping[str, Any]) -> Medium | None:
    """Return the medium the page of this SKU shows: HQ's first choice among those here. A better one missing is asked for."""
    return door.current().pictures.first_here(media.media_of_sku(door.catalog(), item["sku_id"]))


def drawing_url(item: Mapping[str, Any]) -> str:
    """Return the address of the drawing of a SKU or category: HQ's where it is here, else our own of its form and colour."""
    [(_, url)] = with_drawings([item])
    return url


def with_drawings(items: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], str]]:
    """Return each SKU or category with the address of its drawing, all looked up together: a list shows twenty."""
    here = _drawings_here(items)
    return [(item, here.get(_owner(item)) or own_drawing_url(item)) for item in items]


def drawn(url: str, size: int) -> Markup:
    """Return the picture at the address of a drawing, `size` CSS pixels wide and high: our own as a part of the page.

    Sixteen images are sixteen documents to a browser: 48 ms of its time, and 17 ms as parts of the page. HQ's are parts of
    it, too, written anew from what a drawing may hold; one that weighs more stays an image.
    """
    own = OWN_DRAWING.fullmatch(url)
    if own:
        return Markup(inline(own[1], size))  # noqa: S704 - made of our files and figures
    with suppress(NotADrawing):
        drawing = _written(url.rpartition("/")[2])
        if len(drawing) <= MOST_INLINE:
            g.drawings = number = g.get("drawings", 0) + 1
            return Markup(drawing.replace(OWN_ID, f"d{number}-").replace(">", f' width="{size}" height="{size}">', 1))  # noqa: S704 - as `pos.svg` writes it
    return Markup('<img class="drawing" src="{}" alt="" width="{}" height="{}">').format(url, size, size)


@lru_cache(maxsize=512)
def _written(sha256: str) -> str:
    """Return HQ's drawing as a part of a page. Raises: NotADrawing, also where it was thrown out meanwhile."""
    content = door.current().pictures.read(sha256, now=clock.now())
    if content is None:
        raise NotADrawing(sha256)
    return svg.page_part(content)


def _drawings_here(items: Iterable[Mapping[str, Any]]) -> dict[int | str, str]:
    """Return the addresses of HQ's drawings that are here, by the SKU or category they are of."""
    store, owners = door.current().pictures, [_owner(item) for item in items]
    if store.is_empty():
        return {}
    sku_ids = [owner for owner in owners if isinstance(owner, int)]
    category_ids = [owner for owner in owners if isinstance(owner, str)]
    named: list[tuple[int | str, str]] = []
    named += media.drawings_of_skus(door.catalog(), sku_ids) if sku_ids else []
    named += media.drawings_of_categories(door.catalog(), category_ids) if category_ids else []
    addresses: dict[int | str, str] = {}
    for owner, sha256 in named:
        if owner not in addresses and store.has(sha256):
            addresses[owner] = f"/media/{sha256}"
    return addresses


def _owner(item: Mapping[str, Any]) -> int | str:
    owner: int | str = item["category_id"] if item.get("sku_id") is None else item["sku_id"]
    return owner


def own_drawing_url(item: Mapping[str, Any]) -> str:
    """Return the address of our drawing of anything with a `form`, a `color` and `specs`."""
    color, specs = item.get("color") or {}, item.get("specs") or {}
    return f"/drawings/{drawing_name(item['form'], color.get('hex'), specs.get('lenses'))}.svg"


def _own_drawing(medium: Medium) -> str:
    catalog = door.catalog()
    if medium.sku_id is not None:
        return own_drawing_url(skus.sku_by_id(catalog, medium.sku_id))
    row = catalog.execute("select body ->> '$.form' from shown_category where category_id = ?", [medium.category_id]).fetchone()
    return own_drawing_url({"form": row[0] if row else "box"})
