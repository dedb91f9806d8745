"""A database of an earlier version comes to this one, whole or not at all, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from marketplace import schema
from marketplace.app import create_app
from marketplace.db import SQLITE_FILE, database_url, open_engine, reading
from marketplace.setup import create_installation
from marketplace.tables import metadata
from marketplace.upgrades import UNMARKED, facts_of, upgrade
from pos.errors import Conflict, Unavailable
from sync.hq.log import sync_metadata
from sync.locks import hold_directory
from tests.marketplace.postgres import Cluster
from tests.processes import comptoir

PRESENT = schema.versions()[-1]
FOLLOWING = f"{int(PRESENT) + 1:04}"
STEP = f"{FOLLOWING}: Tell the pieces of a slip apart."
NEXT = f'''
"""Tell the pieces of a slip apart."""

from alembic import op
from sqlalchemy import CheckConstraint, Column, text

from marketplace.tables.columns import Whole, key, whole

revision = "{FOLLOWING}"
down_revision = "{PRESENT}"


def upgrade() -> None:
    op.create_table("slip_piece", key("corner_id"), key("number"), whole("units"), sqlite_strict=True)
    op.add_column("slip", Column("units", Whole, nullable=False, server_default=text("1")))
    op.execute("insert into slip_piece (corner_id, number, units) select corner_id, number, units from slip")
    op.create_index("slip_by_units", "slip", ["corner_id", "units"])
'''
SLIPS = 40


@pytest.fixture
def empty(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database without a table."""
    with lent_database(kind, tmp_path, request) as made:
        yield made


