"""What the machine under a kiosk says of itself: room on its disk, memory, heat. Cheap enough for every look at the state."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sync.faults import LOW_DISK_BYTES

SYSTEM = Path("/")
SCREEN = Path("etc/systemd/system/comptoir-screen.service")
"""What `deploy/install` puts where a machine has a screen of ours."""
LEAST_MEMORY_BYTES = 60 * 2**20
"""Below it the system begins to end programs, the screen's browser first."""
MOST_MILLIDEGREES = 90_000
"""Where small computers slow down to protect themselves."""


def machine_faults(directory: Path, *, system: Path = SYSTEM) -> list[str]:
    """Return the codes of what is wrong with the machine that holds `directory`; what it does not tell is not wrong."""
    memory, heat = available_memory(system), hottest_millidegrees(system)
    wrong = {
        "disk_low": shutil.disk_usage(directory).free < LOW_DISK_BYTES,
        "memory_low": memory is not None and memory < LEAST_MEMORY_BYTES,
        "too_hot": heat is not None and heat > MOST_MILLIDEGREES,
    }
    return [code for code, is_wrong in wrong.items() if is_wrong]


def available_memory(system: Path = SYSTEM) -> int | None:
    """Return the bytes that programs can still be given (proc(5), MemAvailable); None where the system does not say."""
    try:
        told = re.search(r"^MemAvailable:\s+(\d+) kB$", (system / "proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return int(told[1]) * 1024 if told else None


def hottest_millidegrees(system: Path = SYSTEM) -> int | None:
    """Return the temperature of the hottest sensor in thousandths of a degree Celsius; None on a machine without any."""
    told = []
    for sensor in (system / "sys/class/thermal").glob("thermal_zone*/temp"):
        try:
            told.append(int(sensor.read_text(encoding="ascii")))
        except (OSError, ValueError):
            # A sensor may be asleep or break off mid-read: the others speak for it.
            continue
    return max(told, default=None)
