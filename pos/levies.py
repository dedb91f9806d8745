"""The private copy levy contained in a price: information owed to the buyer, never added to a total."""

from __future__ import annotations

from typing import Literal

from pos.laws import LevyLaw

FULL_BP = 10_000


def copy_levy_cents(
    category_levy: Literal["phone", "tablet"] | None, storage_gb: int | None, *, law_body: LevyLaw | None
) -> int | None:
    """Return the levy on a refurbished device, in cents, VAT included; None where there is none to tell.

    `law_body` is that of the `copy_levy` law in force, None where the market has none: bands of nominal capacity, upper bound
    included, in cents before VAT. Source: L311-1 and L311-4 CPI, decision 23 of 2023-01-12, reference/domain.md §4.
    """
    if category_levy is None or storage_gb is None or law_body is None:
        return None
    bands = [(most_gb, cents) for most_gb, cents in law_body["bands"].get(category_levy, []) if _reaches(most_gb, storage_gb)]
    if not bands:
        return None
    _, before_vat = min(bands, key=lambda band: (band[0] is None, band[0] or 0))
    # Half a cent goes up, as VAT is rounded.
    return int((before_vat * (FULL_BP + law_body["vat_bp"]) + FULL_BP // 2) // FULL_BP)


def _reaches(most_gb: int | None, storage_gb: int) -> bool:
    return most_gb is None or storage_gb <= most_gb
