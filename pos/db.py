"""How a SQLite file is opened, read and written: one writer per file, one reader per thread, and no table made by mistake."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # pysqlite3 where installed, else the standard one

from pos.errors import DiskFull

DatabaseError = sqlite3.DatabaseError
OperationalError = sqlite3.OperationalError
IntegrityError = sqlite3.IntegrityError
Row = sqlite3.Row

P = ParamSpec("P")
T = TypeVar("T")

MOST_REMEMBERED = 48
"""Answers that each thread's reader keeps, the latest asked for: a page of cards takes sixty kilobytes."""
READER_CACHE_KB = 512
"""Pages a reader keeps itself, a quarter of SQLite's own: eight threads and two files held 20 MB of what the system has."""
SCHEMA_ACTIONS = frozenset(
    {
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_CREATE_VTABLE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_DROP_VIEW,
        sqlite3.SQLITE_DROP_VTABLE,
        sqlite3.SQLITE_ALTER_TABLE,
    }
)


def connect(path: Path, *, durable: bool, wal: bool = True, is_new: bool = True) -> Database:
    """Open `path` with our settings; transactions are explicit.

    `durable` commits survive a power cut (`synchronous=FULL`); others may fall back to an older, consistent state.
    A file that `is_new` is its owner's alone; else it must exist: nothing empty is made in the place of one that vanished.
    Without `wal` the file is a single file when closed: what a catalogue built aside needs before it is moved in place.
    Source of the settings: reference/scale.md §2.4.
    """
    if is_new and not path.exists():
        path.touch(mode=0o600)  # What SQLite keeps beside a file (-wal, -shm) has the file's own mode.
    address = f"{path.absolute().as_uri()}?mode={'rwc' if is_new else 'rw'}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        _set_up(connection, durable=durable, wal=wal)
    except BaseException:
        connection.close()
        raise
    return Database(connection)


def _set_up(connection: sqlite3.Connection, *, durable: bool, wal: bool) -> None:
    for pragma in (
        "busy_timeout=5000",
        f"journal_mode={'wal' if wal else 'delete'}",
        f"synchronous={'full' if durable else 'normal'}",
        "foreign_keys=on",
        "trusted_schema=off",
        "cell_size_check=on",
        "mmap_size=0",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"pragma {pragma}").fetchall()


def freeze_schema(database: Database) -> None:
    """Refuse schema changes on this connection, since sqlite-utils creates a table for a misspelt name."""

    def authorize(action: int, *_: str | None) -> int:
        return sqlite3.SQLITE_DENY if action in SCHEMA_ACTIONS else sqlite3.SQLITE_OK

    database.conn.set_authorizer(authorize)


@contextmanager
def write(database: Database) -> Iterator[Database]:
    """Run the block in one `BEGIN IMMEDIATE` transaction: all of it is committed, or none.

    Raises: DiskFull when the disk refuses the write.
    """
    database.conn.execute("begin immediate")
    try:
        yield database
        database.conn.execute("commit")
    except BaseException as problem:
        if database.conn.in_transaction:
            database.conn.execute("rollback")
        if isinstance(problem, sqlite3.OperationalError) and "is full" in str(problem):
            raise DiskFull("the disk is full") from problem
        raise


@contextmanager
def snapshot(database: Database) -> Iterator[Database]:
    """Let every read of the block see one state of the file, whatever is committed meanwhile; joins an open transaction."""
    if database.conn.in_transaction:
        yield database
        return
    database.conn.execute("begin")
    try:
        yield database
    finally:
        database.conn.execute("commit")


def copy_database(path: Path, target: Path) -> Path:
    """Copy what is committed of the database at `path` to `target`, and return that; it is complete before it has its name.

    Raises: DatabaseError, OSError.
    """
    half = target.with_suffix(".part")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    database = connect(path, durable=True, is_new=False)
    try:
        database.execute("vacuum into ?", [str(half)])
    finally:
        database.close()
    with half.open("rb") as file:
        os.fsync(file.fileno())
    half.replace(target)
    sync_folder(target.parent)
    return target


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlast a power cut, as the content of its files does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Reader(Database):
    """One thread's reader of a `Store`, with what it was told since anybody last committed to the file."""

    def __init__(self, connection: sqlite3.Connection, common: Common) -> None:
        super().__init__(connection)
        self.common = common
        self._answers: dict[Hashable, Any] = {}
        self._version = 0

    def answers(self) -> dict[Hashable, Any]:
        """Return what is remembered, the latest asked for last; nothing once another connection has committed."""
        (version,) = self.conn.execute("pragma data_version").fetchone()
        if version != self._version:
            # A new dict: an answer that began before the commit is then kept where nobody looks any more.
            self._answers, self._version = {}, version
        return self._answers


