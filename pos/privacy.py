"""Whether others on this machine can read what a directory of ours holds: keys, PIN hashes, addresses, sessions.

What our commands create is its owner's alone, since their umask is `UMASK`; what was there before, or was copied, may not be.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

UMASK = 0o077
NAMED = 3


def take_over(directory: Path) -> None:
    """Make a directory, or close one that was made for us, where it is ours to close."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if _is_wide(directory):
        with suppress(PermissionError):
            directory.chmod(0o700)


def open_to_others(directory: Path, *, public: Collection[str] = ()) -> list[Path]:
    """Return `directory` and what lies in it that group or others may open, but for the folders that are `public` by purpose."""
    return [path for path in _contents(directory, public) if _is_wide(path)]


def advice(wide: list[Path]) -> str:
    """Return what is open to others, by its first names, and the command that closes it."""
    names = ", ".join(str(path) for path in wide[:NAMED])
    more = f" and {len(wide) - NAMED} more" if len(wide) > NAMED else ""
    return f"others on this machine can open {names}{more}: close them with chmod go="


def _contents(directory: Path, public: Collection[str]) -> Iterator[Path]:
    yield directory
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if Path(folder) != directory or name not in public]
        yield from (Path(folder, name) for name in sorted((*folders, *files)))


def _is_wide(path: Path) -> bool:
    """Tell it of the path itself; a link says nothing, and a file may go while we look."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & UMASK)
