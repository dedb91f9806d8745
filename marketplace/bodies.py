"""The bodies of HQ's own rows: the one form they are stored in, and those that pages and prices can be made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pos.rows import wrong_in
from pos.shapes import Shape


def compact(body: Mapping[str, Any]) -> str:
    """Return the one JSON form in which a body is stored and published."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@lru_cache(maxsize=4096)
def fit_body(shape: type[Shape], text: str) -> Any:
    """Return the body of a row, or None where an earlier version let in what is not of this shape.

    It is shared by all callers: nobody changes it.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return None if next(wrong_in(shape, body), None) else body
