"""Every test that asks for `hq` or `database` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from marketplace import sessions
from marketplace.app import create_app
from marketplace.installation import replica_path
from marketplace.setup import create_installation
from marketplace.upgrades import upgrade
from pos import clock
from pos.db import connect
from tests.marketplace.hq import CopiedHq, Hq
from tests.marketplace.postgres import Cluster, PostgresMissing
from tests.world import Kiosk


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A private PostgreSQL; without one the test is skipped, or fails where `COMPTOIR_REQUIRE_ALL=1`."""
    try:
        running = Cluster()
    except PostgresMissing as problem:
        if os.environ.get("COMPTOIR_REQUIRE_ALL") == "1":
            pytest.fail(str(problem))
        pytest.skip(str(problem))
    try:
        running.start()
        engine = create_engine(running.url("postgres"))
        upgrade(engine, say=print)
        engine.dispose()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Let a password cost tests less than it costs whoever guesses it: what is kept of it says its own cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Hq:
    """A marketplace on SQLite with the small world imported and published, for tests to copy."""
    return found(tmp_path_factory.mktemp("founded") / "hq", None, now=real_now())


@pytest.fixture(scope="session")
def founded_on_postgres(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Hq:
    """The same on PostgreSQL."""
    return found(tmp_path_factory.mktemp("founded") / "hq", cluster.url(cluster.new_database("postgres")), now=real_now())


def found(directory: Path, database: str | None, *, now: datetime) -> Hq:
    """Make a marketplace at a moment and leave it closed, for tests to copy."""
    with time_machine.travel(now, tick=False):
        made = Hq(directory, database)
    made.close()
    return made


def real_now() -> datetime:
    """Return the true time: whichever test asks first may have moved its clock, and those after it must not find its world."""
    hatch = time_machine.escape_hatch
    return hatch.datetime.datetime.now(tz=UTC) if hatch.is_travelling() else clock.now()


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database."""
    return str(request.param)


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The address of an empty database; None for SQLite's own place."""
    if kind == "sqlite":
        yield None
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.lent_database("postgres") as address:
        yield address


@pytest.fixture
def hq(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> Iterator[Hq]:
    """A marketplace with the small world imported and published, and a device enrolled at Nantes."""
    if kind == "sqlite":
        with closing(CopiedHq(request.getfixturevalue("founded"), tmp_path / "hq")) as made:
            yield made
        return
    first: Hq = request.getfixturevalue("founded_on_postgres")
    cluster: Cluster = request.getfixturevalue("cluster")
    with (
        cluster.lent_database(str(first.engine.url.database)) as address,
        closing(CopiedHq(first, tmp_path / "hq", address)) as made,
    ):
        yield made


@pytest.fixture
def two_markets(tmp_path: Path, kiosk: Kiosk) -> Iterator[FlaskClient]:
    """A marketplace that published the same devices in two markets."""
    directory = tmp_path / "hq"
    create_installation(directory, database=None, public_url="http://localhost")
    for market, currency in (("fr", "EUR"), ("us", "USD")):
        replica = replica_path(directory, market)
        replica.parent.mkdir(exist_ok=True)
        with closing(connect(replica, durable=False)) as copy:
            kiosk.catalog.read().conn.backup(copy.conn)
            copy.execute("update catalog_fact set value = ? where name = 'currency'", [currency])
            copy.execute("update catalog_fact set value = ? where name = 'market'", [market])
    replica_path(directory, "fr.trial").touch()
    app = create_app(directory)
    yield app.test_client()
    app.extensions["marketplace"].engine.dispose()
