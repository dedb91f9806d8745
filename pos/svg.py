"""Drawings from outside as SVG: shapes, groups and gradients from an allow-list, and nothing that could act or fetch.

Invariant: a drawing that passes holds no script, style sheet, link, entity, text or image, names nothing outside itself, and
draws each of its elements once. As a part of a page it is written anew from what was read, so a page holds only what is
allowed here. Source of what is left out: SVG 2 §2 (conformance classes), OWASP on SVG upload.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any, NoReturn
from xml.parsers import expat

SVG = "http://www.w3.org/2000/svg"
MOST_ELEMENTS = 2_000
MOST_DEPTH = 24
MOST_SIDE = 10_000

PAINT = {"fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-linecap", "stroke-linejoin"}
PAINT |= {"stroke-miterlimit", "stroke-dasharray", "stroke-dashoffset", "opacity", "stop-color", "stop-opacity", "color"}
PAINT |= {"vector-effect", "paint-order", "shape-rendering", "clip-rule"}
SHAPE = PAINT | {"id", "transform"}
GRADIENT = {"id", "gradientUnits", "gradientTransform", "spreadMethod"}
ELEMENTS: dict[str, set[str]] = {
    "svg": PAINT | {"id", "viewBox", "width", "height", "version", "role", "aria-hidden", "aria-label", "preserveAspectRatio"},
    "g": SHAPE,
    "defs": {"id"},
    "title": {"id"},
    "desc": {"id"},
    "path": SHAPE | {"d", "pathLength"},
    "rect": SHAPE | {"x", "y", "width", "height", "rx", "ry"},
    "circle": SHAPE | {"cx", "cy", "r"},
    "ellipse": SHAPE | {"cx", "cy", "rx", "ry"},
    "line": SHAPE | {"x1", "y1", "x2", "y2"},
    "polyline": SHAPE | {"points"},
    "polygon": SHAPE | {"points"},
    "linearGradient": GRADIENT | {"x1", "y1", "x2", "y2"},
    "radialGradient": GRADIENT | {"cx", "cy", "r", "fx", "fy", "fr"},
    "stop": PAINT | {"offset"},
}
WORDED = {"title", "desc"}
OF_A_DOCUMENT = {"id", "width", "height", "version", "role", "aria-hidden", "aria-label"}
GRADIENT_REF = re.compile(r"url\(#[A-Za-z_][A-Za-z0-9_.-]{0,63}\)", re.ASCII)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
# No colon, slash, backslash, quote, ampersand or at sign: no scheme, comment, escape or entity can be spelt.
PLAIN = re.compile(r"[A-Za-z0-9#.,%()+\-_\s]*", re.ASCII)
FUNCTION = re.compile(r"(?<![A-Za-z-])([A-Za-z-]*+) ?\(", re.ASCII)
"""In a value whose space was put in order; it looks at each letter once, however many stand before no bracket."""
FUNCTIONS = {"matrix", "translate", "scale", "rotate", "skewX", "skewY", "rgb", "rgba", "hsl", "hsla"}
BOX = re.compile(r"\s*(-?[\d.]{1,12})[\s,]+(-?[\d.]{1,12})[\s,]+([\d.]{1,12})[\s,]+([\d.]{1,12})\s*", re.ASCII)
OWN_ID = "\0"
"""Stands before each id of a written drawing, until it is told where it stands: no XML can hold it."""


class NotADrawing(ValueError):
    """What is not allowed in a drawing, with the SVG's own line."""


def drawing_size(content: bytes) -> tuple[int, int]:
    """Return width and height of the drawing's box, in whole units; every rule of this module has then been kept.

    Raises: NotADrawing.
    """
    return _read(content).box


def page_part(content: bytes) -> str:
    """Return the drawing as an `svg` element of a page, without words, its styles as attributes, silent to readers of the screen.

    `OWN_ID` before each of its ids is to be replaced by a prefix of its own wherever it stands; its first tag ends at `>`.
    Raises: NotADrawing.
    """
    return "".join(_read(content).written)


def _read(content: bytes) -> _Reader:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise NotADrawing("an SVG is text in UTF-8") from None
    reader = _Reader()
    reader.read(text)
    return reader


