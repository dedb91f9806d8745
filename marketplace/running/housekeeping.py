"""HQ's upkeep: renew signatures near their expiry, halt failing trials, start prices; and once a day the sweep, a job.

Each part of the upkeep runs by itself: one that fails is logged and tried again, and does not keep the others from running.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from marketplace.db import CHANGED_AT_ONCE, change_in_chunks, execute_on, reading
from marketplace.feeds.uploads import sweep_feeds
from marketplace.installation import keys_path, replica_paths, sync_path
from marketplace.privacy.erasures import end_keeping
from marketplace.publishing.by_itself import publish_supply
from marketplace.publishing.publications import sweep_files
from marketplace.publishing.trials import halt_failing
from marketplace.running import jobs
from marketplace.running.jobs import Work
from marketplace.sellers.documents import sweep_documents
from marketplace.sellers.imports import follow_publications, forget_imports, publishing_imports
from marketplace.sellers.repeats import forget_answers
from marketplace.sellers.standing import close_due_sellers
from pos import clock
from pos.db import Store
from pos.selections import wipe_old_selections
from shop.prices import catch_up
from sync.hq.repository import is_renewal_due, renew

SWEEP_EVERY = timedelta(days=1)
PUBLISH_EVERY = timedelta(seconds=30)
"""With a kiosk's own minute, a change of supply is on its screen within two."""
SELECTIONS_KEPT = timedelta(days=30)
"""How long after the last touch; DESIGN §6."""
logger = logging.getLogger(__name__)


def keep_house(engine: Engine, directory: Path) -> None:
    """Do what is due now; cheap where nothing is."""
    now = clock.now()
    _tried("renewing", lambda: _renew(directory, now))
    _tried("halting", lambda: halt_failing(engine, directory))
    _tried("starting prices", lambda: _start_prices(directory, now))
    _tried("closing sellers", lambda: close_due_sellers(engine, now=now))


def _tried(name: str, act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:
        # No request waits for this: the failure is logged, and the next round tries again.
        logger.exception("%s comes later", name)


def _renew(directory: Path, now: datetime) -> None:
    if is_renewal_due(sync_path(directory), now=now):
        renew(sync_path(directory), keys_path(directory), now=now)


def _start_prices(directory: Path, now: datetime) -> None:
    """Put announced prices in force in the published catalogues, as each kiosk does in its own."""
    for replica in replica_paths(directory):
        store = Store(replica, durable=False)
        try:
            catch_up(store, now)
        finally:
            store.close()


def publish_supply_job(work: Work, _body: Mapping[str, Any]) -> str:
    """Publish what sellers, orders and timers changed, and tell the files it came from; return the publications made."""
    with reading(work.engine) as connection:
        waiting = publishing_imports(connection)
    published = publish_supply(work.engine, work.directory)
    follow_publications(work.engine, waiting, now=work.now)
    return ", ".join(str(each.publication) for each in published)


def sweep(work: Work, _body: Mapping[str, Any]) -> str:
    """Delete files nobody can ask for, selections nobody touched for a month, answers, imports and jobs of long ago,
    and empty what erased orders kept for as long as the law says.

    Return what went.

    Idempotent: what is gone is not there to be deleted.
    """
    files, size = sweep_files(work.engine, work.directory)
    documents = sweep_documents(work.engine, work.directory, now=work.now)
    feeds = sweep_feeds(work.engine, work.directory, now=work.now)
    before = work.now - SELECTIONS_KEPT
    selections = change_in_chunks(
        work.engine, lambda connection: wipe_old_selections(execute_on(connection), before=before, most=CHANGED_AT_ONCE)
    )
    answers = forget_answers(work.engine, now=work.now)
    imports = forget_imports(work.engine, now=work.now)
    forgotten = jobs.forget_done(work.engine, now=work.now)
    ended = end_keeping(work.engine, now=work.now)
    others = (
        f"{documents} documents, {feeds} feeds, {selections} selections, {answers} answers, {imports} imports, {forgotten} jobs"
    )
    return f"{files} files ({size} bytes), {others}, papers of {ended} erased orders"
