"""The same work done by others: first sync, a thousand changes and three days away, by PouchDB, JSON pages and sqlite3_rsync.

Peers are installed by this module from their registries into the scratch folder, by npm's and pip's own clients; they are never a
dependency. PouchDB works on 100,000 rows, a fifth of ours, because more would take it minutes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from bench import away, syncing
from bench.measure import MemoryWatch, Row
from bench.rows import change_rows, make_rows
from bench.world import MARKETPLACE_PORT, PEER_PORT, POUCH_PORT, process, wait_for
from pos.db import connect

POUCH_ROWS = 100_000
PACKAGES = {"express": "4.21.2", "express-pouchdb": "4.2.0", "pouchdb": "9.0.0"}
WHEEL = "apsw==3.54.1.0"
BINARY = "apsw/sqlite_extra_binaries/sqlite3_rsync"
TOUCHED_SHARE = 0.925
"""Of the listings, after three days at five changes a second: 1 - exp(-1,296,000 / 500,000)."""


def measure(scratch: Path, *, days: float) -> list[Row]:
    """Return the rows of the table beside peers: our own work and, in the same run, theirs."""
    folder = scratch / "peers"
    rows = make_rows(scratch / "marketplace" / "replica" / "fr.db", folder / "origin.db")
    with _naive(folder), _pouch(folder) as pouch:
        rsync = _rsync_binary(folder)
        first, changes = _ours(scratch)
        peers = [_pages(folder, 0), _rsync(rsync, folder), pouch.begin(folder)]
        first = _beside(first, peers)
        change_rows(folder / "origin.db", syncing.CHANGES, at=2, seed=2)
        peers = [_pages(folder, 2), _rsync(rsync, folder), pouch.change(folder, syncing.CHANGES)]
        changes = _beside(changes, peers)
        change_rows(folder / "origin.db", round(rows * TOUCHED_SHARE), at=3, seed=3)
        peers = [_pages(folder, 3), _rsync(rsync, folder), pouch.change(folder, round(pouch.rows * TOUCHED_SHARE))]
    absence, publishing = away.measure(scratch, days=days)
    return [first, changes, _beside(absence, peers), publishing]


def _beside(row: Row, peers: list[str]) -> Row:
    return Row(row.what, row.figure, row.hold, "; ".join(peers), row.is_met)


def _ours(scratch: Path) -> tuple[Row, Row]:
    marketplace = str(scratch / "marketplace")
    serving = ["-m", "comptoir", "marketplace", "serve", "--dir", marketplace, "--port", str(MARKETPLACE_PORT)]
    with process(*serving, url=f"http://127.0.0.1:{MARKETPLACE_PORT}/readyz"):
        seconds, size, memory = syncing.first_sync(scratch, "kiosk-0")
        change_size, apply_ms = syncing.changes(scratch, 101)
    first = Row(
        "first sync, whole command",
        f"{seconds:.1f} s, {size / 1e6:.1f} MB, {memory:.0f} MB of memory",
        "≤ 12 s, ≤ 26 MB, ≤ 150 MB of memory",
        "",
        seconds <= 12 and size <= 26e6 and memory <= 150,
    )
    changes = Row(
        f"{syncing.CHANGES:,} price and stock changes",
        f"{change_size / 1e3:.1f} kB, {apply_ms:.0f} ms to apply and verify",
        "≤ 9 kB, ≤ 120 ms",
        "",
        change_size <= 9000 and apply_ms <= 120,
    )
    return first, changes


@contextmanager
def _naive(folder: Path) -> Iterator[None]:
    (folder / "events.db").unlink(missing_ok=True)
    arguments = ("-m", "bench.naive", "serve", str(folder / "origin.db"), str(PEER_PORT))
    with process(*arguments, url=f"http://127.0.0.1:{PEER_PORT}/readyz"):
        yield


def _pages(folder: Path, since: int) -> str:
    """Bring the JSON till up to date and say what it took."""
    path = folder / "pages.db"
    if not since:
        path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bench.naive", "pull", f"http://127.0.0.1:{PEER_PORT}", str(path), str(since)]
    output, memory = _watched(command)
    took: dict[str, float] = json.loads(output)
    name = "`updated_since` JSON" if since else "JSON pages"
    return f"{name}, gzip: {took['requests']:.0f} fetches, {_figures(took['seconds'], took['bytes'], memory)}"


def _rsync(binary: Path, folder: Path) -> str:
    """Bring the replica up to date over a pipe on this machine and say what it took."""
    start = time.perf_counter()
    command = [str(binary), str(folder / "origin.db"), str(folder / "replica.db"), "--exe", str(binary), "-v"]
    output, memory = _watched(command)
    seconds = time.perf_counter() - start
    words = output.replace(",", "").split()
    size = sum(int(words[words.index(word) + 1]) for word in ("sent", "received"))
    return f"sqlite3_rsync: {_figures(seconds, size, memory)}"


def _rsync_binary(folder: Path) -> Path:
    """Fetch the wheel that carries the binary and unpack it."""
    (folder / "replica.db").unlink(missing_ok=True)
    path = folder / "apsw" / BINARY
    if not path.exists():
        arguments = ["download", "-qq", "--no-deps", "--only-binary=:all:", "--dest", str(folder / "wheel"), WHEEL]
        subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)
        (wheel,) = (folder / "wheel").glob("apsw-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            # The binary finds its SQLite library beside itself.
            archive.extractall(folder / "apsw", [name for name in archive.namelist() if Path(name).parent == Path(BINARY).parent])
        path.chmod(0o755)
    return path


class _Pouch:
    """A served PouchDB and the kiosk that replicates from it."""

    def __init__(self, folder: Path) -> None:
        self.rows = 0
        self._url = f"http://127.0.0.1:{POUCH_PORT}"
        self._program = ["node", "pouch.js", "pull", self._url, str(folder / "pouch-replica")]

    def begin(self, folder: Path) -> str:
        """Fill it, replicate all of it, and say what that took."""
        shutil.rmtree(folder / "pouch-replica", ignore_errors=True)
        self.rows = _write_documents(folder, "select * from listing order by listing_id limit ?", POUCH_ROWS)
        self._fill(folder, is_change=False)
        return self._pull(folder, f"PouchDB, {self.rows:,} rows")

    def change(self, folder: Path, count: int) -> str:
        """Change documents, replicate again, and say what that took."""
        query = f"select * from (select * from listing order by listing_id limit {self.rows}) order by random() limit ?"
        count = _write_documents(folder, query, count)
        self._fill(folder, is_change=True)
        return self._pull(folder, f"PouchDB, {count:,} changed of {self.rows:,}")

    def _fill(self, folder: Path, *, is_change: bool) -> None:
        query = urlencode({"file": str((folder / "documents.json").resolve()), "change": int(is_change)})
        with urlopen(Request(f"{self._url}/bench/fill?{query}", method="POST"), timeout=900) as response:
            if not json.load(response)["rows"]:
                raise SystemExit("PouchDB took no rows")

    def _pull(self, folder: Path, name: str) -> str:
        before = self._bytes()
        output, memory = _watched(self._program, cwd=folder / "npm")
        took: dict[str, Any] = json.loads(output)
        return f"{name}: {_figures(took['seconds'], self._bytes() - before, memory)}"

    def _bytes(self) -> int:
        with urlopen(f"{self._url}/bench/bytes", timeout=60) as response:
            return int(json.load(response)["bytes"])


@contextmanager
def _pouch(folder: Path) -> Iterator[_Pouch]:
    packages = folder / "npm"
    packages.mkdir(parents=True, exist_ok=True)
    (packages / "package.json").write_text(json.dumps({"private": True, "dependencies": PACKAGES}))
    if not (packages / "node_modules" / "pouchdb").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=packages, check=True)
    shutil.copy(Path(__file__).with_name("pouch.js"), packages)
    served = folder / "pouch-server"
    shutil.rmtree(served, ignore_errors=True)
    served.mkdir()
    started = subprocess.Popen(
        ["node", "pouch.js", "serve", str(served.resolve()), str(POUCH_PORT)],
        cwd=packages,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{POUCH_PORT}/bench/bytes")
        yield _Pouch(folder.resolve())
    finally:
        started.terminate()
        started.wait(10)


def _write_documents(folder: Path, query: str, count: int) -> int:
    database = connect(folder / "origin.db", durable=False)
    rows = list(database.query(query, [count]))
    database.close()
    with (folder / "documents.json").open("w", encoding="utf-8") as file:
        for row in rows:
            # A revision each time: an update that changes nothing is still a new revision to PouchDB.
            file.write(json.dumps({"_id": f"{row.pop('listing_id'):08}", **row}) + "\n")
    return len(rows)


def _watched(command: list[str], *, cwd: Path | None = None) -> tuple[str, float]:
    """Run a command; return what it printed and the most memory it took, in MB. Raises: SystemExit when it fails."""
    running = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, text=True)
    watch = MemoryWatch(running.pid)
    output, _ = running.communicate()
    memory = watch.stop()
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return output, memory


def _figures(seconds: float, size: float, memory: float) -> str:
    shown = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
    return f"{seconds:.1f} s, {shown}, {memory:.0f} MB of memory"
