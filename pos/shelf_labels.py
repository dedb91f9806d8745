"""The record of each label that was printed: what it said, and whether somebody saw it at its place.

Invariants: a label stands where a person scanned it or said so; a print nobody confirmed is a print. Each print has a mark of its
own, so that the scan of an old one is known for what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict, cast

from sqlite_utils import Database

from pos import clock, outbox
from pos.corners import Corner
from pos.errors import Conflict, NotFound
from pos.scans import Scan, code_of, place_value
from pos.tokens import CROCKFORD

PRINTER = "printer"
"""The format of a label from the label printer; others are the keys of sheets (`kiosk/printing/sheets.json`)."""
NUMBER_SYMBOLS = 4
"""Of a mark: a million prints; the two symbols after them tell what was printed when."""


class LabelUnknown(NotFound):
    """No label with this mark was printed here, or not for the place that the code names."""


class LabelSettled(Conflict):
    """The place has another label meanwhile, or none is wanted: the page was older than the facts."""


class ShelfFacts(TypedDict):
    """What a label says, in its language; `price_cents` is all-in, `prior_cents` the former price that may stand beside it."""

    sku_id: int
    language: str
    title: str
    storage_gb: int | None
    color: str
    grade: str
    battery_min_pct: int | None
    new_battery: bool
    price_cents: int
    prior_cents: int | None
    currency: str
    tax_included: bool
    vat_note: Literal["margin", "regular"]
    copy_levy_cents: int | None
    legal_months: int | None
    warranty_months: int
    seller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfLabel:
    """One print. `state`: printed, standing, damaged, then replaced or removed; `stale_at`: when it was first found untrue."""

    label_no: int
    position: str
    facts: ShelfFacts
    format: str
    sheet_no: int | None
    printed_at: str
    confirmed_at: str | None
    stale_at: str | None
    state: str
    job_state: str | None = None

    @property
    def is_lost(self) -> bool:
        """Whether its paper certainly never came out."""
        return self.format == PRINTER and self.job_state in (None, "failed")

    @property
    def subject(self) -> str:
        """What its print job is of."""
        return f"{self.label_no}:{self.position}"

    def tells(self, facts: ShelfFacts | None) -> bool:
        """Tell whether everything it says is what these facts say; what a later version says besides makes none untrue."""
        return facts is not None and all(facts.get(name) == value for name, value in self.facts.items())


def open_labels(ops: Database) -> list[ShelfLabel]:
    """Return the labels that stand and those that were printed and not confirmed: at most one of each a place."""
    return list(_labels(ops, "state in ('printed', 'standing', 'damaged')"))


def shelf_label(ops: Database, label_no: int) -> ShelfLabel:
    """Return one print. Raises: LabelUnknown."""
    found = next(_labels(ops, "label_no = ?", label_no), None)
    if found is None:
        raise LabelUnknown(label_no=label_no)
    return found


def sheet_labels(ops: Database, sheet_no: int) -> list[ShelfLabel]:
    """Return the labels of a sheet in their order. Raises: LabelUnknown."""
    found = list(_labels(ops, "sheet_no = ?", sheet_no))
    if not found:
        raise LabelUnknown(sheet_no=sheet_no)
    return found


def label_code(corner: Corner, label: ShelfLabel) -> str:
    """Return what the code of a label holds: its place, then the mark of this very print (`pos.scans`)."""
    return code_of("place", place_value(corner.corner_id, label.position)) + code_of("label", _mark(label))


def scanned_label(ops: Database, corner: Corner, scans: Iterable[Scan]) -> ShelfLabel:
    """Return the print whose code was scanned.

    Raises: LabelUnknown, also where the code names another place than its print, or a print that these records never made.
    """
    values = {scan.kind: scan.value for scan in scans}
    mark = values.get("label", "")
    label = shelf_label(
        ops, sum(CROCKFORD.index(symbol) << 5 * place for place, symbol in enumerate(mark[:NUMBER_SYMBOLS][::-1]))
    )
    if mark != _mark(label) or values.get("place") != place_value(corner.corner_id, label.position):
        raise LabelUnknown(label_no=label.label_no)
    return label


def print_label(
    ops: Database,
    position: str,
    facts: ShelfFacts,
    *,
    newest: int,
    clerk_id: str,
    now: datetime,
    format: str = PRINTER,
    sheet_no: int | None = None,
) -> ShelfLabel:
    """Write down that a place's label is printed, with what it says; runs inside the caller's `write`.

    One printed before and never confirmed is replaced. Raises: LabelSettled where the place has a newer label than `newest`.
    """
    held = "select coalesce(max(label_no), 0) from shelf_label where position = ? and state in ('printed', 'standing', 'damaged')"
    if ops.execute(held, [position]).fetchone()[0] != newest:
        raise LabelSettled(position=position)
    _end(ops, position, ("printed",), "replaced", now=now)
    label_no = next_label_no(ops)
    ops.execute(
        """
        insert into shelf_label (label_no, position, sku_id, price_cents, facts, format, sheet_no, state, printed_at, printed_by)
        values (?, ?, ?, ?, ?, ?, ?, 'printed', ?, ?)
        """,
        [
            *(label_no, position, facts["sku_id"], facts["price_cents"]),
            json.dumps(facts, ensure_ascii=False, sort_keys=True),
            *(format, sheet_no, clock.to_text(now), clerk_id),
        ],
    )
    return shelf_label(ops, label_no)


def next_label_no(ops: Database) -> int:
    """Return the mark of the next print: they count from 1 and none is used again."""
    return int(ops.execute("select coalesce(max(label_no), 0) + 1 from shelf_label").fetchone()[0])


def confirm_label(ops: Database, label_no: int, *, clerk_id: str, now: datetime) -> ShelfLabel:
    """Write down that a label stands at its place, for HQ too; runs inside the caller's `write`; twice is as good as once.

    Returns the label as it is then; one that a later print replaced comes back as `replaced`: the old label still stands.
    Raises: LabelUnknown.
    """
    label = shelf_label(ops, label_no)
    if label.state not in ("printed", "damaged"):
        return label
    _end(ops, label.position, ("standing", "damaged"), "replaced", now=now, but=label_no)
    ops.execute(
        "update shelf_label set state = 'standing', confirmed_at = ?, confirmed_by = ? where label_no = ?",
        [clock.to_text(now), clerk_id, label_no],
    )
    body = {
        "label_no": label_no,
        "position": label.position,
        "sku_id": label.facts["sku_id"],
        "price_cents": label.facts["price_cents"],
        "clerk_id": clerk_id,
        "confirmed_at": clock.to_text(now),
    }
    outbox.record(ops, "label_confirmed", body, now=now)
    return shelf_label(ops, label_no)


def mark_damaged(ops: Database, position: str) -> None:
    """Note that the label at a place cannot be read any more; runs inside the caller's `write`. Raises: LabelSettled."""
    change = "update shelf_label set state = 'damaged' where position = ? and state in ('standing', 'damaged')"
    if not ops.execute(change, [position]).rowcount:
        raise LabelSettled(position=position)


