"""The whole fleet as one picture: a square for each corner, or for a block of corners with consecutive numbers.

Counted by the database along one index, however many corners there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.fleet.corner_list import STATES, UNHEARD_S, distinct, heads, line_case
from marketplace.fleet.standings import BLOCK_NUMBERS
from pos import clock
from sync.heads import RINGS

MOST_CELLS = 2_000
BLOCKS = 500
BITS = 10
"""A count of corners takes so many bits where one number carries the counts of all states."""
MASK = (1 << BITS) - 1
MOST_IN_A_CELL = MASK - BLOCK_NUMBERS
"""A cell that holds so many takes no further block, so none of its counts runs over."""


_PACKED = f"""
select block, count(*) as corners, cast(sum({line_case(1 << BITS * place for place in range(len(STATES)))}) as bigint) as packed
from standing where market = :market and ring = :ring
"""
"""One number carries the count of every state, so that the index alone is read, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One corner of the picture, or a block of corners with consecutive numbers; `counts` go by state."""

    first_no: int
    last_no: int
    corner_id: str
    name: str
    counts: tuple[int, ...]

    @property
    def state(self) -> str:
        """The worst state in it."""
        return STATES[max(place for place, count in enumerate(self.counts) if count)]

    @property
    def by_state(self) -> list[tuple[str, int]]:
        """How many of its corners are in each state that any is in, the worst first."""
        return [(STATES[place], count) for place, count in enumerate(self.counts) if count][::-1]

    @property
    def troubled(self) -> int:
        """How many of them need a look."""
        return sum(self.counts[STATES.index("behind") :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The corners of one market and ring, in order of their numbers."""

    market: str
    ring: str
    cells: tuple[Cell, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many corners are in each state."""
        return dict(zip(STATES, map(sum, zip(*(cell.counts for cell in self.cells), strict=True)), strict=True))


def picture(connection: Connection, now: datetime) -> tuple[Group, ...]:
    """Return the whole fleet by market and ring: a cell for each corner, or for a block of them where there are many."""
    total = row(connection, "select count(*) as corners from standing")
    corners = total["corners"] if total is not None else 0
    least = min(corners // BLOCKS, MOST_IN_A_CELL)
    groups = []
    for market, ring, values in _lines(connection, now):
        cells = _single_cells(connection, values) if corners <= MOST_CELLS else _blocks(connection, values, least)
        groups.append(Group(market=market, ring=ring, cells=tuple(cells)))
    return tuple(group for group in groups if group.cells)


def tally(connection: Connection, now: datetime) -> list[tuple[str, str, dict[str, int]]]:
    """Return every market and ring that has corners, with how many of them are in each state."""
    sums = ", ".join(f"cast(sum(packed >> {BITS * place} & {MASK}) as bigint) as {state}" for place, state in enumerate(STATES))
    query = f"select {sums} from ({_PACKED} group by block) as blocks having count(*) > 0"
    found = ((market, ring, row(connection, query, **values)) for market, ring, values in _lines(connection, now))
    return [(market, ring, counts) for market, ring, counts in found if counts is not None]


def _lines(connection: Connection, now: datetime) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each market and ring, with what the state of a corner there is judged by."""
    known = heads(connection, now)
    silent = clock.to_text(now - timedelta(seconds=UNHEARD_S))
    for market in distinct(connection, "market"):
        for ring in RINGS:
            due = known[market, ring].due if (market, ring) in known else 0
            yield market, ring, {"market": market, "ring": ring, "due": due, "silent": silent}


def _single_cells(connection: Connection, values: dict[str, Any]) -> Iterable[Cell]:
    found = rows(
        connection,
        f"""
        select corner_no, corner_id, name, {line_case(range(len(STATES)))} as state from standing
        where market = :market and ring = :ring order by corner_no, corner_id
        """,
        **values,
    )
    for corner in found:
        counts = tuple(int(place == corner["state"]) for place in range(len(STATES)))
        number = corner["corner_no"]
        yield Cell(first_no=number, last_no=number, corner_id=corner["corner_id"], name=corner["name"], counts=counts)


def _blocks(connection: Connection, values: dict[str, Any], least: int) -> Iterable[Cell]:
    """Yield blocks of at least `least` corners with consecutive numbers; `least` is at most `MOST_IN_A_CELL`."""
    blocks = rows(connection, f"{_PACKED} group by block order by block", **values)
    first_no, corners, packed = None, 0, 0
    for at, block in enumerate(blocks, start=1):
        first_no = block["block"] * BLOCK_NUMBERS if first_no is None else first_no
        corners += block["corners"]
        packed += block["packed"]
        if corners >= least or at == len(blocks):
            counts = tuple(packed >> BITS * place & MASK for place in range(len(STATES)))
            last_no = (block["block"] + 1) * BLOCK_NUMBERS - 1
            yield Cell(first_no=first_no, last_no=last_no, corner_id="", name="", counts=counts)
            first_no, corners, packed = None, 0, 0
