"""The ways one screen can be looked at, as data, and which of them a run tries.

`make test` gives each screen one look, so that every value is seen somewhere; `make check` three, so that every two values are
seen together, but what lies behind an order, and what sellers and HQ work on, one in both themes; `make sweep` all there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations, product

import templates
from pos.languages import offered
from pos.panels import PANELS, PanelName
from tests.amounts import IS_SWEEP, amount


@dataclass(frozen=True, slots=True)
class Size:
    """A window in CSS pixels, and the panel a kiosk's page is told there."""

    width: int
    height: int
    panel: PanelName | None = None


def on_panel(name: PanelName) -> Size:
    return Size(PANELS[name].width_px, PANELS[name].height_px, name)


SIZES = {
    "kiosk": on_panel("27"),
    "tablet": on_panel("10.1"),
    "phone": Size(390, 844),
    "desktop": Size(1440, 900),
    "21.5 inches": on_panel("21.5"),
    "32 inches": on_panel("32"),
    "15.6 inches": on_panel("15.6"),
}
LOOKED_AT = ("kiosk", "tablet", "phone", "desktop")
"""The sizes of a look; on the other panels a page is measured only."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a visitor chose, or their device for them: a browser asks for `more` contrast, a kiosk is told to have it `high`."""

    language: str = "fr"
    size: str = "kiosk"
    theme: str = "light"
    contrast: str = "normal"
    text: str = "normal"
    reach: str = "normal"

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.values.items() if value != "normal")

    @property
    def values(self) -> dict[str, str]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def view(self) -> str:
        """The wishes as a kiosk keeps them."""
        wishes = {"contrast": self.contrast == "high", "reach": self.reach == "low", "text": self.text == "large"}
        return ".".join(name for name, is_wished in wishes.items() if is_wished)


Values = Mapping[str, Sequence[str]]
AT_THE_KIOSK: Values = {
    "size": LOOKED_AT,
    "theme": ("light", "dark"),
    "contrast": ("normal", "high"),
    "text": ("normal", "large"),
    "reach": ("normal", "low"),
}
AT_HOME: Values = {"size": LOOKED_AT, "theme": ("light", "dark"), "contrast": ("normal", "more")}
OTHER = {"light": "dark", "dark": "light"}
Choose = Callable[[Sequence[str], Sequence[Look]], list[tuple[str, Look]]]
OWN_VALUES = 10
"""How much more it is worth to bring a screen a value it has not had than to bring two values together."""
LOOKS, THEMES = amount("looks at each screen"), amount("themes of each page behind an order")


def offered_looks(part: str, values: Values, *, to_staff: bool = False) -> list[Look]:
    """Return every look at the door of `part`, in the languages it is offered in. Low reach is a wish of tall screens alone."""
    every = {"language": offered(part, templates.PATH, to_staff=to_staff), **values}
    looks = [Look(**dict(zip(every, chosen, strict=True))) for chosen in product(*every.values())]
    return [look for look in looks if look.reach == "normal" or look.size == "kiosk"]


def asked(screens: Sequence[str], looks: Sequence[Look], choose: Choose) -> list[tuple[str, list[Look]]]:
    """Return what this run looks at: a screen and its looks, those together that one loading of the page can show."""
    every = [(name, look) for name in screens for look in looks] if IS_SWEEP else choose(screens, looks)
    loadings: dict[tuple[str, str, str], list[Look]] = {}
    for name, look in every:
        loadings.setdefault((name, look.language, look.reach), []).append(look)
    return [(name, together) for (name, *_), together in loadings.items()]


def in_some_looks(screens: Sequence[str], looks: Sequence[Look]) -> list[tuple[str, Look]]:
    return covering(screens, looks, LOOKS)


def in_some_themes(screens: Sequence[str], looks: Sequence[Look]) -> list[tuple[str, Look]]:
    """Return one look for each screen, and the same in another theme where both are seen: one loading shows them."""
    once = covering(screens, looks, 1)
    return once + [(name, replace(look, theme=OTHER[look.theme])) for name, look in once if THEMES > 1]


def covering(screens: Sequence[str], looks: Sequence[Look], rounds: int) -> list[tuple[str, Look]]:
    """Return so many looks for each screen, one of each first, that have values it has not had and bring new ones together."""
    brought = [(look, set(combinations(look.values.items(), 2)), set(look.values.items())) for look in looks]
    together = set().union(*(pairs for _, pairs, _ in brought))
    waiting = {name: set().union(*(own for _, _, own in brought)) for name in screens}
    chosen = []
    for _, name in product(range(rounds), screens):
        missing = waiting[name]
        look, pairs, own = max(brought, key=lambda each: len(each[1] & together) + OWN_VALUES * len(each[2] & missing))
        chosen.append((name, look))
        together -= pairs
        missing -= own
    return chosen
