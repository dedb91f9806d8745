"""How much may leave the offer at once: beyond it a feed that broke off, or a mistake, is more likely than a wish."""

from __future__ import annotations

SHARE = 5
"""A fifth: in a day sellers sell out of, or stop, a few of a hundred offers; files that break off lose most of theirs."""
LEAST = 5
"""Fewer than five that go are a day's work, in the smallest market too."""


def is_too_much(*, gone: int, before: int) -> bool:
    """Tell whether so many of what was on sale go at once that it may be a mistake."""
    return gone >= LEAST and gone * SHARE > before
