"""What a customer is composing. A selection has its own address, holds ids only, and is priced from the catalogue each time.

Where it is kept (the kiosk's records, HQ's database) is told by `execute`; the rules and the SQL are the same.
What the page showed is known by its fingerprint, so that a slip can never carry a price its customer did not see.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlite_utils import Database

from pos import clock, offers, plans, skus
from pos.acquisitions import ACQUISITIONS
from pos.eligibility import Eligibility, PlanLine, check_selection
from pos.errors import Invalid, ListingGone, NotEligible, NotFound, PriceChanged, TooManyLines
from pos.line_facts import LineFacts, Wish, chosen_options, line_facts
from pos.offers import Offer
from pos.throttle import Execute
from pos.tokens import MAX_LINES, MangledToken, Token
from pos.totals import Line, Totals, line_totals, selection_totals

MOST_UNITS = 9
MARKET_END = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedLine:
    """A line with today's facts. `state`: "ok", "changed" (`seen_cents` differs) or "gone" (then `instead` may hold an offer).

    A line that is gone has no `facts`, `figures` nor `totals`. `answer` tells whether its plan is open to it; None without a
    plan, or when the line is gone.
    """

    line_no: int
    wish: Wish
    state: Literal["ok", "changed", "gone"]
    offer: Offer | None
    instead: Offer | None
    facts: LineFacts | None = None
    figures: Line | None = None
    totals: Totals | None = None
    answer: Eligibility | None = None

    @property
    def is_eligible(self) -> bool:
        """Tell whether its plan, if it has one, is open to it beside the other lines."""
        return self.answer is None or self.answer.is_eligible


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A selection priced now. `totals` leaves out lines that are gone; `fingerprint` names exactly what is shown."""

    selection_id: str
    lines: tuple[PricedLine, ...]
    totals: Totals
    fingerprint: str

    @property
    def is_issuable(self) -> bool:
        """Tell whether there is something to put on a slip, nothing of it is gone, and every plan is open to it."""
        return bool(self.lines) and all(line.state != "gone" and line.is_eligible for line in self.lines)


def start_selection(execute: Execute, *, now: datetime, market: str = "") -> str:
    """Make an empty selection and return its id; runs inside the caller's transaction.

    The id is its access: 128 bits of chance, after the `market` it is of where several are served.
    """
    selection_id = f"{market}{MARKET_END}{secrets.token_hex(16)}" if market else secrets.token_urlsafe(16)
    at = clock.to_text(now)
    execute(
        "insert into selection (selection_id, created_at, touched_at) values (:selection_id, :at, :at)",
        {"selection_id": selection_id, "at": at},
    )
    return selection_id


def market_of(selection_id: str) -> str:
    """Return the market a selection is of, "" where its id names none."""
    market, end, _ = selection_id.rpartition(MARKET_END)
    return market if end else ""


def add_line(execute: Execute, catalog: Database, selection_id: str, *, wish: Wish, now: datetime) -> int:
    """Add a line and return its number; runs inside the caller's transaction.

    Raises: NotFound, Invalid, ListingGone, PriceChanged, NotEligible, TooManyLines.
    """
    _touch(execute, selection_id, now)
    line_no, lines = execute(
        "select coalesce(max(line_no), 0) + 1, count(*) from selection_line where selection_id = :selection_id",
        {"selection_id": selection_id},
    ).fetchone()
    if lines >= MAX_LINES:
        raise TooManyLines(most=MAX_LINES)
    checked = check_wish(catalog, wish)
    _check_enough(execute, catalog, selection_id, checked)
    execute(
        """
        insert into selection_line
          (selection_id, line_no, listing_id, plan_id, quantity, options, acquisition, seen_cents)
        values (:selection_id, :line_no, :listing_id, :plan_id, :quantity, :options, :acquisition, :seen_cents)
        """,
        {
            "selection_id": selection_id,
            "line_no": line_no,
            "listing_id": checked.listing_id,
            "plan_id": checked.plan_id,
            "quantity": checked.quantity,
            "options": json.dumps(checked.option_ids),
            "acquisition": checked.acquisition,
            "seen_cents": checked.seen_cents,
        },
    )
    _check_eligible(priced_selection(execute, catalog, selection_id, now=now), line_no)
    return int(line_no)


