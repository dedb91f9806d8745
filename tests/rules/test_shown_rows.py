"""What pages read of a published table are the rows that can be shown: its view, never the table itself."""

from __future__ import annotations

import re
from pathlib import Path

from pos.left_out import KEYS

ROOT = Path(__file__).parents[2]
OWNERS = {"catalog.py", "left_out.py"}
ASIDE = {("pos/offers.py", "join listing")}
"""Which (SKU, grade) a changed listing stands for is asked of all that are held, or the offer it lost would stay."""


def test_pages_read_views_of_the_published_tables() -> None:
    raw = re.compile(rf"\b(?:from|join) (?:{'|'.join(KEYS)})\b")
    sources = [path for part in ("pos", "shop", "kiosk") for path in (ROOT / part).glob("*.py") if path.name not in OWNERS]
    found = {(str(path.relative_to(ROOT)), read) for path in sources for read in raw.findall(path.read_text("utf-8"))}
    assert len(sources) > 40
    assert found == ASIDE
