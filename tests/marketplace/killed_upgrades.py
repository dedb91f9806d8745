"""`python -m tests.marketplace.killed_upgrades URL MIGRATIONS`: upgrade a database in one process after the other, each killed a
statement later than the one before, until one lives. Check after each death, and print how many statements there were.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text

from marketplace import schema
from marketplace.db import open_engine, reading
from marketplace.upgrades import facts_of, upgrade


def main(url: str, migrations: Path) -> None:
    schema.MIGRATIONS = migrations
    before = state(url)
    for statement in count(1):
        child = os.fork()
        if not child:
            upgrade(dying(url, statement), say=lambda _step: None)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not status:
            sys.stdout.write(f"{statement}\n")
            return
        assert os.WIFSIGNALED(status), status
        assert state(url) == before, statement


def dying(url: str, statement: int) -> Engine:
    """Return an engine whose process is killed before it sends its statement of that number, or the commit after the last."""
    engine, numbers = open_engine(url), count(1)

    def die(*_: Any) -> None:
        if next(numbers) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", die)
    event.listen(engine, "commit", die)
    return engine


def state(url: str) -> tuple[Any, ...]:
    """Return the version of a database, its tables, and how many slips it has."""
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            slips = connection.execute(text("select count(*) from slip")).scalar_one()
            return schema.version_of(connection), facts_of(connection), slips
    finally:
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
