"""What the forms that order carry beside the contact."""

from __future__ import annotations

import re
from collections.abc import Mapping

SMALL = re.compile(r"[0-9]{1,12}", re.ASCII)


def seen_cents(form: Mapping[str, str], name: str = "seen_cents") -> int | None:
    """Return the total that the customer saw, None where the form names none."""
    text = form.get(name, "")
    return int(text) if SMALL.fullmatch(text) else None
