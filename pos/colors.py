"""Plain colours: what a maker's shade is looked for under, by its name and, where that says none, by its hue."""

from __future__ import annotations

import colorsys
import re
from typing import Any

from pos.spellings import words_of

COLORS = {
    "black": "black noir noire obsidian",
    "grey": "grey gray gris grise graphite charcoal anthracite titanium titane",
    "silver": "silver argent platinum",
    "white": "white blanc blanche snow porcelain",
    "blue": "blue bleu bleue navy",
    "turquoise": "turquoise teal",
    "green": "green vert verte mint menthe sage olive",
    "red": "red rouge burgundy bordeaux",
    "pink": "pink rose coral corail fuchsia",
    "purple": "purple violet violette mauve lilac lilas lavender lavande",
    "yellow": "yellow jaune lemon",
    "gold": "gold or dore doree",
    "orange": "orange peach",
    "brown": "brown marron bronze copper cuivre",
    "beige": "beige cream creme champagne starlight",
}
"""The plain colours lists are narrowed by, and the words that name them in a shade's name."""
FAMILIES = {word: family for family, words in COLORS.items() for word in words.split()}
HEX = re.compile(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})", re.ASCII)
DARK, MIDDLE, BRIGHT, GREY, MUTED, VIVID = 0.24, 0.5, 0.78, 0.1, 0.22, 0.6
"""Where lightness and colourfulness part black, grey, white, beige and brown from the rest."""
BEIGE, BROWN = (20, 75), (10, 45)
HUES = ((12, "red"), (42, "orange"), (70, "yellow"), (170, "green"), (255, "blue"), (300, "purple"), (345, "pink"), (361, "red"))
"""Up to which degree of the colour wheel each plain colour goes."""


def color_family(color: dict[str, Any]) -> str | None:
    """Return the plain colour of a shade: the last colour that its names name, else that of its hue; None where neither is known.

    "Midnight Green" is green whatever its hue.
    """
    names = color.get("name")
    for name in names.values() if isinstance(names, dict) else ():
        families = [FAMILIES[word] for word in words_of(str(name)) if word in FAMILIES]
        if families:
            return families[-1]
    return _family_of_hue(color.get("hex"))


def _family_of_hue(hex_code: object) -> str | None:
    if not isinstance(hex_code, str) or not (found := HEX.fullmatch(hex_code)):
        return None
    text = found[1] if len(found[1]) == 6 else "".join(sign * 2 for sign in found[1])
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (0, 2, 4))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    chroma = max(red, green, blue) - min(red, green, blue)
    if lightness < DARK and chroma < MUTED:
        return "black"
    if chroma < GREY:
        return "white" if lightness > BRIGHT else "grey"
    if lightness > BRIGHT and chroma < MUTED and BEIGE[0] <= hue * 360 < BEIGE[1]:
        return "beige"
    if BROWN[0] <= hue * 360 < BROWN[1] and lightness < MIDDLE and saturation < VIVID:
        return "brown"
    return next(name for end, name in HUES if hue * 360 < end)
