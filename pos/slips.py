"""The slip: a numbered, signed, complete record of a selection, on disk with its outbox row before anybody sees it.

A number is never used twice and never skipped; a voided slip stays. The facts a slip was made from are frozen in it, so that it
reads the same for ever, whatever the catalogue does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from pos import clock, outbox, tokens
from pos.comparisons import kept_comparison
from pos.corners import corner as corner_of
from pos.corners import zone_of
from pos.db import snapshot
from pos.errors import (
    Conflict,
    EmptySelection,
    Invalid,
    KeyDamaged,
    KeyUnreadable,
    ListingGone,
    NotEligible,
    NotFound,
    PriceChanged,
    SlipAlreadyVoided,
    SlipNotFound,
    TooManySlips,
)
from pos.line_facts import LineFacts
from pos.ops import setting
from pos.prices import in_force_since
from pos.selections import Priced, priced_selection
from pos.slip_facts import VALIDITY_HOURS, SlipFacts, slip_facts
from pos.slip_proofs import check_slip
from pos.tokens import Token, TokenLine

KEY_BYTES = 32
MOST_A_MINUTE = 200
"""Slips from the customers' screens: a hand taps a tenth of it, and a program at the screen does not fill the disk by night."""
REASONS = ("mistake", "duplicate", "customer_request", "test")


class Void(TypedDict):
    """Who voided a slip, for which of `REASONS`, and when."""

    clerk_id: str
    reason: str
    voided_at: str


class SelectionChanged(Conflict):
    """The selection is no longer what the page showed: another tab changed it, or a term of an offer moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The kiosk's identity: its signing key, and that key's id in hexadecimal."""

    private_key: Ed25519PrivateKey
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """A slip as recorded. `digits` is the token in decimal, `helped_by` the clerk who made it or
    helped with its selection, `void` who voided it, when and why.
    """

    key_id: str
    counter: int
    number: str
    selection_id: str
    token: bytes
    facts: SlipFacts
    issued_at: str
    valid_until: str
    helped_by: str | None
    void: Void | None

    @property
    def digits(self) -> str:
        """The token as one decimal number."""
        return tokens.to_digits(self.token)


def load_device(directory: Path) -> Device:
    """Read the device's key from `device.key` (32 raw bytes). Raises: NotFound before enrolment, KeyUnreadable, KeyDamaged."""
    try:
        raw = (directory / "device.key").read_bytes()
    except FileNotFoundError:
        raise NotFound("this kiosk is not enrolled") from None
    except OSError as problem:
        raise KeyUnreadable(f"device.key cannot be read: {problem.strerror}") from problem
    if len(raw) != KEY_BYTES:
        raise KeyDamaged("device.key is damaged")
    private_key = Ed25519PrivateKey.from_private_bytes(raw)
    return Device(private_key=private_key, key_id=tokens.key_id(private_key.public_key().public_bytes_raw()).hex())


def issue_slip(
    ops: Database,
    catalog: Database,
    selection_id: str,
    *,
    device: Device,
    seen: str | None,
    language: str,
    now: datetime,
    most_a_minute: int | None = None,
    clerk_id: str | None = None,
) -> Slip:
    """Make the slip of a selection, or return the one it already has while nothing changed; runs inside the caller's `write`.

    `seen` is the fingerprint of the page the customer tapped on; without one, the prices recorded with each line must still hold.
    `most_a_minute` bounds how many new ones are made, where anybody may ask. `clerk_id` is the clerk who makes it, None on the
    customers' screens: its token says so, and the slip names whoever made it, else whoever helped with its selection.
    Raises: NotFound, EmptySelection, ListingGone, PriceChanged, NotEligible, SelectionChanged, TooManyLines, TooManySlips,
    Unrecordable.
    """
    with snapshot(catalog):
        return _issue(
            ops,
            catalog,
            selection_id,
            device=device,
            seen=seen,
            language=language,
            now=now,
            most_a_minute=most_a_minute,
            clerk_id=clerk_id,
        )


