"""Own drawings of devices as SVG, made from facts: form, colour, number of lenses.

A drawing shows the kind of thing and its colour and nothing more, so that no picture implies the unit that will be shipped.
Every drawing fills a 240 × 240 box, holds no script and no style, and is the same bytes for the same facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pos.errors import NotFound

INK = "#10171a"
GLASS = "#0d1418"
STEEL = "#c9cfcc"
NEUTRAL = "4f5d63"

NAME = re.compile(r"([a-z]{2,12})-([0-9a-f]{6})-([0-9])")


@dataclass(frozen=True, slots=True)
class Tones:
    """One colour and what is mixed from it, all as `#rrggbb`."""

    base: str
    light: str
    dark: str
    deep: str
    edge: str
    pale: str
    mist: str


def draw(name: str) -> str:
    """Return the SVG called `<form>-<hex>-<lenses>`; an unknown form is drawn as a plain box.

    Raises: NotFound when `name` has another shape.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise NotFound(f"no drawing is called {name!r}")
    return _drawing(match[1], match[2], int(match[3]))


def drawing_name(form: str, color_hex: str | None, lenses: int | None) -> str:
    """Return the name under which `draw` makes the drawing of these facts."""
    color = (color_hex or "").lstrip("#").lower()
    return f"{form}-{color if re.fullmatch('[0-9a-f]{6}', color) else NEUTRAL}-{min(max(lenses or 0, 0), 9)}"


@lru_cache(maxsize=512)
def _drawing(form: str, color: str, lenses: int) -> str:
    body = FORMS.get(form, _box)(_tones(f"#{color}"), lenses)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240">{body}</svg>'


