"""What a company is told by mail of HQ's decisions about it: the whole statement of reasons, and the way to its desk."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection

from marketplace.money.accounts import of_seller
from marketplace.orders.step_mails import mail_sellers_people
from marketplace.running.mail import send_mail
from marketplace.sellers.applications import application
from marketplace.sellers.people import people, start_link
from marketplace.sellers.standing import Reasons
from pos import clock

TEMPLATE = "seller_decision"


def mail_answer(connection: Connection, seller_id: int, state: str, reasons: Reasons) -> None:
    """Tell an applicant that it is let in, by a link made when the mail leaves, or refused, in the transaction."""
    asking = application(connection, seller_id)
    facts = {"state": state, "reasons": asdict(reasons)} | ({} if state == "trial" else {"path": "/sell"})
    to, language, owner_id = asking.email, asking.language, of_seller(seller_id)
    send_mail(connection, TEMPLATE, to=to, language=language, facts=facts, owner_id=owner_id, unique=state)


def make_link(connection: Connection, owner_id: str, to: str, now: datetime) -> str:
    """Make the link to the password of whom a mail about to leave lets in, in the caller's transaction; return its path.

    Raises: NotFound where a seller has nobody of this address any more.
    """
    seller_id = int(owner_id.rpartition(":")[2])
    user_id = next((person["user_id"] for person in people(connection, seller_id) if person["email"] == to.strip()), "")
    return f"/seller/password/{seller_id}/{start_link(connection, seller_id, user_id, now=now)}"


def mail_move(connection: Connection, seller_id: int, state: str, reasons: Reasons, *, at: datetime, from_at: datetime) -> None:
    """Tell a seller's people what was decided at a moment about where it stands, and from when on, in the transaction."""
    facts = {"state": state, "reasons": asdict(reasons), "from_at": clock.to_text(from_at), "path": "/seller/company"}
    unique, roles = f"{state}:{clock.to_text(at)}", ("owner",)
    mail_sellers_people(connection, seller_id, TEMPLATE, unique=unique, facts=facts, roles=roles)