def accept_line(execute: Execute, catalog: Database, selection_id: str, line_no: int, *, now: datetime) -> None:
    """Take today's price, or the offer that stands in for a listing gone, for this line; runs inside the caller's transaction.

    Raises: NotFound, ListingGone when nothing stands in, NotEligible when the plan does not go with it.
    """
    _touch(execute, selection_id, now)
    line = next(
        (each for each in priced_selection(execute, catalog, selection_id, now=now).lines if each.line_no == line_no), None
    )
    if line is None:
        raise NotFound(line_no=line_no)
    offer = line.offer or line.instead
    if offer is None and line.wish.listing_id is not None:
        raise ListingGone(listing_id=line.wish.listing_id)
    check_wish(catalog, replace(line.wish, listing_id=offer.listing_id if offer else None, seen_cents=None))
    execute(
        """
        update selection_line set listing_id = :listing_id, seen_cents = :seen_cents
        where selection_id = :selection_id and line_no = :line_no
        """,
        {
            "listing_id": offer and offer.listing_id,
            "seen_cents": offer and offer.all_in_cents,
            "selection_id": selection_id,
            "line_no": line_no,
        },
    )
    _check_eligible(priced_selection(execute, catalog, selection_id, now=now), line_no)


def remove_line(execute: Execute, selection_id: str, line_no: int, *, now: datetime) -> None:
    """Take a line away; runs inside the caller's transaction. Removing it twice is as good as once. Raises: NotFound."""
    _touch(execute, selection_id, now)
    execute(
        "delete from selection_line where selection_id = :selection_id and line_no = :line_no",
        {"selection_id": selection_id, "line_no": line_no},
    )


def wipe_old_selections(execute: Execute, *, before: datetime, most: int) -> int:
    """Forget at most so many selections nobody touched since `before`; inside the caller's transaction. Return how many."""
    delete = """
        delete from selection where selection_id in (
          select selection_id from selection where touched_at < :before limit :most
        )
    """
    forgotten = execute(delete, {"before": clock.to_text(before), "most": most})
    return int(forgotten.rowcount)


def wipe_idle_selections(
    execute: Execute, *, before: datetime, issued_before: datetime, ahead_of: datetime | None = None
) -> None:
    """Forget every selection nobody touched since `before`; runs inside the caller's transaction.

    One touched later than `ahead_of` was touched by a clock since set back: it would otherwise be kept until then.
    One that became a slip is forgotten when that was before `issued_before`: its visit is most likely over.
    """
    execute(
        """
        delete from selection
        where touched_at < :before or touched_at > :ahead_of or (
          touched_at < :issued_before
          and (select max(issued_at) from slip where slip.selection_id = selection.selection_id) < :issued_before
        )
        """,
        {
            "before": clock.to_text(before),
            "issued_before": clock.to_text(issued_before),
            "ahead_of": ahead_of and clock.to_text(ahead_of),
        },
    )


def _check_enough(execute: Execute, catalog: Database, selection_id: str, wish: Wish) -> None:
    """Raise ListingGone when earlier lines of this selection leave too few of the listing for this one."""
    if wish.listing_id is None:
        return
    [earlier] = execute(
        """
        select coalesce(sum(quantity), 0) from selection_line
        where selection_id = :selection_id and listing_id = :listing_id
        """,
        {"selection_id": selection_id, "listing_id": wish.listing_id},
    ).fetchone()
    if earlier:
        _offer_for(catalog, replace(wish, quantity=wish.quantity + earlier), earlier=earlier)


