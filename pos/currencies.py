"""The currencies a market may have, and how many decimals each has (ISO 4217): amounts everywhere are in its minor unit.

A token names a currency by its place here, so the order never changes and a thirty-third has no place (docs/protocol.md §11).
"""

from __future__ import annotations

DECIMALS: dict[str, int] = {
    "EUR": 2, "USD": 2, "GBP": 2, "SEK": 2, "PLN": 2, "CHF": 2, "CAD": 2, "JPY": 0,
    "DKK": 2, "NOK": 2, "CZK": 2, "HUF": 2, "RON": 2, "ISK": 0, "AUD": 2, "NZD": 2,
    "KRW": 0, "SGD": 2, "HKD": 2, "TWD": 2, "INR": 2, "ILS": 2, "TRY": 2, "AED": 2,
    "SAR": 2, "KWD": 3, "ZAR": 2, "MXN": 2, "BRL": 2, "CLP": 0, "MAD": 2, "TND": 3,
}  # fmt: skip

MOST_CENTS = 999_999_999
"""The highest price or fee there can be, in any currency."""


def places(currency: str) -> int:
    """Return how many decimals a currency has (ISO 4217): 2 where it is none of ours, as an earlier catalogue may have."""
    return DECIMALS.get(currency, 2)


def decimal(cents: int, currency: str) -> str:
    """Return an amount as feeds write it: `369.00`, or `36900` in yen."""
    width = places(currency)
    whole, part = divmod(cents, 10**width)
    return f"{whole}.{part:0{width}}" if width else str(whole)
