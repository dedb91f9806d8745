"""Setting a printer up: found or typed, tried with a ruler, measured by eye, and kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.sessions import for_managers
from kiosk.printing import discovery, print_jobs, prints, rulers
from kiosk.printing.installed import InstalledPrinter, install, installed_printer, installed_printers, put_first, uninstall
from kiosk.printing.profiles import PaperSetup, Profile, profiles
from kiosk.printing.transports import place_of
from pos import clock
from pos.errors import Invalid
from pos.shelf_labels import LabelSettled
from shop import web

routes = Blueprint("counter_printers", __name__, url_prefix="/counter/printers")

COLUMN_DOTS = (12, 9)
"""How wide the letters of fonts A and B are on most printers: what a measured width says about columns."""
RASTER = "raster"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """Addresses that may be printers, the models we know, and what was wrong with the last try."""

    found: list[str]
    profiles: dict[str, Profile]
    typed: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPage:
    """One printer, and what can be read off its ruler. `is_guessed`: what we know of this model was never measured."""

    printer: InstalledPrinter
    is_guessed: bool
    is_first: bool
    widths: tuple[int, ...]
    letters: tuple[rulers.Letters, ...]


@routes.get("/new")
@for_managers
def search() -> Response:
    """Show the printers on this machine that nobody has set up yet; with `network`, search the local network too (seconds)."""
    known = {place_of(each.address) for each in installed_printers(files.ops())}
    with files.kiosk().turns.given_up():
        found = [each for each in discovery.find_printers(is_wide="network" in request.args) if place_of(each) not in known]
    return web.page("kiosk/counter/printer_search.html", search=SearchPage(found=found, profiles=profiles()))


@routes.post("")
@for_managers
def add() -> Response:
    """Set a printer up at an address."""
    address, profile = request.form.get("address") or request.form.get("found", ""), request.form.get("profile", "")
    # A name that papers still wait for is not given to another printer: they were made for other paper.
    waiting = {job["printer"] for job in print_jobs.open_jobs(files.ops(), now=clock.now())}
    known = waiting | {each.name for each in installed_printers(files.ops())}
    name = next(name for name in ("printer", *(f"printer-{number}" for number in range(2, 99))) if name not in known)
    try:
        with files.ops_store().write() as ops:
            install(ops, name, address, profile=profile)
    except Invalid as problem:
        again = SearchPage(found=[], profiles=profiles(), typed=address, problems=tuple(problem.data["fields"]))
        return web.page("kiosk/counter/printer_search.html", status=problem.status, search=again)
    files.kiosk().workers.wake(name)
    return web.see_other(f"/counter/printers/{name}")


@routes.get("/<name>")
@for_managers
def setup(name: str) -> Response:
    """Show one printer and its measures."""
    known = installed_printer(files.ops(), name)
    with files.kiosk().turns.given_up():
        files.kiosk().workers.look(known.name, 1.0)
    printer = installed_printer(files.ops(), name)
    is_first = installed_printers(files.ops())[0].name == name
    model = profiles().get(printer.profile)
    is_guessed = model is not None and model.must_measure and model.paper == printer.paper
    page = SetupPage(printer=printer, is_guessed=is_guessed, is_first=is_first, widths=rulers.WIDTHS, letters=rulers.LETTERS)
    return web.page("kiosk/counter/printer.html", setup=page)


@routes.post("/<name>/papers")
@for_managers
def print_setup_paper(name: str) -> Response:
    """Print the ruler, or the proof."""
    printer = installed_printer(files.ops(), name)
    wanted = prints.setup_wanted(printer.name, request.form.get("which", ""), requested_by=g.clerk["clerk_id"])
    prints.print_paper(wanted, printer=printer.name)
    return web.see_other(f"/counter/printers/{printer.name}")


@routes.post("/<name>/measures")
@for_managers
def measure(name: str) -> Response:
    """Keep what was read off the ruler, and make what waits for this printer anew."""
    printer = installed_printer(files.ops(), name)
    with files.ops_store().write() as ops:
        install(ops, printer.name, printer.address, profile=printer.profile, paper=_measured(printer.paper))
        for job in print_jobs.open_jobs(ops, now=clock.now()):
            if job["state"] == "queued" and job["printer"] == printer.name:
                try:
                    wanted = prints.wanted_again(job, requested_by=job["requested_by"])
                except LabelSettled:
                    # A label that became untrue while it waited counts no more, and is due again.
                    print_jobs.drop(ops, job["job_id"], now=clock.now())
                    continue
                print_jobs.enqueue(ops, wanted, printer=printer.name, now=clock.from_text(job["requested_at"]))
    return web.see_other(f"/counter/printers/{printer.name}")


@routes.post("/<name>/first")
@for_managers
def make_first(name: str) -> Response:
    """Let this printer be the one for slips."""
    with files.ops_store().write() as ops:
        put_first(ops, name)
    return web.see_other(f"/counter/printers/{name}")


@routes.post("/<name>/removal")
@for_managers
def remove(name: str) -> Response:
    """Take a printer away; what waits for it can be sent to another."""
    with files.ops_store().write() as ops:
        uninstall(ops, name)
    return web.see_other("/counter/paper")


def _measured(known: PaperSetup) -> PaperSetup:
    """Return the paper as the form says: a bar's width, a line of the ruler or "raster", and whether it cuts."""
    try:
        dots = int(request.form.get("dots", ""))
        line = request.form.get("letters", "")
        letters = None if line == RASTER else rulers.LETTERS[int(line)]
    except (ValueError, IndexError) as problem:
        raise Invalid("a width and a line of the ruler") from problem
    columns = known.columns if dots == known.dots else (dots // COLUMN_DOTS[0], dots // COLUMN_DOTS[1])
    measured = replace(
        known, dots=dots, columns=columns, is_raster=letters is None, has_cutter=request.form.get("has_cutter") == "yes"
    )
    return replace(measured, code_page=letters.code_page, slot=letters.slot) if letters else measured
