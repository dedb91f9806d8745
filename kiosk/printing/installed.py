"""The corner's printers as they were set up here: where each is, what its paper takes, and how it last said it was."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from kiosk.printing import transports
from kiosk.printing.printers import PrinterState
from kiosk.printing.profiles import CODE_PAGES, LEAST_DOTS, MOST_DOTS, PaperSetup, profiles, usual_paper
from pos import clock
from pos.corners import corner
from pos.db import remembered
from pos.errors import Invalid, NotFound, PrinterOffline

MOST_PRINTERS = 10
FIRST_NAME = "printer"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,23}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPrinter:
    """A printer of this corner, and since when its state is as it is.

    `paper` is what it was measured to take, else its profile's, else that of the corner's width.
    """

    name: str
    address: str
    profile: str
    paper: PaperSetup
    state: PrinterState
    state_at: str | None


@remembered
def installed_printers(ops: Database) -> list[InstalledPrinter]:
    """Return the corner's printers, the one for slips first."""
    rows = ops.execute(
        "select name, address, profile, paper, state, reasons, state_at from printer order by position, name"
    ).fetchall()
    return [_installed(ops, *row) for row in rows]


def installed_printer(ops: Database, name: str | None = None) -> InstalledPrinter:
    """Return a printer by its name, or the one for slips. Raises: PrinterOffline when there is none, NotFound for a name."""
    known = installed_printers(ops)
    printer = next((each for each in known if name in (None, each.name)), None)
    if printer is not None:
        return printer
    raise PrinterOffline(reason="no_printer") if name is None else NotFound(f"no printer {name!r} is set up here")


def install(ops: Database, name: str, address: str, *, profile: str = "", paper: PaperSetup | None = None) -> None:
    """Set a printer up, or change one; the first is the one for slips. Runs inside the caller's `write`.

    Raises: Invalid with the field at fault.
    """
    fields: dict[str, str] = {}
    if not _NAME.fullmatch(name):
        fields["name"] = "a word of small letters, digits and hyphens"
    try:
        address = transports.parse_address(address)
    except ValueError:
        fields["address"] = "HOST:PORT, /dev/usb/lp0, or /dev/ttyUSB0@38400"
    places = {transports.place_of(row[0]) for row in ops.execute("select address from printer where name <> ?", [name])}
    if transports.place_of(address) in places:
        fields["address"] = "another printer here has this address"
    if profile and profile not in profiles():
        fields["profile"] = "an unknown printer model"
    if paper is not None and not (
        LEAST_DOTS <= paper.dots <= MOST_DOTS and paper.code_page in CODE_PAGES and 0 <= paper.slot <= 255
    ):
        fields["paper"] = f"{LEAST_DOTS} to {MOST_DOTS} dots, a known code page, a slot of one byte"
    (others,) = ops.execute("select count(*) from printer where name <> ?", [name]).fetchone()
    if others >= MOST_PRINTERS:
        fields["name"] = f"at most {MOST_PRINTERS} printers"
    if fields:
        raise Invalid(", ".join(fields), fields=fields)
    ops.execute(
        """
        insert into printer (name, position, address, profile, paper)
        values (?, (select coalesce(max(position), 0) + 1 from printer), ?, ?, ?)
        on conflict (name) do update set address = excluded.address, profile = excluded.profile, paper = excluded.paper,
          state = 'unknown', reasons = '', state_at = null
        """,
        [name, address, profile, json.dumps(asdict(paper)) if paper else None],
    )


def set_address(ops: Database, address: str) -> None:
    """Let the printer for slips be at this address, with what was measured of it; the first one is set up where there is none.

    Runs inside the caller's `write`. Raises: Invalid with the field at fault.
    """
    first = ops.execute("select name, profile, paper from printer order by position, name limit 1").fetchone()
    name, profile, paper = first or (FIRST_NAME, "", None)
    install(ops, name, address, profile=profile, paper=_paper_of(paper) if paper else None)


def put_first(ops: Database, name: str) -> None:
    """Make a printer the one for slips; runs inside the caller's `write`. Raises: NotFound."""
    installed_printer(ops, name)
    ops.execute("update printer set position = (select min(position) from printer) - 1 where name = ?", [name])


def uninstall(ops: Database, name: str) -> None:
    """Forget a printer; what waits for it stays, to be sent to another. Runs inside the caller's `write`."""
    ops.execute("delete from printer where name = ?", [name])


def note_state(ops: Database, name: str, state: PrinterState, *, now: datetime) -> None:
    """Keep how a printer said it was, and since when it is so; runs inside the caller's `write`."""
    told = [state.state, ",".join(state.reasons)]
    ops.execute(
        "update printer set state = ?, reasons = ?, state_at = ? where name = ? and (state, reasons) <> (?, ?)",
        [*told, clock.to_text(now), name, *told],
    )


def _installed(
    ops: Database, name: str, address: str, profile: str, paper: str | None, state: Any, said: str, state_at: str | None
) -> InstalledPrinter:
    reasons = tuple(said.split(",")) if said else ()
    if paper is not None:
        takes = _paper_of(paper)
    elif profile in profiles():
        takes = profiles()[profile].paper
    else:
        takes = _usual_here(ops)
    told = PrinterState(state, reasons)
    return InstalledPrinter(name=name, address=address, profile=profile, paper=takes, state=told, state_at=state_at)


def _paper_of(text: str) -> PaperSetup:
    measured = json.loads(text)
    return replace(PaperSetup(**measured), columns=tuple(measured["columns"]))


def _usual_here(ops: Database) -> PaperSetup:
    """Return the paper HQ knows this corner to have; before enrolment the wide one."""
    try:
        return usual_paper(corner(ops).paper_mm)
    except NotFound:
        return usual_paper(80)
