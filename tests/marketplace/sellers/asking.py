"""A process that asks for requests of a key, for a while: `python -m tests.marketplace.sellers.asking URL PAUSE_S SECONDS`."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

from sqlalchemy import Engine

from marketplace.db import open_engine, reading, run_tx
from marketplace.sellers.keys import keys_of
from marketplace.sellers.limits import TooManyRequests, spend
from pos import clock

EVERY, BURST = timedelta(milliseconds=50), 40


def main(url: str, pause_s: str, seconds: str) -> None:
    """Ask; say how often that was allowed and refused."""
    sys.stdout.write(" ".join(map(str, ask(open_engine(url), pause_s=float(pause_s), seconds=float(seconds)))))


def ask(engine: Engine, *, pause_s: float, seconds: float) -> tuple[int, int]:
    """Ask again and again; return how many were allowed and how many refused."""
    counted = {True: 0, False: 0}
    with reading(engine) as connection:
        [key] = keys_of(connection, 1)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            run_tx(engine, lambda connection: spend(connection, key, now=clock.now(), every=EVERY, burst=BURST))
        except TooManyRequests:
            counted[False] += 1
        else:
            counted[True] += 1
        time.sleep(pause_s)
    return counted[True], counted[False]


if __name__ == "__main__":
    main(*sys.argv[1:])