class _Reader:
    """Reads one drawing and stops at the first thing that is not allowed."""

    def __init__(self) -> None:
        self.box = (0, 0)
        self.written: list[str] = []
        self._elements = 0
        self._open: list[str] = []
        self._parser = parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartNamespaceDeclHandler = self._namespace
        parser.XmlDeclHandler = self._declaration
        # A document type is refused where it begins, before any entity of it could be expanded.
        parser.StartDoctypeDeclHandler = self._document_type
        parser.ProcessingInstructionHandler = self._instruction

    def read(self, text: str) -> None:
        try:
            self._parser.Parse(text.encode("utf-8"), True)
        except expat.ExpatError as problem:
            self._refuse(f"not well formed: {expat.errors.messages[problem.code]}")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        namespace, _, tag = name.rpartition(" ")
        if namespace != SVG or tag not in ELEMENTS:
            self._refuse(f"element {tag:.40} is not allowed")
        if (tag == "svg") != (not self._open):
            self._refuse("one svg element, and everything inside it")
        self._elements += 1
        self._open.append(tag)
        if self._elements > MOST_ELEMENTS or len(self._open) > MOST_DEPTH:
            self._refuse(f"more than {MOST_ELEMENTS:,} elements, or nested deeper than {MOST_DEPTH}")
        try:
            for attribute, value in attributes.items():
                _check_attribute(tag, attribute, value)
            if tag == "svg":
                self.box = _box(attributes.get("viewBox", ""))
        except NotADrawing as problem:
            self._refuse(str(problem))
        if tag not in WORDED:
            self.written.append(_tag(tag, attributes))

    def _end(self, _name: str) -> None:
        tag = self._open.pop()
        if tag not in WORDED:
            self.written.append(f"</{tag}>")

    def _characters(self, words: str) -> None:
        if words.strip() and self._open[-1] not in WORDED:
            self._refuse("text outside title and desc")

    def _namespace(self, _prefix: str | None, uri: str) -> None:
        if uri != SVG:
            self._refuse(f"the namespace {uri:.60} is not allowed")

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        # It is read as UTF-8 here; a browser would believe what it says.
        if encoding is not None and encoding.lower() != "utf-8":
            self._refuse(f"says it is {encoding:.40}: an SVG is text in UTF-8")

    def _document_type(self, *_: Any) -> None:
        self._refuse("a document type is not allowed")

    def _instruction(self, *_: Any) -> None:
        self._refuse("a processing instruction is not allowed")

    def _refuse(self, reason: str) -> NoReturn:
        raise NotADrawing(f"SVG line {self._parser.CurrentLineNumber}: {reason}")


def _tag(tag: str, attributes: Mapping[str, str]) -> str:
    """Write an element's first tag: what styles it as attributes, since a page allows no style, and its ids marked as its own."""
    kept = dict(attributes)
    for declaration in filter(str.strip, kept.pop("style", "").split(";")):
        name, _, said = declaration.partition(":")
        kept[name.strip()] = said.strip()
    if tag == "svg":
        kept = {"class": "drawing", "aria-hidden": "true"} | {name: kept[name] for name in kept if name not in OF_A_DOCUMENT}
    if "id" in kept:
        kept["id"] = OWN_ID + kept["id"]
    said = "".join(f' {name}="{escape(GRADIENT_REF.sub(_own, value))}"' for name, value in kept.items())
    return f"<{tag}{said}>"


def _own(reference: re.Match[str]) -> str:
    return reference[0].replace("#", f"#{OWN_ID}")


def _check_attribute(tag: str, attribute: str, value: str) -> None:
    if attribute == "style":
        _check_style(tag, value)
        return
    if attribute not in ELEMENTS[tag]:
        raise NotADrawing(f"attribute {attribute:.40} of {tag} is not allowed")
    if attribute == "id" and not NAME.fullmatch(value):
        raise NotADrawing("id is not a plain name")
    if attribute == "aria-label":
        return
    if attribute in ("fill", "stroke") and GRADIENT_REF.fullmatch(value.strip()):
        return
    if not PLAIN.fullmatch(value) or any(function not in FUNCTIONS for function in FUNCTION.findall(" ".join(value.split()))):
        raise NotADrawing(f"value of {attribute:.40} is not allowed")


def _check_style(tag: str, value: str) -> None:
    """Judge a style attribute declaration by declaration: the same properties as attributes may be, and no `url()` at all."""
    for declaration in value.split(";"):
        if not declaration.strip():
            continue
        name, colon, said = declaration.partition(":")
        if not colon or name.strip() not in PAINT & ELEMENTS[tag]:
            raise NotADrawing(f"style {name.strip():.40} is not allowed")
        if GRADIENT_REF.search(said):
            raise NotADrawing("style with url() is not allowed")
        _check_attribute(tag, name.strip(), said)


def _box(text: str) -> tuple[int, int]:
    found = BOX.fullmatch(text)
    try:
        width, height = (round(float(found[3])), round(float(found[4]))) if found else (0, 0)
    except ValueError:
        width = height = 0
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        raise NotADrawing(f"an SVG needs a viewBox of at most {MOST_SIDE:,} on a side")
    return width, height
