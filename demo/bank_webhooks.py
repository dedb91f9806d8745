"""How the demo bank tells the marketplace of events: webhooks signed as Stripe signs them, sent again until they are taken.

Source: docs.stripe.com/webhooks (signatures `t=…,v1=…`, HMAC-SHA-256 over `<time>.<body>`; no promise of order or of once).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from urllib.error import URLError
from urllib.request import Request, urlopen

from demo.bank_books import Books, Thing, now_s

MANNERS = ("once", "first", "twice", "late", "reversed", "never")
"""First: before the customer is led back. Late: after `LATE_S`. Reversed: the last event of a change before its first."""
LATE_S = 20
FIRST_WAIT_S, LONGEST_WAIT_S, KEPT_S = 2, 3600, 3 * 24 * 3600
TIMEOUT_S = 10
TICK_S = 0.2


class Webhooks:
    """What is still to be told to `address`; `manner` is one of `MANNERS`."""

    def __init__(self, address: str, secret: str) -> None:
        self.address = address
        self.manner = "once"
        self._secret = secret
        self._is_ended = threading.Event()

    def plan(self, events: list[Thing]) -> list[tuple[Thing, int]]:
        """Return which webhooks a change makes, in order, and after how many seconds."""
        if self.manner == "never":
            return []
        delay_s = {"first": 0, "late": LATE_S}.get(self.manner, 1)
        ordered = events[::-1] if self.manner == "reversed" else events
        return [(event, delay_s) for event in ordered for _ in range(2 if self.manner == "twice" else 1)]

    def keep_telling(self, books: Books) -> None:
        """Send what is due until `end`."""
        while not self._is_ended.wait(TICK_S):
            self.tell_due(books)

    def end(self) -> None:
        """Let `keep_telling` return."""
        self._is_ended.set()

    def tell_due(self, books: Books) -> int:
        """Send what is due now, in order; return how many were taken. What is not taken comes again, later each time."""
        due = books.run("select position, event_id, tries from delivery where due_at <= ? order by due_at, position", now_s())
        taken = 0
        for position, event_id, tries in due:
            event = books.get("event", event_id)
            if self._send(event):
                books.run("delete from delivery where position = ?", position)
                taken += 1
            elif now_s() - event["created"] > KEPT_S:
                books.run("delete from delivery where position = ?", position)
            else:
                due_at = now_s() + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**tries)
                books.run("update delivery set due_at = ?, tries = tries + 1 where position = ?", due_at, position)
        return taken

    def tell_again(self, books: Books, event_id: str) -> None:
        """Send an event once more."""
        with books.change():
            books.run("insert into delivery (event_id, due_at, tries) values (?, ?, 0)", event_id, now_s())

    def _send(self, event: Thing) -> bool:
        body = json.dumps(event, indent=2).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, self._secret, at=now_s()),
        }
        try:
            with urlopen(Request(self.address, data=body, headers=headers), timeout=TIMEOUT_S) as answer:  # noqa: S310 - ours
                return bool(200 <= answer.status < 300)
        except (URLError, OSError):
            return False


def signature(body: bytes, secret: str, *, at: int) -> str:
    """Return the `Stripe-Signature` of a body sent at `at`, in seconds since 1970."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
