"""How much CPU a server on this machine has used, found by the port it listens on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

LISTENING = "0A"
TICKS = os.sysconf("SC_CLK_TCK")


def server_processes(url: str) -> list[int]:
    """Return the processes that listen on the port of `url`, none when they are elsewhere or not ours to look at."""
    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        return []
    sockets = set(_listening(parts.port or (443 if parts.scheme == "https" else 80)))
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if sockets & set(_sockets(path))]


def cpu_s(process_ids: list[int]) -> float:
    """Return the seconds of CPU these processes have used so far; one that ended counts nothing."""
    return sum(_used_s(each) for each in process_ids)


def _used_s(process_id: int) -> float:
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _listening(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def _sockets(process: Path) -> Iterator[str]:
    try:
        for link in (process / "fd").iterdir():
            yield os.readlink(link)
    except OSError:
        return
