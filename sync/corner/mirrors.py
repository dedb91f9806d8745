"""Neighbours: where else a kiosk asks for the files of `/sync/v1/`, and what it lays out for others to ask for.

A neighbour needs no trust: whoever reads from it verifies everything from its own root.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from tuf.api.metadata import TargetFile

from pos.db import Store
from pos.ops import setting
from sync.blobs import replace_file
from sync.corner.client import Client
from sync.corner.trust import FileSource, Trust
from sync.static_files import TIMESTAMP

FOLDER = "trust"
MIRROR = "mirror"
MIRRORS = "mirrors"
"""The setting that lists the addresses of neighbours, asked first."""
SHARED = "share"
"""The setting that says whether this kiosk is a neighbour to others."""
KEPT_FILES = 12


def open_trust(directory: Path, ops: Store, source: Client, *, now: Callable[[], datetime]) -> Trust:
    """Return the trust of a kiosk directory over its neighbours and, last, HQ."""
    neighbours: list[FileSource] = [source.neighbour(address) for address in setting(ops.read(), MIRRORS) or []]
    return Trust(directory / FOLDER, ops, [*neighbours, source], now=now)


def is_shared(ops: Store | None) -> bool:
    """Tell whether this kiosk is a neighbour to others."""
    return ops is not None and bool(setting(ops.read(), SHARED))


def share(directory: Path) -> None:
    """Lay out below `mirror/` what this kiosk has verified, and the blobs it keeps, as `/sync/v1/` has it."""
    into = directory / MIRROR
    into.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (into / "b").symlink_to(Path("..") / "blobs", target_is_directory=True)
    lay_out(directory, into)


def lay_out(directory: Path, into: Path) -> None:
    """Lay out in `into` what this kiosk has verified, as `/sync/v1/` has it, but for blobs; the timestamp comes last.

    Nothing to do when the timestamp is there already.
    """
    trust = directory / FOLDER
    timestamp = (trust / "timestamp.json").read_bytes()
    target = into / TIMESTAMP
    if target.exists() and target.read_bytes() == timestamp:
        return
    for path in (trust / "root_history").glob("*.root.json"):
        replace_file(into / "metadata" / path.name, path.read_bytes())
    laid: set[Path] = set()
    for role in ("snapshot", "targets"):
        content = (trust / f"{role}.json").read_bytes()
        version = json.loads(content)["signed"]["version"]
        laid.add(into / "metadata" / f"{version}.{role}.json")
        replace_file(into / "metadata" / f"{version}.{role}.json", content)
    for path in (trust / "targets").iterdir():
        content = path.read_bytes()
        for place in TargetFile.from_data(unquote(path.name), content, ["sha256"]).get_prefixed_paths():
            laid.add(into / "targets" / place)
            replace_file(into / "targets" / place, content)
    replace_file(target, timestamp)
    _tidy(into, laid=laid)


def _tidy(into: Path, *, laid: set[Path]) -> None:
    """Leave what was just laid out, a few earlier files for neighbours that began before, and every root.

    What was laid out now is the newest, even beside files dated by a clock that ran ahead.
    """
    rows: dict[tuple[Path, str], list[Path]] = {}
    for path in [*(into / "metadata").glob("*.*.json"), *(into / "targets").rglob("*.*.*")]:
        rows.setdefault((path.parent, path.name.split(".", 1)[1]), []).append(path)
    for (_, name), paths in rows.items():
        if name != "root.json":
            for old in sorted(paths, key=lambda path: (path in laid, path.stat().st_mtime_ns))[:-KEPT_FILES]:
                old.unlink()
