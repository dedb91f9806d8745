"""Every test that asks for `hq` or `database` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from marketplace.db import create_tables
from tests.marketplace.hq import Hq
from tests.marketplace.postgres import Cluster, PostgresMissing


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
        create_tables(engine)
        engine.dispose()
        yield running
    finally:
        running.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str | None:
    """The address of an empty database; None for SQLite's own place."""
    if request.param == "sqlite":
        return None
    cluster: Cluster = request.getfixturevalue("cluster")
    return cluster.url(cluster.new_database("postgres"))


@pytest.fixture
def hq(tmp_path: Path, database: str | None) -> Iterator[Hq]:
    """A marketplace with the small world imported and published, and a device enrolled at Nantes."""
    made = Hq(tmp_path / "hq", database)
    yield made
    made.engine.dispose()
    made.app.extensions["marketplace"].engine.dispose()
