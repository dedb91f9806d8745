"""What a public page says of itself to search engines and to whoever shares its address.

Invariants: only pages that are the same for everybody may be indexed; orders, slips, selections, the console and sellers' desks
never are. A page's own address names its market and language, since the bare one shows whatever the browser prefers.
Sources: schema.org Product and AggregateOffer; RFC 9309 (robots.txt) and sitemaps.org stand in `marketplace/sitemaps.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g, request
from werkzeug.wrappers import Response

from marketplace.door import Markets
from pos import languages, skus
from pos.currencies import decimal
from pos.offers import Rung
from pos.skus import Sku
from shop import door, forms
from shop.media import drawing_url

PUBLIC = {
    "home.home": frozenset[str](),
    "browse.browse": frozenset({"category", "brand"}),
    "skus.sku": frozenset[str](),
    "plans.plans": frozenset[str](),
    "how_it_works.how_it_works": frozenset[str](),
    "ranking.page": frozenset[str](),
}
"""The pages that may be indexed, each with what of a query makes another page of it."""
SEARCHED = frozenset({"q", "grade", "min", "max", "storage", "sort", "after"})
"""What makes a list an answer to one person: it is not indexed."""
PICTURES = frozenset({"media.medium", "media.drawing", "static"})
ITEM_CONDITION = "https://schema.org/RefurbishedCondition"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicHead:
    """A public page's own address, and the same page in each market and language as (`fr-FR`, address)."""

    canonical: str
    alternates: Sequence[tuple[str, str]]
    default: str


def head_of(public_url: str, markets: Markets) -> PublicHead | None:
    """Return the head of the page asked for, None where it is not for search engines."""
    kept = PUBLIC.get(request.endpoint or "")
    if kept is None or (request.endpoint == "browse.browse" and SEARCHED & set(request.args)):
        return None
    path = "/" if request.endpoint == "home.home" else request.path
    query = {name: request.args[name] for name in sorted(kept) if request.args.get(name)}
    places = [(market, language) for market in markets.names() for language in markets.facts(market).spoken]
    g.has_head = True
    return PublicHead(
        canonical=public_url + address_of(path, query, door.current().market(), door.visitor().language),
        alternates=[
            (f"{language}-{market.upper()}", public_url + address_of(path, query, market, language))
            for market, language in places
        ],
        default=public_url + forms.with_query(path, **query),
    )


def address_of(path: str, query: Mapping[str, str], market: str, language: str) -> str:
    """Return the address of a page in one market and language."""
    return forms.with_query(path, **query, market=market, lang=language)


def keep_out(response: Response) -> Response:
    """Tell search engines to leave this answer alone, unless it is a public page or a picture of one."""
    is_public = g.get("has_head") or request.endpoint in PICTURES or request.endpoint in ("sitemaps.robots", "sitemaps.index")
    if not is_public or response.status_code != 200:
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def product(item: Sku, rungs: Sequence[Rung], public_url: str) -> dict[str, Any]:
    """Return what a device's page offers, for machines: schema.org's Product with the winning offer of each grade.

    Prices are all-in where the market's are; a device nobody offers has no offers.
    """
    visitor, market = door.visitor(), door.current().market()
    page = public_url + f"/sku/{item['sku']}"
    offers = [
        {
            "@type": "Offer",
            "url": forms.with_query(page, grade=rung.grade["code"], market=market, lang=visitor.language),
            "name": languages.text_of(rung.grade["name"], visitor.language),
            "price": decimal(rung.offer.all_in_cents, visitor.currency),
            "priceCurrency": visitor.currency,
            "availability": "https://schema.org/InStock",
            "itemCondition": ITEM_CONDITION,
            "seller": {"@type": "Organization", "name": rung.offer.seller["name"]},
        }
        for rung in rungs
        if rung.offer is not None
    ]
    prices = [rung.offer.all_in_cents for rung in rungs if rung.offer is not None]
    facts: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": " ".join(filter(None, (skus.title(item), languages.storage(item["storage_gb"], visitor.language)))),
        "sku": item["sku"],
        "brand": {"@type": "Brand", "name": item["brand"]},
        "category": languages.text_of(item["category"]["name"], visitor.language),
        "image": public_url + drawing_url(item),
        "itemCondition": ITEM_CONDITION,
    }
    if item["color"]:
        facts["color"] = languages.text_of(item["color"]["name"], visitor.language)
    if offers:
        facts["offers"] = {
            "@type": "AggregateOffer",
            "lowPrice": decimal(min(prices), visitor.currency),
            "highPrice": decimal(max(prices), visitor.currency),
            "priceCurrency": visitor.currency,
            "offerCount": len(offers),
            "availability": "https://schema.org/InStock",
            "itemCondition": ITEM_CONDITION,
            "offers": offers,
        }
    return facts
