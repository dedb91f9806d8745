"""Files that came from outside, a feed's or a memory stick's: only plain files are opened, and only so much is read of them.

Invariant: nothing here waits for anybody, as reading a named pipe would, and nothing follows a symbolic link to elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(path: Path, *, most_bytes: int) -> BinaryIO:
    """Open a plain file of at most `most_bytes` to read. One that grows later may give more: who reads on, counts.

    Raises: FileNotFoundError, other OSError; `strerror` says what is wrong in words.
    """
    _refuse_other_kinds(path.lstat().st_mode, path)
    # What was a file a moment ago may be a pipe by now: opening must not wait, and what was opened is looked at again.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    try:
        found = os.fstat(descriptor)
        _refuse_other_kinds(found.st_mode, path)
        if found.st_size > most_bytes:
            raise OSError(errno.EFBIG, f"{found.st_size:,} bytes, more than {most_bytes:,}", str(path))
    except OSError:
        file.close()
        raise
    return file


def read_file(path: Path, *, most_bytes: int) -> bytes:
    """Return what is in a plain file of at most `most_bytes`. Raises: as `open_file`."""
    with open_file(path, most_bytes=most_bytes) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"grew beyond {most_bytes:,} bytes", str(path))
    return content


def _refuse_other_kinds(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file", str(path))
