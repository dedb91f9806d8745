"""What a kiosk's own disk must allow before the catalogue may change: room left for slips, and a log that ends."""

from __future__ import annotations

import shutil

from pos.db import Store
from pos.ops import RESERVE, RESERVE_BYTES
from sync.errors import NoRoom, WalLarge

LEAST_FREE_BYTES = 2 * 2**20
MOST_WAL_BYTES = 64 * 2**20
"""As `journal_size_limit` in `pos.db`: a log beyond it is one that no checkpoint could begin again."""


def check_room(catalog: Store) -> None:
    """Let changes be applied, or say why not now; a log that grew is written back first where no reader holds it.

    Raises: NoRoom, WalLarge.
    """
    directory = catalog.path.parent
    # Where the reserve was given up, what it gave back is for slips until the disk has room for it again.
    least = LEAST_FREE_BYTES if (directory / RESERVE).exists() else 2 * RESERVE_BYTES
    if shutil.disk_usage(directory).free < least:
        raise NoRoom("the disk is nearly full: the catalogue stays as it is")
    log = catalog.path.with_name(f"{catalog.path.name}-wal")
    if not log.exists() or log.stat().st_size <= MOST_WAL_BYTES:
        return
    busy, _, _ = catalog.read().execute("pragma wal_checkpoint(truncate)").fetchone()
    if busy:
        raise WalLarge(f"the catalogue's log holds {log.stat().st_size} bytes and a reader keeps it busy")
