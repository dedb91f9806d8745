"""The faults a kiosk can report: one register for its counter, its papers, its doctor, HQ's console and the metrics.

`faults.json` holds it: each degraded state by its code, with the short code a clerk can read out on the telephone, how much it
matters, and what is said of it in French; other languages stand in `templates/shop/<language>.po`. The numbers of short codes are
unique over all families, so that a misheard letter misleads nobody, and one once given is never given to another fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from gettext import NullTranslations
from pathlib import Path

REVOKED = "revoked"
REPLACED = "replaced"
EVENT_SET_ASIDE = "event_set_aside"
NEIGHBOUR_FAILED = "neighbour_failed"
LOW_DISK_BYTES = 200 * 2**20
"""With less of the disk free a person is told, long before slips are in danger."""
UNKNOWN = "unknown"
"""The entry that stands for a code nobody here knows."""


class Severity(IntEnum):
    """What a fault asks for: nothing, an eye on it, a person soon, or a person now since the corner cannot serve."""

    NONE = 0
    NOTE = 1
    ACT = 2
    STOP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A degraded state: what a clerk reads of it (`name`, `meaning`, `remedy`), and what support does about it (`repair`).

    `short` is a letter for the family and a number: B box and screen, P printers, D disk, H hour, R records, K key and enrolment,
    C catalogue, S exchanges with HQ, T the table. `picture` names its drawing.
    """

    code: str
    short: str
    severity: Severity
    picture: str
    name: str
    meaning: str
    remedy: str
    repair: str

    def told(self, sentences: NullTranslations) -> Fault:
        """Return the fault in another language."""
        said = sentences.gettext
        return replace(self, name=said(self.name), meaning=said(self.meaning), remedy=said(self.remedy), repair=said(self.repair))


SENTENCES = ("name", "meaning", "remedy", "repair")


@cache
def faults() -> Mapping[str, Fault]:
    """Return the register by code, `UNKNOWN` among them, in the order of short codes."""
    rows = json.loads(Path(__file__).with_name("faults.json").read_text(encoding="utf-8"))
    return {row["code"]: Fault(**{**row, "severity": Severity[row["severity"]]}) for row in rows}


def fault(code: str) -> Fault:
    """Return what is known of a code; of one that nobody here knows, that it is for a person to look at."""
    return faults().get(code) or replace(faults()[UNKNOWN], code=code)


def code_called(said: str) -> str | None:
    """Return the code of a short code as somebody types what they were told: `P-21`, `p21`, or its number alone; else None."""
    number = re.fullmatch(r"([A-Za-z]?)[ -]?([0-9]{2})", said, re.ASCII)
    if number is None:
        return None
    return next((each.code for each in faults().values() if each.short[2:] == number[2]), None)


def severity(code: str) -> Severity:
    """Return how much a fault matters."""
    return fault(code).severity


def weightiest(codes: Mapping[str, object]) -> list[str]:
    """Return codes in the order in which a person should look at them: the worst first, else by short code."""
    return sorted(codes, key=lambda code: (-severity(code), fault(code).short, code))
