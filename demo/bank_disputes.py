"""Disputes at the demo bank: the customer's bank claims a payment back, and somebody decides (docs.stripe.com/api/disputes)."""

from __future__ import annotations

from demo.bank_books import Books, Thing


def dispute(books: Books, events: list[Thing], payment: str) -> None:
    """Let the customer's bank claim a payment back."""
    intent = books.get("payment_intent", payment)
    charge = books.get("charge", intent["latest_charge"] or "")
    if charge["disputed"]:
        return
    books.put({**charge, "disputed": True})
    facts = {"amount": charge["amount"], "currency": charge["currency"], "charge": charge["id"], "payment_intent": payment}
    claimed = books.new("dispute", **facts, reason="product_not_received", status="needs_response", metadata={})
    claimed = books.put({**claimed, "balance_transactions": [books.moved("adjustment", claimed, -charge["amount"])]})
    books.tell(events, "charge.dispute.created", claimed)


def close_dispute(books: Books, events: list[Thing], dispute_id: str, *, is_won: bool) -> None:
    """Decide a dispute: won, the seller keeps the money; lost, the customer has it."""
    claimed = books.get("dispute", dispute_id)
    if claimed["status"] != "needs_response":
        return
    moved = claimed["balance_transactions"] + ([books.moved("adjustment", claimed, claimed["amount"])] if is_won else [])
    ended = {"status": "won" if is_won else "lost", "balance_transactions": moved}
    books.tell(events, "charge.dispute.closed", books.put({**claimed, **ended}))
