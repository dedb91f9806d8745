"""The disk of a simulated machine: it forgets what was not synced at a power cut, fills up, and is where crashes happen.

Invariant: a crash is the picture of the files at that very moment; whatever the dying code still does afterwards happens to files
nobody will look at again. Metadata of a directory is kept in the order it was written; data counts from its own fsync on.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

WAL_HEADER, FRAME_HEADER = 32, 24
BACKFILLED_AT = 96
"""Where the shared-memory file says how many frames of the log are in the database: https://sqlite.org/walformat.html §2.1."""

Files = dict[str, bytes]
FIRST_TIME = 1_795_000_000 * 10**9
"""The time of a file that was there from the beginning."""


class Crash(BaseException):
    """The process of a machine ended here; `machine` is to be opened again from its picture."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.name)
        self.machine = machine


@dataclass(frozen=True, slots=True)
class _Change:
    """One rename (`target` is the new name) or removal (`target` is None) of the file that had inode `inode`."""

    name: str
    target: str | None
    inode: int


class Machine:
    """One computer: a directory, moved to a new place at every start so that the dead process cannot touch it any more."""

    def __init__(self, name: str, root: Path, random: Random) -> None:
        self.name = name
        self.root = root
        self.random = random
        self.lives = 0
        self._move()
        self.countdown: int | None = None
        self.is_power_cut = False
        self.room: int | None = None
        self.picture: Files = {}
        self.times: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._synced: dict[int, bytes] = {}
        self._buried: dict[int, bytes] = {}
        self._unsafe: set[int] = set()
        self._journal: list[_Change] = []
        self._levels: dict[str, str] = {}

    def start(self, files: Files) -> None:
        """Begin a new life from `files`, everything of which is safely on disk."""
        self.lives += 1
        self._move()
        self.countdown = None
        self._forget()
        for folder in {_folder(name) for name in files}:
            os.makedirs(f"{self.place}/{folder}", exist_ok=True)
        for name, content in files.items():
            path = f"{self.place}/{name}"
            with open(path, "wb") as file:
                file.write(content)
            os.utime(path, ns=(moment := self.times.get(name, FIRST_TIME), moment))
        self._names = dict(self._listing())
        self._synced = {inode: files[name] for name, inode in self._names.items()}

    def crash_in(self, operations: int, *, power_cut: bool) -> None:
        """Let the process end before the so-many-th operation on the disk from now."""
        self.countdown, self.is_power_cut = operations, power_cut

    def crash_now(self, *, power_cut: bool) -> Crash:
        """Take the picture now and return the crash to raise."""
        self.countdown = None
        self.picture = self.after_power_cut() if power_cut else self.files()
        return Crash(self)

    def operate(self, *, writes: bool) -> None:
        """Note one operation on the disk. Raises: Crash when it was the last, OSError when the disk has no room for it."""
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown <= 0:
                raise self.crash_now(power_cut=self.is_power_cut)
        if writes and self.has_no_room():
            raise OSError(28, os.strerror(28))

    def has_no_room(self) -> bool:
        """Count one write against the room left, and tell whether it does not fit any more."""
        if self.room is None:
            return False
        self.room -= 1
        return self.room < 0

    def is_full(self) -> bool:
        """Tell whether writes fail now, without counting one."""
        return self.room is not None and self.room <= 0

    def files(self) -> Files:
        """Return every file as the operating system holds it; shared memory ends with its process."""
        self._note_times()
        return {name: _content_of(f"{self.place}/{name}") for name, _ in self._listing() if not name.endswith("-shm")}

    # What the watched operations tell

    def synced(self, descriptor: int, path: str) -> None:
        """The data of the file at `path`, or a directory's names, are on disk now."""
        status = os.fstat(descriptor)
        if not stat.S_ISDIR(status.st_mode):
            self._synced[status.st_ino] = _content_of(path)
            self._unsafe.discard(status.st_ino)
            return
        folder = path[len(self.place) + 1 :]
        with os.scandir(path) as entries:
            start = f"{folder}/" if folder else ""
            here = {start + entry.name: entry.inode() for entry in entries if not entry.is_dir()}
        self._names = {name: inode for name, inode in self._names.items() if _folder(name) != folder} | here
        self._journal = [change for change in self._journal if _folder(change.name) != folder]

    def renamed(self, source: Path, target: Path, *, at: datetime) -> None:
        """Do the rename, and remember that only a sync of the directory makes it last."""
        for path in (source, target):
            self._own(path)
        if target.exists():
            self._bury(target)
        inode = source.stat().st_ino
        _rename(source, target)
        # A cache tells versions of a file apart by its time, which must not be the time at which the seed happens to run.
        moment = int(at.timestamp()) * 10**9 + len(self._buried)
        os.utime(target, ns=(moment, moment))
        self._journal.append(_Change(self._name(source), self._name(target), inode))

    def removed(self, path: Path) -> None:
        """Do the removal, likewise."""
        if path.exists():
            self._own(path)
            self._bury(path)
            self._journal.append(_Change(self._name(path), None, path.stat().st_ino))
        _unlink(path)

    def leveled(self, path: Path, level: str) -> None:
        """A connection said how careful SQLite is with this file."""
        if level == "off" and path.exists():
            self._unsafe.add(path.stat().st_ino)
        self._levels[self._name(path)] = level

    # What a power cut leaves

    def after_power_cut(self) -> Files:
        """Return the files as they may be found: a prefix of the directories' changes, synced data, and logs cut short."""
        self._note_times()
        present = dict(self._listing())
        contents = self._buried | {inode: (self.directory / name).read_bytes() for name, inode in present.items()}
        names = self._surviving_names(present)
        left: Files = {}
        for name, inode in sorted(names.items()):
            if name.endswith("-shm") or inode not in contents:
                continue
            content = contents[inode]
            if name.endswith("-wal"):
                content = self._cut_log(name, content, self._synced.get(inode, b""))
            elif not _is_database(name) or inode in self._unsafe:
                content = self._surviving_data(content, self._synced.get(inode, b""))
            left[name] = content
        return left

    def _surviving_names(self, present: dict[str, int]) -> dict[str, int]:
        names = dict(self._names)
        kept = self.random.randint(0, len(self._journal))
        for change in self._journal[:kept]:
            names.pop(change.name, None)
            if change.target is not None:
                names[change.target] = change.inode
        undecided = {name for change in self._journal[kept:] for name in (change.name, change.target)}
        # SQLite makes and removes its logs by itself, in the order it needs.
        for name in [name for name in names if name.endswith("-wal") and name not in undecided]:
            del names[name]
        for name, inode in sorted(present.items()):
            if name not in names and name not in undecided and inode not in names.values():
                # SQLite looks after the names of its own files; any other new name may or may not have reached the disk.
                main = name.removesuffix("-wal")
                is_log = main != name and names.get(main) == present.get(main)
                if is_log or (main == name and (_is_database(name) or self.random.random() < 0.5)):
                    names[name] = inode
        return names

    def _surviving_data(self, content: bytes, synced: bytes) -> bytes:
        if content == synced:
            return content
        return self.random.choice((synced, content, content[: self.random.randint(0, len(content))]))

    def _cut_log(self, name: str, content: bytes, synced: bytes) -> bytes:
        """Return a log up to a commit that may have been the last to reach the disk: any since the last checkpoint or sync."""
        if content == synced or self._levels.get(name.removesuffix("-wal")) == "full" or len(content) < WAL_HEADER:
            return content
        page_bytes = struct.unpack(">I", content[8:12])[0]
        frame_bytes = FRAME_HEADER + page_bytes
        ends = []
        for at in range(WAL_HEADER, len(content) - frame_bytes + 1, frame_bytes):
            pages, salts = content[at + 4 : at + 8], content[at + 8 : at + 16]
            if salts != content[16:24]:
                break
            if pages != b"\0\0\0\0":
                ends.append((at - WAL_HEADER) // frame_bytes + 1)
        least = self._backfilled(name)
        if len(synced) > WAL_HEADER and content.startswith(synced):
            least = max(least, (len(synced) - WAL_HEADER) // frame_bytes)
        frames = self.random.choice([least, *(end for end in ends if end >= least)])
        return content[: WAL_HEADER + frames * frame_bytes + self.random.choice((0, 0, 100))]

    def _backfilled(self, name: str) -> int:
        with suppress(OSError, struct.error):
            shared = (self.directory / (name.removesuffix("-wal") + "-shm")).read_bytes()
            return int(struct.unpack("=I", shared[BACKFILLED_AT : BACKFILLED_AT + 4])[0])
        return 0

    def _move(self) -> None:
        self.directory = self.root / str(self.lives)
        self.place = str(self.directory)

    def _forget(self) -> None:
        for memory in (self._names, self._synced, self._buried, self._unsafe, self._journal, self._levels):
            memory.clear()

    def _note_times(self) -> None:
        """Remember when files were written, which sweeping goes by; a copy put back keeps the times of its files."""
        self.times.update({name: os.stat(f"{self.place}/{name}").st_mtime_ns for name, _ in self._listing()})

    def _own(self, path: Path) -> None:
        """Take the name of a file of SQLite's as lasting: it syncs the directory itself."""
        if path.exists() and (_is_database(path.name) or path.name.endswith("-wal")):
            self._names.setdefault(self._name(path), path.stat().st_ino)

    def _bury(self, path: Path) -> None:
        self._buried[path.stat().st_ino] = path.read_bytes()

    def _name(self, path: Path) -> str:
        return str(path)[len(self.place) + 1 :]

    def _listing(self) -> Iterator[tuple[str, int]]:
        yield from _below(str(self.directory), "")


def _below(folder: str, prefix: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path, f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name, entry.inode()


_rename, _unlink = os.replace, os.unlink


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _is_database(name: str) -> bool:
    return name.endswith((".db", ".db.new"))


def _content_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def copy_files(source: Path) -> Files:
    """Return the files below a directory nobody works in."""
    return {path.relative_to(source).as_posix(): path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file()}


def clear(root: Path) -> None:
    """Remove everything a run left behind."""
    shutil.rmtree(root, ignore_errors=True)
