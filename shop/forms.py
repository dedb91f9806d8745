"""Numbers and addresses as forms and queries bring them: read strictly, and never a way to another site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pos.errors import Invalid

WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)


def local_path(text: str | None) -> str:
    """Return `text` if it is a path on this site, else the home page: nobody is sent elsewhere."""
    if text and text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable():
        return text
    return "/home"


def number_in(values: Mapping[str, str], name: str) -> int | None:
    """Return the whole number called `name`, or None when it is absent or empty. Raises: Invalid."""
    text = values.get(name, "").strip()
    return whole(text, name) if text else None


def whole(text: str, name: str) -> int:
    """Return the whole number that `text`, given as `name`, stands for; SQLite holds fifteen digits. Raises: Invalid."""
    if not WHOLE.fullmatch(text):
        raise Invalid(f"{name} is not a whole number", field=name)
    return int(text)


def with_query(path: str, /, **parameters: Any) -> str:
    """Return `path` with the parameters that have a value; lists are repeated."""
    wanted = [(name, value) for name, value in parameters.items() if value not in (None, "", [], ())]
    return f"{path}?{urlencode(wanted, doseq=True)}" if wanted else path
