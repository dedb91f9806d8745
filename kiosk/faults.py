"""What is wrong with this kiosk now, by the codes of `sync.faults`: the one answer for its counter, `status.json` and HQ."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from sqlite_utils import Database

from kiosk import files
from kiosk.machine import SCREEN, SYSTEM, machine_faults
from kiosk.printing.installed import installed_printers
from kiosk.printing.printers import PrinterState
from kiosk.releases import update_fault
from pos import clock
from pos.backups import FOLDER as BACKUPS
from pos.corners import corner
from pos.db import DatabaseError
from pos.demo_devices import table_faults
from pos.errors import NotFound, RecordsDamaged, Unavailable
from pos.file_states import catalog_problem
from pos.left_out import left_out
from pos.ops import setting
from pos.slips import load_device
from pos.trusted_time import is_clock_wrong
from sync.faults import Severity, severity

Faults = dict[str, str | None]
"""Codes and since when, as UTC text; None where nobody knows when it began."""

OLD = timedelta(days=1)
"""So long a catalogue may go unconfirmed before a person is told."""
BACKUP_OLD = timedelta(days=2)
SCREEN_SILENT_S = 300.0
PRINTERS = "P-"
"""How the short codes of printers begin."""
PRINTER_REASONS = {
    "paper_out": "printer_paper_out",
    "paper_near_end": "printer_near_end",
    "cover_open": "printer_cover_open",
    "cutter": "printer_cutter",
}


def current_faults(kiosk: files.Kiosk, *, now: datetime) -> Faults:
    """Return everything that is wrong, what the last rounds met included."""
    faults = own_faults(kiosk, now=now)
    met = (setting(kiosk.ops.read(), "sync_faults") or {}) if kiosk.ops is not None else {}
    return {**{code: since for code, since in faults.items() if code not in met}, **met}


def own_faults(kiosk: files.Kiosk, *, now: datetime) -> Faults:
    """Return what the kiosk sees of itself, without what rounds with HQ met."""
    faults: Faults = {}
    if kiosk.ops is None:
        faults[(kiosk.trouble or RecordsDamaged()).code] = None
    elif (trouble := _identity_fault(kiosk.ops.read(), kiosk.directory)) is not None:
        faults[trouble] = None
    faults |= _catalogue_faults(kiosk)
    if not kiosk.media.is_open():
        faults["media_unreadable"] = None
    faults |= kiosk.faults
    faults |= dict.fromkeys(machine_faults(kiosk.directory))
    faults |= screen_fault(kiosk, now=now)
    if kiosk.ops is not None:
        ops = kiosk.ops.read()
        for printer in installed_printers(ops):
            for code in printer_faults(printer.state):
                faults[code] = min(filter(None, (faults.get(code), printer.state_at)), default=None)
        faults |= _time_faults(ops, now)
        faults |= backup_fault(ops, kiosk.directory, now)
        faults |= _table_faults(ops, now)
        faults |= update_fault(ops)
    return faults


def count_asking(codes: Iterable[str]) -> int:
    """Return how many of these faults ask for a person."""
    return sum(severity(code) >= Severity.ACT for code in codes)


def printer_faults(state: PrinterState) -> list[str]:
    """Return the codes of what a printer lacks, as it last said; one that nobody has asked yet lacks nothing."""
    if state.state == "offline":
        return ["printer_offline"]
    if state.state == "unknown":
        return ["printer_unknown"] if state.reasons else []
    return list(dict.fromkeys(PRINTER_REASONS.get(reason, "printer_fault") for reason in state.reasons))


def screen_fault(kiosk: files.Kiosk, *, now: datetime, system: Path = SYSTEM) -> Faults:
    """Say that the browser of this machine's screen asks for nothing any more: its pages ask once a minute by themselves."""
    silent_s = time.monotonic() - kiosk.screen_seen_s
    if silent_s < SCREEN_SILENT_S or not (system / SCREEN).exists():
        return {}
    return {"browser_silent": clock.to_text(now - timedelta(seconds=silent_s))}


def _identity_fault(ops: Database, directory: Path) -> str | None:
    """Return what keeps this device from being a corner's kiosk, or its slips from being signed."""
    try:
        corner(ops)
        load_device(directory)
    except NotFound:
        stored = setting(ops, "corner")
        if stored is None:
            return "not_enrolled"
        return "key_missing" if not (directory / "device.key").exists() else "corner_unreadable"
    except Unavailable as problem:
        return problem.code
    return None


def _catalogue_faults(kiosk: files.Kiosk) -> Faults:
    try:
        catalog = kiosk.catalog.read()
        catalog.execute("select 1 from shelf limit 1").fetchone()
        return dict(left_out(catalog).fault)
    except (DatabaseError, OSError) as problem:
        return {catalog_problem(kiosk.catalog.path, problem).code: None}


def _time_faults(ops: Database, now: datetime) -> Faults:
    """Say that HQ never told the time, told another than ours, or has not confirmed the catalogue for too long."""
    faults: Faults = {}
    if setting(ops, "corner") is not None and setting(ops, "hq_time") is None:
        faults["clock_unconfirmed"] = None
    if is_clock_wrong(ops):
        faults["clock_wrong"] = None
    checked_at = setting(ops, "checked_at")
    if checked_at is not None and now - clock.from_text(checked_at) > OLD:
        faults["catalog_old"] = checked_at
    return faults


def backup_fault(ops: Database, directory: Path, now: datetime) -> Faults:
    """Say that the newest copy of the records is too old; before the first one, since when there is something to copy."""
    copies = sorted(path.name[4:14] for path in (directory / BACKUPS).glob("ops-*.db"))
    if copies:
        newest: str | None = f"{copies[-1]}T00:00:00Z"
    else:
        first = ops.execute("select recorded_at from outbox order by seq limit 1").fetchone()
        newest = first[0] if first else None
    if newest is None or not clock.is_text(newest) or now - clock.from_text(newest) <= BACKUP_OLD:
        return {}
    return {"backup_old": newest}


def _table_faults(ops: Database, now: datetime) -> Faults:
    """Say that a demo device is missing, or not back from its loan."""
    try:
        return dict(table_faults(ops, corner(ops), now=now))
    except NotFound:
        return {}
