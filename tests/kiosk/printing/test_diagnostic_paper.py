"""The diagnostic paper on each width: what is said on it, and the code that support's machines read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import zxingcpp

from demo.paper import Cut, pictures
from kiosk.diagnosis import Diagnosis, PresentFault
from kiosk.printing.diagnostic_paper import diagnostic_bytes
from kiosk.printing.installed import InstalledPrinter
from kiosk.printing.printers import PrinterState
from kiosk.printing.profiles import usual_paper
from pos.corners import read_corner
from sync.faults import faults
from tests import world

AT = "2026-11-22T14:32:00Z"
LOG = ((AT, "kiosk.sync: the round failed: offline"),)


def diagnosis(*, printers: int, codes: int) -> Diagnosis:
    state = PrinterState("fault", ("paper_out",))
    return Diagnosis(
        at=AT,
        version="0.1.0",
        corner=read_corner(world.corner_document()),
        faults=tuple(PresentFault(code=code, since=AT) for code in list(faults())[:codes]),
        printers=tuple(
            InstalledPrinter(
                name=f"printer-{number}",
                address=f"127.0.0.1:{number}",
                profile="",
                paper=usual_paper(80),
                state=state,
                state_at=AT,
            )
            for number in range(printers)
        ),
        papers=2,
        publication=7,
        checked_at=None,
        pending=3,
        free_bytes=10**9,
        offset_s=-4,
        log=LOG,
    )


def printed(said: Diagnosis, *, paper_mm: int, is_raster: bool = False) -> Cut:
    takes = replace(usual_paper(paper_mm), is_raster=is_raster)
    [cut] = pictures(diagnostic_bytes(said, paper=takes, language="fr"), paper_mm=paper_mm)

    return cut


@pytest.mark.parametrize("is_raster", [False, True])
@pytest.mark.parametrize("paper_mm", [80, 58])
def test_a_usual_state_is_read_by_people_and_machines_on_each_paper(paper_mm: int, is_raster: bool) -> None:
    said = diagnosis(printers=1, codes=2)

    cut = printed(said, paper_mm=paper_mm, is_raster=is_raster)

    facts = json.loads(zxingcpp.read_barcode(cut.picture).text)
    assert facts == json.loads(said.for_machines())
    assert (facts["comptoir"], facts["free"], facts["offset"]) == (1, 10**9, -4)
    assert cut.errors == ()


def test_the_worst_state_fits_the_wide_paper_and_is_said_in_words_alone_on_the_narrow_one() -> None:
    said = diagnosis(printers=10, codes=12)
    assert json.loads(zxingcpp.read_barcode(printed(said, paper_mm=80).picture).text)["papers"] == 2
    narrow = printed(said, paper_mm=58)
    assert zxingcpp.read_barcode(narrow.picture) is None
    assert "ne tiennent pas en code" in " ".join(narrow.text.split())
