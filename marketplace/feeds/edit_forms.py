"""What an edit's form says: what was typed in each field and what is wrong with it, and a corner's table as its places.

Invariant: whatever is wrong, all that was typed is still there; a field nobody touched is no change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from marketplace.db import rows
from marketplace.feeds.content import Row
from marketplace.feeds.edit_fields import TABLE, EditField, read_value
from marketplace.feeds.edits import Edit, FieldChange, Target
from marketplace.feeds.problems import FeedRefused
from pos.errors import Invalid

BLANKS = 2
MOST_CHOICES = 30
MOST_WHO, MOST_WHY, MOST_TYPED = 60, 200, 2000
PLACE = re.compile(r"(\D*)(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditInput:
    """A field with what was typed in it. `was` is its value when the form was opened, `now` today's where that is another."""

    field: EditField
    was: str
    typed: str
    value: str
    now: str | None = None
    problem: str = ""

    @property
    def is_changed(self) -> bool:
        """Tell whether somebody changed it here."""
        return not self.problem and self.value != self.was


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlace:
    """A place on a table: its position, the SKU typed for it, and the `choices` where that could be several."""

    position: str
    typed: str
    code: str = ""
    problem: str = ""
    choices: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class SentForm:
    """A form as it was sent; `problems` are those of no single field, `refused` what the feed's judges said."""

    inputs: list[EditInput]
    spots: list[TablePlace] = field(default_factory=list)
    who: str = ""
    why: str = ""
    problems: set[str] = field(default_factory=set)
    refused: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        """Tell whether anything has to be mended before it can be judged."""
        return (
            bool(self.problems or self.refused)
            or any(each.problem for each in self.inputs)
            or any(spot.problem for spot in self.spots)
        )

    def edit_of(self, target: Target) -> Edit:
        """Return what is to be changed."""
        changes = {each.field.name: FieldChange(was=each.was, now=each.value) for each in self.inputs if each.is_changed}
        return Edit(file=target.file, key=target.key, changes=changes, who=self.who, why=self.why)

    def rebase(self) -> None:
        """Go on from today's values: a field nobody touched here takes today's, the others keep what was typed."""
        for at, each in enumerate(self.inputs):
            today = each.field.value
            kept = (each.typed, each.value) if each.is_changed else (today, today)
            self.inputs[at] = replace(each, was=today, typed=kept[0], value=kept[1])

    def take_refusal(self, refusal: FeedRefused) -> None:
        """Put each of the judges' reasons beside the first field that it is about."""
        for problem in refusal.data["problems"]:
            about = [
                at for at, each in enumerate(self.inputs) if problem["field"] in (each.field.name, each.field.name.split(".")[0])
            ]
            changed = [at for at in about if self.inputs[at].is_changed] or about
            if changed and self.inputs[changed[0]].field.kind != "table":
                self.inputs[changed[0]] = replace(self.inputs[changed[0]], problem=problem["reason"])
            else:
                self.refused.append(problem)


def opened_form(target: Target, *, who: str) -> SentForm:
    """Return a target's form as it is opened."""
    inputs = [EditInput(field=each, was=each.value, typed=each.value, value=each.value) for each in target.fields]
    return SentForm(inputs=inputs, spots=_spots_of(target.values.get(TABLE)), who=who)


def read_form(connection: Connection, target: Target, form: MultiDict[str, str], *, language: str) -> SentForm:
    """Return a form that was sent, with what is wrong in it."""
    sent = SentForm(inputs=[], who=form.get("who", "").strip()[:MOST_WHO], why=form.get("why", "").strip()[:MOST_WHY])
    sent.problems = {name for name in ("who", "why") if not getattr(sent, name)}
    for edited in target.fields:
        was = "\n".join(form.get(f"was.{edited.name}", edited.value).splitlines())
        if edited.kind != "table":
            sent.inputs.append(_read_input(edited, was, form.get(edited.name, was)[:MOST_TYPED], target.currency, language))
            continue
        kept = form.get(TABLE)
        pairs = [(spot.position, spot.typed) for spot in _spots_of(kept)] if kept else _pairs(form)
        sent.spots = _read_spots(connection, pairs)
        value = "\n".join(sorted(f"{spot.position}={spot.code}" for spot in sent.spots if spot.code))
        sent.inputs.append(_with_now(EditInput(field=edited, was=was, typed=value, value=value)))
    if not (any(each.is_changed or each.problem for each in sent.inputs) or any(spot.problem for spot in sent.spots)):
        sent.problems.add("nothing")
    return sent


