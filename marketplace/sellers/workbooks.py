"""Reads an .xlsx in a process of its own, whose memory, time and output end before a bomb does harm.

`python -m marketplace.sellers.workbooks MOST_ROWS < FILE` prints the rows of the first sheet, a JSON list of texts a line. A
sheet of a kilobyte can ask its reader for gigabytes: by packed zeros, by one cell in the last row and column, or by one long
text that every cell names.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineError, CalamineWorkbook

MEMORY_BYTES = 1_000_000_000
TIME_S = 20
MOST_COLUMNS = 100
MOST_TEXT = 2_000
MOST_BYTES = 64 * 2**20
"""Of output."""
UNREADABLE, TOO_LONG = 3, 4
"""How the process ends when the file is no workbook, and when it has too many rows, columns or bytes of text."""
Cell = int | float | str | bool | time | date | datetime | timedelta


def main() -> int:
    """Read the workbook on standard input; return how it went."""
    most_rows = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_S, TIME_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read())).get_sheet_by_index(0)
    except (CalamineError, OSError, ValueError, IndexError):
        return UNREADABLE
    if sheet.total_height > most_rows or sheet.total_width > MOST_COLUMNS:
        return TOO_LONG
    written = 0
    for row in sheet.to_python(skip_empty_area=False):
        line = json.dumps([text_of(cell) for cell in row], ensure_ascii=False).encode() + b"\n"
        written += len(line)
        if written > MOST_BYTES:
            return TOO_LONG
        sys.stdout.buffer.write(line)
    return 0


def text_of(cell: Cell) -> str:
    """Return a cell as a person would type it: a whole number without a point, any other with at most 15 digits."""
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, float | int):
        return format(cell, ".15g")
    return str(cell)[:MOST_TEXT]


if __name__ == "__main__":
    sys.exit(main())
