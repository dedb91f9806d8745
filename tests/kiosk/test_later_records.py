"""Records that a later version has brought on: an earlier one goes on with them where the later only added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from kiosk.app import create_app
from pos.db import connect
from pos.errors import RecordsNewer
from pos.ops import READER, open_ops, setting, store_setting
from pos.ops_tables import OLDEST_READER, migrations
from tests import world


def make_slip(directory: Path) -> str:
    """Make a slip as the screens do, and return its number."""
    app = create_app(directory, sync=False)
    client = app.test_client()
    selection = client.post("/selections", data={"listing": "101"}).headers["Location"]
    number = client.post(f"{selection}/slip").headers["Location"].rpartition("/")[2]
    app.extensions["comptoir"].ops.close()
    return number


def brought_on(path: Path, *, oldest_reader: str) -> None:
    """Do to a file what a later version may: another table, another column everywhere, its own mark.

    The trigger that fills `slip_line` names no columns: a version that adds one there writes the trigger anew.
    """
    database = connect(path, durable=True)
    for table in database.table_names():
        if not table.startswith(("sqlite_", "_")) and table != "slip_line":
            database.execute(f"alter table [{table}] add column of_a_later_version text")
    database.execute("create table later (later_no integer primary key) strict")
    database.execute(
        "insert into _sqlite_migrations (migration_set, name, applied_at) values ('comptoir-ops', 'm999_later', '2027-01-01')"
    )
    store_setting(database, READER, oldest_reader)
    database.close()


def test_a_kiosk_that_stepped_back_goes_on_with_the_records_of_the_later_version(kiosk: world.Kiosk) -> None:
    kiosk.ops.close()
    first = make_slip(kiosk.directory)
    brought_on(kiosk.directory / "ops.db", oldest_reader=OLDEST_READER)
    second = make_slip(kiosk.directory)

    app = create_app(kiosk.directory, sync=False)
    camille = app.test_client()
    assert camille.post("/counter/session", data={"clerk": "camille", "pin": world.PIN}).status_code == 303
    for page in ("/counter", "/counter/day", "/counter/paper", "/counter/table", "/counter/journal", f"/slips/{first}"):
        assert camille.get(page, follow_redirects=True).status_code == 200, page
    assert [first[-6:-2], second[-6:-2]] == ["0001", "0002"], "no number is given twice"
    assert setting(app.extensions["comptoir"].ops.read(), READER) == OLDEST_READER
    app.extensions["comptoir"].ops.close()


def test_records_that_a_later_version_changed_are_left_to_it(kiosk: world.Kiosk) -> None:
    kiosk.ops.close()
    brought_on(kiosk.directory / "ops.db", oldest_reader="m999_later")

    with pytest.raises(RecordsNewer):
        open_ops(kiosk.directory / "ops.db")


def test_every_migration_after_the_oldest_reader_only_adds() -> None:
    database = Database(memory=True)
    every = [each.name for each in migrations.pending(database)]
    assert OLDEST_READER in every
    migrations.apply(database, stop_before=[*every, ""][every.index(OLDEST_READER) + 1] or None)
    before = shape(database)
    migrations.apply(database)

    after = shape(database)
    for table, (columns, rest) in before.items():
        assert after[table][1] == rest, f"{table} has other constraints or triggers"
        added = [column for column in after[table][0] if column not in columns]
        assert [column for column in after[table][0] if column in columns] == columns
        assert [column for column in added if column["notnull"] and column["dflt_value"] is None] == [], table


def shape(database: Database) -> dict[str, Any]:
    """Return each table's columns, and what its rows must obey besides."""
    triggers = database.execute("select tbl_name, sql from sqlite_master where type = 'trigger'").fetchall()
    shapes = {}
    for table in database.table_names():
        columns = [
            dict(zip(("name", "type", "notnull", "dflt_value", "pk"), row[1:6], strict=True))
            for row in database.execute(f"pragma table_info([{table}])").fetchall()
        ]
        rest = sorted(sql for name, sql in triggers if name == table)
        shapes[table] = (columns, rest)
    return shapes
