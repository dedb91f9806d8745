"""`python -m tests.marketplace.killed_jobs URL DIRECTORY` does the jobs that are due, and dies by SIGKILL in the first."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from marketplace.db import open_engine, run_tx
from marketplace.running.jobs import Work
from marketplace.running.working import Working
from marketplace.settings import store_setting


def note(work: Work, body: dict[str, Any]) -> None:
    """Store a setting: what is stored already is stored again."""
    run_tx(work.engine, lambda connection: store_setting(connection, body["name"], True))


def note_and_die(work: Work, body: dict[str, Any]) -> None:
    """Do it, and tell nobody."""
    note(work, body)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    engine = open_engine(sys.argv[1])
    Working(engine, Path(sys.argv[2]), "http://marche.test", handlers={"note": note_and_die}, timers={}).do_due()
