"""A marketplace's database as each landed version left it, brought to this one: every row is there, and the marketplace works.

`releases/VERSION/` holds the tables as that version made them on both databases, rows of a small system for each of them, and
what is needed to use it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import text

from marketplace.app import create_app
from marketplace.db import open_engine, reading
from marketplace.events.inbox import judge
from marketplace.feeds.imports import import_feed
from marketplace.installation import FILE, opened, sync_path
from marketplace.setup import upgrade_installation
from tests.marketplace import world
from tests.marketplace.hq import URL, quiet
from tests.marketplace.postgres import Cluster

RELEASES = sorted((Path(__file__).parent / "releases").iterdir())
DECLARED = {"sqlite": "sqlite.sql", "postgres": "postgresql.sql"}

Row = tuple[str, dict[str, Any]]
MADE_ANEW = {("customer_order", "state")}
"""What an upgrade says in other words: an order that waited for a seller waits for its payment now."""


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    """A landed version's folder."""
    return Path(request.param)


@pytest.fixture
def facts(release: Path) -> dict[str, Any]:
    """What is known of its marketplace: the console's password, a slip's digits, its order's address, and when it was left."""
    return dict(json.loads((release / "facts.json").read_text(encoding="utf-8")))


@pytest.fixture
def left(release: Path) -> list[Row]:
    """Its rows."""
    lines = (release / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [(table, {name: bytes_of(value) for name, value in row.items()}) for table, row in map(json.loads, lines)]


@pytest.fixture
def directory(release: Path, left: list[Row], kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The marketplace's directory as that version left it."""
    with ExitStack() as stack:
        url = f"sqlite+pysqlite:///{tmp_path}/marketplace.db"
        if kind == "postgres":
            cluster: Cluster = request.getfixturevalue("cluster")
            url = stack.enter_context(cluster.lent_database("template1"))
        engine = open_engine(url)
        with engine.begin() as connection:
            for statement in (release / DECLARED[kind]).read_text(encoding="utf-8").split(";\n"):
                if statement.strip():
                    connection.execute(text(statement))
            for table, row in left:
                names = ", ".join(row)
                connection.execute(text(f"insert into {table} ({names}) values ({', '.join(f':{name}' for name in row)})"), row)
        engine.dispose()
        (tmp_path / FILE).write_text(json.dumps({"database": url, "public_url": URL}), encoding="utf-8")
        yield tmp_path


def test_every_row_is_there_as_it_was(directory: Path, left: list[Row]) -> None:
    upgrade_installation(directory, say=print)

    with opened(directory) as engine, reading(engine) as connection:
        for table, row in left:
            kept = {name: value for name, value in row.items() if (table, name) not in MADE_ANEW}
            wanted = " and ".join(f"{name} is null" if value is None else f"{name} = :{name}" for name, value in kept.items())
            found = connection.execute(text(f"select count(*) from {table} where {wanted}"), kept).scalar_one()
            assert found == 1, (table, row)
        for table in {table for table, _ in left}:
            assert connection.execute(text(f"select count(*) from {table}")).scalar_one() == sum(
                name == table for name, _ in left
            )


@pytest.fixture
def client(directory: Path, facts: dict[str, Any]) -> Iterator[FlaskClient]:
    """A browser before the marketplace of this version, which has judged what waited and taken a feed, an hour later."""
    with time_machine.travel(facts["at"], tick=False):
        upgrade_installation(directory, say=print)
        with opened(directory) as engine:
            judge(engine)
            feed = world.write_feed(directory / "feed", None, world.listings(l11={"price": "355.00"}))
            import_feed(engine, feed, static=sync_path(directory), progress=quiet)
        app = create_app(directory)
        yield app.test_client()
        app.extensions["marketplace"].engine.dispose()


def test_its_orders_slips_and_corners_are_shown(client: FlaskClient, facts: dict[str, Any]) -> None:
    assert "iPhone 13" in client.get(facts["order"]).text
    assert client.post("/console/login", data={"password": facts["password"]}).status_code == 303
    for page, word in (
        ("/console/slips", "35-0001-H"),
        ("/console/orders", "35-0001-H"),
        ("/console/fleet", "Nantes Crébillon"),
        ("/console/dead-letters", "slip_issued"),
    ):
        answer = client.get(page)
        assert (answer.status_code, word in answer.text) == (200, True), page


def bytes_of(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
