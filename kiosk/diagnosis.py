"""How this kiosk is, gathered once for the counter's page and the diagnostic paper: what is wrong, what is right, since when."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime

from kiosk import files
from kiosk.faults import count_asking, current_faults, printer_faults
from kiosk.printing import print_jobs
from kiosk.printing.installed import InstalledPrinter, installed_printers
from pos import clock, outbox
from pos.catalog import publication
from pos.corners import Corner, corner
from pos.db import DatabaseError
from pos.ops import setting
from pos.trusted_time import OFFSET
from sync.faults import fault, weightiest

EDITION = 1
"""Of the facts in the paper's code; a reader at support tells by it what it finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentFault:
    """A fault that is there, by its code, since when, and the names of the printers it is about where there are several."""

    code: str
    since: str | None
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything a person asks of a kiosk's state; `faults` by weight, the worst first; sizes in bytes, times UTC texts.

    `offset_s` is how far HQ's clock was ahead of ours when it last told the time; `log` the last warnings.
    """

    at: str
    version: str
    corner: Corner
    faults: tuple[PresentFault, ...]
    printers: tuple[InstalledPrinter, ...]
    papers: int
    publication: int | None
    checked_at: str | None
    pending: int
    free_bytes: int
    offset_s: int | None
    log: tuple[tuple[str, str], ...]

    @property
    def asking(self) -> int:
        """How many of the faults ask for a person."""
        return count_asking(each.code for each in self.faults)

    @property
    def checked_s(self) -> int | None:
        """How long ago the catalogue was known to be HQ's newest, in seconds; None when nobody knows."""
        if self.checked_at is None:
            return None
        return max(0, int((clock.from_text(self.at) - clock.from_text(self.checked_at)).total_seconds()))

    @property
    def free_gigabytes(self) -> int:
        """Whole gigabytes free on the disk."""
        return self.free_bytes // 10**9

    def for_machines(self) -> str:
        """Return the facts as compact JSON, for the code on the paper: nothing of it is about a person."""
        facts = {
            "comptoir": EDITION,
            "at": self.at,
            "corner": self.corner.corner_id,
            "version": self.version,
            "faults": {fault(each.code).short: each.since for each in self.faults},
            "publication": self.publication,
            "checked": self.checked_at,
            "pending": self.pending,
            "papers": self.papers,
            "free": self.free_bytes,
            "offset": self.offset_s,
            "printers": [[each.name, each.state.state, *each.state.reasons] for each in self.printers],
        }
        return json.dumps(facts, separators=(",", ":"))


def diagnose(kiosk: files.Kiosk, *, now: datetime) -> Diagnosis:
    """Return how the kiosk is; nobody is asked, neither printers nor HQ. Raises: as `files.ops`, NotFound before enrolment."""
    ops = files.ops()
    faults, printers = current_faults(kiosk, now=now), installed_printers(ops)
    several = printers if len(printers) > 1 else []
    about = {code: tuple(each.name for each in several if code in printer_faults(each.state)) for code in faults}
    pending, _ = outbox.depth(ops, acked=setting(ops, "acked") or 0)
    return Diagnosis(
        at=clock.to_text(now),
        version=kiosk.version,
        corner=corner(ops),
        faults=tuple(PresentFault(code=code, since=faults[code], about=about[code]) for code in weightiest(faults)),
        printers=tuple(printers),
        papers=len(print_jobs.open_jobs(ops, now=now)),
        publication=_publication(kiosk),
        checked_at=setting(ops, "checked_at"),
        pending=pending,
        free_bytes=shutil.disk_usage(kiosk.directory).free,
        offset_s=setting(ops, OFFSET),
        log=tuple(kiosk.log.lines),
    )


def _publication(kiosk: files.Kiosk) -> int | None:
    try:
        return publication(kiosk.catalog.read()) or None
    except (DatabaseError, OSError):
        return None