def _mix(color: str, other: str, share: int) -> str:
    """Return `color` with `share` percent of `other`."""
    pairs = ((int(color[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{(one * (100 - share) + two * share) // 100:02x}" for one, two in pairs)


def _tones(color: str) -> Tones:
    brightness = sum(int(color[at : at + 2], 16) * weight for at, weight in ((1, 299), (3, 587), (5, 114))) // 1000
    return Tones(
        base=color,
        light=_mix(color, "#ffffff", 26),
        dark=_mix(color, "#000000", 18),
        deep=_mix(color, "#0b1512", 46),
        edge=_mix(color, "#ffffff", 34) if brightness < 92 else _mix(color, "#26332d", 30),
        pale=_mix(color, "#f6f8f4", 86),
        mist=_mix(color, "#f6f8f4", 58),
    )


def _rect(x: float, y: float, width: float, height: float, radius: float, fill: str, more: str = "") -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" fill="{fill}"{more}/>'


def _disc(x: float, y: float, radius: float, fill: str, more: str = "") -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"{more}/>'


def _path(shape: str, fill: str, more: str = "") -> str:
    return f'<path d="{shape}" fill="{fill}"{more}/>'


def _line(shape: str, stroke: str, width: float, more: str = "") -> str:
    return (
        f'<path d="{shape}" fill="none" stroke="{stroke}" stroke-width="{width:g}" '
        f'stroke-linecap="round" stroke-linejoin="round"{more}/>'
    )


def _edged(tones: Tones) -> str:
    return f' stroke="{tones.edge}" stroke-width="2.5"'


def _ground(x: float, half: float, y: float = 224) -> str:
    return f'<ellipse cx="{x:g}" cy="{y:g}" rx="{half:g}" ry="5" fill="#000" opacity=".13"/>'


def _screen(x: float, y: float, width: float, height: float, radius: float, tones: Tones) -> str:
    """A lit screen: a pale sky, a disc and two hills in the device's own colour."""
    low = y + height
    return (
        f'<clipPath id="s"><rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/></clipPath>'
        f'<g clip-path="url(#s)">{_rect(x, y, width, height, 0, tones.pale)}'
        + _disc(x + width * 0.68, y + height * 0.38, min(width, height) * 0.17, "#ffc857")
        + _path(
            f"M{x:g} {low - height * 0.34:g}q{width * 0.3:g} {-height * 0.14:g} {width * 0.58:g} {height * 0.04:g}"
            f"t{width * 0.42:g} {-height * 0.06:g}V{low:g}H{x:g}z",
            tones.mist,
        )
        + _path(
            f"M{x:g} {low - height * 0.14:g}q{width * 0.26:g} {-height * 0.02:g} {width * 0.5:g} {-height * 0.08:g}"
            f"t{width * 0.5:g} {-height * 0.02:g}V{low:g}H{x:g}z",
            tones.base,
        )
        + _path(f"M{x:g} {y:g}h{width * 0.5:g}L{x + width * 0.16:g} {low:g}H{x:g}z", "#ffffff", ' opacity=".2"')
        + "</g>"
    )


def _lens(x: float, y: float, radius: float) -> str:
    return (
        _disc(x, y, radius, GLASS)
        + _disc(x, y, radius * 0.52, "#2c4652")
        + _disc(x - radius * 0.26, y - radius * 0.26, radius * 0.17, "#dfe9ec")
    )


def _phone(tones: Tones, lenses: int) -> str:
    places = {
        1: ((58, 52),),
        2: ((50, 44), (72, 66)),
        3: ((48, 44), (48, 70), (71, 57)),
        4: ((48, 44), (48, 70), (73, 44), (73, 70)),
    }[min(max(lenses, 1), 4)]
    size = 34 if len(places) == 1 else 56
    return (
        _rect(24, 10, 112, 206, 24, tones.base, _edged(tones))
        + _rect(118, 14, 14, 198, 10, tones.dark, ' opacity=".55"')
        + _rect(32, 28, 56, size + (2 if size > 40 else 14), 17, tones.light, ' opacity=".75"')
        + "".join(_lens(x, y, 11) for x, y in places)
        + _rect(104, 24, 112, 206, 24, INK)
        + _rect(105.5, 25.5, 109, 203, 22.5, "none", f' stroke="{tones.edge}" stroke-width="2"')
        + _screen(111, 31, 98, 192, 17, tones)
        + _rect(144, 39, 32, 9, 4.5, INK)
    )


def _tablet(tones: Tones, lenses: int) -> str:
    return (
        _rect(14, 26, 150, 196, 18, tones.base, _edged(tones))
        + _rect(22, 36, 26, 26 if lenses < 2 else 46, 13, tones.light)
        + "".join(_lens(35, 49 + 20 * at, 9) for at in range(min(max(lenses, 1), 2)))
        + _rect(58, 14, 166, 212, 18, INK)
        + _rect(59.5, 15.5, 163, 209, 16.5, "none", f' stroke="{tones.edge}" stroke-width="2"')
        + _screen(67, 24, 148, 192, 10, tones)
        + _disc(141, 19.5, 2, "#3a4a50")
    )


def _laptop(tones: Tones, _: int) -> str:
    return (
        _ground(120, 104, 200)
        + _rect(38, 44, 164, 120, 11, INK, _edged(tones))
        + _screen(46, 52, 148, 100, 4, tones)
        + _path("M38 164h164l26 26a6 6 0 0 1-6 8H18a6 6 0 0 1-6-8z", tones.light, _edged(tones))
        + _path("M48 168h144l12 14H36z", tones.dark)
        + _path("M96 185h48l3 8H93z", tones.base)
        + _path("M12.500 191h215a6 6 0 0 1-6 7H18a6 6 0 0 1-5.500-7z", tones.dark)
    )


def _desktop(tones: Tones, _: int) -> str:
    return (
        _ground(120, 96, 218)
        + _rect(16, 40, 158, 116, 10, INK, _edged(tones))
        + _screen(24, 48, 142, 92, 4, tones)
        + _path("M82 156h26l6 46H76z", tones.dark)
        + _rect(54, 200, 82, 12, 6, tones.base, _edged(tones))
        + _rect(160, 78, 62, 134, 12, tones.base, _edged(tones))
        + _rect(170, 92, 42, 6, 3, tones.dark)
        + _rect(170, 104, 42, 6, 3, tones.dark)
        + _disc(191, 188, 9, tones.dark)
        + _disc(191, 188, 4, "#d4f26a")
    )


def _console(tones: Tones, _: int) -> str:
    return (
        _ground(86, 60, 222)
        + _rect(54, 18, 62, 196, 18, INK)
        + _path("M50 20q-22 96 2 190q4 10 14 10h6q8 0 8-10V30q0-14-14-16z", tones.base, _edged(tones))
        + _path("M120 20q22 96-2 190q-4 10-14 10h-6q-8 0-8-10V30q0-14 14-16z", tones.base, _edged(tones))
        + _rect(82.500, 40, 5, 132, 2.500, "#7fc4ff", ' opacity=".85"')
        + _path(
            "M132 158q2-20 22-20h42q20 0 22 20l9 40q3 18-12 20-11 1-16-12l-5-10h-38l-5 10q-5 13-16 12-15-2-12-20z",
            tones.base,
            _edged(tones),
        )
        + _rect(160, 145, 30, 20, 5, tones.dark)
        + _disc(158, 181, 9, INK)
        + _disc(192, 181, 9, INK)
        + _line("M144 154v12M138 160h12", INK, 4.500)
        + _disc(203, 155, 3.400, INK)
        + _disc(210, 161, 3.400, INK)
        + _disc(203, 167, 3.400, INK)
        + _disc(196, 161, 3.400, INK)
    )


def _handheld(tones: Tones, _: int) -> str:
    return (
        _path("M52 66h-8q-32 0-32 32v44q0 32 32 32h8z", tones.base, _edged(tones))
        + _path("M188 66h8q32 0 32 32v44q0 32-32 32h-8z", tones.light, _edged(tones))
        + _rect(50, 64, 140, 112, 8, INK)
        + _screen(58, 72, 124, 96, 4, tones)
        + _disc(32, 98, 12, INK)
        + _disc(32, 98, 7, "#2f3c40")
        + _disc(208, 144, 12, INK)
        + _disc(208, 144, 7, "#2f3c40")
        + _line("M32 132v20M22 142h20", INK, 6)
        + _disc(208, 88, 4.500, INK)
        + _disc(218, 98, 4.500, INK)
        + _disc(208, 108, 4.500, INK)
        + _disc(198, 98, 4.500, INK)
    )


def _watch(tones: Tones, _: int) -> str:
    return (
        _path("M86 74l8-56q1-8 9-8h34q8 0 9 8l8 56z", tones.base, _edged(tones))
        + _path("M86 166l8 56q1 8 9 8h34q8 0 9-8l8-56z", tones.base, _edged(tones))
        + _line("M102 34h36M101 48h38", tones.dark, 3)
        + _disc(120, 206, 4, tones.deep)
        + _disc(120, 192, 4, tones.deep)
        + _rect(180, 100, 11, 26, 5, STEEL)
        + _rect(62, 62, 116, 116, 36, STEEL)
        + _rect(68, 68, 104, 104, 31, INK)
        + _screen(75, 75, 90, 90, 25, tones)
        + _line("M120 120V94M120 120l18 10", INK, 5.500)
        + _disc(120, 120, 5, INK)
    )


def _headphones(tones: Tones, _: int) -> str:
    return (
        _line("M42 138V116a78 78 0 0 1 156 0v22", tones.dark, 16)
        + _line("M54 84a78 78 0 0 1 132 0", tones.base, 24)
        + _rect(58, 124, 30, 84, 15, INK)
        + _rect(152, 124, 30, 84, 15, INK)
        + _rect(24, 118, 50, 96, 25, tones.base, _edged(tones))
        + _rect(166, 118, 50, 96, 25, tones.base, _edged(tones))
        + _rect(34, 132, 12, 68, 6, tones.light)
        + _rect(194, 132, 12, 68, 6, tones.dark)
    )


def _earbuds(tones: Tones, _: int) -> str:
    return (
        _path("M30 84q0-62 60-62h60q60 0 60 62v8H30z", tones.light, _edged(tones))
        + _path("M44 86q2-48 50-48h52q48 0 50 48z", tones.deep)
        + _rect(64, 84, 22, 82, 11, tones.base, _edged(tones))
        + _rect(154, 84, 22, 82, 11, tones.base, _edged(tones))
        + _disc(80, 82, 25, tones.base, _edged(tones))
        + _disc(160, 82, 25, tones.base, _edged(tones))
        + _disc(91, 78, 11, INK)
        + _disc(149, 78, 11, INK)
        + _path("M30 122h180v38q0 60-60 60H90q-60 0-60-60z", tones.base, _edged(tones))
        + _rect(30, 116, 180, 14, 7, tones.dark)
        + _disc(120, 160, 6, "#d4f26a")
    )


def _tv(tones: Tones, _: int) -> str:
    return (
        _ground(120, 92, 206)
        + _rect(10, 38, 220, 138, 8, INK, _edged(tones))
        + _screen(17, 45, 206, 124, 3, tones)
        + _path("M58 176h14l-8 28H48zM168 176h14l10 28h-16z", tones.deep)
        + _rect(40, 200, 34, 7, 3.500, tones.deep)
        + _rect(166, 200, 34, 7, 3.500, tones.deep)
    )


def _coffee(tones: Tones, _: int) -> str:
    return (
        _ground(120, 88)
        + _rect(150, 30, 62, 176, 14, "#dfe9ec", f' stroke="{tones.edge}" stroke-width="2.5"')
        + _rect(156, 84, 50, 116, 9, "#a9cfdd")
        + _path("M34 56q0-30 30-30h92q12 0 12 12v168H104V96H46q-12 0-12-12z", tones.base, _edged(tones))
        + _rect(46, 40, 74, 12, 6, tones.light)
        + _disc(144, 48, 8, "#d4f26a")
        + _rect(58, 96, 34, 20, 5, INK)
        + _rect(68, 114, 14, 14, 4, STEEL)
        + _line("M75 132v16", "#6a4128", 4.500)
        + _path("M50 150h48v22q0 22-22 22h-4q-22 0-22-22z", "#fffdf8", f' stroke="{STEEL}" stroke-width="2.5"')
        + _line("M99 158h5q9 0 9 9t-9 9h-5", STEEL, 5)
        + _rect(28, 204, 186, 16, 8, tones.deep)
    )


def _microwave(tones: Tones, _: int) -> str:
    return (
        _ground(120, 96, 200)
        + _rect(30, 188, 20, 12, 4, INK)
        + _rect(190, 188, 20, 12, 4, INK)
        + _rect(12, 54, 216, 138, 16, tones.base, _edged(tones))
        + _rect(24, 66, 142, 114, 10, INK)
        + _rect(34, 76, 114, 94, 6, "#2c4652")
        + _path("M34 76h60l-40 94H34z", "#ffffff", ' opacity=".1"')
        + '<ellipse cx="91" cy="152" rx="40" ry="8" fill="#ffc857" opacity=".8"/>'
        + _rect(154, 78, 7, 90, 3.500, STEEL)
        + _rect(178, 70, 38, 20, 4, INK)
        + _line("M186 80h6M196 80h10", "#d4f26a", 4)
        + _disc(197, 118, 15, tones.light, f' stroke="{tones.deep}" stroke-width="3"')
        + _line("M197 118l7-8", tones.deep, 4)
        + _rect(182, 148, 12, 12, 4, tones.dark)
        + _rect(201, 148, 12, 12, 4, tones.dark)
    )


def _mixer(tones: Tones, _: int) -> str:
    return (
        _ground(122, 88)
        + _path("M150 88h44l6 112h-62q10-60 12-112z", tones.base, _edged(tones))
        + _path("M34 74q0-40 44-40h104q24 0 24 28t-24 30H64q-30 0-30-18z", tones.base, _edged(tones))
        + _rect(58, 48, 92, 9, 4.500, tones.light)
        + _disc(186, 63, 11, STEEL, f' stroke="{tones.deep}" stroke-width="3"')
        + _rect(80, 92, 20, 14, 3, tones.deep)
        + _line("M90 106v16M90 122q-24 22 0 48q24-26 0-48M90 122v48", STEEL, 3.500)
        + _path("M36 122h108q0 76-38 76H74q-38 0-38-76z", "#dfe4e1", ' stroke="#a9b3ae" stroke-width="2.5"')
        + _path("M50 132h10q2 42 18 58h-6q-22-12-22-58z", "#ffffff", ' opacity=".75"')
        + _rect(44, 198, 166, 22, 11, tones.dark, _edged(tones))
    )


def _vacuum(tones: Tones, _: int) -> str:
    return (
        _ground(92, 78)
        + _line("M176 60L92 196", STEEL, 11)
        + _path("M26 206q0-20 20-20h74q14 0 16 14l1 12q0 8-8 8H34q-8 0-8-8z", tones.base, _edged(tones))
        + _rect(36, 208, 90, 8, 4, INK)
        + _path("M78 198l22-2-3-16-17 0z", INK)
        + '<g transform="rotate(32 166 74)">'
        + _rect(142, 60, 44, 78, 16, "#dfe9ec", f' stroke="{tones.edge}" stroke-width="2.5"')
        + _rect(150, 92, 28, 38, 9, "#b7c3bd")
        + _rect(136, 26, 56, 46, 16, tones.base, _edged(tones))
        + _rect(144, 33, 40, 8, 4, tones.light)
        + _disc(164, 56, 9, INK)
        + _disc(164, 56, 4, "#d4f26a")
        + "</g>"
        + _line("M196 34q28 10 20 40q-5 22-26 26", tones.deep, 15)
        + _rect(198, 84, 24, 34, 9, INK, ' transform="rotate(24 210 100)"')
    )


def _clipper(tones: Tones, _: int) -> str:
    teeth = "".join(_rect(87 + 11 * at, 12, 6, 26, 2, STEEL) for at in range(6))
    return (
        teeth
        + _path("M82 34h76l-5 30H87z", STEEL)
        + _path("M82 40h76l-2 8H84z", "#98a39d")
        + _path("M80 62h80q8 34 2 70l-8 74q-3 24-34 24t-34-24l-8-74q-6-36 2-70z", tones.base, _edged(tones))
        + _path("M90 70q-5 34 0 62l8 76q1 8 6 12-12-4-14-20l-6-70q-5-30 0-60z", tones.light)
        + _rect(106, 92, 28, 58, 14, tones.deep)
        + _rect(112, 100, 16, 22, 8, "#d4f26a")
        + _line("M110 180h20M112 192h16M114 204h12", tones.deep, 4)
    )


def _camera(tones: Tones, _: int) -> str:
    return (
        _rect(152, 46, 34, 18, 6, STEEL)
        + _path("M84 62l10-22q2-6 9-6h34q7 0 9 6l10 22z", tones.dark, _edged(tones))
        + _rect(14, 58, 212, 142, 22, tones.base, _edged(tones))
        + _path("M14 98h212v64H14z", tones.deep)
        + _rect(28, 70, 30, 16, 5, "#fffdf8")
        + _disc(202, 78, 6, "#c8492b")
        + _disc(120, 130, 60, STEEL)
        + _disc(120, 130, 53, INK)
        + _disc(120, 130, 38, "#1d2b31")
        + _disc(120, 130, 25, "#2c4652")
        + _disc(120, 130, 11, GLASS)
        + _disc(106, 114, 9, "#dfe9ec", ' opacity=".9"')
        + _disc(134, 146, 4, "#dfe9ec", ' opacity=".5"')
    )


def _box(tones: Tones, _: int) -> str:
    return (
        _ground(120, 84, 214)
        + _path("M30 84l90-40 90 40v92l-90 38-90-38z", tones.base, _edged(tones))
        + _path("M120 122l90-38v92l-90 38z", tones.dark)
        + _path("M30 84l90-40 90 40-90 38z", tones.light)
        + _path("M68 67l90 39v26l14-6v-26L84 60z", "#d4f26a")
    )


FORMS: dict[str, Callable[[Tones, int], str]] = {
    "phone": _phone,
    "tablet": _tablet,
    "laptop": _laptop,
    "desktop": _desktop,
    "console": _console,
    "handheld": _handheld,
    "watch": _watch,
    "headphones": _headphones,
    "earbuds": _earbuds,
    "tv": _tv,
    "coffee": _coffee,
    "microwave": _microwave,
    "mixer": _mixer,
    "vacuum": _vacuum,
    "clipper": _clipper,
    "camera": _camera,
}
