"""What the address of `/console/fleet` asks for: the view it means, and the addresses of other views beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from marketplace.fleet import corner_list
from marketplace.fleet.corner_list import SORTS, STATES, View
from marketplace.fleet.standings import fold
from sync.faults import code_called
from sync.heads import RINGS
from sync.heartbeats import CODE

LONGEST = 80
PRINTERS = ("ok", "fault", "offline", "unknown", "none")
TEXTS = ("market", "ring", "state", "fault", "printer", "software", "words", "silent", "behind", "first", "last", "sort", "way")


@dataclass(frozen=True, slots=True)
class Asked:
    """A view of the list as somebody asked for it. `texts` is what the address says, as it was written."""

    view: View
    texts: dict[str, str]

    @property
    def is_narrow(self) -> bool:
        """Tell whether it asks for what only the further filters can say."""
        view = self.view
        numbers = (view.silent_s, view.behind, view.first_no)
        return bool(view.fault or view.printer or view.software) or any(number is not None for number in numbers)

    def link(self, **values: Any) -> str:
        """Return the address of the view of `values` alone."""
        return link(values)

    def sort_link(self, name: str) -> str:
        """Return the address of this view sorted by `name`, or the other way round where it is already."""
        is_other_way = self.view.sort == name and not self.view.is_reversed
        return link(self.texts, sort=name, way="back" if is_other_way else "")

    def first_link(self) -> str | None:
        """Return the address of this view's first page, or None there."""
        return link(self.texts) if self.view.after is not None else None

    def next_link(self, last: Mapping[str, Any]) -> str:
        """Return the address of the page after the row `last`."""
        return link(self.texts, after=f"{corner_list.sort_value(last, self.view.sort)}~{last['corner_id']}")


def read_asked(args: Mapping[str, str]) -> Asked:
    """Return what the arguments of an address ask for; what makes no sense is left out, as if it were not asked."""
    texts = {name: text for name in TEXTS if (text := args.get(name, "").strip()[:LONGEST])}
    # Whoever is on the telephone types the code they are told into the field they see first.
    called = code_called(_text(args, "words")) if not _text(args, "words").isdecimal() else None
    fault = called or code_called(_text(args, "fault")) or _text(args, "fault")
    view = View(
        market=_text(args, "market"),
        ring=_one_of(args, "ring", RINGS),
        state=_one_of(args, "state", STATES),
        fault=fault if CODE.fullmatch(fault) else "",
        printer=_one_of(args, "printer", PRINTERS),
        software=_text(args, "software"),
        words="" if called else fold(_text(args, "words")),
        silent_s=_whole(args, "silent"),
        behind=_whole(args, "behind"),
        first_no=_whole(args, "first"),
        last_no=_whole(args, "last"),
        sort=_one_of(args, "sort", SORTS) or "trouble",
        is_reversed=args.get("way") == "back",
    )
    return Asked(_after(view, args.get("after", "")), texts)


def link(texts: Mapping[str, Any], **values: Any) -> str:
    """Return the address of a view of the list; the picture above it stays where it is."""
    asked = {name: value for name, value in {**texts, **values}.items() if value != ""}
    return f"/console/fleet?{urlencode(asked)}#corners"


def _after(view: View, text: str) -> View:
    """Return the view from the row on that `text` names, `<sort value>~<corner id>`; from the first where it names none."""
    value, _, corner_id = text[: 2 * LONGEST].rpartition("~")
    is_number = view.sort in ("trouble", "number", "pending")
    if not corner_id or (is_number and not _is_whole(value)):
        return view
    return replace(view, after=(int(value) if is_number else value, corner_id))


def _text(args: Mapping[str, str], name: str) -> str:
    return args.get(name, "").replace("\x00", "").strip()[:LONGEST]


def _one_of(args: Mapping[str, str], name: str, known: Iterable[str]) -> str:
    text = _text(args, name)
    return text if text in known else ""


def _whole(args: Mapping[str, str], name: str) -> int | None:
    text = _text(args, name)
    return int(text) if _is_whole(text) else None


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
