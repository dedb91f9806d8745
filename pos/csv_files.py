"""Tables as CSV files that spreadsheets of our markets open as they are: no cell of a text becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula at the beginning of a cell (OWASP, CSV injection)."""


def csv_text(table: Sequence[Sequence[str]]) -> str:
    """Return rows as a file: `;`, CRLF (RFC 4180)."""
    target = io.StringIO()
    csv.writer(target, delimiter=";", lineterminator="\r\n").writerows(table)
    return target.getvalue()


def plain(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
