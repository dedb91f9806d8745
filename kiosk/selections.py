"""The QR of a selection: the customer's own phone opens the same lines at the marketplace, before any slip.

The address describes the lines and the marketplace stores nothing until asked, so that no record leaves the kiosk.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from kiosk import files
from kiosk.slips import qr_drawing
from pos import helps, selections
from pos.corners import Corner
from pos.line_facts import Wish
from pos.team import team
from shop import forms
from shop.door import visitor
from shop.selections import describe_line

routes = Blueprint("carried", __name__)

SLIPS = "k/"
"""What slips' addresses have before their digits; the marketplace's own address ends where it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionStanding:
    """The short code that a customer says at the counter, and the name of the clerk who has their selection, if one has."""

    code: str
    helper: str | None


@routes.get("/selections/<selection_id>/qr.svg")
def qr_code(selection_id: str) -> Response:
    """Send the QR code that opens a selection at home. Raises: NotFound."""
    wishes = [wish for _, wish in selections.wishes_of(files.ops().execute, selection_id)]
    # After the hash sign nothing reaches the marketplace: a scanner at the counter reads the selection's own code there.
    address = f"{address_at_home(files.corner(), wishes, language=visitor().language)}#S-{helps.short_code(selection_id)}"
    return Response(qr_drawing(address), content_type="image/svg+xml")


def standing_of(selection_id: str) -> SelectionStanding:
    """Return how a selection stands between its customer and the counter."""
    known = helps.help_with(files.ops(), selection_id)
    going = known.helped_by if known is not None and known.is_going_on else None
    names = {member["clerk_id"]: member["name"] for member in team(files.ops(), files.corner())} if going else {}
    return SelectionStanding(code=helps.short_code(selection_id), helper=going and names.get(going, going))


def address_at_home(corner: Corner, wishes: list[Wish], *, language: str) -> str:
    """Return the address at the marketplace that shows these lines, in the corner's market and the visitor's language."""
    home = corner.slip_prefix.removesuffix(SLIPS)
    described = [describe_line(wish) for wish in wishes]
    return home + forms.with_query("selections/new", market=corner.market, lang=language, l=described)
