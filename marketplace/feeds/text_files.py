"""The text files of a feed, line by line and row by row, each read once: what an editor leaves in them is understood or named.

Invariant: a line that is yielded is UTF-8 of bounded length, without byte order mark, line end or NUL; memory does not grow
with the file.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marketplace.feeds.problems import NotInOrder, Problems
from pos.files import open_file

MOST_LINE_BYTES = 2**16
"""A row of a feed is about 1,000 bytes, a corner with its planogram 10,000."""
MOST_TABLE_BYTES = 2**29
"""A listing's line is about 80 bytes: five million listings."""
MOST_ROWS_BYTES = 2**26
"""Rows in JSON are kept in memory while a feed is judged; those of 20,000 SKUs are 10 MB."""
MOST_DIGITS = 40
"""Longer numbers are not even read; what a field may hold is for its shape to say."""
MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
SEPARATORS = {",": "a comma", "\t": "a tab", "|": "a bar"}


def read_lines(path: Path, problems: Problems, *, most_bytes: int) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line; empty ones at the end are left out. What is wrong goes to `problems`.

    Raises: FeedRefused when there are too many problems to go on.
    """
    try:
        with open_file(path, most_bytes=most_bytes) as file:
            empty: list[int] = []
            line, read_bytes = 0, 0
            while raw := file.readline(MOST_LINE_BYTES + 1):
                line, read_bytes = line + 1, read_bytes + len(raw)
                if read_bytes > most_bytes:
                    problems.add(path.name, line, "file", f"grew beyond {most_bytes:,} bytes")
                    return
                encoding = _other_encoding(raw) if line == 1 else ""
                if encoding:
                    problems.add(path.name, line, "line", f"{encoding}, not UTF-8: save the file as UTF-8")
                    return
                if len(raw) > MOST_LINE_BYTES:
                    problems.add(path.name, line, "line", f"longer than {MOST_LINE_BYTES:,} bytes")
                    return
                try:
                    text = _text(raw.removeprefix(codecs.BOM_UTF8) if line == 1 else raw)
                except NotInOrder as problem:
                    problems.add(path.name, line, "line", str(problem))
                    continue
                if not text.strip():
                    empty.append(line)
                    continue
                yield from ((number, "") for number in empty)
                empty.clear()
                yield line, text
    except FileNotFoundError:
        problems.add(path.name, 0, "file", "missing")
    except OSError as problem:
        problems.add(path.name, 0, "file", f"cannot be read: {problem.strerror or problem}")


def read_table(path: Path, header: list[str], problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line of a file of `header`'s columns, a semicolon between them.

    A line is a record: a quote that is opened is closed on its own line, so that what is wrong is told where it stands.
    """
    lines = read_lines(path, problems, most_bytes=MOST_TABLE_BYTES)
    before = len(problems.found)
    line, first = next(lines, (1, ""))
    if len(problems.found) > before:
        return
    wrong = _wrong_header(first, header)
    if wrong:
        problems.add(path.name, line, "line", wrong)
        return
    for line, text in lines:
        try:
            yield line, _fields(text, len(header))
        except NotInOrder as problem:
            problems.add(path.name, line, "line", str(problem))


def read_row_object(text: str) -> dict[str, Any]:
    """Return the JSON object `text`, every number in it whole and no name twice in one object. Raises: NotInOrder."""
    if not text.strip():
        raise NotInOrder("empty, where a JSON object belongs")
    try:
        document = json.loads(
            text, parse_float=_no_decimals, parse_constant=_no_decimals, parse_int=_whole, object_pairs_hook=_distinct
        )
    except NotInOrder:
        raise
    except (ValueError, RecursionError) as problem:
        raise NotInOrder(f"no JSON: {problem}") from None
    if not isinstance(document, dict):
        raise NotInOrder("not a JSON object")
    return document


def _no_decimals(value: str) -> Any:
    raise NotInOrder(f"decimal number {value:.40}: amounts are integers")


def _whole(value: str) -> int:
    if len(value) > MOST_DIGITS:
        raise NotInOrder(f"a number of {len(value.lstrip('-'))} digits")
    return int(value)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members: a name that stands twice would hide what it said first."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise NotInOrder(f"{next(name for name in names if names.count(name) > 1):.60} stands twice in one object")
    return fields


def _other_encoding(raw: bytes) -> str:
    """Return the name of the encoding that the first line of a file shows; empty where it may be UTF-8."""
    for mark, name in MARKS:
        if raw.startswith(mark):
            return name
    # Latin letters in UTF-16 without a mark: every other byte is a zero.
    pairs = raw[: len(raw) // 2 * 2]
    if len(pairs) >= 4 and any(pairs) and (not any(pairs[0::2]) or not any(pairs[1::2])):
        return "UTF-16"
    return ""


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as problem:
        byte = raw[problem.start : problem.start + 1]
        place = len(raw[: problem.start].decode("utf-8")) + 1
        likely = byte.decode("cp1252", errors="replace")
        reason = f"byte 0x{byte.hex().upper()} at character {place} is no UTF-8"
        if likely.isprintable() and likely != "\ufffd":
            reason += f": “{likely}” in Latin-1 or Windows-1252, save the file as UTF-8"
        raise NotInOrder(reason) from None
    if "\0" in text:
        raise NotInOrder(f"a NUL byte at character {text.index(chr(0)) + 1}")
    if "\r" in text:
        raise NotInOrder(f"a carriage return at character {text.index(chr(13)) + 1}: lines end in LF or CR LF")
    return text


def _fields(text: str, expected: int) -> list[str]:
    if not text:
        raise NotInOrder("an empty line between others")
    try:
        record = next(csv.reader((text,), delimiter=";", strict=True))
    except csv.Error as problem:
        is_open = "unexpected end of data" in str(problem)
        raise NotInOrder("a quote is opened and not closed on this line" if is_open else str(problem)) from None
    if len(record) != expected:
        raise NotInOrder(f"{len(record)} fields instead of {expected}{_separated_otherwise(text, expected)}")
    return record


def _wrong_header(first: str, header: list[str]) -> str:
    """Return what is wrong with a file's first line, in words."""
    if first.replace('"', "").split(";") == header:
        return ""
    expected = f"the first line is not {';'.join(header)}"
    if not first:
        return f"{expected}: the file is empty"
    hint = _separated_otherwise(first, len(header))
    if hint:
        return expected + hint
    names = [name.strip() for name in first.split(";")]
    missing, unknown = [name for name in header if name not in names], [name for name in names if name not in header]
    if missing:
        return f"{expected}: {', '.join(missing)} missing"
    return f"{expected}: {', '.join(unknown)[:200]} not known" if unknown else f"{expected}: another order, or a name twice"


def _separated_otherwise(text: str, expected: int) -> str:
    for separator, name in SEPARATORS.items():
        if len(text.split(separator)) >= expected > len(text.split(";")):
            return f": {name} between the fields, where a semicolon belongs"
    return ""
