"""A clerk's help with a selection: who has it, who had it, and the short code by which a customer names it.

Invariant: one clerk has a selection at a time; the one who helped last is written on its slip, whoever taps for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from sqlite_utils import Database

from pos import calls, clock, journal, offers, plans, scans, skus
from pos.bodies import Acquisition
from pos.errors import Conflict, NotFound
from pos.line_facts import chosen_options
from pos.selections import check_wish, wishes_of
from pos.throttle import Execute

MOST_WAITING = 30


class SelectionHelped(Conflict):
    """Another clerk has this selection; `data["helped_by"]` is who, None where nobody has it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Help:
    """Who helps, or helped, with a selection; `is_going_on` until it was handed back or became a slip."""

    helped_by: str
    began_at: str
    is_going_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLine:
    """What one line of a waiting selection is for: None for what it has not."""

    listing_id: int | None
    plan_id: int | None
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSelection:
    """A selection that became no slip yet. `names` says what is in it, in the language's texts; nothing says whose it is."""

    selection_id: str
    code: str
    touched_at: str
    names: list[str | dict[str, str]]
    help: Help | None


def short_code(selection_id: str) -> str:
    """Return the code a customer says: five symbols and a check symbol. Scanned, it begins with `S-`.

    It follows from the id and tells nothing of it; of two selections with one code, both are offered.
    """
    return scans.code_of("selection", scans.derived_value("selection", selection_id)).removeprefix("S-")


def selections_of_code(ops: Database, value: str) -> list[str]:
    """Return the living selections whose code has these symbols, without its check symbol; the last touched first."""
    living = ops.execute("select selection_id from selection order by touched_at desc").fetchall()
    return [selection_id for (selection_id,) in living if scans.derived_value("selection", selection_id) == value]


def help_with(ops: Database, selection_id: str) -> Help | None:
    """Return who helps or helped with a selection, or None."""
    row = ops.execute(
        "select helped_by, began_at, ended_at from selection_help where selection_id = ?", [selection_id]
    ).fetchone()
    return Help(helped_by=row[0], began_at=row[1], is_going_on=row[2] is None) if row else None


def take(ops: Database, selection_id: str, clerk_id: str, *, instead_of: str = "", now: datetime) -> None:
    """Let a clerk have a selection; runs inside the caller's `write`. Taking it twice is as good as once.
    What rings for it is answered by that.

    From another clerk it is taken only by whoever says from whom. Raises: NotFound, SelectionHelped.
    """
    if ops.execute("select 1 from selection where selection_id = ?", [selection_id]).fetchone() is None:
        raise NotFound(selection_id=selection_id)
    taken = ops.execute(
        """
        insert into selection_help (selection_id, helped_by, began_at) values (:selection_id, :clerk_id, :at)
        on conflict (selection_id) do update
        set began_at = iif(helped_by = :clerk_id and ended_at is null, began_at, :at), helped_by = :clerk_id, ended_at = null
        where ended_at is not null or helped_by in (:clerk_id, :instead_of)
        """,
        {"selection_id": selection_id, "clerk_id": clerk_id, "instead_of": instead_of, "at": clock.to_text(now)},
    )
    if not taken.rowcount:
        raise _held_by_another(ops, selection_id)
    calls.answer_for(ops, selection_id, clerk_id, now=now)
    if instead_of not in ("", clerk_id):
        journal.note(ops, clerk_id, "selection_taken", instead_of, now=now)


def check_has(ops: Database, selection_id: str, clerk_id: str) -> None:
    """Hold a clerk's change to the selections that clerk has. Raises: NotFound, SelectionHelped."""
    wishes_of(ops.execute, selection_id)
    known = help_with(ops, selection_id)
    if known is None or not known.is_going_on or known.helped_by != clerk_id:
        raise _held_by_another(ops, selection_id)


def hand_back(ops: Database, selection_id: str, clerk_id: str, *, now: datetime) -> None:
    """End a clerk's help: the selection is its customer's again. Runs inside the caller's `write`. Idempotent."""
    ops.execute(
        "update selection_help set ended_at = ? where selection_id = ? and helped_by = ? and ended_at is null",
        [clock.to_text(now), selection_id, clerk_id],
    )


def in_hand(ops: Database, clerk_id: str) -> int:
    """Return how many selections a clerk has."""
    query = "select count(*) from selection_help where helped_by = ? and ended_at is null"
    return int(ops.execute(query, [clerk_id]).fetchone()[0])


def pass_on(ops: Database, clerk_id: str, to: str) -> None:
    """Give the selections a clerk has to another, with the shift; runs inside the caller's `write`."""
    ops.execute("update selection_help set helped_by = ? where helped_by = ? and ended_at is null", [to, clerk_id])


