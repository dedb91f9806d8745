"""The bodies of published rows, each text read once: a market has few plans, grades and sellers, and every page asks for them.

Invariant: the text itself is the key, so a row that changes is read anew.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1024)
def read_body(text: str) -> dict[str, Any]:
    """Return the JSON object `text`, shared by everybody who reads the same text: nobody changes it.

    For rows that are few. The bodies of SKUs are many and large, and would only push these out.
    """
    found: dict[str, Any] = json.loads(text)
    return found