def _issue(
    ops: Database,
    catalog: Database,
    selection_id: str,
    *,
    device: Device,
    seen: str | None,
    language: str,
    now: datetime,
    most_a_minute: int | None,
    clerk_id: str | None,
) -> Slip:
    priced = priced_selection(ops.execute, catalog, selection_id, now=now, zone=zone_of(ops))
    _check_seen(priced, seen)
    fingerprint = _fingerprint(ops, priced)
    for (number,) in ops.execute(
        "select number from slip where selection_id = ? and fingerprint = ?", [selection_id, fingerprint]
    ).fetchall():
        return slip(ops, number)
    if most_a_minute is not None:
        _check_pace(ops, most_a_minute, now=now)
    corner = corner_of(ops)
    counter, issued = _next(ops, device.key_id, max(now, in_force_since(catalog) or now))
    compared = kept_comparison(ops, selection_id)
    facts = slip_facts(catalog, corner, priced, counter=counter, issued=issued, language=language, compared=compared)
    token = _token(facts, device, counter, issued, clock_quality=_clock_quality(ops, now), by_clerk=clerk_id is not None)
    signed = tokens.encode(token, device.private_key)
    row = {
        "key_id": device.key_id,
        "counter": counter,
        "number": facts["number"],
        "selection_id": selection_id,
        "fingerprint": fingerprint,
        "token": signed,
        "facts": json.dumps(facts, ensure_ascii=False, separators=(",", ":")),
        "issued_at": facts["issued_at"],
        "valid_until": facts["valid_until"],
        "helped_by": clerk_id or _helper(ops, selection_id),
    }
    event = {"number": facts["number"], "key_id": device.key_id, "counter": counter}
    event |= {"clerk_id": row["helped_by"]} if row["helped_by"] else {}
    outbox.record(ops, "slip_issued", {**event, "digits": tokens.to_digits(signed), "facts": facts}, now=now)
    ops.table("slip").insert(row)
    return slip(ops, facts["number"])


def slip(ops: Database, number: str) -> Slip:
    """Return a slip by its number, in canonical form, as it was issued. Raises: SlipNotFound, SlipAltered."""
    check_slip(ops, number)
    return _one(_slips(ops, "where slip.number = ?", [number]), number)


def slip_of_visit(ops: Database, number: str) -> Slip:
    """Return a slip by its number while its visit lasts: numbers are easily guessed, and the next visitor could order it.

    The visit ends with the selection the slip was made from, by leaving, by the idle wipe, or with time.
    Raises: SlipNotFound, SlipAltered.
    """
    check_slip(ops, number)
    where = "where slip.number = ? and slip.selection_id in (select selection_id from selection)"
    return _one(_slips(ops, where, [number]), number)


def slips_between(ops: Database, start: str, end: str, *, words: Sequence[str] = (), most: int = 500) -> list[Slip]:
    """Return the slips issued from `start` up to `end` (UTC texts), the newest first, `most` at most, but for unreadable ones.

    With `words`, in small letters, those alone of whose devices' names or SKUs each begins a word; one with a digit is all of it.
    """
    where, values = _issued_between(start, end, words)
    return _slips(ops, f"{where} and json_valid(slip.facts) order by slip.counter desc limit {most:d}", values)


def count_between(ops: Database, start: str, end: str, *, words: Sequence[str] = ()) -> int:
    """Return how many slips `slips_between` would find without a bound; unreadable ones count."""
    where, values = _issued_between(start, end, words)
    [(count,)] = ops.execute(f"select count(*) from slip {where}", values).fetchall()
    return int(count)


