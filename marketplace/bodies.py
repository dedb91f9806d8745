"""The bodies of HQ's own rows, for pages and prices: what an earlier version let in and no page could show is none."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pos.rows import wrong_in
from pos.shapes import Shape


@lru_cache(maxsize=4096)
def fit_body(shape: type[Shape], text: str) -> dict[str, Any] | None:
    """Return the body of a row, or None where it is not of this shape; shared by everybody who asks: nobody changes it."""
    try:
        body: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return None if next(wrong_in(shape, body), None) else body
