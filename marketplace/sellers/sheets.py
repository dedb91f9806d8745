"""A seller's file becomes rows: CSV as spreadsheets and programs really write it, or .xlsx.

Invariant: a bad row spoils no other, and its line is known; a file whose header cannot be trusted is refused whole.
Nothing is guessed: UTF-8 or else Windows-1252, a semicolon, comma or tab as the header has it.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

from marketplace.sellers.fields import ALIASES, FIELDS, SHOWN, FieldProblem, WrongField, unstorable
from marketplace.sellers.verdicts import SentRow
from pos.csv_files import FORMULA
from pos.errors import Refused

MOST_LINES = 15_000
MOST_ROWS = MOST_LINES + 1_000
"""With the header and empty rows."""
CSV, XLSX = "csv", "xlsx"
SEPARATORS = (";", ",", "\t")
JOINED_LINES = 20
"""Over so many lines a quoted field may go on; a quote that is never closed spoils its own line alone."""
WORKBOOK_S = 40
ZIP = b"PK\x03\x04"
NOT_TEXT = (b"\xff\xfe", b"\xfe\xff")
TOO_LONG = 4


class FileRefused(Refused):
    """The file was not taken at all; `data["problem"]` is a `FileProblem`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem(FieldProblem):
    """Why a whole file was refused, with its line; 0 speaks of all of it."""

    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be read: its line, and why."""

    line: int
    problem: FieldProblem


def kind_of(content: bytes) -> str:
    """Return what a file is, whatever it is called."""
    return XLSX if content.startswith(ZIP) else CSV


def read_sheet(content: bytes) -> list[SentRow | BadRow]:
    """Return the rows of a file; empty ones are left out. Raises: FileRefused."""
    records = _workbook_records(content) if kind_of(content) == XLSX else _text_records(_text(content))
    header: list[str] | None = None
    rows: list[SentRow | BadRow] = []
    for line, record in records:
        if header is None:
            if isinstance(record, FieldProblem):
                raise _refusal(line, record.field, record.value, WrongField(record.code, record.detail))
            header = _header(line, record) if any(text.strip() for text in record) else None
        elif isinstance(record, FieldProblem):
            rows.append(BadRow(line=line, problem=record))
        elif any(text.strip() for text in record):
            rows.append(_row(line, header, record))
        if len(rows) > MOST_LINES:
            raise _refusal(line, "", "", WrongField("too_many_lines", f"more than {MOST_LINES:,} lines: send several files"))
    if header is None or not rows:
        raise _refusal(0, "", "", WrongField("empty_file", "no lines below a header"))
    return rows


def _text(content: bytes) -> str:
    if content.startswith(NOT_TEXT) or b"\0" in content:
        raise _refusal(0, "", "", WrongField("not_text", "neither CSV nor .xlsx: save it as CSV UTF-8"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        wrong = WrongField("encoding", f"byte 0x{content[problem.start]:02X} is neither UTF-8 nor Windows-1252")
        raise _refusal(line, "", "", wrong) from None


def _text_records(text: str) -> Iterator[tuple[int, list[str] | FieldProblem]]:
    """Yield each record of a CSV with the line it begins on."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    separator = max(SEPARATORS, key=lambda sign: (len(_known(lines[first], sign)), lines[first].count(sign)))
    place = first
    while place < len(lines):
        record, taken = _record(lines, place, separator)
        yield place + 1, record
        place += taken


def _record(lines: list[str], place: int, separator: str) -> tuple[list[str] | FieldProblem, int]:
    """Return the record that begins on a line, and how many lines it takes."""
    text = ""
    for taken, line in enumerate(lines[place : place + JOINED_LINES], start=1):
        text = f"{text}\n{line}" if taken > 1 else line
        try:
            return next(csv.reader((text,), delimiter=separator, strict=True), []), taken
        except csv.Error as problem:
            if "unexpected end of data" not in str(problem):
                break
    wrong = WrongField("bad_quotes", "a quote is opened and not closed, or followed by other text")
    return _problem("", lines[place], wrong), 1


