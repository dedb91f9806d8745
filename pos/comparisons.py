"""What a customer compared, where their slip is to say so: kept with the selection, measured when the slip is made.

Invariant: nothing is said of what one of two devices lacks. The other's price is of the same grade where it is offered in
it, else its lowest, and its grade is told.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlite_utils import Database

from pos import offers, skus
from pos.errors import NotFound
from pos.line_facts import ComparedFacts, ListingFacts
from pos.offers import Rung

FIGURES = ("updates_until", "storage_gb", "weight_g")


def keep_comparison(ops: Database, selection_id: str, codes: Sequence[str]) -> None:
    """Remember which SKUs were compared, in place of any before; runs inside the caller's `write`."""
    row = {"selection_id": selection_id, "codes": json.dumps(list(codes))}
    ops.execute("insert or replace into selection_comparison (selection_id, codes) values (:selection_id, :codes)", row)


def drop_comparison(ops: Database, selection_id: str) -> None:
    """Forget what was compared; runs inside the caller's `write`."""
    ops.execute("delete from selection_comparison where selection_id = ?", [selection_id])


def kept_comparison(ops: Database, selection_id: str) -> tuple[str, ...]:
    """Return the codes of the SKUs that the slip of a selection is to tell of, none where nobody asked for it."""
    row = ops.execute("select codes from selection_comparison where selection_id = ?", [selection_id]).fetchone()
    return tuple(json.loads(row[0])) if row else ()


def compared_facts(catalog: Database, listing: ListingFacts, codes: Sequence[str]) -> list[ComparedFacts]:
    """Return what a device was compared with and how they differ today; nothing where it was not compared itself."""
    if listing["sku"] not in codes:
        return []
    own = skus.sku_by_id(catalog, listing["sku_id"])
    told: list[ComparedFacts] = []
    for code in codes:
        try:
            other = skus.sku(catalog, code)
        except NotFound:
            continue
        if other["sku_id"] != own["sku_id"]:
            rung = _rung_beside(catalog, other["sku_id"], listing["grade"]["grade_id"])
            price = rung.offer.all_in_cents if rung and rung.offer else None
            pairs: dict[str, tuple[object, object]] = {"price_cents": (listing["all_in_cents"], price)}
            pairs |= {name: (own.get(name), other.get(name)) for name in FIGURES if own.get(name) != other.get(name)}
            figures = {name: [a, b] for name, (a, b) in pairs.items() if isinstance(a, int) and isinstance(b, int)}
            told.append(
                {
                    "sku": code,
                    "title": skus.title(other),
                    "storage_gb": other["storage_gb"],
                    "grade": rung.grade["name"] if rung else None,
                    "figures": figures,
                }
            )
    return told


def _rung_beside(catalog: Database, sku_id: int, grade_id: int) -> Rung | None:
    rungs = [rung for rung in offers.ladder(catalog, sku_id) if rung.offer]
    return next((rung for rung in rungs if rung.grade["grade_id"] == grade_id), offers.least_dear(rungs))
