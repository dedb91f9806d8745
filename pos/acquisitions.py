"""How the number of a plan comes: asked where a line is chosen, and again where it is ordered (DESIGN §6).

Invariant: nothing is inferred. Where several ways are open and nobody was asked, the answer is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from pos.bodies import Acquisition

ACQUISITIONS: tuple[Acquisition, ...] = get_args(Acquisition)
"""Every way, the usual one first."""


def read_acquisition(text: str | None) -> Acquisition | None:
    """Return the way that a form or an address names; None where it names none that we know."""
    return next((known for known in ACQUISITIONS if known == text), None)


def left_open(said: Mapping[int, str | None], *, is_asked: bool) -> list[int]:
    """Return the lines whose answer is missing: none of the known ways was said, though something was, or `is_asked` of all."""
    return [line_no for line_no, text in said.items() if read_acquisition(text) is None and (text or is_asked)]


def answers(said: Mapping[int, str | None], offered: Mapping[int, Sequence[Acquisition]]) -> dict[int, Acquisition | None]:
    """Return each line's way: what was said, else the only one its plan offers, else None."""
    return {line_no: read_acquisition(said.get(line_no)) or _only(ways) for line_no, ways in offered.items()}


def _only(ways: Sequence[Acquisition]) -> Acquisition | None:
    return ways[0] if len(ways) == 1 else None
