"""Where a listing stands among those for the same device and grade: who wins as it is published, and what would win."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlite_utils import Database

from marketplace.db import row
from marketplace.sellers.listings import OwnListing
from marketplace.web import markets
from pos.offers import Offer, price_to_win_cents, winning_offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Where a listing stands: `winner` is the offer on sale now, None where nobody has one; cents.

    `to_win_cents` is the highest price that would win, None where this listing wins or no price would.
    """

    winner: Offer | None
    is_won: bool
    to_win_cents: int | None
    quality_bp: int


def contests(connection: Connection, owns: Collection[OwnListing]) -> list[Contest]:
    """Return where listings of one seller stand in the published catalogues, by the code that chooses every offer."""
    seller_id = next((own.supply.seller_id for own in owns), 0)
    seller = row(connection, "select quality_bp from seller where seller_id = :seller_id", seller_id=seller_id)
    published = {own.supply.market for own in owns} & {*markets().names()}
    catalogues = {market: markets().store(market).read() for market in published}
    return [_contest(catalogues.get(own.supply.market), own, seller["quality_bp"] if seller else 0) for own in owns]


def _contest(catalogue: Database | None, own: OwnListing, quality_bp: int) -> Contest:
    supply = own.supply
    winner = winning_offer(catalogue, supply.sku_id, supply.grade_id) if catalogue is not None else None
    is_won = winner is not None and winner.listing_id == supply.listing_id
    to_win = 0
    if winner is not None and not is_won:
        to_win = price_to_win_cents(
            winner,
            quality_bp=quality_bp,
            shipping_cents=supply.shipping_cents,
            delivery_days=supply.delivery_days,
            seller_id=supply.seller_id,
            listing_id=supply.listing_id,
        )
    return Contest(winner=winner, is_won=is_won, to_win_cents=to_win if to_win > 0 else None, quality_bp=quality_bp)
