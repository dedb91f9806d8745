"""The ledger: double entry in whole minor units, one currency an entry, and what it adds up to at any date.

Invariants: the postings of an entry sum to zero; what is posted is never changed, a reversal is an entry of its own; a fact is
posted once for its owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from marketplace.db import changed, new_id, rows
from marketplace.money.accounts import ACCOUNTS, CLEARING, of_order
from pos.currencies import DECIMALS

MOST_LINES = 500
ORDER_FROM = len(of_order("")) + 1
"""Where an order's id begins in the name of its party."""
ADD_POSTING = text("""
    insert into posting (owner_id, entry_id, posting_no, account, party, currency, at, amount_cents, due_on)
    values (:owner_id, :entry_id, :posting_no, :account, :party, :currency, :at, :amount_cents, :due_on)
""")


class Unbalanced(ValueError):
    """Postings that do not sum to zero, or name an account or a currency there is not: a fault of the program."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of an entry: debit positive. `due_on` is the day from which a seller's share may be paid (`YYYY-MM-DD`).

    Our fee and adjustments have the day of the share they are taken from: the statement and the invoice of that day name them.
    """

    account: str
    party: str
    cents: int
    due_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What an entry is made from: `name` is unique for its owner, `subject` the unit, payment or payout it is of."""

    owner_id: str
    name: str
    subject: str
    kind: str
    currency: str
    at: str


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds in a currency, debit positive."""

    account: str
    currency: str
    cents: int


@dataclass(frozen=True, slots=True)
class OpenParty:
    """What a clearing account still holds of one party, and since when; of an order its customer and number."""

    account: str
    currency: str
    party: str
    cents: int
    since: str
    customer_id: str | None
    number: str | None


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One posting with the entry it belongs to; of an order as party its customer and number."""

    entry_id: str
    kind: str
    fact: str
    subject: str
    account: str
    party: str
    currency: str
    at: str
    cents: int
    customer_id: str | None
    number: str | None


@dataclass(frozen=True, slots=True)
class UnexplainedEntry:
    """An entry that does not add up: somebody changed the database behind the ledger's back."""

    owner_id: str
    entry_id: str
    kind: str
    fact: str
    currency: str
    cents: int


def post(connection: Connection, fact: Fact, postings: Sequence[Posting]) -> bool:
    """Write an entry in the caller's transaction; return False when this fact was posted before, or moves nothing.

    Raises: Unbalanced.
    """
    lines = [line for line in postings if line.cents]
    debit = sum(line.cents for line in lines if line.cents > 0)
    credit = -sum(line.cents for line in lines if line.cents < 0)
    unknown = {line.account for line in lines} - set(ACCOUNTS)
    if debit != credit or unknown or fact.currency not in DECIMALS:
        raise Unbalanced(f"{fact.kind}: debit {debit}, credit {credit} {fact.currency} {sorted(unknown)}")
    entry = {"owner_id": fact.owner_id, "entry_id": new_id(), "currency": fact.currency, "at": fact.at}
    if not lines or not changed(
        connection,
        """
        insert into entry (owner_id, entry_id, kind, fact, subject, currency, at, debit_cents, credit_cents)
        values (:owner_id, :entry_id, :kind, :fact, :subject, :currency, :at, :debit, :debit)
        on conflict (owner_id, fact) do nothing
        """,
        **entry,
        **{"kind": fact.kind, "fact": fact.name, "subject": fact.subject, "debit": debit},
    ):
        return False
    written = [
        {"posting_no": no, "account": line.account, "party": line.party, "amount_cents": line.cents, "due_on": line.due_on}
        for no, line in enumerate(lines, 1)
    ]
    connection.execute(ADD_POSTING, [{**entry, **line} for line in written])
    return True


def trial_balance(connection: Connection, *, until: str) -> list[Balance]:
    """Return what every account holds in each currency from all that was posted before `until`; each currency sums to zero."""
    found = rows(
        connection,
        """
        select account, currency, cast(sum(amount_cents) as bigint) as cents
        from posting
        where at < :until
        group by account, currency
        order by currency, account
        """,
        until=until,
    )
    return [Balance(**balance) for balance in found]


def open_parties(connection: Connection) -> list[OpenParty]:
    """Return what clearing accounts hold, party by party, the oldest first: zero where everything is over."""
    found = rows(
        connection,
        f"""
        select held.*, customer_order.customer_id, customer_order.number
        from (
          select account, currency, party, cast(sum(amount_cents) as bigint) as cents, min(at) as since
          from posting
          where account in ({", ".join(f"'{name}'" for name in CLEARING)})
          group by account, currency, party
          having sum(amount_cents) <> 0
          order by since, account, party
          limit :most
        ) as held
        left join customer_order on customer_order.order_id = substr(held.party, {ORDER_FROM})
        order by held.since, held.account, held.party
        """,
        most=MOST_LINES,
    )
    return [OpenParty(**party) for party in found]


def lines_of(connection: Connection, account: str, *, party: str | None, until: str) -> list[LedgerLine]:
    """Return the newest postings of an account before `until`, of all parties or of one."""
    one = "and posting.party = :party" if party is not None else ""
    found = rows(
        connection,
        f"""
        select entry.entry_id, entry.kind, entry.fact, entry.subject, posting.account, posting.party, posting.currency,
          posting.at, posting.amount_cents as cents, customer_order.customer_id, customer_order.number
        from posting
        join entry on entry.owner_id = posting.owner_id and entry.entry_id = posting.entry_id
        left join customer_order on customer_order.order_id = substr(posting.party, {ORDER_FROM})
        where posting.account = :account and posting.at < :until {one}
        order by posting.at desc, posting.entry_id desc, posting.posting_no
        limit :most
        """,
        **{"account": account, "until": until, "most": MOST_LINES} | ({"party": party} if party is not None else {}),
    )
    return [LedgerLine(**line) for line in found]


def differences(connection: Connection) -> list[UnexplainedEntry]:
    """Return the entries whose postings are not what was posted: their sum is not zero, or not all of them are there."""
    found = rows(
        connection,
        """
        select entry.owner_id, entry.entry_id, entry.kind, entry.fact, entry.currency,
          cast(coalesce(sum(posting.amount_cents), 0) as bigint) as cents
        from entry
        left join posting on posting.owner_id = entry.owner_id and posting.entry_id = entry.entry_id
        group by entry.owner_id, entry.entry_id, entry.kind, entry.fact, entry.currency, entry.debit_cents
        having coalesce(sum(posting.amount_cents), 0) <> 0
          or coalesce(sum(case when posting.amount_cents > 0 then posting.amount_cents else 0 end), 0) <> entry.debit_cents
          or min(posting.currency) <> entry.currency or max(posting.currency) <> entry.currency
        order by entry.entry_id
        limit :most
        """,
        most=MOST_LINES,
    )
    return [UnexplainedEntry(**entry) for entry in found]


def held(connection: Connection, account: str, party: str, *, currency: str) -> int:
    """Return what an account holds of one party, debit positive."""
    found = rows(
        connection,
        """
        select cast(coalesce(sum(amount_cents), 0) as bigint) as cents
        from posting where account = :account and currency = :currency and party = :party
        """,
        account=account,
        currency=currency,
        party=party,
    )
    return int(found[0]["cents"])