@pytest.fixture
def another(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A second database without a table."""
    with lent_database(kind, tmp_path / "another", request) as made:
        yield made


@pytest.fixture
def unmarked(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database as it was made before there were versions, with some slips."""
    with lent_database(kind, tmp_path / "unmarked", request) as made:
        make_unmarked(made)
        yield made


@contextmanager
def lent_database(kind: str, directory: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    with ExitStack() as stack:
        if kind == "postgres":
            cluster: Cluster = request.getfixturevalue("cluster")
            url = stack.enter_context(cluster.lent_database("template1"))
        else:
            directory.mkdir(exist_ok=True)
            url = database_url(directory)
        engine = open_engine(url)
        stack.callback(engine.dispose)
        yield engine


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations, and one more that adds a table and a column and moves rows."""
    migrations = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    (migrations / "versions" / f"{FOLLOWING}_pieces.py").write_text(NEXT, encoding="utf-8")
    monkeypatch.setattr(schema, "MIGRATIONS", migrations)
    return migrations


def make_unmarked(engine: Engine) -> None:
    with patch.object(schema, "versions", lambda: ["0001", UNMARKED[0]]):
        upgrade(engine, say=lambda _step: None)
    with engine.begin() as connection:
        connection.execute(text("drop table alembic_version"))
    add_slips(engine)


def add_slips(engine: Engine) -> None:
    slips = [{"counter": counter, "number": f"35-{counter}"} for counter in range(SLIPS)]
    sql = "insert into slip values ('nantes', 'k', :counter, :number, '', '{}', '2026-11-28', '2026-12-12', '2026-11-28', null)"
    with engine.begin() as connection:
        connection.execute(text(sql), slips)


def version_of(engine: Engine) -> str | None:
    with reading(engine) as connection:
        return schema.version_of(connection)


def slips(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(text("select count(*) from slip")).scalar_one())


def units(engine: Engine) -> list[tuple[str, int]]:
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text("select number, units from slip_piece order by number"))]


def test_the_migrations_build_the_tables_that_are_declared(empty: Engine, another: Engine) -> None:
    upgrade(empty, say=print)
    metadata.create_all(another)
    sync_metadata.create_all(another)

    with reading(empty) as made, reading(another) as declared:
        context = MigrationContext.configure(made, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, [metadata, sync_metadata]) == []  # type: ignore[arg-type]  # several are documented
        facts = facts_of(made)
        assert facts == facts_of(declared)
        assert set(facts) == {*metadata.tables, *sync_metadata.tables}
        assert {"check known_basis", "index listing_by_sku", "primary key"} <= {
            line.split(":")[0].split(" [")[0] for lines in facts.values() for line in lines
        }


def test_the_files_of_the_migrations_are_their_order() -> None:
    steps = ScriptDirectory(str(schema.MIGRATIONS))

    assert [step.revision for step in reversed(list(steps.walk_revisions()))] == schema.versions()
    assert all(step.module.__file__ and step.doc for step in steps.walk_revisions())


def test_a_database_without_a_version_is_known_by_its_tables(unmarked: Engine) -> None:
    with pytest.raises(
        Conflict, match=f"at version none, this program needs {PRESENT}: stop every server and run `comptoir market"
    ):
        refuse(unmarked)

    assert upgrade(unmarked, say=print) == PRESENT
    refuse(unmarked)
    assert slips(unmarked) == SLIPS
    said: list[str] = []
    assert (upgrade(unmarked, say=said.append), said) == (PRESENT, [])


def test_a_database_from_before_the_quotas_is_known_too(unmarked: Engine) -> None:
    with unmarked.begin() as connection:
        connection.execute(text("drop table sent"))
    said: list[str] = []

    upgrade(unmarked, say=said.append)

    assert "0002: Count what each key sends in an hour, towards its quota." in said
    with reading(unmarked) as connection:
        assert "sent" in facts_of(connection)
    assert slips(unmarked) == SLIPS


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("drop index slip_by_time", "slip: index slip_by_time"),
        ("alter table slip add column more text", "slip: more TEXT"),
        ("drop table claim", "claim: "),
    ],
)
def test_a_strange_database_is_left_as_it_is(unmarked: Engine, change: str, named: str) -> None:
    with unmarked.begin() as connection:
        connection.execute(text(change))
        before = facts_of(connection)

    with pytest.raises(Conflict, match=f"no version that this program knows; from 0002 it differs in {named}"):
        upgrade(unmarked, say=print)
    with reading(unmarked) as connection:
        assert (facts_of(connection), schema.version_of(connection)) == (before, None)


def test_rows_move_along_to_the_next_version(unmarked: Engine, next_version: Path) -> None:
    """`next_version` is what a later program brings."""
    said: list[str] = []
    assert upgrade(unmarked, say=said.append) == FOLLOWING

    assert said[-1] == STEP
    assert units(unmarked) == sorted((f"35-{counter}", 1) for counter in range(SLIPS))
    refuse(unmarked)


def test_fees_booked_before_they_were_invoiced_fall_due_with_the_share_they_were_taken_from(empty: Engine) -> None:
    with patch.object(schema, "versions", lambda: ["0001", "0025"]):
        upgrade(empty, say=print)
    lines = {
        "seller_payable": (-800, "'2026-11-13'"),
        "commission": (-167, "null"),
        "fee_vat": (-33, "null"),
        "provider": (1000, "null"),
    }
    with empty.begin() as connection:
        entry = "insert into entry values ('seller:1', 'e1', 'sale', 'f', 's', 'EUR', '2026-11-03T10:00:00Z', 1000, 1000)"
        connection.execute(text(entry))
        for number, (account, (cents, due_on)) in enumerate(lines.items(), start=1):
            values = f"'seller:1', 'e1', {number}, '{account}', 'seller:1', 'EUR', '2026-11-03T10:00:00Z', {cents}, {due_on}"
            connection.execute(text(f"insert into posting values ({values})"))
    upgrade(empty, say=print)
    with reading(empty) as connection:
        due = {line.account: line.due_on for line in connection.execute(text("select account, due_on from posting"))}
    assert due == {**dict.fromkeys(("seller_payable", "commission", "fee_vat"), "2026-11-13"), "provider": None}


def test_a_newer_database_is_refused_by_its_version(
    unmarked: Engine, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(unmarked, say=print)
    (next_version / "versions" / f"{FOLLOWING}_pieces.py").unlink()

    for attempt in (refuse, lambda engine: upgrade(engine, say=print)):
        with pytest.raises(
            Conflict, match=f"at version {FOLLOWING}, this program knows up to {PRESENT}: start the newer comptoir"
        ):
            attempt(unmarked)
    assert version_of(unmarked) == FOLLOWING


def test_of_two_upgrades_at_once_one_does_it(unmarked: Engine, next_version: Path) -> None:
    said: list[str] = []
    both = [threading.Thread(target=upgrade, args=(unmarked,), kwargs={"say": said.append}) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert [line for line in said if line.startswith(FOLLOWING)] == [STEP]
    assert (version_of(unmarked), len(units(unmarked))) == (FOLLOWING, SLIPS)


def test_an_upgrade_killed_at_any_statement_leaves_the_version_it_found(unmarked: Engine, request: pytest.FixtureRequest) -> None:
    upgrade(unmarked, say=print)
    migrations: Path = request.getfixturevalue("next_version")
    url = unmarked.url.render_as_string(hide_password=False)

    killed = [sys.executable, "-m", "tests.marketplace.killed_upgrades", url, str(migrations)]
    done = subprocess.run(killed, capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 8, "each statement is one to die at"
    assert (version_of(unmarked), len(units(unmarked))) == (FOLLOWING, SLIPS)


def test_a_sqlite_file_is_kept_as_it_was(tmp_path: Path, next_version: Path) -> None:
    engine = open_engine(database_url(tmp_path))
    make_unmarked(engine)
    said: list[str] = []
    upgrade(engine, say=said.append)
    engine.dispose()

    kept = tmp_path / "marketplace-0002.db"
    assert said[0] == f"the database as it was: {kept}"
    assert kept.stat().st_mode & 0o077 == 0
    old = open_engine(f"sqlite+pysqlite:///{kept}")
    assert (version_of(old), slips(old)) == (None, SLIPS)
    old.dispose()


def test_a_disk_without_room_for_the_copy_is_told_before_anything_changes(
    tmp_path: Path, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(database_url(tmp_path))
    make_unmarked(engine)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9, 2**20))

    with pytest.raises(Unavailable, match=r"1 MiB are free in .*, an upgrade needs 64 MiB: nothing was changed"):
        upgrade(engine, say=print)
    assert (version_of(engine), sorted(tmp_path.glob("*.db"))) == (None, [tmp_path / "marketplace.db"])
    engine.dispose()


def refuse(engine: Engine) -> None:
    with reading(engine) as connection:
        schema.refuse_other(connection, Path("D"))


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    old = old_installation(tmp_path)

    said = comptoir("marketplace", "upgrade", "--dir", str(old)).splitlines()
    assert said[0] == f"the database as it was: {old / 'marketplace-0002.db'}"
    assert said[1] == "0003: Keep what customers compose in the shop."
    assert said[-1] == f"the database is at version {PRESENT}"
    assert comptoir("marketplace", "upgrade", "--dir", str(old)) == f"the database is at version {PRESENT}\n"
    assert "no marketplace in" in comptoir("marketplace", "upgrade", "--dir", str(tmp_path / "none"), expect=1)


@pytest.mark.parametrize(
    "command",
    [("serve",), ("publish",), ("import", "tests"), ("enrol", "nantes"), ("sweep",), ("rollback", "1"), ("gaps",)],
    ids=lambda command: command[0],
)
def test_no_command_works_on_another_version(tmp_path: Path, command: tuple[str, ...]) -> None:
    old = old_installation(tmp_path)

    said = comptoir("marketplace", *command, "--dir", str(old), expect=1)
    assert said == (
        f"comptoir: conflict: the database is at version none, this program needs {PRESENT}: "
        f"stop every server and run `comptoir marketplace upgrade --dir {old}`\n"
    )
    with pytest.raises(Conflict, match="at version none"):
        create_app(old)


def test_a_directory_that_is_held_is_not_upgraded(tmp_path: Path) -> None:
    old = old_installation(tmp_path)
    with hold_directory(old, doing="serving on http://here/"):
        said = comptoir("marketplace", "upgrade", "--dir", str(old), expect=1)

    assert f"{old} is held already: by process " in said
    assert said.endswith(", serving on http://here/\n")


def old_installation(tmp_path: Path) -> Path:
    """Return the directory of a marketplace whose database keeps no version."""
    create_installation(tmp_path / "hq", database=None, public_url="http://marche.test")
    (tmp_path / "hq" / SQLITE_FILE).unlink()
    with closing_engine(open_engine(database_url(tmp_path / "hq"))) as engine:
        make_unmarked(engine)
    return tmp_path / "hq"


@contextmanager
def closing_engine(engine: Engine) -> Iterator[Engine]:
    yield engine
    engine.dispose()
