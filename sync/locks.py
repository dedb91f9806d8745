"""One process at a time for a directory; the lock goes with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pos import clock
from sync.errors import Busy

LOCK_FILE = "sync.lock"
UPLINK_FILE = "uplink.lock"
SERVER_FILE = "server.lock"
BACKUP_FILE = "backup.lock"


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` during the block. Raises: Busy when another process or thread holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise Busy(f"{path} is held by another process") from problem
        yield


@contextmanager
def wait_for(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` during the block, once whoever holds it has done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def hold_directory(directory: Path, *, doing: str) -> Iterator[None]:
    """Be alone with a directory during the block, as its server is. Raises: Busy, which says who holds it, `doing` what."""
    directory.mkdir(parents=True, exist_ok=True)
    name = directory / SERVER_FILE
    with _opened(directory) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            said = name.read_text(encoding="utf-8").strip() if name.exists() else ""
            raise Busy(f"{directory} is held already: {said or 'by a process that starts'}") from problem
        # The directory itself is locked: on a full or read-only disk its holder is alone too, if without a name.
        with suppress(OSError):
            name.write_text(f"by process {os.getpid()} since {clock.to_text(clock.now())}, {doing}\n", encoding="utf-8")
        yield


def held_by(directory: Path) -> str:
    """Return who is alone with a directory, in the words of `hold_directory`; nothing where nobody is."""
    name = directory / SERVER_FILE
    try:
        with _opened(directory) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return name.read_text(encoding="utf-8").strip() if name.exists() else "a process that starts"
    except OSError:
        return ""
    return ""


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
