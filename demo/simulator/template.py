"""The small world every seed starts from: HQ with a catalogue and enrolled corners, made once a process and kept in memory.

The slow things of a set-up (password hashes, the first import) happen here and nowhere else.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from demo.sample import write_feed
from demo.simulator.disk import Files, Machine, clear, copy_files
from demo.simulator.hq import URL, Hq
from demo.simulator.kiosk import SimulatedKiosk
from demo.simulator.network import Link
from demo.simulator.stand_ins import standing_in
from marketplace.feeds.imports import import_feed
from marketplace.installation import sync_path
from marketplace.setup import create_installation

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LISTINGS = 24
CORNERS = ("nantes-crebillon", "paris-beaubourg", "lyon-republique", "lille-neuve")
MARKET = "fr"


@dataclass(frozen=True, slots=True)
class Template:
    """The files of HQ, and of each corner's kiosk: enrolled, all with the first catalogue but the last, which is `new`."""

    hq: Files
    kiosks: dict[str, Files]

    @property
    def new(self) -> str:
        """The corner whose kiosk has no catalogue yet."""
        return list(self.kiosks)[-1]


@cache
def template() -> Template:
    """Return the world before anything went wrong."""
    root = scratch()
    try:
        with standing_in(Random(0), lambda: START):
            return _make(root)
    finally:
        clear(root)


def scratch() -> Path:
    """Return a new directory, in memory where the system has such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - the system's own place for it; the directory is new and ours alone
    return Path(tempfile.mkdtemp(prefix="comptoir-simulator-", dir=memory if memory.is_dir() else None))


def _make(root: Path) -> Template:
    machine = Machine("hq", root / "hq", Random(0))
    machine.directory.mkdir(parents=True)
    create_installation(machine.directory, database=None, public_url=URL)
    hq = Hq(machine)
    hq.open()
    import_feed(hq.engine, _feed(root / "feed"), static=sync_path(machine.directory), progress=_quiet)
    hq.publish()
    hq.keep_house()
    kiosks: dict[str, Files] = {}
    for corner_id in hq.corners()[: len(CORNERS)]:
        kiosks[corner_id] = _enrolled(Machine(corner_id, root / corner_id, Random(0)), hq, has_catalog=len(kiosks) < 3)
    hq.close()
    return Template(copy_files(machine.directory), kiosks)


def _enrolled(machine: Machine, hq: Hq, *, has_catalog: bool) -> Files:
    machine.directory.mkdir(parents=True)
    link = Link(Random(0), hq.answer, meanwhile=lambda: None, pass_time=lambda _: None, later=[])
    kiosk = SimulatedKiosk(machine, link)
    kiosk.open()
    kiosk.enrol(hq.start_enrolment(machine.name))
    if has_catalog:
        report = kiosk.round()
        if report.problems:
            raise report.problems[0]
    kiosk.close()
    return copy_files(machine.directory)


def _feed(directory: Path) -> Path:
    """Write the sample feed of one market with only the SKUs that are supplied: small, and of everything there is a little."""
    write_feed(directory, listings=LISTINGS, seed=1)
    with (directory / "listings.csv").open(encoding="utf-8", newline="") as source:
        header_row, *supply = csv.reader(source, delimiter=";")
    supply = [row for row in supply if row[header_row.index("market")] == MARKET]
    with (directory / "listings.csv").open("w", encoding="utf-8", newline="") as target:
        csv.writer(target, delimiter=";", lineterminator="\n").writerows([header_row, *supply])
    wanted = {int(row[header_row.index("sku_id")]) for row in supply}
    header = json.loads((directory / "feed.json").read_text("utf-8"))
    header["markets"] = {MARKET: header["markets"][MARKET]}
    (directory / "feed.json").write_text(json.dumps(header), "utf-8")
    for name in ("skus", "media"):
        _keep(directory / f"{name}.jsonl", lambda row: row["sku_id"] in wanted)
    for name in ("laws", "partners", "plans", "options", "corners"):
        _keep(directory / f"{name}.jsonl", lambda row: row["market"] == MARKET, planogram=wanted)
    return directory


def _keep(path: Path, is_kept: Callable[[dict[str, Any]], bool], *, planogram: set[int] | None = None) -> None:
    rows = [row for row in map(json.loads, path.read_text("utf-8").splitlines()) if is_kept(row)]
    for row in rows:
        if planogram is not None and "planogram" in row:
            row["planogram"] = [each for each in row["planogram"] if each["sku_id"] in planogram]
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")


def _quiet(_stage: str, _count: int) -> None:
    """Hear an import's progress and say nothing."""
