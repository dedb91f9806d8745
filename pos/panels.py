"""The screens a corner can have, by the name its document gives them: what a pixel of each is in millimetres.

The pages read the same figures in `templates/static/panels.css`; a test holds the two together.
Source: reference/kiosk_rules.csv, K1 and K7.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Literal, get_args

PanelName = Literal["32", "27", "21.5", "15.6", "10.1"]
TARGET_MM, MAIN_TARGET_MM = 15, 20
"""What a finger needs, and what it needs for the main actions (K1)."""
CAPITAL_MM = 6.1
"""How high a capital stands in the large text: 0.7 degrees seen from 50 cm (EN 301 549, 5.1.4)."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A screen: its diagonal in inches, and its pixels as it hangs or stands."""

    inches: float
    width_px: int
    height_px: int

    @property
    def px_per_mm(self) -> float:
        """Return how many pixels make a millimetre."""
        return hypot(self.width_px, self.height_px) / (self.inches * 25.4)


PANELS: dict[PanelName, Panel] = {
    "32": Panel(32, 1080, 1920),
    "27": Panel(27, 1080, 1920),
    "21.5": Panel(21.5, 1080, 1920),
    "15.6": Panel(15.6, 1920, 1080),
    "10.1": Panel(10.1, 1280, 800),
}


def known_panel(name: str | None) -> PanelName | None:
    """Return the panel of this name; None for one that a newer HQ knows, whose pages are sized as without one."""
    return next((each for each in get_args(PanelName) if each == name), None)
