"""Drawings and pictures HQ sends with the catalogue: which a SKU or a category has, and which a corner wants first.

A row names a blob and says nothing about whether it is here: pages ask for what is, and fall back to our own drawings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlite_utils import Database

MOST_BYTES = 300_000
"""No medium is longer; a row that says so is never asked for."""

_COLUMNS = "media_id, sku_id, category_id, kind, sha256, length, body"
_BATCH = 500
_SHELF = """
with part as (select rank, sku_id from shelf where (rank, sku_id) > (?, ?) order by rank, sku_id limit ?)
select part.rank, part.sku_id, media.kind, media.sha256, media.length
from part left join shown_media as media on media.sku_id = part.sku_id
order by part.rank, part.sku_id, media.rank, media.media_id
"""


class WantedBlob(NamedTuple):
    """A blob to have here."""

    sha256: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One drawing or picture: `kind` "drawing" or "picture", `type` its MIME type, `alt` a text by language."""

    media_id: int
    sku_id: int | None
    category_id: str | None
    kind: str
    sha256: str
    length: int
    type: str
    width: int
    height: int
    alt: dict[str, str]
    credit: str


def media_of_sku(database: Database, sku_id: int) -> list[Medium]:
    """Return a SKU's media, HQ's first choice first."""
    return _read(database, "where sku_id = ? order by rank, media_id limit 20", [sku_id])


def drawings_of_skus(database: Database, sku_ids: Iterable[int]) -> list[tuple[int, str]]:
    """Return the drawings of these SKUs as (SKU, blob), of each SKU HQ's first choice first."""
    return _drawings(database, "sku_id", sku_ids)


def drawings_of_categories(database: Database, category_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return the drawings of these categories as (category, blob), of each category HQ's first choice first."""
    return _drawings(database, "category_id", category_ids)


def medium_by_sha256(database: Database, sha256: str) -> Medium | None:
    """Return a medium of the catalogue that is these bytes, or None when it names none."""
    return next(iter(_read(database, "where sha256 = ? order by media_id limit 1", [sha256])), None)


def known_blobs(database: Database, sha256s: Iterable[str]) -> set[str]:
    """Return those of `sha256s` that the catalogue names."""
    given = json.dumps(sorted(sha256s))
    return {
        sha256
        for (sha256,) in database.execute(
            "select sha256 from shown_media where sha256 in (select value from json_each(?))", [given]
        )
    }


def wanted_of_table(database: Database, sku_ids: Iterable[int]) -> list[WantedBlob]:
    """Return what pages show of these SKUs, in their order."""
    rows = database.execute(
        """
        select media.sku_id, media.kind, media.sha256, media.length
        from json_each(?) as place cross join shown_media as media on media.sku_id = place.value
        order by place.key, media.rank, media.media_id
        """,
        [json.dumps([*sku_ids])],
    )
    return [*_shown(rows)]


def wanted_of_shelf(database: Database) -> Iterator[WantedBlob]:
    """Yield the categories' drawings, then what pages show of every SKU on offer, in the order customers meet them."""
    for medium in _read(database, "where category_id is not null and kind = 'drawing' order by rank, media_id", []):
        yield WantedBlob(medium.sha256, medium.length)
    after = (-1, -1)
    while batch := database.execute(_SHELF, [*after, _BATCH]).fetchall():
        # Whole batches, so that no read stays open on the catalogue while the network is slow.
        yield from _shown((sku_id, kind, sha256, length) for _, sku_id, kind, sha256, length in batch if kind is not None)
        rank, sku_id, *_ = batch[-1]
        after = (rank, sku_id)


def _drawings(database: Database, column: str, keys: Iterable[Any]) -> list[tuple[Any, str]]:
    return database.execute(
        f"""
        select media.{column}, media.sha256
        from json_each(?) as wanted cross join shown_media as media on media.{column} = wanted.value and media.kind = 'drawing'
        order by media.rank, media.media_id
        """,
        [json.dumps([*keys])],
    ).fetchall()


def _shown(rows: Iterable[tuple[Any, ...]]) -> Iterator[WantedBlob]:
    """Yield of each SKU its first medium, and its first drawing, which is what lists show."""
    for _, media in groupby(rows, key=itemgetter(0)):
        blobs = [(kind, WantedBlob(sha256, length)) for _, kind, sha256, length in media]
        drawing = next((place for place, (kind, _) in enumerate(blobs) if kind == "drawing"), None)
        yield from (blob for place, (_, blob) in enumerate(blobs) if place in (0, drawing))


def _read(database: Database, where: str, values: list[Any]) -> list[Medium]:
    return [_medium(row) for row in database.execute(f"select {_COLUMNS} from shown_media {where}", values)]


def _medium(row: tuple[Any, ...]) -> Medium:
    media_id, sku_id, category_id, kind, sha256, length, body = row
    facts = json.loads(body)
    return Medium(
        media_id=media_id,
        sku_id=sku_id,
        category_id=category_id,
        kind=kind,
        sha256=sha256,
        length=length,
        type=facts["type"],
        width=facts["width"],
        height=facts["height"],
        alt=facts["alt"],
        credit=facts["credit"],
    )
