"""The plain text of a mail, read from its HTML, so that both forms say the same."""

from __future__ import annotations

import re
from html.parser import HTMLParser

APART = frozenset({"p", "h1", "h2", "ul", "ol", "table", "dl", "section"})
BELOW = frozenset({"li", "tr", "div", "dt", "br"})
LEFT_OUT = frozenset({"head", "style", "title"})


class _Reader(HTMLParser):
    """Gathers lines: blocks stand apart, rows and items below each other, and a link shows where it leads."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._left_out = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._left_out += tag in LEFT_OUT
        self.pieces.append("\n\n" if tag in APART else "\n" if tag in BELOW else "")
        if tag == "li":
            self.pieces.append("- ")
        if tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._left_out -= tag in LEFT_OUT
        if tag == "a":
            self.pieces.append(f"\n{self._links.pop()}\n")
        if tag in ("td", "th", "dd"):
            self.pieces.append("  ")
        self.pieces.append("\n\n" if tag in APART else "")

    def handle_data(self, data: str) -> None:
        if not self._left_out:
            self.pieces.append(re.sub(r"[ \t\r\n]+", " ", data))


def plain_text(markup: str) -> str:
    """Return what a page of HTML says, as plain text."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = "\n".join(line.strip(" ") for line in "".join(reader.pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"
