"""`/console/edits`: one planogram, one price or one text of HQ's catalogue is changed, looked at, and published or kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request, session
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, row, rows
from marketplace.feeds.edit_fields import EDITED, LISTINGS, TABLE, EditField, fields_of
from marketplace.feeds.edit_forms import SentForm, TablePlace, device_names, opened_form, read_form, shelves, with_blanks
from marketplace.feeds.edits import EditedMeanwhile, KeptEdit, Target, judge_edit, make_edit, marks_of, recent_edits, target_of
from marketplace.feeds.imports import CONTENT_TABLES
from marketplace.feeds.problems import FeedRefused
from marketplace.feeds.stored import stored_rows
from marketplace.fleet.corners import rings
from marketplace.fleet.standings import fold
from marketplace.publishing.pages import PERCENTS, form_share
from marketplace.publishing.publications import NewestPublication, newest, publish_market
from marketplace.publishing.trials import shares_of
from marketplace.web import marketplace, see_other
from pos.errors import NotFound
from shop import door
from shop.web import render_template
from sync.errors import Busy
from sync.heads import RINGS
from sync.hq.log import open_trial
from sync.hq.trials import TrialOpen

EDITOR = "editor"
"""In the session: who edits, so that it is typed once."""
MOST_FOUND = 20
pages = Blueprint("edits", __name__, url_prefix="/edits")


@dataclass(frozen=True, slots=True, kw_only=True)
class EditsPage:
    """What can be edited: every plan, option, law and grade by file, corners and listings as they were searched for."""

    query: str
    choices: Mapping[str, Sequence[tuple[str, str]]]
    found: Sequence[tuple[str, str, str]]
    edits: Sequence[KeptEdit]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditMarket:
    """A market an edit is published in: its corners by ring, its newest publication, the trial that is open, if any."""

    newest: NewestPublication
    rings: Mapping[str, int]
    trial_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOutlook:
    """What an edit would change: each field before and after, the table by position, and who gets it.

    `corner` is the one corner a table is for; everything else goes to the `markets`.
    """

    changes: Sequence[tuple[EditField, str, str]]
    spots: Sequence[tuple[str, str, str]]
    markets: Sequence[EditMarket]
    corner: Mapping[str, Any] | None
    ring_names: Sequence[str] = RINGS
    percents: Sequence[int] = PERCENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPage:
    """One row's form, the names of the devices in it, its table as it would lie, and the outlook once it was judged.

    `others` are the edits of this row that were made last: the first is what somebody meanwhile did.
    """

    target: Target
    sent: SentForm
    names: Mapping[str, str]
    table: Sequence[Sequence[TablePlace]]
    others: Sequence[KeptEdit]
    outlook: EditOutlook | None = None


@pages.get("")
def listing() -> str:
    """Show what can be edited, and what was."""
    query = request.args.get("q", "").strip()[:100]
    with reading(marketplace().engine) as connection:
        page = EditsPage(
            query=query,
            choices={file: _choices(connection, file) for file in EDITED if file not in ("corners", LISTINGS)},
            found=_found(connection, query) if query else [],
            edits=recent_edits(connection),
        )
    return render_template("marketplace/feeds/edits.html", page=page)


@pages.get("/<file>/<key>")
def form(file: str, key: str) -> str:
    """Show what may be changed of one row."""
    with reading(marketplace().engine) as connection:
        target = target_of(connection, file, key)
        sent = opened_form(target, who=session.get(EDITOR, ""))
        sent.spots = with_blanks(sent.spots)
        return _shown(connection, target, sent)


@pages.post("/<file>/<key>/outlook")
def outlook(file: str, key: str) -> str | tuple[str, int]:
    """Judge what was typed and show what it would change, or the form again: nothing is changed here."""
    with reading(marketplace().engine) as connection:
        target = target_of(connection, file, key)
        sent = read_form(connection, target, request.form, language=door.visitor().language)
        if request.form.get("act") in ("more", "form"):
            sent.problems.clear()
            return _again(connection, target, sent)[0]
        if sent.is_wrong:
            return _again(connection, target, sent)
        try:
            judge_edit(connection, sent.edit_of(target))
        except (EditedMeanwhile, FeedRefused) as problem:
            return _refused(connection, target, sent, problem)
        return _shown(connection, target, sent, outlook=_outlook(connection, target, sent))


@pages.post("/<file>/<key>")
def edits(file: str, key: str) -> Response | tuple[str, int]:
    """Change HQ's catalogue, and publish it to everybody or to a ring where that is asked for."""
    served = marketplace()
    is_published = request.form.get("act") == "publish"
    shares = shares_of(*form_share()) if is_published else None
    with reading(served.engine) as connection:
        target = target_of(connection, file, key)
        sent = read_form(connection, target, request.form, language=door.visitor().language)
        if sent.is_wrong:
            return _again(connection, target, sent)
    edit = sent.edit_of(target)
    try:
        make_edit(served.engine, edit)
    except (EditedMeanwhile, FeedRefused) as problem:
        with reading(served.engine) as connection:
            return _refused(connection, target_of(connection, file, key), sent, problem)
    session[EDITOR] = sent.who
    with reading(served.engine) as connection:
        published = [each.market for each in newest(connection) if each.publication is not None]
        marks = {market: marks_of(connection, edit, market) for market in published}
    for market in (name for name, waiting in marks.items() if waiting and is_published):
        try:
            publish_market(served.engine, served.directory, market, shares=shares, only=marks[market])
        except (Busy, NotFound, TrialOpen):
            continue  # The edit is made, and the list of edits says where it waits.
    return see_other("console.edits.listing")