def take_away(ops: Database, position: str, *, now: datetime) -> None:
    """Note that no label stands at a place any more; runs inside the caller's `write`."""
    _end(ops, position, ("printed", "standing", "damaged"), "removed", now=now)


def note_turned(ops: Database, turns: Mapping[int, bool], *, now: datetime) -> None:
    """Note since when labels are untrue, or that they are right again; runs inside the caller's `write`."""
    for label_no, is_true in turns.items():
        at = None if is_true else clock.to_text(now)
        ops.execute("update shelf_label set stale_at = ? where label_no = ?", [at, label_no])


def _mark(label: ShelfLabel) -> str:
    """Return the mark of a print: its number, and a hash of it.

    Records put back from a copy count again from there: a label printed meanwhile must not be taken for a later one.
    """
    number = "".join(CROCKFORD[label.label_no >> 5 * place & 31] for place in reversed(range(NUMBER_SYMBOLS)))
    said = json.dumps([label.printed_at, label.facts], sort_keys=True).encode()
    return number + "".join(CROCKFORD[byte % 32] for byte in hashlib.sha256(said).digest()[:2])


def _end(ops: Database, position: str, states: tuple[str, ...], state: str, *, now: datetime, but: int = 0) -> None:
    """End the labels of a place that are in these states, `but` one."""
    ops.execute(
        f"""
        update shelf_label set state = ?, ended_at = ?
        where position = ? and state in ({", ".join("?" * len(states))}) and label_no <> ?
        """,
        [state, clock.to_text(now), position, *states, but],
    )


def _labels(ops: Database, where: str, *values: Any) -> Iterator[ShelfLabel]:
    rows = ops.execute(
        f"""
        select label_no, position, facts, format, sheet_no, printed_at, confirmed_at, stale_at, state,
          (
            select print_job.state from print_job
            where print_job.kind = 'label' and print_job.subject = shelf_label.label_no || ':' || shelf_label.position
            order by copy_no desc limit 1
          )
        from shelf_label where {where} order by label_no
        """,
        values,
    )
    for label_no, position, facts, format_, sheet_no, printed_at, confirmed_at, stale_at, state, job_state in rows:
        yield ShelfLabel(
            label_no=label_no,
            position=position,
            facts=cast(ShelfFacts, json.loads(facts)),
            format=format_,
            sheet_no=sheet_no,
            printed_at=printed_at,
            confirmed_at=confirmed_at,
            stale_at=stale_at,
            state=state,
            job_state=job_state,
        )
