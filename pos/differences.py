"""What tells compared devices apart, measured: which of them is best by a figure that all of them have, and by how much.

Invariant: nothing is said of a figure that one of them lacks, nor where the best is shared, and the order in which devices stand
changes nothing. Water resistance is no figure here: a device that was opened does not keep its model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Figures = Mapping[str, Sequence[int | None]]
"""By name of a figure, its value for each device in their order; None where it is not known."""

IS_MORE_BETTER = {
    "price_cents": False,
    "due_today_cents": False,
    "monthly_cents": False,
    "total_cents": False,
    "updates_until": True,
    "storage_gb": True,
    "weight_g": False,
    "warranty_months": True,
    "delivery_days": False,
    "battery_pct": True,
    "year": True,
    "ram_gb": True,
    "battery_mah": True,
    "refresh_hz": True,
    "runtime_h": True,
    "runtime_min": True,
    "charge_min": False,
    "repair_tenths": True,
    "spare_parts_until": True,
}
"""The figures of which everybody wants more, or less. Of others, such as the size of a screen, each has their own idea."""

IN_VERDICT = ("price_cents", "updates_until", "total_cents", "storage_gb", "weight_g", "warranty_months", "delivery_days")
"""What a verdict speaks of, the weightiest first."""
MOST_SAID = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Advantage:
    """The device best by a figure and the next one (places from 0), their values, and between them the `gap`, above 0."""

    figure: str
    best: int
    next: int
    best_value: int
    next_value: int

    @property
    def gap(self) -> int:
        """How much lies between the two."""
        return abs(self.best_value - self.next_value)


def best_places(figure: str, values: Sequence[int | None]) -> frozenset[int]:
    """Return the places of the best values of a figure; none where one is unknown, all are equal, or more is not better."""
    known = [value for value in values if value is not None]
    if figure not in IS_MORE_BETTER or len(known) < len(values) or len(set(known)) < 2:
        return frozenset()
    best = max(known) if IS_MORE_BETTER[figure] else min(known)
    return frozenset(place for place, value in enumerate(known) if value == best)


def difference(figure: str, values: Sequence[int | None]) -> Advantage | None:
    """Return what a figure tells apart; None where no single device is the best by it."""
    places = best_places(figure, values)
    if len(places) != 1:
        return None
    (best,) = places
    turn = -1 if IS_MORE_BETTER[figure] else 1
    others = [(turn * value, place, value) for place, value in enumerate(values) if value is not None and place != best]
    _, place, value = min(others)
    best_value = values[best]
    assert best_value is not None  # noqa: S101 -- `best_places` names none where one is unknown
    return Advantage(figure=figure, best=best, next=place, best_value=best_value, next_value=value)


def verdict(figures: Figures) -> list[Advantage]:
    """Return the differences worth a sentence, the weightiest first.

    The total with a plan is left out where it only repeats what the prices say.
    """
    told = [each for name in IN_VERDICT if name in figures and (each := difference(name, figures[name]))]
    by_name = {each.figure: each for each in told}
    price, total = by_name.get("price_cents"), by_name.get("total_cents")
    if price and total and (price.best, price.gap) == (total.best, total.gap):
        told.remove(total)
    return told[:MOST_SAID]
