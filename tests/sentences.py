"""Sentences that sum up months, read back from a page or paper as the amounts they promise."""

from __future__ import annotations

import html
import re

AMOUNT = r"([\d.,  ]*\d[\d.,  ]*)"
COUNTED = {"شهر واحد": 1, "شهرين": 2}
"""Arabic counts one and two without a figure."""
FORMS = {
    "fr": (f"{AMOUNT}€", r"(?: par mois|/mois| chaque mois,)?", r"pendant (\d+) mois", ", puis"),
    "en": (f"€{AMOUNT}", r"(?: per month| a month| every month,)?", r"for (\d+) months?", ", then"),
    "es": (f"{AMOUNT}€", r"(?: al mes|/mes| cada mes,)?", r"durante (\d+) mes(?:es)?", ", después"),
    "de": (f"{AMOUNT}€", r"(?: im Monat| pro Monat|/Monat| jeden Monat,)?", r"(?:für )?(\d+) Monate?n?", ", dann"),
    "ar": (f"\u2066{AMOUNT}€\u2069", r"(?: شهريًا،?)?", rf"لمدة (\d+ أ?شه[^\s،.]+|{'|'.join(COUNTED)})", "، ثم"),
}
"""By language: an amount, what may say that it is due each month, how many months on end, and what begins the next of them."""


def plain(page: str) -> str:
    """Return the text of a page as a person reads it, on one line."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    return re.sub(r"[\s\u00a0\u202f]+", " ", text)


def months_in(text: str, language: str) -> list[list[int]]:
    """Return what each sentence promises, month by month in cents."""
    amount, each, months, then = FORMS[language]
    later = f"{then} {amount} {months}"
    found = []
    for match in re.finditer(f"{amount}{each} {months}((?:{later})*)", text):
        runs = [(match[1], match[2]), *re.findall(later, match[3])]
        found.append([cents(amount) for amount, many in runs for _ in range(COUNTED.get(many) or cents(many))])
    return found


def cents(text: str) -> int:
    """Return an amount of euros in cents, however it is grouped."""
    return int(re.sub(r"\D", "", text))
