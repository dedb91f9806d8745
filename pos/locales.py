"""How each language writes figures, days and hours: the few facts of the Unicode CLDR that pages and paper need.

Babel, which holds all of CLDR, takes a quarter of a kiosk's disk for five languages of a thousand; a test holds our facts to it.
Arabic is that of everybody (`ar`) with the figures of the Maghreb and of Europe, which stand on our keyboards and price tags, and
with a capacity in GB, as on the box.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time

ISOLATED, ISOLATE_END = "\u2066", "\u2069"
"""Unicode bidirectional isolates (UAX #9): an amount among right-to-left words reads as it does on any price tag."""


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
    hour: str = "{hour:02}:{minute:02}"
    """With `{hour}` or, of a clock of twelve, `{twelfth}` and `{half}`, and `{minute}`."""
    halves: tuple[str, str] = ("", "")
    """What an hour before and after noon is called, where the clock has twelve."""
    gigabytes: str = "GB"
    terabytes: str = "TB"
    is_right_to_left: bool = False
    comma: str = ", "
    """What stands between things named one after the other."""
    has_noun_capitals: bool = False
    """Whether nouns keep their capital within a sentence."""
    is_printed: bool = True
    """Whether the paper of a corner has its letters; if not, the slip is in another language of the corner."""

    def figures(self, value: int, places: int) -> str:
        """Return a whole number of units of ten to the minus `places`, grouped: 1234567 with 2 places as `12,345.67`."""
        whole, part = divmod(abs(value), 10**places)
        grouped = f"{whole:,}".replace(",", self.group)
        fraction = f"{self.decimal}{part:0{places}}" if places else ""
        return f"{'-' if value < 0 else ''}{grouped}{fraction}"

    def inside(self, text: str) -> str:
        """Return a label or name as it is written within a line: without capitals but of `GPS` and of nouns that have them."""
        return text if self.has_noun_capitals else " ".join(word if word.isupper() else word.lower() for word in text.split(" "))

    def isolated(self, text: str) -> str:
        """Return figures with their unit as they are read anywhere, among words of a language read from right to left."""
        return f"{ISOLATED}{text}{ISOLATE_END}" if self.is_right_to_left else text

    def date(self, day: date) -> str:
        """Return a day in words."""
        return self.day.format(day=day.day, month=self.months[day.month - 1], year=day.year)

    def time(self, moment: time) -> str:
        """Return a minute of the day."""
        half, twelfth = self.halves[moment.hour >= 12], (moment.hour - 1) % 12 + 1
        return self.hour.format(hour=moment.hour, twelfth=twelfth, minute=moment.minute, half=half)

    def money(self, value: int, places: int, currency: str) -> str:
        """Return an amount in units of ten to the minus `places` with the sign or code of its currency."""
        sign, figures = self.signs.get(currency, currency), self.figures(value, places)
        if self.is_right_to_left:
            return self.isolated(f"{figures}\u00a0{sign}")
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
        gigabytes="Go",
        terabytes="To",
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
        hour="{twelfth}:{minute:02}\u202f{half}",
        halves=("AM", "PM"),
    ),
    "es": Locale(
        decimal=",",
        group=".",
        is_sign_first=False,
        signs={"EUR": "€", "USD": "US$"},
        months=(
            "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto",
            "septiembre", "octubre", "noviembre", "diciembre",
        ),
        day="{day} de {month} de {year}",
        hour="{hour}:{minute:02}",
    ),
    "de": Locale(
        decimal=",",
        group=".",
        is_sign_first=False,
        signs={
            "EUR": "€", "USD": "$", "GBP": "£", "CAD": "CA$", "JPY": "¥", "AUD": "AU$", "NZD": "NZ$", "KRW": "₩", "HKD": "HK$",
            "TWD": "NT$", "INR": "₹", "ILS": "₪", "MXN": "MX$", "BRL": "R$",
        },
        months=(
            "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August",
            "September", "Oktober", "November", "Dezember",
        ),
        day="{day}. {month} {year}",
        has_noun_capitals=True,
    ),
    "ar": Locale(
        decimal=".",
        group=",",
        is_sign_first=False,
        signs={
            "EUR": "€", "USD": "US$", "GBP": "UK£", "CAD": "CA$", "JPY": "JP¥", "AUD": "AU$", "NZD": "NZ$", "KRW": "₩",
            "HKD": "HK$", "TWD": "NT$", "INR": "₹", "ILS": "₪", "AED": "د.إ.", "SAR": "ر.س.", "KWD": "د.ك.",
            "MXN": "MX$", "BRL": "R$", "MAD": "د.م.", "TND": "د.ت.",
        },
        months=(
            "يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس",
            "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر",
        ),
        day="{day} {month} {year}",
        hour="{twelfth}:{minute:02} {half}",
        halves=("ص", "م"),
        comma="، ",
        is_right_to_left=True,
        is_printed=False,
    ),
}  # fmt: skip