def check_wish(catalog: Database, wish: Wish) -> Wish:
    """Return the wish with the all-in price it stands at now, if it can be had as it was shown.

    Whether its plan is open depends on the whole selection (`Priced`). Raises: Invalid, NotFound, ListingGone, PriceChanged.
    """
    check_form(wish)
    offer = _offer_for(catalog, wish)
    if offer and wish.seen_cents is not None and wish.seen_cents != offer.all_in_cents:
        raise PriceChanged(was_cents=wish.seen_cents, now_cents=offer.all_in_cents, listing_id=offer.listing_id)
    if wish.plan_id is not None:
        plans.plan(catalog, wish.plan_id)
    chosen = chosen_options(catalog, wish, offer)
    ids = tuple(sorted({option.option_id for option in chosen}))
    if ids != tuple(sorted(set(wish.option_ids))):
        raise NotFound(option_ids=sorted(set(wish.option_ids) - set(ids)))
    return replace(wish, option_ids=ids, seen_cents=offer.all_in_cents if offer else None)


def check_form(wish: Wish) -> None:
    """Hold a wish to what any line is, whatever the catalogue says. Raises: Invalid."""
    is_something = wish.listing_id is not None or wish.plan_id is not None or bool(wish.option_ids)
    if not _is_line(wish.quantity, is_something=is_something) or wish.acquisition not in ACQUISITIONS:
        raise Invalid("a line needs a listing, a plan or an option, a quantity from 1 to 9 and a known acquisition")


def check_token(token: Token) -> None:
    """Hold the lines of a slip to the rule of `check_wish`, whoever signed them. Raises: MangledToken."""
    for line in token.lines:
        if not _is_line(line.quantity, is_something=bool(line.listing_id or line.plan_id or line.option_ids)):
            raise MangledToken(f"a line is from 1 to {MOST_UNITS} units of something")


def priced_selection(
    execute: Execute, catalog: Database, selection_id: str, *, now: datetime, zone: str = clock.HOME_ZONE
) -> Priced:
    """Return the selection at today's prices, as a visitor in that `zone` sees them. Raises: NotFound."""
    wishes = wishes_of(execute, selection_id)
    return price(catalog, selection_id, wishes, now=now, zone=zone)


def plan_of(execute: Execute, selection_id: str) -> tuple[int, str] | None:
    """Return the first plan of a selection and how it is to be had; None where it holds none, or is not there."""
    found = execute(
        """
        select plan_id, acquisition from selection_line
        where selection_id = :selection_id and plan_id is not null order by line_no limit 1
        """,
        {"selection_id": selection_id},
    ).fetchone()
    return (found[0], found[1]) if found else None


def wishes_of(execute: Execute, selection_id: str) -> list[tuple[int, Wish]]:
    """Return the lines of a selection as they were wished, each with its number. Raises: NotFound."""
    if execute("select 1 from selection where selection_id = :selection_id", {"selection_id": selection_id}).fetchone() is None:
        raise NotFound(selection_id=selection_id)
    rows = execute(
        """
        select line_no, listing_id, plan_id, options, quantity, acquisition, seen_cents
        from selection_line where selection_id = :selection_id order by line_no
        """,
        {"selection_id": selection_id},
    )
    return [
        (
            line_no,
            Wish(
                listing_id=listing_id,
                plan_id=plan_id,
                option_ids=tuple(json.loads(options)),
                quantity=quantity,
                acquisition=acquisition,
                seen_cents=seen_cents,
            ),
        )
        for line_no, listing_id, plan_id, options, quantity, acquisition, seen_cents in rows
    ]


def _is_line(quantity: int, *, is_something: bool) -> bool:
    return is_something and 1 <= quantity <= MOST_UNITS


def price(
    catalog: Database, selection_id: str, wishes: Sequence[tuple[int, Wish]], *, now: datetime, zone: str = clock.HOME_ZONE
) -> Priced:
    """Return numbered wishes at today's prices, as a selection of that id would show them in a corner of that `zone`."""
    lines = _answered(catalog, tuple(_priced_lines(catalog, wishes, now, zone)))
    shown = [[line.line_no, line.state, line.facts] for line in lines]
    fingerprint = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:32]
    totals = selection_totals(line.figures for line in lines if line.figures is not None)
    return Priced(selection_id=selection_id, lines=lines, totals=totals, fingerprint=fingerprint)


