"""The faults a kiosk can report, and how much each one matters: the one list for its own screens, HQ's console and the metrics.

The sentences stand in each app's `faults.html`, in its readers' words. A code that is not here is shown as it is.
"""

from __future__ import annotations

from enum import IntEnum

REVOKED = "revoked"
REPLACED = "replaced"
EVENT_SET_ASIDE = "event_set_aside"
NEIGHBOUR_FAILED = "neighbour_failed"


class Severity(IntEnum):
    """What a fault asks for: nothing, an eye on it, a person soon, or a person now since the corner cannot serve."""

    NONE = 0
    NOTE = 1
    ACT = 2
    STOP = 3


FAULTS: dict[str, Severity] = {
    "offline": Severity.NOTE,
    "busy": Severity.NOTE,
    "gap": Severity.NOTE,
    "malformed": Severity.NOTE,
    "too_large": Severity.NOTE,
    "rejected": Severity.NOTE,
    "sync_failed": Severity.NOTE,
    "metadata_expired": Severity.NOTE,
    "stale": Severity.NOTE,
    "wal_large": Severity.NOTE,
    "catalog_damaged": Severity.NOTE,
    "rows_left_out": Severity.ACT,
    "media_paused": Severity.NOTE,
    "media_unreadable": Severity.NOTE,
    "records_busy": Severity.NOTE,
    "throttled": Severity.NOTE,
    EVENT_SET_ASIDE: Severity.NOTE,
    NEIGHBOUR_FAILED: Severity.NOTE,
    "backup_failed": Severity.ACT,
    "no_room": Severity.ACT,
    "disk_full": Severity.ACT,
    "untrusted": Severity.ACT,
    "wrong_root": Severity.ACT,
    "apply_failed": Severity.ACT,
    "clock_wrong": Severity.ACT,
    "disk_low": Severity.ACT,
    REPLACED: Severity.ACT,
    "printer_fault": Severity.ACT,
    "printer_offline": Severity.ACT,
    "corner_unreadable": Severity.ACT,
    "slip_altered": Severity.ACT,
    "stream_forked": Severity.STOP,
    REVOKED: Severity.STOP,
    "catalog_missing": Severity.STOP,
    "catalog_unreadable": Severity.STOP,
    "records_damaged": Severity.STOP,
    "records_missing": Severity.STOP,
    "records_unreadable": Severity.STOP,
    "records_read_only": Severity.STOP,
    "records_newer": Severity.STOP,
    "key_missing": Severity.STOP,
    "key_unreadable": Severity.STOP,
    "key_damaged": Severity.STOP,
    "not_enrolled": Severity.STOP,
}


def severity(code: str) -> Severity:
    """Return how much a fault matters; one nobody knows is for a person to look at."""
    return FAULTS.get(code, Severity.ACT)