def _issued_between(start: str, end: str, words: Sequence[str]) -> tuple[str, list[str]]:
    said = "' ' || lower(replace(line.title || ' ' || line.sku, '-', ' ')) || ' '"
    holds = f"exists (select 1 from slip_line as line where line.number = slip.number and instr({said}, ?))"
    conditions = ["slip.issued_at >= ? and slip.issued_at < ?", *[holds] * len(words)]
    return f"where {' and '.join(conditions)}", [start, end, *(_begins(word) for word in words)]


def _begins(word: str) -> str:
    """Return what is looked for: "ipho" finds an iPhone, and 12 neither 128 nor 13."""
    return f" {word} " if any(sign.isdigit() for sign in word) else f" {word}"


def next_counter(ops: Database, key_id: str) -> int:
    """Return the counter that this device's next slip will carry: every lower one from its first exists."""
    counter, _ = _last(ops, key_id)
    return max(setting(ops, "first_counter") or 1, counter + 1)


def void_slip(ops: Database, number: str, *, clerk_id: str, reason: str, now: datetime) -> None:
    """Void a slip for one of `REASONS`; it stays, marked. Runs inside the caller's `write`.

    Raises: SlipNotFound, Invalid, SlipAlreadyVoided.
    """
    # Its facts are not read: a slip that changed on the disk can be voided, too.
    issued = ops.execute("select key_id, counter from slip where number = ?", [number]).fetchone()
    if issued is None:
        raise SlipNotFound(number=number)
    names = ("clerk_id", "reason", "voided_at")
    void = ops.execute(f"select {', '.join(names)} from slip_void where number = ?", [number]).fetchone()
    if void:
        raise SlipAlreadyVoided(number=number, **dict(zip(names, void, strict=True)))
    if reason not in REASONS:
        raise Invalid("not a reason to void", field="reason")
    key_id, counter = issued
    row = {"number": number, "clerk_id": clerk_id, "reason": reason, "voided_at": clock.to_text(now)}
    ops.table("slip_void").insert(row)
    outbox.record(ops, "slip_voided", {**row, "key_id": key_id, "counter": counter}, now=now)


def _one(found: list[Slip], number: str) -> Slip:
    if not found:
        raise SlipNotFound(number=number)
    return found[0]


def _check_seen(priced: Priced, seen: str | None) -> None:
    if not priced.lines:
        raise EmptySelection(selection_id=priced.selection_id)
    for line in priced.lines:
        if line.state == "gone":
            raise ListingGone(listing_id=line.wish.listing_id, line_no=line.line_no)
        if line.state == "changed" and line.offer is not None and seen != priced.fingerprint:
            raise PriceChanged(was_cents=line.wish.seen_cents, now_cents=line.offer.all_in_cents, line_no=line.line_no)
    for line in priced.lines:
        if line.answer is not None and not line.is_eligible:
            answer = line.answer
            raise NotEligible(plan_id=line.wish.plan_id, reasons=answer.reasons, fix=answer.fix, line_no=line.line_no)
    if seen is not None and seen != priced.fingerprint:
        raise SelectionChanged(selection_id=priced.selection_id)


def _check_pace(ops: Database, most: int, *, now: datetime) -> None:
    """Raise TooManySlips where the last `most` slips were all recorded within this minute, whichever way the clock was set."""
    recent = ops.execute(
        """
        select count(*) from (select recorded_at from outbox where kind = 'slip_issued' order by seq desc limit ?)
        where recorded_at > ? and recorded_at <= ?
        """,
        [most, clock.to_text(now - timedelta(minutes=1)), clock.to_text(now)],
    ).fetchone()[0]
    if recent >= most:
        raise TooManySlips(most=most)


def _fingerprint(ops: Database, priced: Priced) -> str:
    """A voided slip does not answer for its selection any more, nor one that told another comparison: the next one is new."""
    voids = ops.execute(
        "select count(*) from slip join slip_void using (number) where selection_id = ?", [priced.selection_id]
    ).fetchone()[0]
    compared = "".join(f"+{code}" for code in kept_comparison(ops, priced.selection_id))
    return f"{priced.fingerprint}.{voids}{compared}" if voids or compared else priced.fingerprint


