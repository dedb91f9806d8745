"""Which column of which table holds what of a person, and what becomes of it when that person is erased.

Invariant: every text column of every table stands here, as personal or as plain; a test walks the tables and holds it to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Whose = Literal["customer", "seller", "clerk", "visitor"]
"""A customer; a person of a seller or of a company that applied; a clerk of a corner; whoever asks for a page."""
Way = Literal["replaced", "emptied", "removed", "scrubbed", "kept"]
"""By a pseudonym; by nothing; with its row; fields of a JSON document by the pseudonym; not at all, for a reason."""

ACCOUNTS = "ten years with the accounts (Code de commerce L123-22)"
CONTRACTS = "ten years as the archived contract (Code de la consommation L213-1, D213-2)"
TRADERS = "six months after the seller's contract (DSA art. 30), ten years where an invoice or a payout names it (L123-22)"
DEVICES = "it names the device, not the person: invoices and the register of second-hand goods carry it (Code pénal 321-7)"
SHORT = "deleted by the daily sweep within days"


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """A column of somebody's; `why` says why what is kept is kept.

    Of JSON, `fields` are the paths that are scrubbed (`customer.name`). A row with `kept_years` keeps all of it until the end of
    the last of so many years after its `issued_at`. `only` is an SQL condition on the rows that are meant.
    """

    whose: Whose
    way: Way
    why: str = ""
    fields: tuple[str, ...] = ()
    kept_years: int = 0
    only: str = "1 = 1"


def _customer(way: Way, *, why: str = "", fields: tuple[str, ...] = (), kept_years: int = 0, only: str = "1 = 1") -> Personal:
    return Personal(whose="customer", way=way, why=why, fields=fields, kept_years=kept_years, only=only)


_SELLER = Personal(whose="seller", way="kept", why=TRADERS)
_CLERK = Personal(whose="clerk", way="kept", why="a clerk's name or number, for as long as the corner's records are kept")
_VISITOR = Personal(whose="visitor", way="kept", why=SHORT)

PERSONAL: Mapping[str, Mapping[str, Personal]] = {
    "customer_link": {name: _customer("removed") for name in ("owner_id", "link_sha256", "email_folded")},
    "customer_session": {name: _customer("removed") for name in ("owner_id", "session_sha256", "email_folded")},
    "customer_order": {name: _customer("replaced") for name in ("name", "email", "email_folded", "address")},
    "order_name": {"word": _customer("removed")},
    "unit": {
        "tracking": _customer("emptied"),
        "imei": _customer("kept", why=DEVICES),
        "serial": _customer("kept", why=DEVICES),
    },
    # A seller's reasons are a list of words, and its quality is counted by them; what customers and HQ say is free text.
    "unit_step": {"why": _customer("emptied", only="by in ('customer', 'hq')")},
    "part": {"asked_at": _customer("emptied")},
    "refund": {"reason": _customer("emptied"), "problem": _customer("emptied")},
    "activation": {"phone": _customer("emptied"), "rio": _customer("emptied"), "reason": _customer("emptied")},
    "message": {"body": _customer("emptied")},
    "withdrawal": {"statement": _customer("scrubbed", fields=("name", "email"))},
    "unit_case": {"said": _customer("emptied"), "tracking": _customer("emptied")},
    "case_step": {"why": _customer("emptied")},
    "invoice": {
        "body": _customer("scrubbed", why=ACCOUNTS, fields=("customer.name", "customer.address"), kept_years=10),
    },
    "confirmation": {
        "body": _customer("scrubbed", why=CONTRACTS, fields=("customer.name", "customer.address", "email"), kept_years=10),
    },
    "job": {"body": _customer("scrubbed", fields=("to", "facts")), "error": _customer("emptied")},
    "api_answer": {"body": _customer("kept", why=SHORT)},
    "seller": {"body": _SELLER},
    "seller_application": dict.fromkeys(("email", "body", "link_sha256"), _SELLER),
    "seller_document": dict.fromkeys(("name", "file"), _SELLER),
    "seller_step": dict.fromkeys(("by", "facts", "rule", "remedy"), _SELLER),
    "seller_user": dict.fromkeys(("email", "email_folded", "password_hash"), _SELLER),
    "seller_session": {"session_sha256": _SELLER},
    "seller_link": {"link_sha256": _SELLER},
    "fee_invoice": {"body": _SELLER},
    "payout_terms": dict.fromkeys(("holder", "iban"), _SELLER),
    "payout": dict.fromkeys(("holder", "iban", "reason"), _SELLER),
    "adjustment": {"reason": _SELLER},
    "corner": {"body": _CLERK},
    "corner_clerk": dict.fromkeys(("clerk_id", "name", "code_hash", "changed_by"), _CLERK),
    "day_report": {"figures": _CLERK},
    "demo_device": {"seen_by": _CLERK},
    "demo_round": {"begun_by": _CLERK, "ended_by": _CLERK},
    "inbox": {"body": _CLERK},
    "console_failure": {"name": _VISITOR},
}

PLAIN: Mapping[str, str] = {
    "activation": "customer_id activation_id order_id partner_id acquisition state carrier_order_id asked_at since decide_by "
    "reminded_at acknowledged_at",
    "adjustment": "adjustment_id currency at",
    "api_answer": "repeat_key request_sha256 claim claimed_at",
    "api_key": "key_id name sha256 scopes created_at expires_at used_at revoked_at",
    "case_step": "part_id state at by",
    "category": "category_id body",
    "claim": "corner_id key_id number customer_id order_id claimed_at difference state state_at",
    "confirmation": "customer_id order_id issued_at language",
    "console_failure": "last_at",
    "corner": "corner_id market",
    "corner_counter": "corner_id name",
    "corner_clerk": "corner_id role state changed_at",
    "corner_ring": "corner_id ring",
    "customer_link": "expires_at",
    "customer_order": "customer_id order_id number market currency state reserved_until source language facts totals placed_at",
    "customer_session": "started_at",
    "day_report": "corner_id day stream time_zone from_at until_at counted_at received_at",
    "demo_device": "corner_id demo_id state place since seen_at back_by damage noted_at stream",
    "demo_round": "corner_id begun_at kind ended_at",
    "device": "corner_id key_id public_key stream enrolled_at superseded_at quarantined_at seen_at heartbeat",
    "device_request": "corner_id key_id public_key selector stream fingerprint asked_at expires_at state decided_at",
    "enrolment_code": "corner_id selector secret_sha256 created_at expires_at used_at used_by",
    "entry": "owner_id entry_id kind fact subject currency at",
    "erasure": "customer_id order_id erased_at reason kept_until",
    "fee_invoice": "owner_id number kind currency day issued_at language",
    "fee_rule": "owner_id rule_id name category_id market currency valid_from valid_to made_at",
    "feed_import": "import_id feed started_at report",
    "grade": "body",
    "heartbeat": "corner_id at key_id state",
    "inbox": "corner_id key_id stream kind sha256 prev recorded_at received_at state reason note",
    "invoice": "kind number fact customer_id order_id part_id issued_at currency language",
    "job": "owner_id job_id kind state enqueued_at due_at claimed_at claimed_by finished_at",
    "law": "law_id market kind valid_from valid_to body",
    "listing": "market comment state",
    "listing_terms": "market line published_at",
    "market": "market body",
    "media": "category_id kind sha256 body",
    "message": "part_id customer_id order_id at by",
    "option": "market body",
    "option_terms": "market line published_at body",
    "order_line": "customer_id order_id partner_id basis",
    "order_name": "customer_id order_id",
    "part": "part_id customer_id order_id number market currency paid_at accept_by reminded_at",
    "partner": "partner_id market body",
    "payment": "customer_id payment_id order_id state currency back_url session_id intent_id url opened_at expires_at paid_at "
    "checked_at dispute fees_at",
    "payment_event": "customer_id event_id payment_id kind received_at",
    "payout": "payout_id currency day state file_id planned_at sent_at ended_at",
    "payout_terms": "reserve_until",
    "plan": "market partner_id body",
    "plan_terms": "market line published_at body",
    "posting": "owner_id entry_id account party currency at due_on",
    "price_start": "price_start_id market starts_at",
    "price_start_terms": "market price_start_id line published_at starts_at",
    "quality_rule": "owner_id valid_from made_at",
    "refund": "customer_id refund_id payment_id order_id part_id currency state provider_id requested_at settled_at",
    "revocation": "corner_id key_id revoked_at",
    "selection": "selection_id created_at touched_at",
    "selection_line": "selection_id options acquisition",
    "selection_order": "selection_id lines_sha256 customer_id order_id ordered_at",
    "seller": "source state",
    "seller_application": "state company language applied_at confirmed_at",
    "seller_counter": "name",
    "seller_document": "kind stored_at",
    "seller_import": "import_id market name source state sent_at ended_at problem",
    "seller_import_file": "import_id content",
    "seller_import_line": "import_id sku outcome problems",
    "seller_link": "user_id expires_at",
    "seller_listing": "market sku_folded seller_sku changed_at",
    "seller_quality": "day",
    "seller_session": "user_id started_at",
    "seller_step": "state at from_at",
    "seller_user": "user_id role created_at removed_at",
    "sent": "corner_id key_id hour",
    "setting": "name value",
    "sku": "sku category_id brand model body",
    "slip": "corner_id key_id number digits facts issued_at valid_until received_at difference",
    "slip_void": "corner_id key_id reason voided_at",
    "standing": "corner_id market name folded ring line key_id enrolled_at seen_at catalog_at oldest_at printer software faults "
    "state told_at",
    "substitution": "customer_id part_id order_id state stand_in offered_at decide_by decided_at",
    "terms_mark": "market line published_at",
    "timer": "owner_id name last_at next_at note",
    "unit": "part_id customer_id order_id market currency state partner_id agreed carrier since shipped_at arrives_by "
    "delivered_at",
    "unit_case": "part_id customer_id order_id ground wish state remedy opened_at since due_at",
    "unit_step": "part_id state at by",
    "withdrawal": "customer_id order_id declared_at",
}
"""The text columns that tell of nobody, by table. `customer_order.facts` and `totals` freeze devices, plans and prices only."""

OF_ORDER = "customer_id = :customer_id and order_id = :order_id"
OF_PARTS = f"(seller_id, part_id) in (select seller_id, part_id from part where {OF_ORDER})"
ROWS: Mapping[str, str] = {
    **dict.fromkeys(("customer_order", "order_name", "order_line", "claim", "selection_order", "part", "unit"), OF_ORDER),
    **dict.fromkeys(("payment", "refund", "substitution", "invoice", "confirmation", "erasure"), OF_ORDER),
    **dict.fromkeys(("activation", "withdrawal", "unit_case", "message"), OF_ORDER),
    **dict.fromkeys(("unit_step", "case_step"), OF_PARTS),
    "payment_event": f"customer_id = :customer_id and payment_id in (select payment_id from payment where {OF_ORDER})",
    **dict.fromkeys(("entry", "posting"), "owner_id = :customer_id"),
    "job": "owner_id in (:customer_id, :address_owner)",
    **dict.fromkeys(("customer_link", "customer_session"), "owner_id = :address_owner"),
}
"""How the rows of an order are found in each table that has some; `:address_owner` owns what is known of its e-mail address."""
