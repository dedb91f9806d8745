"""Where the product touches a disk, the simulated machine is told first: by file calls and by SQLite's connections.

Files outside the machines' directories are not touched by any of this.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from demo.simulator.disk import Machine
from demo.simulator.stand_ins import swapped
from pos.db import sqlite3  # type: ignore[attr-defined]  # the one SQLite of the process

WRITING = ("insert", "update", "delete", "commit", "create", "replace", "vacuum", "alter", "drop")
FULL = "database or disk is full"


@contextmanager
def watching(machines: Sequence[Machine], now: Callable[[], datetime]) -> Iterator[None]:
    """Tell `machines` of every operation on their directories during the block."""
    disks = _Disks(machines, now)
    real_open = Path.open

    def open_path(path: Path, mode: str = "r", *options: Any, **named: Any) -> Any:
        machine = disks.of(path)
        if machine is None or not set(mode) & set("wax"):
            return real_open(path, mode, *options, **named)
        machine.operate(writes=mode != "a")
        file = real_open(path, mode, *options, **named)
        return _ScarceFile(file, machine) if machine.room is not None else file

    with ExitStack() as swaps:
        for target, name, stand_in in (
            (Path, "open", open_path),
            (os, "fsync", disks.fsync),
            (os, "replace", disks.replace),
            (os, "unlink", disks.unlink),
            (os, "open", disks.open),
            (shutil, "copyfile", disks.copyfile),
            (sqlite3, "connect", disks.connect),
        ):
            swaps.enter_context(swapped(target, name, stand_in))
        yield


class _Disks:
    def __init__(self, machines: Sequence[Machine], now: Callable[[], datetime]) -> None:
        self._machines = machines
        self._now = now
        self._real = {name: getattr(os, name) for name in ("fsync", "replace", "unlink", "open")}
        self._copyfile = shutil.copyfile
        self._connect = sqlite3.connect

    def of(self, path: Any) -> Machine | None:
        text = os.fspath(path)
        if isinstance(text, str):
            for machine in self._machines:
                if text.startswith(machine.place) and text[len(machine.place) :][:1] in ("", "/"):
                    return machine
        return None

    def fsync(self, descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        machine = self.of(path)
        if machine is not None:
            machine.operate(writes=False)
            machine.synced(descriptor, path)

    def replace(self, source: Any, target: Any, **options: Any) -> None:
        machine = self.of(target)
        if machine is None:
            self._real["replace"](source, target, **options)
            return
        machine.operate(writes=False)
        machine.renamed(Path(source), Path(target), at=self._now())

    def unlink(self, path: Any, **options: Any) -> None:
        machine = self.of(path)
        if machine is None:
            self._real["unlink"](path, **options)
            return
        machine.operate(writes=False)
        machine.removed(Path(path))

    def open(self, path: Any, flags: int, *options: Any, **named: Any) -> int:
        machine = self.of(path)
        if machine is not None and flags & os.O_CREAT:
            machine.operate(writes=True)
        descriptor: int = self._real["open"](path, flags, *options, **named)
        return descriptor

    def copyfile(self, source: Any, target: Any, **options: Any) -> Any:
        machine = self.of(target)
        if machine is not None:
            machine.operate(writes=True)
        return self._copyfile(source, target, **options)

    def connect(self, address: Any, *options: Any, **named: Any) -> Any:
        path = str(address).removeprefix("file://").partition("?")[0]
        machine = self.of(path)
        if machine is None:
            return self._connect(address, *options, **named)
        connection = self._connect(address, *options, factory=WatchedConnection, **named)
        connection.place = (machine, machine.place, Path(path))
        return connection


class _ScarceFile:
    """A file on a disk that is about to be full: what no longer fits is refused, as `write` does."""

    def __init__(self, file: Any, machine: Machine) -> None:
        self._file = file
        self._machine = machine

    def write(self, content: Any) -> int:
        if self._machine.has_no_room():
            self._file.write(content[: len(content) // 2])
            raise OSError(28, os.strerror(28))
        return int(self._file.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _ScarceFile:
        return self

    def __exit__(self, *problem: object) -> None:
        self._file.close()


class WatchedConnection(sqlite3.Connection):
    """A connection that tells its machine of every writing statement, while that machine lives in the same place."""

    place: tuple[Machine, str, Path] | None = None
    has_written = False

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor that tells of its statements."""
        return super().cursor(factory or WatchedCursor)

    def commit(self) -> None:
        """Commit, if there is something to commit."""
        if self.in_transaction:
            self.tell("commit")
        super().commit()

    def tell(self, sql: str) -> None:
        """Say what is about to be done. Raises: Crash, OperationalError when the disk is full."""
        if self.place is None:
            return
        machine, place, path = self.place
        if machine.place != place:
            return
        word = sql.lstrip()[:7].lower()
        if word.startswith("pragma") and "synchronous=" in sql:
            machine.leveled(path, sql.rpartition("=")[2].lower())
        if word.startswith("commit") and not self.has_written:
            return
        if word.startswith(WRITING):
            # What ends a transaction that only read touches no disk.
            self.has_written = not word.startswith("commit")
            try:
                machine.operate(writes=True)
            except OSError as problem:
                raise sqlite3.OperationalError(FULL) from problem


class WatchedCursor(sqlite3.Cursor):
    """The cursor of a watched connection."""

    def execute(self, sql: str, *values: Any) -> Any:
        """Tell, then execute."""
        self._tell(sql)
        return super().execute(sql, *values)

    def executemany(self, sql: str, rows: Any) -> Any:
        """Tell once, then execute for every row."""
        self._tell(sql)
        return super().executemany(sql, rows)

    def _tell(self, sql: str) -> None:
        connection: Any = self.connection
        connection.tell(sql)
