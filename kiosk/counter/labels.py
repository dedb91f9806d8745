"""The labels of the table: which are untrue, printing them, and the scan that says a new one stands at its place."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.sessions import for_clerks
from kiosk.printing import print_jobs, prints
from kiosk.printing.documents import made_apart
from kiosk.printing.installed import InstalledPrinter, installed_printer, installed_printers
from kiosk.printing.labels import SheetFormat, sheet_formats
from pos import clock, journal, labels, shelf_labels
from pos.db import DatabaseError
from pos.errors import Invalid, NotFound, PosError
from pos.labels import LabelCounts, LabelPlace
from pos.scans import codes_in
from pos.shelf_labels import PRINTER, LabelSettled, LabelUnknown, ShelfLabel
from shop import forms, web

routes = Blueprint("counter_labels", __name__, url_prefix="/counter/labels")

HOME = "/counter/labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsPage:
    """Every place, what there is to do, and what labels are printed on. `scanned` is what was just scanned: "unknown" or a print.

    `sheet_no` is the sheet that was just made, 0 for none.
    """

    places: list[LabelPlace]
    counts: LabelCounts
    printer: InstalledPrinter | None
    formats: list[SheetFormat]
    scanned: ShelfLabel | str
    sheet_no: int

    @property
    def scanned_place(self) -> LabelPlace | None:
        """The place of the label that was just scanned."""
        position = self.scanned.position if isinstance(self.scanned, ShelfLabel) else None
        return next((place for place in self.places if place.position == position), None)


@routes.get("")
@for_clerks
def every_label() -> Response:
    """Show every place of the table with its label as it is and as it should be."""
    places = _places()
    page = LabelsPage(
        places=places,
        counts=labels.count_labels(places),
        printer=_label_printer(),
        formats=list(sheet_formats().values()),
        scanned=_just_scanned(),
        sheet_no=forms.number_in(request.args, "sheet") or 0,
    )
    return web.page("kiosk/counter/labels.html", page=page)


@routes.post("/prints")
@for_clerks
def print_labels() -> Response:
    """Print the label of one place, or all that are due: on the label printer, or as a sheet to be downloaded."""
    wished, form = request.form.get("position"), request.form.get("format") or PRINTER
    if form != PRINTER and form not in sheet_formats():
        raise Invalid("not a format of labels", field="format")
    places = [place for place in _places() if (place.is_due if wished is None else place.position == wished)]
    if wished is not None and not places:
        raise NotFound(position=wished)
    if wished is not None and forms.number_in(request.form, "newest") != places[0].newest:
        # A second tap, or a page from before: the place has its new print already.
        return web.see_other(HOME)
    printer = installed_printer(files.ops(), chosen.name if (chosen := _label_printer()) else None) if form == PRINTER else None
    made = _record(places, form)
    if printer is None:
        return web.see_other(forms.with_query(HOME, sheet=made[0].sheet_no if made else None))
    for label in made:
        # A job each, so that a slip made meanwhile waits for one label at most.
        wanted = prints.label_wanted(label, requested_by=g.clerk["clerk_id"])
        prints.print_paper(wanted, printer=printer.name, wait_s=prints.WAIT_S if len(made) == 1 else 0)
    return web.see_other(HOME)


@routes.get("/sheets/<int:sheet_no>.pdf")
@for_clerks
def sheet(sheet_no: int) -> Response:
    """Send a sheet of labels as PDF, the same bytes each time."""
    corner, made = files.corner(), shelf_labels.sheet_labels(files.ops(), sheet_no)
    shown = [(label, shelf_labels.label_code(corner, label)) for label in made]
    about = {"zone": corner.time_zone, "made_at": clock.from_text(made[0].printed_at)}
    with files.kiosk().turns.given_up():
        content = made_apart("kiosk.printing.labels:label_sheets", shown, sheet_formats()[made[0].format], **about)
    name = f'attachment; filename="{corner.corner_id}-{sheet_no}.pdf"'
    return Response(content, mimetype="application/pdf", headers={"Content-Disposition": name})


@routes.post("/scans")
@for_clerks
def scan() -> Response:
    """Take the scan of a label at its place: the newest one stands there from now on; of an older one, say that it still does."""
    try:
        label = shelf_labels.scanned_label(files.ops(), files.corner(), codes_in(request.form.get("code", "")))
    except LabelUnknown:
        return web.see_other(f"{HOME}?scanned=0")
    return _confirm(label.label_no, is_scanned=True)


@routes.post("/<int:label_no>/confirmation")
@for_clerks
def confirm(label_no: int) -> Response:
    """Write down that a label stands at its place, on the word of a clerk without a scanner."""
    return _confirm(label_no, is_scanned=False)


@routes.post("/<path:position>/damage")
@for_clerks
def damage(position: str) -> Response:
    """Note that a label cannot be read any more."""
    with files.ops_store().write() as ops:
        shelf_labels.mark_damaged(ops, position)
        journal.note(ops, g.clerk["clerk_id"], "label_damaged", position, now=clock.now())
    return web.see_other(HOME)


@routes.post("/<path:position>/removal")
@for_clerks
def remove(position: str) -> Response:
    """Note that a label was taken away."""
    with files.ops_store().write() as ops:
        shelf_labels.take_away(ops, position, now=clock.now())
        journal.note(ops, g.clerk["clerk_id"], "label_removed", position, now=clock.now())
    return web.see_other(HOME)


def labels_due() -> list[LabelPlace]:
    """Return the places whose label is to be replaced or taken away, for the card on other pages; none without a catalogue."""
    try:
        return [place for place in _places() if place.is_due or place.state == "gone"]
    except (PosError, DatabaseError):
        return []


def _places() -> list[LabelPlace]:
    return labels.label_places(files.catalog(), files.ops(), files.corner(), now=clock.now())


def _just_scanned() -> ShelfLabel | str:
    label_no = forms.number_in(request.args, "scanned")
    if label_no is None:
        return ""
    try:
        return shelf_labels.shelf_label(files.ops(), label_no)
    except LabelUnknown:
        return "unknown"


def _record(places: list[LabelPlace], form: str) -> list[ShelfLabel]:
    """Write the prints of these places down; those of one sheet share its number, the mark of its first label."""
    made: list[ShelfLabel] = []
    now, clerk_id = clock.now(), g.clerk["clerk_id"]
    with files.ops_store().write() as ops:
        sheet_no = None if form == PRINTER else shelf_labels.next_label_no(ops)
        for place in places:
            if place.facts is None:
                raise LabelSettled(position=place.position)
            if place.printed is not None:
                print_jobs.drop_waiting(ops, "label", place.printed.subject, now=now)
            made.append(
                shelf_labels.print_label(
                    ops,
                    place.position,
                    place.facts,
                    newest=place.newest,
                    clerk_id=clerk_id,
                    now=now,
                    format=form,
                    sheet_no=sheet_no,
                )
            )
    return made


def _label_printer() -> InstalledPrinter | None:
    """Return the printer that printed the last label, else the one for slips; None where none is set up."""
    known = installed_printers(files.ops())
    last = files.ops().execute("select printer from print_job where kind = 'label' order by job_id desc limit 1").fetchone()
    return next((each for each in known if last and each.name == last[0]), next(iter(known), None))


def _confirm(label_no: int, *, is_scanned: bool) -> Response:
    with files.ops_store().write() as ops:
        label = shelf_labels.confirm_label(ops, label_no, clerk_id=g.clerk["clerk_id"], now=clock.now())
        if not is_scanned:
            journal.note(ops, g.clerk["clerk_id"], "label_told", label.subject, now=clock.now())
    return web.see_other(f"{HOME}?scanned={label_no}")