def remembered(read: Callable[Concatenate[Database, P], T]) -> Callable[Concatenate[Database, P], T]:
    """Let a reader of a `Store` remember what `read` answers until the file changes. Nobody may change such an answer.

    For what every page asks alike; other values of its arguments are other answers, so they must be hashable.
    """

    @wraps(read)
    def answer(database: Database, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not isinstance(database, Reader):
            return read(database, *args, **kwargs)
        answers = database.answers()
        asked = (read, args, *kwargs.items())
        told: T = answers.pop(asked) if asked in answers else read(database, *args, **kwargs)
        answers[asked] = told
        if len(answers) > MOST_REMEMBERED:
            del answers[next(iter(answers))]
        return told

    return answer


class Common:
    """The reader that the threads of a `Store` have in common, for what is large, dear to make and the same for all of them."""

    def __init__(self, read: Callable[[], Reader]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._held: dict[Callable[[Database], Any], Any] = {}

    def ask(self, make: Callable[[Database], T]) -> T:
        """Return what `make` answers to the file as it is; while another thread makes it anew, the one before."""
        if not self._lock.acquire(blocking=make not in self._held):
            before: T = self._held[make]
            return before
        try:
            made: T = remembered(make)(self._read())
            self._held[make] = made
            return made
        finally:
            self._lock.release()


def shared(database: Database, make: Callable[[Database], T]) -> T:
    """Return what `make` answers to a file: made once for all readers of a `Store`, and anew after a commit."""
    return database.common.ask(make) if isinstance(database, Reader) else make(database)


class Store:
    """One SQLite file shared by threads: `read()` lends this thread's reader, `write()` the single writer under a lock.

    When the file is replaced by another (a catalogue built aside), the next loan opens the new one.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        self.path = path
        self._durable = durable
        self._lock = threading.RLock()
        self._writer: tuple[int, Database] | None = None
        self._local = threading.local()
        self._shared = SimpleNamespace()
        self._common = Common(lambda: self._read(self._shared))

    def read(self) -> Reader:
        """Lend this thread's reader. Raises: FileNotFoundError, DatabaseError."""
        return self._read(self._local)

    def _read(self, kept: threading.local | SimpleNamespace) -> Reader:
        inode = os.stat(self.path).st_ino
        held: tuple[int, Reader] | None = getattr(kept, "reader", None)
        if held is None or held[0] != inode:
            # Forgotten before the next is opened: the number of a file closed may be given to another.
            kept.reader = None
            if held is not None:
                held[1].close()
            reader = Reader(self._open().conn, self._common)
            for pragma in ("query_only=on", f"cache_size=-{READER_CACHE_KB}"):
                reader.conn.execute(f"pragma {pragma}").fetchall()
            held = kept.reader = (inode, reader)
        return held[1]

    @contextmanager
    def writer(self) -> Iterator[Database]:
        """Lend the writer outside of a transaction, to this thread alone."""
        with self._lock:
            yield self._current_writer()

    @contextmanager
    def write(self) -> Iterator[Database]:
        """Lend the writer inside one transaction (see `write`)."""
        with self.writer() as database, write(database):
            yield database

    def close(self) -> None:
        """Close the writer, this thread's reader and the common one."""
        with self._lock:
            if self._writer is not None:
                self._writer[1].close()
                self._writer = None
        for kept in (self._local, self._shared):
            held: tuple[int, Database] | None = getattr(kept, "reader", None)
            if held is not None:
                held[1].close()
                kept.reader = None

    def _current_writer(self) -> Database:
        inode = os.stat(self.path).st_ino if self.path.exists() else 0
        if self._writer is None or self._writer[0] != inode:
            held, self._writer = self._writer, None
            if held is not None:
                held[1].close()
            database = self._open()
            self._writer = (os.stat(self.path).st_ino, database)
        return self._writer[1]

    def _open(self) -> Database:
        database = connect(self.path, durable=self._durable, is_new=False)
        freeze_schema(database)
        return database
