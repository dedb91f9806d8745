"""`/robots.txt` and `/sitemap.xml`: every device on offer, each market and language with its own address.

Sources: RFC 9309; sitemaps.org (an index, parts of at most 50,000 addresses and 50 MB). Parts are made from the published replica
once a publication.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from xml.sax.saxutils import escape

from flask import Blueprint, Response, g, request
from sqlite_utils import Database

from marketplace.head import address_of
from marketplace.web import marketplace, markets
from pos import skus
from pos.db import remembered
from pos.errors import NotFound
from pos.languages import LANGUAGES
from shop import door

routes = Blueprint("sitemaps", __name__)

MOST_ADDRESSES = 50_000
DEVICES_A_PART = MOST_ADDRESSES // len(LANGUAGES) - 500
"""The first part holds the other pages too."""
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
PAGES = ("/", "/browse", "/plans", "/how-it-works", "/how-we-rank")
SHUT = ("/console", "/seller", "/api/", "/sync/", "/browse/results", "/browse/more")
"""Where a crawler finds nothing to show. Orders and selections are not named: each of them says that it is never indexed."""


@routes.get("/robots.txt")
def robots() -> Response:
    """Say where crawlers have no business, and where the list of pages is."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in SHUT), f"Sitemap: {marketplace().public_url}/sitemap.xml", ""]
    return Response("\n".join(lines), content_type="text/plain; charset=utf-8")


@routes.get("/sitemap.xml")
def index() -> Response:
    """List the parts of every market."""
    parts = []
    for market in markets().names():
        catalog = _catalog(market)
        day = published_at(catalog)
        parts += [
            f"<sitemap><loc>{escape(f'{marketplace().public_url}/sitemaps/{market}-{after}.xml')}</loc><lastmod>{day}</lastmod></sitemap>"
            for after in starts(catalog)
        ]
    return _xml(f'<sitemapindex xmlns="{NAMESPACE}">{"".join(parts)}</sitemapindex>'.encode())


@routes.get("/sitemaps/<market>-<int:after>.xml")
def part(market: str, after: int) -> Response:
    """List the devices on offer in a market that come after the SKU with this id. Raises: NotFound."""
    if market not in markets().names() or after not in starts(_catalog(market)):
        raise NotFound(path=request.path)
    short = addresses(_catalog(market), marketplace().public_url, market, after, markets().facts(market).spoken)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response = _xml(short)
        response.headers["Content-Encoding"] = "gzip"
        return response
    return _xml(gzip.decompress(short))


@remembered
def starts(catalog: Database) -> list[int]:
    """Return after which SKU id each part begins; 0 is the first."""
    ids = [sku_id for (sku_id,) in catalog.execute("select sku_id from shelf order by sku_id")]
    return [0, *ids[DEVICES_A_PART - 1 : -1 : DEVICES_A_PART]]


@remembered
def addresses(catalog: Database, public_url: str, market: str, after: int, spoken: Sequence[str]) -> bytes:
    """Return a part, compressed: the addresses of its devices, in the first one those of the other pages before them."""
    rows = catalog.execute(
        """
        select sku.sku from shelf join shown_sku as sku using (sku_id)
        where shelf.sku_id > :after order by shelf.sku_id limit :most
        """,
        {"after": after, "most": DEVICES_A_PART},
    )
    pages: list[tuple[str, dict[str, str]]] = [(f"/sku/{code}", {}) for (code,) in rows]
    if after == 0:
        kinds = [("/browse", {"category": kind["category_id"]}) for kind in skus.categories(catalog)]
        pages = [*((path, {}) for path in PAGES), *kinds, *pages]
    day = published_at(catalog)
    urls = "".join(
        f"<url><loc>{escape(public_url + address_of(path, query, market, language))}</loc><lastmod>{day}</lastmod></url>"
        for path, query in pages
        for language in spoken
    )
    return gzip.compress(f'<urlset xmlns="{NAMESPACE}">{urls}</urlset>'.encode(), mtime=0)


def published_at(catalog: Database) -> str:
    """Return when this catalogue was published, UTC text."""
    [(at,)] = catalog.execute("select coalesce(max(value), '') from catalog_fact where name = 'published_at'")
    return str(at)


def _catalog(market: str) -> Database:
    """Lend the replica of one market, whichever the visitor's is. Raises: CatalogUnreadable."""
    g.pop("catalog", None)
    g.market = market
    return door.catalog()


def _xml(body: bytes) -> Response:
    response = Response(body, content_type="application/xml")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
