from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from pos import catalog, selections, slips
from pos.db import (
    MOST_REMEMBERED,
    DatabaseError,
    IntegrityError,
    OperationalError,
    Store,
    connect,
    freeze_schema,
    remembered,
    snapshot,
    write,
)
from pos.errors import DiskFull
from tests.world import GOOD, IPHONE_13, NOW, Kiosk

SCHEMA = "create table note (note_id integer primary key, text text not null) strict"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path / "notes.db")


def make(path: Path, *texts: str) -> Path:
    database = connect(path, durable=False)
    database.execute(SCHEMA)
    for text in texts:
        database.execute("insert into note (text) values (?)", [text])
    database.close()
    return path


def texts(database: Database) -> list[str]:
    return [text for (text,) in database.execute("select text from note order by note_id")]


def note(store: Store, text: str) -> None:
    with store.write() as database:
        database.execute("insert into note (text) values (?)", [text])


def note_often(store: Store) -> None:
    for _ in range(25):
        note(store, "x")


def in_thread(act: Callable[[], object]) -> object:
    answer: list[object] = []
    thread = threading.Thread(target=lambda: answer.append(act()))
    thread.start()
    thread.join()
    return answer[0]


def test_settings_are_those_of_a_file_that_survives(path: Path) -> None:
    for durable, synchronous in ((True, 2), (False, 1)):
        database = connect(path, durable=durable)
        read = {
            name: database.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        assert read == {"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1}
        assert database.execute("pragma trusted_schema").fetchone() == (0,)
        database.close()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"no database at all, but long enough to be read as one" * 100)
    before = path.read_bytes()

    for _ in range(2):
        with pytest.raises(DatabaseError):
            connect(path, durable=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "act",
    [
        lambda database: database.table("nope").insert({"text": "x"}),
        lambda database: database.table("note").insert({"txt": "x"}, alter=True),
        lambda database: database.execute("create table other (x integer)"),
        lambda database: database.execute("create index other on note (text)"),
        lambda database: database.execute("create view other as select 1"),
        lambda database: database.execute("create virtual table other using fts5 (text)"),
        lambda database: database.execute("create trigger other after insert on note begin select 1; end"),
        lambda database: database.execute("drop table note"),
        lambda database: database.execute("alter table note add column more text"),
        lambda database: database.execute("alter table note rename to notes"),
    ],
)
def test_a_frozen_schema_stays(path: Path, act: Callable[[Database], object]) -> None:
    database = connect(path, durable=False)
    schema = list(database.execute("select sql from sqlite_master"))
    freeze_schema(database)

    with pytest.raises(DatabaseError):
        act(database)
    assert list(database.execute("select sql from sqlite_master")) == schema
    database.table("note").insert({"text": "still writes"})
    assert texts(database) == ["still writes"]
    database.close()


def test_a_frozen_catalogue_still_searches_and_is_refreshed(kiosk: Kiosk) -> None:
    with kiosk.catalog.write() as database:
        catalog.refresh(database, None, now=NOW)
    assert kiosk.catalog.read().execute("select count(*) from sku_search where sku_search match 'iphone'").fetchone() == (2,)


def test_a_write_is_all_or_nothing(path: Path) -> None:
    database = connect(path, durable=True)
    for problem in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(problem):
            fail(database, problem)
        assert not database.conn.in_transaction
    with write(database):
        database.execute("insert into note (text) values ('kept')")

    assert texts(database) == ["kept"]
    database.close()


def fail(database: Database, problem: type[BaseException]) -> None:
    with write(database):
        database.table("note").insert({"text": "lost"})
        database.table("note").insert({"text": "lost too"})
        raise problem


def test_a_broken_rule_rolls_the_whole_write_back(path: Path) -> None:
    store = Store(path, durable=False)
    with pytest.raises(IntegrityError):
        break_rule(store)
    assert texts(store.read()) == []
    note(store, "after")
    assert texts(store.read()) == ["after"]
    store.close()


def break_rule(store: Store) -> None:
    with store.write() as database:
        database.execute("insert into note (note_id, text) values (1, 'first')")
        database.execute("insert into note (note_id, text) values (1, 'second')")


def test_a_full_disk_is_said_and_loses_nothing_committed(path: Path) -> None:
    store = Store(path, durable=True)
    note(store, "before")
    with store.write() as database:
        pages = database.execute("pragma page_count").fetchone()[0]
    database.execute(f"pragma max_page_count = {pages}").fetchall()

    with pytest.raises(DiskFull):
        note(store, "x" * 1_000_000)
    assert texts(store.read()) == ["before"]
    database.execute("pragma max_page_count = 100000").fetchall()
    note(store, "after")
    assert texts(store.read()) == ["before", "after"]
    store.close()


def test_a_reader_cannot_write(path: Path) -> None:
    store = Store(path, durable=False)
    with pytest.raises(OperationalError):
        store.read().execute("insert into note (text) values ('x')")
    store.close()


def test_each_thread_has_its_own_reader_and_keeps_it(path: Path) -> None:
    store = Store(path, durable=False)
    mine = store.read()

    assert store.read() is mine
    assert in_thread(lambda: store.read() is mine) is False
    assert in_thread(lambda: store.read() is store.read()) is True
    store.close()


def test_a_reader_sees_what_is_committed_and_not_before(path: Path) -> None:
    store = Store(path, durable=False)
    with store.write() as database:
        database.execute("insert into note (text) values ('soon')")
        assert texts(store.read()) == []
    assert texts(store.read()) == ["soon"]
    store.close()


def test_writers_wait_for_each_other(path: Path) -> None:
    store = Store(path, durable=False)
    threads = [threading.Thread(target=note_often, args=(store,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(texts(store.read())) == 100
    store.close()


def test_a_replaced_file_is_opened_anew(path: Path, tmp_path: Path) -> None:
    store = Store(path, durable=False)
    note(store, "old")
    old = store.read()
    store.close()
    store.read()
    os.replace(make(tmp_path / "aside.db", "new"), path)

    assert texts(store.read()) == ["new"]
    assert store.read() is not old
    note(store, "newer")
    assert texts(store.read()) == ["new", "newer"]
    store.close()


def test_a_reader_at_work_finishes_on_the_old_file(path: Path, tmp_path: Path) -> None:
    store = Store(path, durable=False)
    note(store, "old")
    store.close()
    lent = store.read()
    os.replace(make(tmp_path / "aside.db", "new"), path)

    assert texts(lent) == ["old"]
    assert texts(store.read()) == ["new"]
    store.close()


def test_every_thread_moves_to_the_new_file(path: Path, tmp_path: Path) -> None:
    store = Store(path, durable=False)
    swapped, looked = threading.Event(), threading.Event()
    seen: list[list[str]] = []

    def look_twice() -> None:
        seen.append(texts(store.read()))
        looked.set()
        swapped.wait(5)
        seen.append(texts(store.read()))

    thread = threading.Thread(target=look_twice)
    thread.start()
    looked.wait(5)
    os.replace(make(tmp_path / "aside.db", "new"), path)
    swapped.set()
    thread.join()

    assert seen == [[], ["new"]]


def test_after_a_damaged_file_the_rebuilt_one_is_opened(path: Path, tmp_path: Path) -> None:
    """A connection is never kept for a file that could not be opened: file numbers are given again."""
    store = Store(path, durable=False)
    store.read()
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"broken" * 1000)
    os.replace(broken, path)
    for _ in range(2):
        with pytest.raises(DatabaseError):
            store.read()
        with pytest.raises(DatabaseError):
            note(store, "x")
    for turn in range(3):
        os.replace(make(tmp_path / "aside.db", f"rebuilt {turn}"), path)
        assert texts(store.read()) == [f"rebuilt {turn}"]
    store.close()


def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    store = Store(tmp_path / "none.db", durable=False)
    with pytest.raises(FileNotFoundError):
        store.read()
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_sees_one_state(path: Path) -> None:
    store = Store(path, durable=False)
    note(store, "one")
    with snapshot(store.read()) as database:
        assert texts(database) == ["one"]
        thread = threading.Thread(target=note, args=(store, "two"))
        thread.start()
        thread.join()
        assert texts(database) == ["one"]
        with snapshot(database):
            assert texts(database) == ["one"]
    assert texts(store.read()) == ["one", "two"]
    store.close()


def test_a_slip_quotes_one_publication_even_while_the_next_arrives(kiosk: Kiosk) -> None:
    """The follower commits between two reads of "issue slip": prices and publication number still belong together."""
    with kiosk.ops_write() as ops:
        selection_id = selections.start_selection(ops.execute, now=NOW)
        selections.add_line(ops.execute, kiosk.catalog.read(), selection_id, wish=selections.Wish(listing_id=101), now=NOW)
    reader, arrived = kiosk.catalog.read(), threading.Event()
    reader.answers().clear()

    def publish() -> None:
        with kiosk.catalog.write() as database:
            database.execute("update listing set price_cents = 1 where sku_id = ? and grade_id = ?", [IPHONE_13, GOOD])
            database.execute("update catalog_fact set value = '8' where name = 'publication'")

    def arrive(statement: str) -> None:
        if "from shown_law" in statement and not arrived.is_set():
            arrived.set()
            in_thread(publish)

    reader.conn.set_trace_callback(arrive)
    with kiosk.ops_write() as ops:
        slip = slips.issue_slip(ops, reader, selection_id, device=kiosk.device, seen=None, language="fr", now=NOW)
    reader.conn.set_trace_callback(None)

    assert arrived.is_set()
    assert (slip.facts["publication"], slip.facts["lines"][0]["listing"]["all_in_cents"]) == (7, 36900)


def test_an_answer_begun_before_a_commit_is_not_remembered_after_it(tmp_path: Path) -> None:
    connect(tmp_path / "a.db", durable=False).execute("create table thing (number integer primary key)")
    store = Store(tmp_path / "a.db", durable=False)
    commits = [1]

    @remembered
    def inner(database: Database) -> int:
        return int(database.execute("select count(*) from thing").fetchone()[0])

    @remembered
    def outer(database: Database) -> int:
        count = int(database.execute("select count(*) from thing").fetchone()[0])
        while commits:
            with store.write() as writer:
                writer.execute("insert into thing values (?)", [commits.pop()])
        inner(database)
        return count

    assert [outer(store.read()), outer(store.read()), inner(store.read())] == [0, 1, 1]
    store.close()


def test_a_reader_forgets_what_was_asked_for_longest_ago(tmp_path: Path) -> None:
    connect(tmp_path / "a.db", durable=False).execute("create table thing (number integer primary key)")
    store = Store(tmp_path / "a.db", durable=False)
    asked: list[int] = []

    @remembered
    def echo(_database: Database, number: int) -> int:
        asked.append(number)
        return number

    for number in range(MOST_REMEMBERED):
        echo(store.read(), number)
    echo(store.read(), 0)
    echo(store.read(), MOST_REMEMBERED)
    asked.clear()
    assert [echo(store.read(), number) for number in (0, 2, 1)] == [0, 2, 1]
    assert asked == [1]
    store.close()


def test_a_reader_remembers_until_somebody_commits(tmp_path: Path) -> None:
    asked: list[int] = []

    @remembered
    def names(database: Database, least: int) -> list[str]:
        asked.append(least)
        return [name for (name,) in database.execute("select name from thing where number >= ? order by number", [least])]

    connect(tmp_path / "a.db", durable=False).execute("create table thing (number integer primary key, name text)")
    store = Store(tmp_path / "a.db", durable=False)
    assert [names(store.read(), 0), names(store.read(), 0), names(store.read(), 1)] == [[], [], []]
    assert asked == [0, 1]

    with store.write() as writer:
        writer.execute("insert into thing values (1, 'one')")
        assert names(writer, 0) == ["one"]
        assert names(store.read(), 0) == []

    assert names(store.read(), 0) == ["one"]
    store.close()
