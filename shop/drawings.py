"""Own drawings of devices as SVG, filled in with facts: form, colour, number of lenses.

A drawing shows the kind of thing and its colour and nothing more, so that no picture implies the unit that will be shipped.
Each form is a file of `templates/shop/drawings`: 240 × 240, without script or style, in the blue `SPECIMEN` and the tones mixed
from it; where the number of lenses shows, each number is a group `lenses-<n>`. The same facts give the same bytes.
It has no other id: a page shows many, and an id names one thing of a page.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

import templates
from pos.errors import NotFound

FOLDER = templates.PATH / "shop" / "drawings"
SPECIMEN = "#38506b"
NEUTRAL = "4f5d63"
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240">'

NAME = re.compile(r"([a-z]{2,12})-([0-9a-f]{6})-([0-9])", re.ASCII)
_LENSES = re.compile(r'<g id="lenses-(\d)"(?: display="none")?>(.*?)</g>')


def draw(name: str) -> str:
    """Return the SVG called `<form>-<hex>-<lenses>`; an unknown form is drawn as a plain box.

    Raises: NotFound when `name` has another shape.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise NotFound(f"no drawing is called {name!r}")
    return _drawing(match[1], match[2], int(match[3]))


def inline(name: str, size: int) -> str:
    """Return the drawing as an element of a page, `size` CSS pixels wide and high, silent to readers of the screen.

    Raises: NotFound as `draw` does.
    """
    return draw(name).replace(
        HEAD, f'<svg class="drawing" viewBox="0 0 240 240" width="{size}" height="{size}" aria-hidden="true">'
    )


def drawing_name(form: str, color_hex: str | None, lenses: int | None) -> str:
    """Return the name under which `draw` makes the drawing of these facts."""
    color = (color_hex or "").lstrip("#").lower()
    return f"{form}-{color if re.fullmatch('[0-9a-f]{6}', color) else NEUTRAL}-{min(max(lenses or 0, 0), 9)}"


@cache
def specimens() -> dict[str, str]:
    """Return the drawing of each form in the specimen's colour, without line breaks."""
    return {path.stem: "".join(line.strip() for line in path.read_text().splitlines()) for path in FOLDER.glob("*.svg")}


@lru_cache(maxsize=512)
def _drawing(form: str, color: str, lenses: int) -> str:
    specimen = specimens().get(form) or specimens()["box"]
    numbers = _LENSES.findall(specimen)
    shown = min(max(lenses, 1), len(numbers))
    chosen = _LENSES.sub(lambda group: group[2] if int(group[1]) == shown else "", specimen)
    tones = dict(zip(_tones(SPECIMEN), _tones(f"#{color}"), strict=True))
    return re.sub("#[0-9a-f]{6}", lambda found: tones.get(found[0], found[0]), chosen)


def _tones(color: str) -> tuple[str, ...]:
    """Return a colour and what is mixed from it: lighter, darker, deep, edge, pale, mist, all as `#rrggbb`."""
    brightness = sum(int(color[at : at + 2], 16) * weight for at, weight in ((1, 299), (3, 587), (5, 114))) // 1000
    return (
        color,
        _mix(color, "#ffffff", 26),
        _mix(color, "#000000", 18),
        _mix(color, "#0b1512", 46),
        _mix(color, "#ffffff", 34) if brightness < 92 else _mix(color, "#26332d", 30),
        # On a white device the picture on the screen is snow under a sky.
        *(
            (_mix(color, "#cfe3ea", 62), _mix(color, "#8aa6b0", 48))
            if brightness > 214
            else (_mix(color, "#f6f8f4", 86), _mix(color, "#f6f8f4", 58))
        ),
    )


def _mix(color: str, other: str, share: int) -> str:
    """Return `color` with `share` percent of `other`."""
    pairs = ((int(color[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{(one * (100 - share) + two * share) // 100:02x}" for one, two in pairs)