def _choices(connection: Connection, file: str) -> list[tuple[str, str]]:
    found, key = stored_rows(connection, file), CONTENT_TABLES[file].columns[0].name
    return [(str(each[key]), _called(each)) for each in found if fields_of(file, each, currency="EUR", skus={})]


def _called(sent: Mapping[str, Any]) -> str:
    name, language = sent.get("name") or {"": sent["law_id"]}, door.visitor().language
    called = str(name.get(language) or next(iter(name.values())))
    return f"{called} · {sent['market'].upper()}" if "market" in sent else called


def _found(connection: Connection, query: str) -> list[tuple[str, str, str]]:
    """Return the corners and HQ's listings somebody means: by name or number, by number or SKU."""
    corners = rows(
        connection,
        "select corner_id, name, corner_no from standing where folded like :words order by corner_no limit :most",
        words=f"%{fold(query)}%",
        most=MOST_FOUND,
    )
    listings = rows(
        connection,
        """
        select listing.listing_id, sku.sku, seller.body from listing
        join sku on sku.sku_id = listing.sku_id
        join seller on seller.seller_id = listing.seller_id and seller.source = 'feed'
        where listing.state <> 'withdrawn' and (sku.sku = :code or cast(listing.listing_id as text) = :query)
        order by listing.listing_id limit :most
        """,
        code=query.upper(),
        query=query,
        most=MOST_FOUND,
    )
    return [
        *(("corners", each["corner_id"], f"{each['name']} · {each['corner_no']}") for each in corners),
        *((LISTINGS, str(each["listing_id"]), f"{each['listing_id']} · {each['sku']}") for each in listings),
    ]


def _again(connection: Connection, target: Target, sent: SentForm) -> tuple[str, int]:
    sent.spots = with_blanks(sent.spots)
    return _shown(connection, target, sent), 422


def _refused(connection: Connection, target: Target, sent: SentForm, problem: EditedMeanwhile | FeedRefused) -> tuple[str, int]:
    """Show the form again with what stands against it; what was typed is kept, and goes on from today's values."""
    if isinstance(problem, FeedRefused):
        sent.take_refusal(problem)
    else:
        sent.rebase()
        sent.problems.add(problem.code)
    return _again(connection, target, sent)[0], problem.status


def _shown(connection: Connection, target: Target, sent: SentForm, *, outlook: EditOutlook | None = None) -> str:
    lines = [
        line for each in sent.inputs if each.field.kind == "table" for line in (*each.was.splitlines(), *each.value.splitlines())
    ]
    codes = {line.rpartition("=")[2] for line in lines} | {choice for spot in sent.spots for choice in spot.choices}
    page = EditPage(
        target=target,
        sent=sent,
        names=device_names(connection, codes, language=door.visitor().language),
        table=shelves(spot for spot in sent.spots if spot.code and spot.position),
        others=recent_edits(connection, of=(target.file, target.key))[:5],
        outlook=outlook,
    )
    return render_template("marketplace/feeds/edit.html", page=page)


def _outlook(connection: Connection, target: Target, sent: SentForm) -> EditOutlook:
    changed = [each for each in sent.inputs if each.is_changed]
    tables = [(each.was, each.value) for each in changed if each.field.name == TABLE]
    was, now = (
        {place: code for line in value.splitlines() for place, _, code in [line.rpartition("=")]}
        for value in (tables or [("", "")])[0]
    )
    moved = [
        (place, was.get(place, ""), now.get(place, "")) for place in sorted({*was, *now}) if was.get(place) != now.get(place)
    ]
    is_corner = target.file == "corners"
    return EditOutlook(
        changes=[(each.field, each.was, each.value) for each in changed if each.field.name != TABLE],
        spots=moved,
        markets=[] if is_corner else _markets(connection, target),
        corner=row(connection, "select * from standing where corner_id = :key", key=target.key) if is_corner else None,
    )


def _markets(connection: Connection, target: Target) -> list[EditMarket]:
    markets = []
    for publication in newest(connection):
        if target.market in (None, publication.market):
            trial = open_trial(connection, publication.market)
            by_ring = rings(connection, publication.market)
            markets.append(EditMarket(newest=publication, rings=by_ring, trial_id=trial.trial_id if trial else None))
    return markets
