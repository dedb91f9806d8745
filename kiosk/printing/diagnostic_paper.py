"""The diagnostic paper: a kiosk's state on one slip, short enough to be read out, with a code that support's machines read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kiosk.diagnosis import Diagnosis
from kiosk.printing.paper import set_on
from kiosk.printing.profiles import PaperSetup
from kiosk.printing.slip_text import Block, Code, Rule, Space, Text
from pos.languages import moment, number
from shop.filters import told_fault
from shop.languages import sentences_of


def diagnostic_bytes(diagnosis: Diagnosis, *, paper: PaperSetup, language: str) -> bytes:
    """Return what a printer needs to print the diagnosis, cut included."""
    return set_on(paper, _blocks(diagnosis, language), diagnosis.for_machines())


def _blocks(diagnosis: Diagnosis, language: str) -> Iterator[Block]:
    _ = sentences_of("kiosk", language).gettext
    zone = diagnosis.corner.time_zone

    def when(at: str | None) -> str:
        return moment(at, language, zone) if at else _("inconnu")

    yield Text(_("DIAGNOSTIC"), size="big", align="center", is_bold=True)
    yield Text(diagnosis.corner.name, align="center", is_bold=True)
    yield Text(when(diagnosis.at), align="center")
    yield Text(_("Comptoir %(version)s") % {"version": diagnosis.version}, size="small", align="center")
    yield Space(12)
    yield Rule(is_double=True)
    if not diagnosis.faults:
        yield Text(_("Rien ne manque à ce comptoir"), is_bold=True)
    for present in diagnosis.faults:
        told = told_fault(present.code, language)
        yield Text(f"{told.short}  {told.name}", is_bold=True)
        since = _("depuis %(when)s") % {"when": when(present.since)} if present.since else present.code
        yield Text(", ".join((since, *present.about)), size="small", is_detail=True)
    yield Rule()
    for label, value in _figures(diagnosis, language, when):
        yield Text(label, value)
    for printer in diagnosis.printers:
        yield Text(_("Imprimante %(name)s") % {"name": printer.name}, printer.state.state)
        if printer.state.reasons:
            yield Text(", ".join(printer.state.reasons), size="small", is_detail=True)
    if diagnosis.log:
        yield Rule()
        yield Text(_("Derniers messages"), is_bold=True)
        for at, line in diagnosis.log:
            yield Text(f"{at[5:16].replace('T', ' ')} {line}", size="small")
    yield Rule()
    yield Space(10)
    yield Code(_("Les mêmes faits ne tiennent pas en code sur ce papier."))
    yield Text(_("Pour l’assistance. Aucune donnée personnelle."), size="small", align="center")


def _figures(diagnosis: Diagnosis, language: str, when: Callable[[str | None], str]) -> Iterator[tuple[str, str]]:
    _ = sentences_of("kiosk", language).gettext
    yield _("Publication"), str(diagnosis.publication or _("inconnu"))
    yield _("Dernier échange réussi"), when(diagnosis.checked_at)
    yield _("Faits à envoyer"), number(diagnosis.pending, language)
    yield _("Papiers en attente"), number(diagnosis.papers, language)
    yield _("Disque libre"), f"{number(diagnosis.free_bytes // 10**6, language)} {_('Mo')}"
    offset = diagnosis.offset_s
    yield _("Décalage avec l’heure du siège"), _("inconnu") if offset is None else f"{number(offset, language)} s"
