"""One process at a time for a directory; the lock goes with its process, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.errors import Busy

LOCK_FILE = "sync.lock"


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