def _answered(catalog: Database, lines: tuple[PricedLine, ...]) -> tuple[PricedLine, ...]:
    """Return the lines, each with the answer to whether its plan is open to it beside the others."""
    with_plan = [
        PlanLine(
            line_no=line.line_no,
            plan_id=line.wish.plan_id,
            device_cents=line.offer.all_in_cents if line.offer else None,
            quantity=line.wish.quantity,
            acquisition=next(known for known in ACQUISITIONS if known == line.wish.acquisition),
        )
        for line in lines
        if line.wish.plan_id is not None and line.state != "gone"
    ]
    if not with_plan:
        return lines
    answers = check_selection(with_plan, {plan.plan_id: plan.body for plan in plans.plans(catalog)})
    return tuple(replace(line, answer=answers.get(line.line_no)) for line in lines)


def _priced_lines(catalog: Database, wishes: Sequence[tuple[int, Wish]], now: datetime, zone: str) -> Iterator[PricedLine]:
    """Yield each line; lines of one listing take its stock in their order."""
    taken: dict[int | None, int] = {}
    for line_no, wish in wishes:
        line = _priced_line(catalog, line_no, wish, now, zone=zone, earlier=taken.get(wish.listing_id, 0))
        if line.state != "gone":
            taken[wish.listing_id] = taken.get(wish.listing_id, 0) + wish.quantity
        yield line


def _priced_line(catalog: Database, line_no: int, wish: Wish, now: datetime, *, zone: str, earlier: int) -> PricedLine:
    try:
        offer = _offer_for(catalog, replace(wish, quantity=wish.quantity + earlier), earlier=earlier)
        facts = line_facts(catalog, wish, offer, now=now, zone=zone)
    except (ListingGone, NotFound) as problem:
        instead = _instead(catalog, replace(wish, quantity=wish.quantity + earlier), problem)
        return PricedLine(line_no=line_no, wish=wish, state="gone", offer=None, instead=instead)
    figures = Line.from_slip(facts)
    return PricedLine(
        line_no=line_no,
        wish=wish,
        state="changed" if offer and wish.seen_cents not in (None, offer.all_in_cents) else "ok",
        offer=offer,
        instead=None,
        facts=facts,
        figures=figures,
        totals=line_totals(figures),
    )


def _check_eligible(priced: Priced, line_no: int) -> None:
    """Raise NotEligible when the plan of this line is not open to it beside the others."""
    for line in priced.lines:
        if line.line_no == line_no and line.answer is not None and not line.is_eligible:
            raise NotEligible(plan_id=line.wish.plan_id, reasons=line.answer.reasons, fix=line.answer.fix)


def _offer_for(catalog: Database, wish: Wish, *, earlier: int = 0) -> Offer | None:
    """Return the offer of the wish's listing, None when it is for no device. Raises: ListingGone, also when too few are left."""
    if wish.listing_id is None:
        return None
    offer = offers.offer_of_listing(catalog, wish.listing_id)
    if offer.quantity < wish.quantity:
        sku = skus.sku_by_id(catalog, offer.sku_id)["sku"]
        raise ListingGone(listing_id=offer.listing_id, sku=sku, grade_id=offer.grade_id, left=max(0, offer.quantity - earlier))
    return offer


def _instead(catalog: Database, wish: Wish, problem: ListingGone | NotFound) -> Offer | None:
    code, grade_id = problem.data.get("sku"), problem.data.get("grade_id")
    if code is None or grade_id is None:
        return None
    return offers.winning_offer(catalog, skus.sku(catalog, code)["sku_id"], grade_id, quantity=wish.quantity)


def _touch(execute: Execute, selection_id: str, now: datetime) -> None:
    touched = execute(
        "update selection set touched_at = :now where selection_id = :selection_id",
        {"now": clock.to_text(now), "selection_id": selection_id},
    )
    if touched.rowcount == 0:
        raise NotFound(selection_id=selection_id)
