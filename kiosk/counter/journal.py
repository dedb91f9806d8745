"""The counter's audit journal, for the corner's manager: who did what, the newest first, and whether its chain is whole."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from kiosk import files
from kiosk.counter.sessions import for_managers
from pos import journal
from pos.journal import CounterAct
from pos.slip_proofs import broken_events
from pos.team import team
from shop import forms, web

routes = Blueprint("counter_journal", __name__, url_prefix="/counter/journal")

MOST_ACTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPage:
    """A page of acts, the newest first; `broken` are the places of the chain that are not as they were written."""

    acts: list[CounterAct]
    names: dict[str, str]
    broken: list[int]

    @property
    def older(self) -> int | None:
        """The seq before which the next page begins."""
        return self.acts[-1].seq if len(self.acts) == MOST_ACTS else None


@routes.get("")
@for_managers
def acts() -> Response:
    """Show what was done at the counter."""
    ops = files.ops()
    page = JournalPage(
        acts=journal.acts(ops, most=MOST_ACTS, before=forms.number_in(request.args, "before")),
        names={each["clerk_id"]: each["name"] for each in team(ops, files.corner())},
        broken=broken_events(ops),
    )
    return web.page("kiosk/counter/journal.html", page=page)
