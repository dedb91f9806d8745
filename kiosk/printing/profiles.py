"""What a printer's paper takes: its width in dots, its letters, whether it is cut. Known models stand in `profiles.json`.

The public databases give the width of the paper for that of the print on some models, and know no status: where a width or a
code page is a guess (`measure`), the set-up finds it on a printed ruler (reference/printers.json).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

CodePage = Literal["cp858", "cp1252", "cp437", "cp850", "iso8859_15"]
CODE_PAGES: tuple[CodePage, ...] = get_args(CodePage)
MOST_DOTS = 832
"""The widest heads of slip printers: 104 mm at 203 dpi."""
LEAST_DOTS = 288


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSetup:
    """How bytes must be made for one printer: printable dots, columns of fonts A and B, the code page and its `ESC t` slot.

    `is_raster`: letters are drawn by us and sent as pictures, for printers whose letters cannot be trusted.
    """

    dots: int
    columns: tuple[int, int]
    code_page: CodePage
    slot: int
    is_raster: bool = False
    has_cutter: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A printer model as it is known: `must_measure` where the width or the code page is a guess."""

    key: str
    name: str
    paper: PaperSetup
    must_measure: bool


@cache
def profiles() -> dict[str, Profile]:
    """Return the known models by key, in the order a person is shown them."""
    rows = json.loads(Path(__file__).with_name("profiles.json").read_text(encoding="utf-8"))
    return {row["key"]: _profile(row) for row in rows}


def usual_paper(paper_mm: int) -> PaperSetup:
    """Return what most printers of 80 or 58 mm take. Raises: KeyError for another width."""
    return profiles()[f"epson-{paper_mm}"].paper


def _profile(row: dict[str, Any]) -> Profile:
    paper = PaperSetup(
        dots=row["dots"],
        columns=(row["columns"][0], row["columns"][1]),
        code_page=row["code_page"],
        slot=row["slot"],
        has_cutter=row["has_cutter"],
    )
    return Profile(key=row["key"], name=row["name"], paper=paper, must_measure=row.get("measure", False))
