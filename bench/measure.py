"""How we measure: percentiles over real requests, and the memory of a process with everything it started."""

from __future__ import annotations

import http.client
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pos import clock


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: what was measured, the figure, the bound of DESIGN §11, and a floor measured in the same run."""

    what: str
    figure: str
    hold: str
    floor: str
    is_met: bool | None
    ratio: float | None = None
    """The figure as a multiple of the floor's or peer's, where it is one."""


def table(title: str, rows: Iterable[Row]) -> str:
    """Return rows as a Markdown table."""
    marks = {True: "yes", False: "**no**", None: ""}
    lines = [f"### {title}", "", "| what | measured | hold | met | floor or peer in the same run |", "|---|---|---|---|---|"]
    lines += [f"| {row.what} | {row.figure} | {row.hold} | {marks[row.is_met]} | {row.floor} |" for row in rows]
    return "\n".join([*lines, ""])


def keep(folder: Path, group: str, title: str, rows: Iterable[Row]) -> Path:
    """Write the rows of a table as one JSON document, for whoever compares runs, and return where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{group}.json"
    document = {"table": title, "at": clock.to_text(clock.now()), "machine": machine(), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return path


def machine() -> str:
    """Describe this machine in one line."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} shared cores ({model}), {memory_gib:.0f} GiB, {system}"


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def timed(work: Callable[[], object]) -> float:
    """Return the seconds `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Browser:
    """One keep-alive connection, as the kiosk's screen holds."""

    def __init__(self, port: int, *, cookie: str = "") -> None:
        self._headers = {"Cookie": cookie} if cookie else {}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def get(self, path: str, *, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        return self._request("GET", path, None, headers or {})

    def post(self, path: str, form: str) -> tuple[int, dict[str, str], bytes]:
        """Post a form."""
        return self._request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})

    def times_ms(self, paths: Iterable[str]) -> tuple[list[float], list[float]]:
        """Return how long each path took here and, where it says so, at the server, in milliseconds.

        Raises: AssertionError when one does not answer 200.
        """
        seen_ms, server_ms = [], []
        for path in paths:
            start = time.perf_counter()
            status, headers, _ = self.get(path)
            seen_ms.append((time.perf_counter() - start) * 1000)
            assert status == 200, (path, status)
            if "server-timing" in headers:
                server_ms.append(float(headers["server-timing"].rpartition("=")[2]))
        return seen_ms, server_ms

    def _request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        self._connection.request(method, path, body, {**self._headers, **headers})
        response = self._connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def peak_memory_mb(process_id: int, is_over: Callable[[], bool], *, every_s: float = 0.05) -> float:
    """Return the highest proportional memory of a process tree until `is_over`, in MB."""
    peak = 0.0
    while not is_over():
        peak = max(peak, memory_mb(process_id))
        time.sleep(every_s)
    return peak


class MemoryWatch:
    """Watches a process tree from a thread while other work goes on; `peak_mb` is the result."""

    def __init__(self, process_id: int) -> None:
        self.peak_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(process_id,), daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Stop watching and return the peak in MB."""
        self._over.set()
        self._thread.join()
        return self.peak_mb

    def _watch(self, process_id: int) -> None:
        self.peak_mb = peak_memory_mb(process_id, self._over.is_set)


def memory_mb(process_id: int) -> float:
    """Return the proportional set size of a process and its children now, in MB (10^6 bytes)."""
    return sum(_own_kb(each) for each in family(process_id)) * 1024 / 1e6


def _own_kb(process_id: int) -> int:
    try:
        text = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def family(process_id: int) -> list[int]:
    """Return a process and its descendants, each after its parent."""
    processes = [process_id]
    for parent in processes:
        try:
            processes += [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        except OSError:
            continue
    return processes