def _next(ops: Database, key_id: str, now: datetime) -> tuple[int, datetime]:
    """Return the next counter and the minute of issue, which never runs backwards whatever the clock does.

    A new key goes on from the counters of the one before, since the number on paper does not tell keys apart.
    """
    _, issued_at = _last(ops, key_id)
    known = [clock.from_text(text) for text in (issued_at, setting(ops, "hq_time")) if text]
    issued = max(now, tokens.EPOCH, *known)
    return next_counter(ops, key_id), issued.replace(second=0, microsecond=0)


def _last(ops: Database, key_id: str) -> tuple[int, str | None]:
    last = ops.execute("select counter, issued_at from slip where key_id = ? order by counter desc limit 1", [key_id]).fetchone()
    if last is None:
        last = ops.execute("select max(counter), max(issued_at) from slip").fetchone()
    return last[0] or 0, last[1]


def _helper(ops: Database, selection_id: str) -> str | None:
    """Return the clerk who helped last with a selection, also where its customer then made the slip alone."""
    helped = ops.execute("select helped_by from selection_help where selection_id = ?", [selection_id]).fetchone()
    return helped[0] if helped else None


def _token(facts: SlipFacts, device: Device, counter: int, issued: datetime, *, clock_quality: int, by_clerk: bool) -> Token:
    return Token(
        clock_quality=clock_quality,
        issued_by_clerk=by_clerk,
        currency=facts["currency"],
        key_id=bytes.fromhex(device.key_id),
        corner_no=facts["corner"]["corner_no"],
        counter=counter,
        issued_minute=int((issued - tokens.EPOCH).total_seconds()) // 60,
        validity_hours=VALIDITY_HOURS,
        publication=facts["publication"],
        lines=tuple(_token_line(line) for line in facts["lines"]),
        one_off_cents=facts["totals"]["due_today_cents"],
        monthly_cents=facts["totals"]["monthly_now_cents"],
    )


def _token_line(line: LineFacts) -> TokenLine:
    return TokenLine(
        listing_id=line["listing"]["listing_id"] if line["listing"] else 0,
        plan_id=line["plan"]["plan_id"] if line["plan"] else 0,
        quantity=line["quantity"],
        option_ids=tuple(option["option_id"] for option in line["options"]),
        one_off_cents=line["totals"]["due_today_cents"],
        monthly_cents=line["totals"]["monthly_now_cents"],
    )


def _clock_quality(ops: Database, now: datetime) -> int:
    """Return 2 when HQ's own time was seen within a day of this clock's, else 0: a device cannot vouch for its battery clock."""
    seen = setting(ops, "hq_time")
    return 2 if seen and abs(now - clock.from_text(seen)) < timedelta(days=1) else 0


def _slips(ops: Database, where: str, values: Sequence[str]) -> list[Slip]:
    rows = ops.execute(
        f"""
        select slip.key_id, slip.counter, slip.number, slip.selection_id, slip.token, slip.facts, slip.issued_at,
          slip.valid_until, slip.helped_by, slip_void.clerk_id, slip_void.reason, slip_void.voided_at
        from slip left join slip_void using (number) {where}
        """,
        list(values),
    )
    return [_slip(*row) for row in rows]


def _slip(
    key_id: str,
    counter: int,
    number: str,
    selection_id: str,
    token: bytes,
    facts: str,
    issued_at: str,
    valid_until: str,
    helped_by: str | None,
    clerk_id: str | None,
    reason: str,
    voided_at: str,
) -> Slip:
    return Slip(
        key_id=key_id,
        counter=counter,
        number=number,
        selection_id=selection_id,
        token=token,
        facts=json.loads(facts),
        issued_at=issued_at,
        valid_until=valid_until,
        helped_by=helped_by,
        void={"clerk_id": clerk_id, "reason": reason, "voided_at": voided_at} if clerk_id else None,
    )
