"""What starting the command line costs, and how large an installation is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median

from bench.installed import size_mb
from bench.measure import Row

RUNS = 9
CLICK = ("-c", "import click")
HELP = ("--help",)
OTHERS = (("kiosk", "status", "--help"), ("slip", "read", "--help"), ("marketplace", "publish", "--help"))


@dataclass(frozen=True, slots=True)
class Started:
    """Seconds from start to end, in the middle and at best, and seconds of CPU."""

    median_s: float
    best_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.median_s:.2f} s, at best {self.best_s:.2f} s ({self.cpu_s:.2f} s of CPU)"


def measure() -> list[Row]:
    """Return the rows of the table of commands: `--help` in turns with a bare `import click`.

    The hold is one for a quiet machine: it is judged by the fastest of the runs.
    """
    own, bare = _in_turn(("-m", "comptoir", *HELP), CLICK)
    rows = [
        Row(
            "`comptoir --help`",
            str(own),
            "≤ 0.3 s at best",
            f"a bare `import click`: {bare}",
            own.best_s <= 0.3,
            round(own.cpu_s / bare.cpu_s, 3),
        )
    ]
    for arguments in OTHERS:
        [own] = _in_turn(("-m", "comptoir", *arguments))
        rows.append(Row(f"`comptoir {' '.join(arguments)}`", str(own), "", "", None))
    kiosk_mb, whole_mb = size_mb("kiosk"), size_mb("demo")
    whole = f"`comptoir[demo]`: {whole_mb:.0f} MB"
    return [*rows, Row("files of `pip install comptoir`", f"{kiosk_mb:.0f} MB", "≤ 130 MB", whole, kiosk_mb <= 130)]


def _in_turn(*commands: tuple[str, ...]) -> list[Started]:
    """Return what each command took, all run in turns."""
    taken: list[list[tuple[float, float]]] = [[] for _ in commands]
    for _ in range(RUNS):
        for command, times in zip(commands, taken, strict=True):
            times.append(_run(command))
    return [
        Started(median(wall for _, wall in times), min(wall for _, wall in times), median(cpu for cpu, _ in times))
        for times in taken
    ]


def _run(command: tuple[str, ...]) -> tuple[float, float]:
    before, start = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - start, os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system, wall
