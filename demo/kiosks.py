"""One kiosk of a simulated fleet: its rounds, in the order of a real one's, and the slips its customers take meanwhile."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from demo.corners import Outbox, Slips
from demo.following import Poll
from demo.wire import Wire
from pos import clock
from sync.errors import Malformed
from sync.heartbeats import Heartbeat, read_heartbeat
from sync.messages import MAX_EVENTS, UP_FORMAT, UP_PATH, OutboxEvent, UplinkRequest
from sync.signatures import signer

HEARTBEAT_S = 600.0
"""A kiosk that sends nothing else says this often how it stands."""
SOFTWARE = "fleet"


@dataclass(slots=True)
class _Request:
    """What the signer signs: the shape of a prepared request."""

    method: str | None
    url: str | None
    body: Any
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class LoadKiosk:
    """A simulated kiosk. Without `outbox` and `slips` it is a nameless follower of the static side.

    `slips_per_s` and `silence_s` are in the seconds of the monotonic clock that callers pass as `now`.
    """

    def __init__(
        self,
        name: str,
        poll: Poll,
        wire: Wire,
        *,
        outbox: Outbox | None,
        slips: Slips | None,
        slips_per_s: float,
        silence_s: float,
        random: Random,
    ) -> None:
        self.name = name
        self.random = random
        self.failures = 0
        self._poll = poll
        self._wire = wire
        self._outbox = outbox
        self._slips = slips
        self._slips_per_s = slips_per_s
        self._silence_s = silence_s
        self._next_slip_at = float("inf")
        self._heard_at = float("-inf")

    @property
    def waiting(self) -> int:
        """How many events HQ does not hold yet."""
        return len(self._outbox.waiting) if self._outbox is not None else 0

    def open(self, now: float) -> None:
        """Let customers in."""
        if self._outbox is not None and self._slips_per_s:
            self._next_slip_at = now + self.random.expovariate(self._slips_per_s)

    def work(self, now: float) -> int:
        """Record the slips taken since the last call and return how many."""
        count = 0
        while self._outbox is not None and self._slips is not None and self._next_slip_at <= now:
            self._slips.issue(self._outbox, now=clock.now())
            self._next_slip_at += self.random.expovariate(self._slips_per_s)
            count += 1
        return count

    def round(self, now: float) -> int:
        """Send what waits, follow the catalogue, say how we stand where that is due; return how many events HQ took.

        Raises: SyncError; what was taken before stays taken.
        """
        taken = 0
        if self._outbox is not None and self._outbox.waiting:
            taken = self._push("batch", self._outbox)
            self._heard_at = now
        self._poll.look(self._wire)
        if self._outbox is not None and not taken and now - self._heard_at >= self._silence_s:
            self._push("heartbeat", self._outbox)
            self._heard_at = now
        return taken

    def close(self) -> None:
        """Hang up."""
        self._wire.close()

    def _push(self, kind: str, outbox: Outbox) -> int:
        taken = 0
        while True:
            some = outbox.accept(self._send(kind, outbox, outbox.waiting[:MAX_EVENTS]))
            taken += some
            if not some or not outbox.waiting:
                return taken

    def _send(self, kind: str, outbox: Outbox, events: list[OutboxEvent]) -> int:
        """Send one batch and return HQ's `ack`."""
        document: UplinkRequest = {
            "format": UP_FORMAT,
            "corner_id": outbox.corner_id,
            "key_id": outbox.key_id,
            "stream": outbox.stream,
            "from_seq": outbox.acked + 1,
            "events": events,
            "heartbeat": self._heartbeat(outbox, pending=len(outbox.waiting) - len(events)),
        }
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        request = _Request("POST", self._wire.base_url + UP_PATH, body)
        signer(outbox.key, now=clock.now())(request)
        answer = self._wire.post(kind, UP_PATH, body, request.headers)
        try:
            said = json.loads(answer.body)
            outbox.claimed = int(said["claimed"]["upto"])
            return int(said["ack"])
        except (ValueError, KeyError, TypeError) as problem:
            raise Malformed("the answer carries no ack") from problem

    def _heartbeat(self, outbox: Outbox, *, pending: int) -> Heartbeat:
        """Return what a kiosk says to which nothing happens; only its clock moves on."""
        return read_heartbeat(
            {
                "catalog": self._poll.standing(),
                "publication": self._poll.publication,
                "software": SOFTWARE,
                "printer": {"state": "unknown"},
                "pending": pending,
                "faults": {},
                "clock": {"wall": clock.to_text(clock.now()), "up_s": int(time.monotonic()), "known": True},
                "corner_sha256": outbox.corner_sha256,
                "claimed": outbox.claimed,
            }
        )