def _workbook_records(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield each row of a workbook's first sheet. Raises: FileRefused."""
    with TemporaryFile() as printed:
        returned = _print_workbook(content, printed)
        if returned == TOO_LONG:
            wrong = WrongField("too_many_lines", f"more than {MOST_LINES:,} lines, 100 columns, or 64 MB of text")
            raise _refusal(0, "", "", wrong)
        if returned:
            raise _refusal(0, "", "", WrongField("not_a_workbook", "damaged, protected, or no .xlsx that may be opened"))
        printed.seek(0)
        for line, text in enumerate(printed, start=1):
            record: list[str] = json.loads(text)
            if line > 1 or any(record):
                yield line, record


def _print_workbook(content: bytes, printed: IO[bytes]) -> int:
    """Let a process of its own print a workbook's rows into a file, and return how it ended."""
    command = [sys.executable, "-m", "marketplace.sellers.workbooks", str(MOST_ROWS)]
    try:
        return subprocess.run(  # noqa: S603 - our own
            command, input=content, stdout=printed, stderr=subprocess.DEVNULL, timeout=WORKBOOK_S, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return -1


def _header(line: int, record: list[str]) -> list[str]:
    """Return the fields of the columns; a column without a name holds nothing. Raises: FileRefused."""
    names = [_field(name) for name in record]
    for name, sent in zip(names, record, strict=True):
        if name and name not in FIELDS:
            wrong = WrongField("unknown_column", f"no field of a listing: {', '.join(sorted(FIELDS))}")
            raise _refusal(line, sent.strip(), sent, wrong)
        if name and names.count(name) > 1:
            raise _refusal(line, name, sent, WrongField("column_twice", "two columns of this field"))
    if "sku" not in names:
        raise _refusal(
            line, "sku", ";".join(record), WrongField("missing_column", "no column `sku`: your own SKU of each listing")
        )
    return names


def _row(line: int, header: list[str], record: list[str]) -> SentRow | BadRow:
    """Return a row by its fields. Cells beyond the header's are a broken row, unless they are empty."""
    beyond = [text for text in record[len(header) :] if text.strip()]
    beyond += [text for name, text in zip(header, record, strict=False) if not name and text.strip()]
    if beyond or len(record) < len(header):
        wrong = WrongField("wrong_columns", f"{len(record)} columns, where the header has {len(header)}")
        return BadRow(line=line, problem=_problem("", beyond[0] if beyond else "", wrong))
    fields = {name: _plain(text) for name, text in zip(header, record, strict=False) if name}
    spoilt = unstorable(fields)
    return BadRow(line=line, problem=spoilt) if spoilt else SentRow(line, fields)


def _plain(text: str) -> str:
    """Return a cell without what keeps a spreadsheet from rounding or working it out: `="4006381333931"`, `'-10 %`."""
    if text.startswith("'") and text[1:].startswith(FORMULA):
        return text[1:]
    return text[2:-1] if text.startswith('="') and text.endswith('"') and len(text) > 2 else text


def _field(name: str) -> str:
    folded = "_".join(name.strip().casefold().replace("-", " ").split())
    return ALIASES.get(folded, folded)


def _known(line: str, separator: str) -> list[str]:
    return [name for name in line.replace('"', "").split(separator) if _field(name) in FIELDS]


def _problem(field: str, value: str, wrong: WrongField) -> FieldProblem:
    return FieldProblem(field=field, value=value[:SHOWN], code=wrong.code, detail=str(wrong))


def _refusal(line: int, field: str, value: str, wrong: WrongField) -> FileRefused:
    problem = FileProblem(line=line, field=field[:SHOWN], value=value[:SHOWN], code=wrong.code, detail=str(wrong))
    return FileRefused(str(wrong), problem=problem)


def sent_rows(rows: Iterable[SentRow | BadRow]) -> list[SentRow]:
    """Return those of the rows that could be read."""
    return [row for row in rows if isinstance(row, SentRow)]