def wipe_visit(ops: Database, selection_id: str) -> None:
    """Forget what a customer leaves: this selection, and all that became slips, but for those a clerk has.

    Slips stay. Runs inside the caller's `write`; idempotent.
    """
    ops.execute(
        """
        delete from selection
        where (selection_id = ? or selection_id in (select selection_id from slip))
          and selection_id not in (select selection_id from selection_help where ended_at is null)
        """,
        [selection_id],
    )


def waiting_selections(ops: Database, catalog: Database) -> list[WaitingSelection]:
    """Return the selections that hold something and became no slip, the last touched first, 30 at most."""
    rows = ops.execute(
        """
        select selection.selection_id, selection.touched_at, selection_help.helped_by, selection_help.began_at,
          selection_help.ended_at is null,
          json_group_array(json_array(line.listing_id, line.plan_id, line.quantity) order by line.line_no)
        from selection
        join selection_line as line using (selection_id)
        left join selection_help using (selection_id)
        where not exists (select 1 from slip where slip.selection_id = selection.selection_id)
        group by selection.selection_id
        order by selection.touched_at desc limit ?
        """,
        [MOST_WAITING],
    ).fetchall()
    lines = {
        row[0]: [WaitingLine(listing_id=each[0], plan_id=each[1], quantity=each[2]) for each in json.loads(row[5])]
        for row in rows
    }
    titles = _titles(catalog, [line.listing_id for each in lines.values() for line in each if line.listing_id is not None])
    known_plans = {plan.plan_id: plan.body["name"] for plan in plans.plans(catalog)}
    return [
        WaitingSelection(
            selection_id=selection_id,
            code=short_code(selection_id),
            touched_at=touched_at,
            names=[name for line in lines[selection_id] for name in _names(line, titles, known_plans)],
            help=Help(helped_by=helped_by, began_at=began_at, is_going_on=bool(is_going_on)) if helped_by else None,
        )
        for selection_id, touched_at, helped_by, began_at, is_going_on, _ in rows
    ]


def change_line(
    execute: Execute,
    catalog: Database,
    selection_id: str,
    line_no: int,
    *,
    plan_id: int | None,
    acquisition: Acquisition,
    quantity: int,
    now: datetime,
) -> None:
    """Give a line another plan, way or quantity at today's price; options that do not go with it are left out.

    Whether the plan is open to it is shown, not refused: a clerk sees the nearest one that is. Runs inside the caller's
    transaction. Raises: NotFound, Invalid, ListingGone.
    """
    wish = dict(wishes_of(execute, selection_id)).get(line_no)
    if wish is None:
        raise NotFound(line_no=line_no)
    wanted = replace(wish, plan_id=plan_id, acquisition=acquisition, quantity=quantity, seen_cents=None)
    offer = offers.offer_of_listing(catalog, wish.listing_id) if wish.listing_id is not None else None
    options = tuple(option.option_id for option in chosen_options(catalog, wanted, offer))
    checked = check_wish(catalog, replace(wanted, option_ids=options))
    execute(
        """
        update selection_line
        set plan_id = :plan_id, acquisition = :acquisition, quantity = :quantity, options = :options, seen_cents = :seen_cents
        where selection_id = :selection_id and line_no = :line_no
        """,
        {
            "plan_id": checked.plan_id,
            "acquisition": checked.acquisition,
            "quantity": checked.quantity,
            "options": json.dumps(checked.option_ids),
            "seen_cents": checked.seen_cents,
            "selection_id": selection_id,
            "line_no": line_no,
        },
    )
    execute(
        "update selection set touched_at = :at where selection_id = :selection_id",
        {"at": clock.to_text(now), "selection_id": selection_id},
    )


def _held_by_another(ops: Database, selection_id: str) -> SelectionHelped:
    known = help_with(ops, selection_id)
    return SelectionHelped(selection_id=selection_id, helped_by=known.helped_by if known and known.is_going_on else None)


def _titles(catalog: Database, listing_ids: list[int]) -> dict[int, str]:
    rows = catalog.execute(
        """
        select listing.listing_id, sku.brand, sku.model
        from shown_listing as listing join shown_sku as sku using (sku_id)
        where listing.listing_id in (select value from json_each(?))
        """,
        [json.dumps(listing_ids)],
    )
    return {listing_id: skus.title({"brand": brand, "model": model}) for listing_id, brand, model in rows}


def _names(line: WaitingLine, titles: dict[int, str], known_plans: dict[int, dict[str, str]]) -> list[str | dict[str, str]]:
    names: list[str | dict[str, str]] = []
    if line.listing_id is not None and line.listing_id in titles:
        title = titles[line.listing_id]
        names.append(f"{line.quantity} × {title}" if line.quantity > 1 else title)
    if line.plan_id is not None and line.plan_id in known_plans:
        names.append(known_plans[line.plan_id])
    return names
