"""How each language writes figures, days and hours: the few facts of the Unicode CLDR (fr_FR, en_US) that pages and paper need.

Babel, which holds all of CLDR, takes a quarter of a kiosk's disk for two languages of a thousand; a test holds these facts to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """Signs and orders of one language; a currency without a sign is written by its code."""

    decimal: str
    group: str
    is_sign_first: bool
    signs: Mapping[str, str]
    months: tuple[str, ...]
    day: str
    """With `{day}`, `{month}` and `{year}`."""
    halves: tuple[str, str] | None
    """What follows an hour before and after noon, where the clock has twelve."""

    def figures(self, value: int, places: int) -> str:
        """Return a whole number of units of ten to the minus `places`, grouped: 1234567 with 2 places as `12,345.67`."""
        whole, part = divmod(abs(value), 10**places)
        grouped = f"{whole:,}".replace(",", self.group)
        fraction = f"{self.decimal}{part:0{places}}" if places else ""
        return f"{'-' if value < 0 else ''}{grouped}{fraction}"

    def date(self, day: date) -> str:
        """Return a day in words."""
        return self.day.format(day=day.day, month=self.months[day.month - 1], year=day.year)

    def time(self, moment: time) -> str:
        """Return a minute of the day."""
        if self.halves is None:
            return f"{moment.hour:02}:{moment.minute:02}"
        return f"{(moment.hour - 1) % 12 + 1}:{moment.minute:02}\u202f{self.halves[moment.hour >= 12]}"

    def money(self, value: int, places: int, currency: str) -> str:
        """Return an amount in units of ten to the minus `places` with the sign or code of its currency."""
        sign, figures = self.signs.get(currency, currency), self.figures(value, places)
        if not self.is_sign_first:
            return f"{figures}\u00a0{sign}"
        # A code wants a space before the figures (CLDR currencySpacing).
        space = "\u00a0" if sign.isalpha() else ""
        return f"-{sign}{space}{figures[1:]}" if value < 0 else f"{sign}{space}{figures}"


LOCALES = {
    "fr": Locale(
        decimal=",",
        group="\u202f",
        is_sign_first=False,
        signs={
            "EUR": "€", "USD": "$US", "GBP": "£GB", "CAD": "$CA", "AUD": "$AU", "NZD": "$NZ", "KRW": "₩", "SGD": "$SG",
            "INR": "₹", "ILS": "₪", "MXN": "$MX", "BRL": "R$", "CLP": "$CL",
        },
        months=(
            "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août",
            "septembre", "octobre", "novembre", "décembre",
        ),
        day="{day} {month} {year}",
        halves=None,
    ),
    "en": Locale(
        decimal=".",
        group=",",
        is_sign_first=True,
        signs={
            "EUR": "€", "USD": "$", "GBP": "£", "CAD": "CA$", "JPY": "¥", "AUD": "A$", "NZD": "NZ$", "KRW": "₩", "HKD": "HK$",
            "TWD": "NT$", "INR": "₹", "ILS": "₪", "MXN": "MX$", "BRL": "R$",
        },
        months=(
            "January", "February", "March", "April", "May", "June", "July", "August",
            "September", "October", "November", "December",
        ),
        day="{month} {day}, {year}",
        halves=("AM", "PM"),
    ),
}  # fmt: skip
