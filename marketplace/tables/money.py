"""The ledger, the fees it books, what HQ adds by hand, and what is paid out to sellers."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint

from marketplace.tables.columns import Whole, key, maybe_text, maybe_whole, owned, text, whole

# An entry is never changed. `fact` is what it was made from, once for its owner; `subject` the unit, order or payout it is of.
entry = owned(
    "entry",
    key("owner_id"),
    key("entry_id"),
    text("kind"),
    text("fact"),
    text("subject"),
    text("currency"),
    text("at"),
    whole("debit_cents"),
    whole("credit_cents"),
    UniqueConstraint("owner_id", "fact"),
    CheckConstraint("debit_cents = credit_cents and debit_cents > 0", name="entry_adds_up"),
    Index("entry_by_subject", "owner_id", "subject"),
)
# Signed, debit positive. `due_on` is the day from which a seller's share may be paid, in the market's own days; what we take of
# it, fee, VAT and adjustments, has the same day.
posting = owned(
    "posting",
    key("owner_id"),
    key("entry_id"),
    key("posting_no", Whole),
    text("account"),
    text("party"),
    text("currency"),
    text("at"),
    whole("amount_cents"),
    maybe_text("due_on"),
    ForeignKeyConstraint(["owner_id", "entry_id"], ["entry.owner_id", "entry.entry_id"]),
    CheckConstraint("amount_cents <> 0", name="posting_moves_something"),
    # It holds all that a balance at any date needs, so that one reads the index alone.
    Index("posting_by_account", "account", "currency", "party", "at", "amount_cents"),
)
# A rule of fees; null means any. A past one is never changed: a later one with the same name takes its place from a day on.
fee_rule = owned(
    "fee_rule",
    key("owner_id"),
    key("rule_id"),
    text("name"),
    maybe_whole("seller_id"),
    maybe_text("category_id"),
    maybe_text("market"),
    text("currency"),
    whole("rate_bp"),
    whole("fixed_cents"),
    maybe_whole("least_cents"),
    maybe_whole("most_cents"),
    text("valid_from"),
    maybe_text("valid_to"),
    text("made_at"),
    CheckConstraint("rate_bp between 0 and 10000 and fixed_cents >= 0", name="fee_in_reach"),
    CheckConstraint("valid_to is null or valid_to > valid_from", name="fee_rule_holds_a_day"),
)
# What HQ gives a seller or takes from one by hand: positive is in the seller's favour.
adjustment = owned(
    "adjustment",
    key("seller_id", Whole),
    key("adjustment_id"),
    text("currency"),
    whole("amount_cents"),
    text("reason"),
    text("at"),
    CheckConstraint("amount_cents <> 0", name="adjustment_moves_something"),
    Index("adjustment_by_time", "at"),
)
# How a seller is paid: without a row, to the IBAN of its application, nothing held and nothing kept.
payout_terms = owned(
    "payout_terms",
    key("seller_id", Whole),
    text("holder"),
    text("iban"),
    whole("is_held"),
    whole("reserve_bp"),
    maybe_text("reserve_until"),
    maybe_whole("least_cents"),
    CheckConstraint("reserve_bp between 0 and 10000", name="reserve_in_reach"),
)
# One a seller, currency and payout day, all in its id; holder and IBAN are those of the day. `file_id` names the bank's file.
payout = owned(
    "payout",
    key("seller_id", Whole),
    key("payout_id"),
    text("currency"),
    text("day"),
    whole("amount_cents"),
    text("state"),
    text("holder"),
    text("iban"),
    text("reason"),
    maybe_text("file_id"),
    text("planned_at"),
    maybe_text("sent_at"),
    maybe_text("ended_at"),
    CheckConstraint("state in ('planned', 'sent', 'settled', 'returned')", name="known_payout_state"),
    CheckConstraint("amount_cents > 0", name="payout_is_positive"),
    Index("payout_by_day", "day"),
    Index("payout_by_file", "file_id"),
)
