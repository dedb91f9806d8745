"""`make bench`: print the tables of docs/performance.md for a catalogue of 500,000 listings.

Every figure is taken from the product's own commands and pages, with a floor measured in the same run.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import hq, pages, syncing
from bench.measure import machine, table
from bench.world import make_marketplace


def main() -> None:
    """Measure everything and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--listings", type=int, default=535_000, help="in the feed; 96 of 100 are French, some of them offline")
    parser.add_argument("--runs", type=int, default=3, help="how often the slow parts are measured")
    parser.add_argument("--scratch", type=Path, help="keep the world here and reuse it")
    chosen = parser.parse_args()
    scratch = chosen.scratch or Path(tempfile.mkdtemp(prefix="comptoir-bench-"))
    if not (scratch / "marketplace").exists():
        seconds = make_marketplace(scratch, chosen.listings)
        print("HQ: " + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()), flush=True)
    print(f"Machine: {machine()}.\n", flush=True)
    print(table("Sync", syncing.measure(scratch, runs=chosen.runs)), flush=True)
    print(table("Kiosk", pages.measure(scratch, runs=chosen.runs)), flush=True)
    print(table("HQ", hq.measure(scratch, runs=chosen.runs)), flush=True)


if __name__ == "__main__":
    main()
