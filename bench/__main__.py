"""`make bench`: print the tables of docs/performance.md for a catalogue of 500,000 listings.

Every figure is taken from the product's own commands and pages, with a floor measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import (
    away,
    capacity,
    commands,
    hq,
    ingest,
    labels,
    ledger,
    orders,
    pages,
    painting,
    peers,
    pins,
    quality,
    seller_files,
    syncing,
)
from bench.measure import Row, keep, machine, table
from bench.world import make_marketplace

GROUPS = (
    "commands",
    "sync",
    "kiosk",
    "painting",
    "labels",
    "pins",
    "hq",
    "ingest",
    "orders",
    "files",
    "ledger",
    "quality",
    "peers",
    "away",
    "capacity",
)
USUAL = (
    "commands",
    "sync",
    "kiosk",
    "painting",
    "labels",
    "pins",
    "hq",
    "ingest",
    "orders",
    "files",
    "ledger",
    "quality",
    "peers",
    "capacity",
)
"""All of it: the three days of `away` are in `peers`, beside theirs."""

RESULTS = Path(".comptoir") / "bench"

TITLES = {
    "commands": "Commands and installations",
    "sync": "Sync",
    "kiosk": "Kiosk",
    "painting": "What a customer sees",
    "labels": "Shelf labels",
    "pins": "PINs",
    "hq": "HQ",
    "ingest": "Ingest",
    "orders": "Orders",
    "files": "Sellers' files",
    "ledger": "Ledger",
    "quality": "Sellers' quality",
    "peers": "Beside peers",
    "away": "Three days away",
}


def main() -> None:
    """Measure everything, or the groups named, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all unless said")
    parser.add_argument("--listings", type=int, default=535_000, help="in the feed; 96 of 100 are French, some of them offline")
    parser.add_argument("--runs", type=int, default=3, help="how often the slow parts are measured")
    parser.add_argument("--days", type=float, default=away.DAYS, help="how long the kiosk is away")
    parser.add_argument("--inputs", type=Path, help="compute the capacity from this file instead of measuring")
    parser.add_argument("--scratch", type=Path, help="keep the world here and reuse it")
    chosen = parser.parse_args()
    groups = chosen.groups or USUAL
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"no group is called {', '.join(sorted(unknown))}")
    if chosen.inputs and set(groups) == {"capacity"}:
        print(_capacity(chosen))
        return
    chosen.scratch = chosen.scratch or Path(tempfile.mkdtemp(prefix="comptoir-bench-"))
    if (
        set(groups) - {"commands", "labels", "pins", "orders", "files", "ledger", "quality"}
        and not (chosen.scratch / "marketplace").exists()
    ):
        seconds = make_marketplace(chosen.scratch, chosen.listings)
        print("HQ: " + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()), flush=True)
    print(f"Machine: {machine()}.\n", flush=True)
    tables: dict[str, Callable[[], list[Row]]] = {
        "commands": commands.measure,
        "sync": lambda: syncing.measure(chosen.scratch, runs=chosen.runs),
        "kiosk": lambda: pages.measure(chosen.scratch, runs=chosen.runs),
        "painting": lambda: painting.measure(chosen.scratch),
        "labels": labels.measure,
        "pins": pins.measure,
        "hq": lambda: hq.measure(chosen.scratch, runs=chosen.runs),
        "ingest": lambda: ingest.measure(chosen.scratch),
        "orders": lambda: orders.measure(chosen.scratch, runs=chosen.runs),
        "files": lambda: seller_files.measure(chosen.scratch),
        "ledger": lambda: ledger.measure(chosen.scratch, runs=chosen.runs),
        "quality": lambda: quality.measure(chosen.scratch),
        "peers": lambda: peers.measure(chosen.scratch, days=chosen.days),
        "away": lambda: away.measure(chosen.scratch, days=chosen.days),
    }
    for group in groups:
        if group in ("kiosk", "painting"):
            syncing.first_kiosk(chosen.scratch)
        if group == "capacity":
            print(_capacity(chosen), flush=True)
            continue
        rows = tables[group]()
        print(table(TITLES[group], rows), flush=True)
        print(f"Rows: {keep(RESULTS, group, TITLES[group], rows)}\n", flush=True)


def _capacity(chosen: argparse.Namespace) -> str:
    if chosen.inputs:
        inputs = capacity.Inputs(**json.loads(chosen.inputs.read_text()))
    else:
        inputs = capacity.measure_inputs(chosen.scratch)
    return capacity.capacity_table(inputs, capacity.Assumed())


if __name__ == "__main__":
    main()
