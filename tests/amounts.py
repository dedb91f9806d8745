"""How much a run tries of what could be tried without end: `make check` the full amounts, `make test` a share, and it says which.

`COMPTOIR_FULL=1` asks for the full amounts, `COMPTOIR_SWEEP=1` (`make sweep`) for every look of every screen.
"""

from __future__ import annotations

import os

IS_FULL = os.environ.get("COMPTOIR_FULL") == "1"
IS_SWEEP = os.environ.get("COMPTOIR_SWEEP") == "1"
AMOUNTS = {
    "histories of the simulator": (300, 2_000),
    "histories of offers": (6, 80),
    "histories of the trade": (12, 300),
    "planted bugs": (2, 42),
    "looks at each screen": (1, 3),
    "themes of each page behind an order": (1, 2),
    "panels a page is measured on": (2, 5),
    "parts of the changes to a feed's fields": (1, 19),
    "rounds of 250 odd requests to each app": (1, 12),
    "odd requests to each server's socket": (60, 400),
    "kiosks killed in mid-print": (15, 1_000),
    "steps at which an update is killed": (10, 40),
    "bare machines followed by the page": (0, 1),
}
"""The share and the full amount of each."""


def amount(what: str) -> int:
    """Return how many of these this run tries."""
    share, full = AMOUNTS[what]
    return full if IS_FULL else share


def left_out() -> list[str]:
    """Return what this run leaves out, in words; nothing of a full one."""
    return [] if IS_FULL else [f"{full - share:,} of {full:,} {what}" for what, (share, full) in AMOUNTS.items()]
