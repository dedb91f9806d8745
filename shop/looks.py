"""`/looks/<color>.css`: the pages' colours made from a partner's one, for its entry at home and its corner.

Invariant: a colour reaches a stylesheet only as six hexadecimal digits.
Source: WCAG 2.2, relative luminance and contrast ratio.
"""

from __future__ import annotations

import re

from flask import Blueprint, Response, request

from pos.errors import NotFound

routes = Blueprint("looks", __name__)

COLOR = re.compile(r"[0-9a-f]{6}", re.ASCII)
KEPT_S = 86_400
Rgb = tuple[int, int, int]
BLACK, WHITE, INK = (0, 0, 0), (255, 255, 255), (0x14, 0x23, 0x1D)
DARK_CARD = (0x17, 0x23, 0x1D)
STEPS = 40
READABLE, CLEAR, STRONG = 4.5, 7.0, 11.0


@routes.get("/looks/<color>.css")
def look(color: str) -> Response:
    """Return the colours of pages made from one, `rrggbb`, light and dark. Raises: NotFound."""
    if not COLOR.fullmatch(color):
        raise NotFound(path=request.path)
    response = Response(stylesheet(color), content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = f"public, max-age={KEPT_S}"
    return response


def stylesheet(color: str) -> str:
    """Return the tokens of `tokens.css` that a partner's colour, `rrggbb`, takes the place of; text on each stays readable."""
    brand: Rgb = (int(color[:2], 16), int(color[2:4], 16), int(color[4:], 16))
    leaf = _toward(brand, BLACK, on=WHITE, contrast=CLEAR)
    band = _toward(_mixed(brand, BLACK, 1, 3), BLACK, on=WHITE, contrast=STRONG)
    bright = _toward(_mixed(brand, WHITE, 1, 2), WHITE, on=INK, contrast=CLEAR)
    shared = {
        "leaf": leaf,
        "on-leaf-soft": _toward(leaf, WHITE, on=leaf, contrast=READABLE),
        "band": band,
        "band-card": _mixed(band, WHITE, 1, 10),
        "on-band-soft": _toward(band, WHITE, on=band, contrast=CLEAR),
        "lime": bright,
        "on-lime": INK,
        "on-lime-soft": _mixed(INK, bright, 1, 6),
    }
    light = {"leaf-ink": leaf, "bar": band, "on-bar-soft": shared["on-band-soft"]}
    dark = {"leaf-ink": _toward(brand, WHITE, on=DARK_CARD, contrast=CLEAR)}
    return (
        f":root {{ {_written(shared | light)} }}\n@media (prefers-color-scheme: dark) {{\n"
        f'  :root:not([data-theme="light"]) {{ {_written(shared | dark)} }}\n}}\n'
    )


def _written(tokens: dict[str, Rgb]) -> str:
    return " ".join(f"--{name}: #{bytes(color).hex()};" for name, color in tokens.items())


def _mixed(color: Rgb, other: Rgb, part: int, whole: int) -> Rgb:
    """Return a colour with `part` of `whole` of another."""
    red, green, blue = ((mine * (whole - part) + theirs * part) // whole for mine, theirs in zip(color, other, strict=True))
    return red, green, blue


def _toward(color: Rgb, end: Rgb, *, on: Rgb, contrast: float) -> Rgb:
    """Return the colour nearest to `color`, on the way to `end`, that has this contrast with `on`."""
    ways = (_mixed(color, end, step, STEPS) for step in range(STEPS + 1))
    return next((way for way in ways if contrast_of(way, on) >= contrast), end)


def contrast_of(color: Rgb, other: Rgb) -> float:
    """Return how far apart two colours are, 1 to 21."""
    darker, lighter = sorted((_luminance(color), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Rgb) -> float:
    parts = (each / 255 for each in color)
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
