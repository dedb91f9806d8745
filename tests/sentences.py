"""Sentences that sum up months, read back from a page or paper as the amounts they promise."""

from __future__ import annotations

import html
import re

AMOUNT = r"([\d.,  ]*\d[\d.,  ]*)"
FRENCH = re.compile(rf"{AMOUNT}€(?: par mois|/mois| chaque mois,)? pendant (\d+) mois((?:, puis {AMOUNT}€ pendant \d+ mois)*)")
ENGLISH = re.compile(rf"€{AMOUNT}(?: per month| a month| every month,)? for (\d+) months?((?:, then €{AMOUNT} for \d+ months?)*)")
LATER = {"fr": re.compile(rf"{AMOUNT}€ pendant (\d+) mois"), "en": re.compile(rf"€{AMOUNT} for (\d+) month")}


def plain(page: str) -> str:
    """Return the text of a page as a person reads it, on one line."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    return re.sub(r"[\s\u00a0\u202f]+", " ", text)


def months_in(text: str, language: str) -> list[list[int]]:
    """Return what each sentence promises, month by month in cents."""
    found = []
    for match in (FRENCH if language == "fr" else ENGLISH).finditer(text):
        months = [cents(match[1])] * int(match[2])
        for later in LATER[language].finditer(match[3]):
            months += [cents(later[1])] * int(later[2])
        found.append(months)
    return found


def cents(text: str) -> int:
    """Return an amount of euros in cents, however it is grouped."""
    return int(re.sub(r"\D", "", text))