def with_blanks(spots: Sequence[TablePlace]) -> list[TablePlace]:
    """Return the places of a table with some that are still empty."""
    return [*spots, *(TablePlace(position="", typed="") for _ in range(BLANKS))]


def shelves(spots: Iterable[TablePlace]) -> list[list[TablePlace]]:
    """Return the places row by row as they lie on the table: A1, A2 beside each other, B1 below."""
    by_row: dict[str, list[tuple[int, TablePlace]]] = {}
    for spot in spots:
        parted = PLACE.fullmatch(spot.position)
        row, number = (parted[1], int(parted[2])) if parted else (spot.position, 0)
        by_row.setdefault(row, []).append((number, spot))
    return [[spot for _, spot in sorted(by_row[row], key=lambda each: each[0])] for row in sorted(by_row)]


def device_names(connection: Connection, codes: Iterable[str], *, language: str) -> dict[str, str]:
    """Return what the SKUs with these codes are called, with their colours in a language."""
    wanted = {f"c{number}": code for number, code in enumerate(sorted({*codes}))}
    if not wanted:
        return {}
    places = ", ".join(f":{name}" for name in wanted)
    found = rows(connection, f"select sku, body from sku where sku in ({places})", **wanted)
    return {each["sku"]: _name(json.loads(each["body"]), language) for each in found}


def _read_input(of: EditField, was: str, typed: str, currency: str, language: str) -> EditInput:
    try:
        value, problem = read_value(of.kind, typed, currency=currency, language=language), ""
    except Invalid:
        value, problem = was, "amount"
    return _with_now(EditInput(field=of, was=was, typed=typed, value=value, problem=problem))


def _with_now(read: EditInput) -> EditInput:
    return replace(read, now=read.field.value if read.field.value not in (read.was, read.value) else None)


def _spots_of(value: str | None) -> list[TablePlace]:
    pairs = (line.rpartition("=") for line in (value or "").splitlines())
    places = (TablePlace(position=position, typed=code, code=code) for position, _, code in pairs)
    return [place for shelf in shelves(places) for place in shelf]


def _pairs(form: MultiDict[str, str]) -> list[tuple[str, str]]:
    removed = {*form.getlist("removed")}
    pairs = zip(form.getlist("position"), form.getlist("sku"), strict=False)
    return [(position.strip(), sku.strip()) for at, (position, sku) in enumerate(pairs) if str(at) not in removed]


def _read_spots(connection: Connection, pairs: list[tuple[str, str]]) -> list[TablePlace]:
    spots: list[TablePlace] = []
    taken: set[str] = set()
    for position, typed in pairs:
        if not typed and not position:
            continue
        choices = _skus_called(connection, typed) if typed else []
        code = choices[0] if len(choices) == 1 else ""
        problem = "" if code else "empty" if not typed else "unknown" if not choices else "several"
        if not position:
            problem = "position"
        elif position in taken:
            problem = "twice"
        taken.add(position)
        several = tuple(choices) if problem == "several" else ()
        spots.append(TablePlace(position=position, typed=code or typed, code=code, problem=problem, choices=several))
    return spots


def _skus_called(connection: Connection, typed: str) -> list[str]:
    """Return the code that somebody typed, or those of the SKUs in whose code, brand or model all the words are."""
    if rows(connection, "select 1 as one from sku where sku = :code", code=typed.upper()):
        return [typed.upper()]
    words = {f"w{at}": f"%{word}%" for at, word in enumerate(re.findall(r"\w+", typed.lower())[:8])}
    if not words:
        return []
    where = " and ".join(f"lower(brand || ' ' || model || ' ' || sku) like :{name}" for name in words)
    found = rows(connection, f"select sku from sku where {where} order by year desc, sku limit {MOST_CHOICES}", **words)
    return [each["sku"] for each in found]


def _name(sku: Row, language: str) -> str:
    brand, model, colour = sku["brand"], sku["model"], (sku["color"] or {}).get("name", {})
    called = model if model.startswith(brand) else f"{brand} {model}"
    parts = (called, sku["storage_gb"], colour.get(language) or next(iter(colour.values()), ""))
    return " ".join(str(part) for part in parts if part)
