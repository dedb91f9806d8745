"""The day report on the printer's roll: the figures that fit a hand, in the words of the screen."""

from __future__ import annotations

from collections.abc import Iterator

import templates
from kiosk.printing import paper
from kiosk.printing.print_jobs import Wanted
from kiosk.printing.profiles import PaperSetup
from kiosk.printing.slip_text import Block, Logo, Rule, Space, Text
from pos.corners import Corner
from pos.day_reports import FIGURES, DayReport
from pos.day_words import VOIDED, day_words
from pos.languages import date, moment
from shop.languages import sentences_of

MOST_ROWS = 30
"""Of one figure; what follows is summed, the file has it all."""


def report_wanted(report: DayReport, corner: Corner, language: str, *, requested_by: str) -> Wanted:
    """Return the paper of a day's report."""

    def render(takes: PaperSetup, _copy_no: int) -> bytes:
        return paper.set_on(takes, report_blocks(report, corner, language))

    return Wanted(kind="report", subject=report.day.name, requested_by=requested_by, render=render)


def report_blocks(report: DayReport, corner: Corner, language: str) -> Iterator[Block]:
    """Yield the report, top to bottom; hours without a slip are left out."""
    _ = sentences_of("kiosk", language).gettext
    words, day = day_words(language, templates.PATH), report.day
    yield Logo()
    yield Space(14)
    yield Text(corner.name, size="big", align="center", is_bold=True)
    yield Text(_("RAPPORT DU JOUR"), align="center", is_inverse=True)
    yield Space(10)
    yield Text(date(day.name, language), size="tall", align="center", is_bold=True)
    at = moment(report.counted_at, language, day.zone)
    yield Text(
        (_("Compté le %(at)s") if report.is_over else _("Journée en cours, comptée le %(at)s")) % {"at": at}, align="center"
    )
    yield Rule(is_double=True)
    for figure in FIGURES:
        rows = report.of(figure)
        shown = [row for row in rows if row["value"] or figure == "slips"]
        if not shown:
            continue
        yield Space(8)
        yield Text(words.definitions[figure].name, str(report.total(figure)) if figure == "slips" else "", is_bold=True)
        if figure == "slips" and rows[0]["voided"]:
            yield Text(words.definitions[VOIDED].name, str(rows[0]["voided"]))
        named = list(zip(words.names(rows), rows, strict=True))
        named = [(name, row) for name, row in named if row["value"] and name]
        for name, row in named[:MOST_ROWS]:
            yield Text(name, str(row["value"]))
        if others := sum(row["value"] for _name, row in named[MOST_ROWS:]):
            yield Text(_("les autres"), str(others))
    yield Rule()
    yield Text(_("Définitions : l’onglet Jour du comptoir."), size="small", align="center")
