"""A seller's file of listings, taken in beside the requests, chunk by chunk, and followed into a publication.

Invariant: a line's verdict is stored in the transaction that changes its listing, so a file taken up again after a crash goes on
after its last chunk, and the counts add up to its lines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace import tables
from marketplace.db import CHANGED_AT_ONCE, change_in_chunks, changed, new_id, reading, row, rows, run_tx
from marketplace.orders.step_mails import mail_sellers_people
from marketplace.running.jobs import Job, Postponed, Work, body_of, enqueue_in_turn, is_behind
from marketplace.sellers.fields import WrongField, fold_sku
from marketplace.sellers.fields import problem as field_problem
from marketplace.sellers.listings import home_market
from marketplace.sellers.sheets import BadRow, FileProblem, FileRefused, read_sheet, sent_rows
from marketplace.sellers.trade import Products, SellingRules, selling_rules
from marketplace.sellers.verdicts import OUTCOMES, SentRow, Verdict, products_of, take_rows
from pos import clock
from pos.errors import Conflict, NotFound

JOB, TEMPLATE = "import", "import_given_up"
CHUNK = 250
"""Rows a transaction: a fifth of a second at most on SQLite, whose writer others wait for."""
MOST_UNDONE = 10
AGAIN = timedelta(seconds=5)
KEPT = timedelta(days=90)
MOST_NAME = 120
PAGE = 200
ENDED = ("publishing", "done", "refused")


class ImportsWaiting(Conflict):
    """Too many of the seller's files wait; `data["retry_after_s"]` says when to ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerImport:
    """A file and what became of it. `taken` of its `lines` were judged, and the five counts add up to them.

    `publication` is the first of the market known to hold its changes; `problem` why the whole file was refused.
    """

    import_id: str
    market: str
    name: str
    source: str
    state: str
    sent_at: str
    ended_at: str | None
    lines: int
    taken: int
    added: int
    changed: int
    unchanged: int
    held: int
    refused: int
    publication: int | None
    problem: dict[str, Any] | None

    @property
    def is_at_work(self) -> bool:
        """Tell whether something more will become of it."""
        return self.state not in ("done", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReport:
    """What became of a line: one of `OUTCOMES`, and the reasons, each with `field`, `value`, `code` and `detail`."""

    line: int
    sku: str
    outcome: str
    problems: list[dict[str, str]]


def receive(connection: Connection, seller_id: int, content: bytes, *, name: str, source: str, market: str, now: datetime) -> str:
    """Store a file in the caller's transaction, to be taken in by a job, and return the import's id. `source` is desk or api.

    The market is that of the seller's country where none is named. Raises: NotFound without such a market, ImportsWaiting.
    """
    markets = selling_rules(connection).currencies
    market = market or home_market(connection, seller_id, markets)
    if market not in markets:
        raise NotFound(f"not a market: {', '.join(markets)}")
    undone = row(
        connection,
        "select count(*) as undone from seller_import where seller_id = :seller_id and state in ('waiting', 'running')",
        seller_id=seller_id,
    )
    if undone and undone["undone"] >= MOST_UNDONE:
        raise ImportsWaiting("files you sent before are still being taken in", retry_after_s=int(AGAIN.total_seconds()))
    import_id = new_id()
    key = {"seller_id": seller_id, "import_id": import_id}
    shown = "".join(sign for sign in name if sign.isprintable())[:MOST_NAME]
    about = {"market": market, "name": shown, "source": source, "state": "waiting", "sent_at": clock.to_text(now)}
    counts = dict.fromkeys(("lines", "taken", *OUTCOMES), 0)
    connection.execute(tables.seller_import.insert(), {**key, **about, **counts})
    connection.execute(tables.seller_import_file.insert(), {**key, "content": content})
    enqueue_in_turn(connection, JOB, {"import_id": import_id}, owner_id=str(seller_id))
    return import_id


def seller_import(connection: Connection, seller_id: int, import_id: str) -> SellerImport:
    """Return one of a seller's imports. Raises: NotFound."""
    query = "select * from seller_import where seller_id = :seller_id and import_id = :import_id"
    stored = row(connection, query, seller_id=seller_id, import_id=import_id)
    if stored is None:
        raise NotFound("no such import")
    return _import(stored)


def seller_imports(connection: Connection, seller_id: int, *, before: str = "", most: int = 20) -> list[SellerImport]:
    """Return a seller's imports, the newest first, those before an id where one is given."""
    query = """
        select * from seller_import where seller_id = :seller_id and (:before = '' or import_id < :before)
        order by import_id desc limit :most
    """
    return [_import(each) for each in rows(connection, query, seller_id=seller_id, before=before, most=most)]


def line_reports(
    connection: Connection, seller_id: int, import_id: str, *, after: int = 0, outcome: str = "", most: int | None = PAGE
) -> list[LineReport]:
    """Return what became of the lines after `after`, of one outcome or all, at most so many."""
    query = """
        select line, sku, outcome, problems from seller_import_line
        where seller_id = :seller_id and import_id = :import_id and line > :after and (:outcome = '' or outcome = :outcome)
        order by line limit :most
    """
    about = {"seller_id": seller_id, "import_id": import_id, "after": after, "outcome": outcome, "most": most or 2**31 - 1}
    return [LineReport(**{**each, "problems": json.loads(each["problems"] or "[]")}) for each in rows(connection, query, **about)]


def take_import(work: Work, body: Mapping[str, Any]) -> str:
    """Take a file in: judge its rows and store them, chunk by chunk, from where an earlier try ended; return what came of it."""
    seller_id, import_id = int(work.owner_id), str(body["import_id"])
    with reading(work.engine) as connection:
        about = seller_import(connection, seller_id, import_id)
        if about.state in ENDED:
            return about.state
        if is_behind(connection, JOB, owner_id=work.owner_id, job_id=work.job_id):
            raise Postponed("an earlier file comes first", until=work.now + AGAIN)
        key = {"seller_id": seller_id, "import_id": import_id}
        file = row(
            connection, "select content from seller_import_file where seller_id = :seller_id and import_id = :import_id", **key
        )
    try:
        sent = read_sheet(bytes(file["content"]) if file else b"")
    except FileRefused as refusal:
        problem = asdict(refusal.data["problem"])
        run_tx(work.engine, lambda connection: _end(connection, key, "refused", problem=problem))
        return "refused"
    with reading(work.engine) as connection:
        trade, products = selling_rules(connection), products_of(connection, sent_rows(sent))
    taking = _Taking(engine=work.engine, seller_id=seller_id, about=about, trade=trade, products=products, sent=sent)
    taking.go_on()
    return run_tx(work.engine, lambda connection: _end_taken(connection, key))


def give_up(connection: Connection, job: Job, reason: str) -> None:
    """End the import of a job that is dead, or that HQ set aside for a reason, and mail that to its seller's owners.

    What was taken of the file stays taken, and goes on to its publication.
    """
    code, detail = ("set_aside", "we set it aside") if reason else ("not_taken", "we could not read it to its end: send it again")
    problem = asdict(FileProblem(line=0, field="", value=reason, code=code, detail=detail))
    seller_id, import_id = int(job.owner_id), str(body_of(job.body)["import_id"])
    if _end(connection, {"seller_id": seller_id, "import_id": import_id}, "refused", problem=problem):
        about = seller_import(connection, seller_id, import_id)
        facts = {"name": about.name, "taken": about.taken, "problem": problem, "path": f"/seller/imports/{import_id}"}
        mail_sellers_people(connection, seller_id, TEMPLATE, unique=import_id, facts=facts, roles=("owner",))


def held_back_of(connection: Connection, seller_id: int, import_id: str) -> int:
    """Return how many listings of an import were kept from being published by themselves (`publishing.by_itself`)."""
    held = row(
        connection,
        """
        select count(distinct mark.row_key) as held from sync_dirty mark
        join seller_import_line line on cast(line.listing_id as text) = mark.row_key
        where mark.origin = 'held' and mark.table_name in ('listing', 'stock')
          and line.seller_id = :seller_id and line.import_id = :import_id
        """,
        seller_id=seller_id,
        import_id=import_id,
    )
    return int(held["held"]) if held else 0


def publishing_imports(connection: Connection) -> list[dict[str, Any]]:
    """Return the imports whose changes wait to be published, by key and market."""
    return rows(connection, "select seller_id, import_id, market from seller_import where state = 'publishing'")


def follow_publications(engine: Engine, waiting: Sequence[Mapping[str, Any]], *, now: datetime) -> int:
    """Note for imports that waited (`publishing_imports`) in which publication their changes are; return how many that were.

    One whose changes were held back goes on waiting.
    """
    with reading(engine) as connection:
        published = [each for each in waiting if _is_published(connection, each)]
    return sum(run_tx(engine, lambda connection, each=each: _settle(connection, each, now=now)) for each in published)  # type: ignore[misc]


def forget_imports(engine: Engine, *, now: datetime) -> int:
    """Delete imports that ended long ago, some of their lines in a transaction; return how many."""
    query = "select seller_id, import_id from seller_import where state in ('done', 'refused') and sent_at < :until"
    with reading(engine) as connection:
        old = rows(connection, query, until=clock.to_text(now - KEPT))

    for key in old:
        _forget(engine, key)
    return len(old)


def _forget(engine: Engine, key: Mapping[str, Any]) -> None:
    """Delete an import; its own row goes last, so that a sweep that was cut off is gone on with."""
    whose = "seller_id = :seller_id and import_id = :import_id"
    lines = f"""
        delete from seller_import_line where {whose} and line in (
          select line from seller_import_line where {whose} limit :most
        )
    """
    change_in_chunks(engine, lambda connection: changed(connection, lines, most=CHANGED_AT_ONCE, **key))

    def forget(connection: Connection) -> None:
        for table in ("seller_import_file", "seller_import"):
            changed(connection, f"delete from {table} where {whose}", **key)

    run_tx(engine, forget)


@dataclass(slots=True, kw_only=True)
class _Taking:
    """A file being taken in: what its rows are judged by, and the rows."""

    engine: Engine
    seller_id: int
    about: SellerImport
    trade: SellingRules
    products: Products
    sent: list[SentRow | BadRow]

    def go_on(self) -> None:
        """Take what was not taken yet. Raises: Conflict where another worker does."""
        lines: dict[tuple[str, str], int] = {}
        for each in sent_rows(self.sent[: self.about.taken]):
            lines.setdefault((self.about.market, fold_sku(each.fields.get("sku", ""))), each.line)
        for start in range(self.about.taken, len(self.sent), CHUNK):
            run_tx(self.engine, lambda connection, start=start: self._take(connection, start, lines))  # type: ignore[misc]

    def _take(self, connection: Connection, start: int, lines: dict[tuple[str, str], int]) -> None:
        """Judge and store one chunk, and its verdicts."""
        chunk, market = self.sent[start : start + CHUNK], self.about.market
        mine = [each for each in sent_rows(chunk) if each.fields.get("market", "").strip().casefold() in ("", market)]
        now = clock.now()
        verdicts = {
            verdict.line: verdict
            for verdict in take_rows(
                connection, self.seller_id, mine, market=market, now=now, trade=self.trade, products=self.products, lines=lines
            )
        }
        told = [verdicts.get(each.line) or _unread(each, market) for each in chunk]
        counts = {outcome: sum(verdict.outcome == outcome for verdict in told) for outcome in OUTCOMES}
        key = {"seller_id": self.seller_id, "import_id": self.about.import_id}
        update = f"""
            update seller_import set state = 'running', lines = :lines, taken = taken + :number,
              {", ".join(f"{outcome} = {outcome} + :{outcome}" for outcome in OUTCOMES)}
            where seller_id = :seller_id and import_id = :import_id and taken = :start and state in ('waiting', 'running')
        """
        if not changed(connection, update, **key, **counts, lines=len(self.sent), number=len(chunk), start=start):
            raise Conflict("another worker goes on with this file")
        connection.execute(tables.seller_import_line.insert(), [{**key, **_columns(verdict)} for verdict in told])


def _unread(row: SentRow | BadRow, market: str) -> Verdict:
    """Return the verdict on a row that could not be read, or is for another market."""
    if isinstance(row, BadRow):
        return Verdict(line=row.line, sku="", outcome="refused", problems=(row.problem,))
    said = row.fields.get("market", "")
    wrong = WrongField("other_market", f"this file is for {market}: send another for each market")
    sku = row.fields.get("sku", "").strip()[:MOST_NAME]
    return Verdict(line=row.line, sku=sku, outcome="refused", problems=(field_problem("market", said, wrong),))


def _columns(verdict: Verdict) -> dict[str, Any]:
    problems = json.dumps([asdict(each) for each in verdict.problems], ensure_ascii=False) if verdict.problems else ""
    is_taken = verdict.listing is not None and verdict.outcome in ("added", "changed", "held")
    return {
        "line": verdict.line,
        "sku": verdict.sku.replace("\0", ""),
        "outcome": verdict.outcome,
        "listing_id": verdict.listing.supply.listing_id if is_taken and verdict.listing else None,
        "problems": problems,
    }


def _end(connection: Connection, key: Mapping[str, Any], state: str, *, problem: Mapping[str, Any] | None = None) -> bool:
    is_ended = changed(
        connection,
        """
        update seller_import set state = :state, ended_at = :now, problem = :problem
        where seller_id = :seller_id and import_id = :import_id and state in ('waiting', 'running')
        """,
        **key,
        state=state,
        now=clock.to_text(clock.now()),
        problem=json.dumps(problem, ensure_ascii=False) if problem else None,
    )
    changed(connection, "delete from seller_import_file where seller_id = :seller_id and import_id = :import_id", **key)
    return is_ended == 1


def _end_taken(connection: Connection, key: Mapping[str, Any]) -> str:
    about = seller_import(connection, key["seller_id"], key["import_id"])
    state = "publishing" if about.added + about.changed + about.held else "done"
    _end(connection, key, state)
    return f"{about.lines} lines, {about.refused} refused"


def _is_published(connection: Connection, waiting: Mapping[str, Any]) -> bool:
    """Tell whether nothing waits that was marked before the import ended; what its listings became since is not its own."""
    query = """
        select 1 as one from seller_import sent
        join seller_import_line line on line.seller_id = sent.seller_id and line.import_id = sent.import_id
        join sync_dirty mark on mark.row_key = cast(line.listing_id as text)
        where sent.seller_id = :seller_id and sent.import_id = :import_id
          and mark.market = :market and mark.table_name in ('listing', 'stock') and mark.marked_at <= sent.ended_at
        limit 1
    """
    return row(connection, query, **waiting) is None


def _settle(connection: Connection, waiting: Mapping[str, Any], *, now: datetime) -> int:
    return changed(
        connection,
        """
        update seller_import set state = 'done', ended_at = :now,
          publication = (select max(publication) from sync_publication where market = :market and line = '')
        where seller_id = :seller_id and import_id = :import_id and state = 'publishing'
        """,
        now=clock.to_text(now),
        **waiting,
    )


def _import(stored: Mapping[str, Any]) -> SellerImport:
    facts = {name: value for name, value in stored.items() if name != "seller_id"}
    return SellerImport(**{**facts, "problem": json.loads(facts["problem"]) if facts["problem"] else None})
