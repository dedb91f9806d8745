"""The last warnings of this process, for a person who has no shell: what happened and when, without anybody's data.

Invariant: of a log line its sentence is kept and of the values in it only numbers and kinds of errors: names, addresses and
whatever somebody typed are left out, since the paper they are printed on leaves the shop.
"""

from __future__ import annotations

import logging
import re
from collections import deque

from pos import clock
from pos.errors import PosError

MOST_LINES = 8
LONGEST_LINE = 120
LEFT_OUT = "…"
_PLACE = re.compile(r"%[-#0-9.,]*[a-z]")


class RecentLog(logging.Handler):
    """Keeps what was logged last, from warnings on, as `(UTC text, line)`."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: deque[tuple[str, str]] = deque(maxlen=MOST_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        values = iter(record.args if isinstance(record.args, tuple) else ())
        said = _PLACE.sub(lambda _: _harmless(next(values, None)), str(record.msg))
        if record.exc_info and record.exc_info[0] is not None:
            said += f" ({record.exc_info[0].__name__})"
        self.lines.append((clock.to_text(clock.now()), f"{record.name}: {said}"[:LONGEST_LINE]))


def _harmless(value: object) -> str:
    if isinstance(value, PosError):
        return value.code
    if isinstance(value, BaseException):
        return type(value).__name__
    return str(value) if type(value) is int else LEFT_OUT
