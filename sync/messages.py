"""What both sides of the exchange say: the words of the uplink and of the enrolment. Source: docs/protocol.md §8, §9."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import NotRequired, TypedDict

from pos.corners import CornerDocument
from pos.slip_claims import ClaimNews
from sync.heartbeats import Heartbeat

UP_FORMAT = "comptoir-up/1"
UP_PATH = "/sync/v1/up"
MAX_EVENTS = 500
SET_ASIDE_FIELD = "set_aside"
"""The field of a stub's body that says why the event itself stayed at the kiosk."""

ENROLMENT_FORMAT = "comptoir-enrolment/1"
ENROLMENT_PATH = "/sync/v1/enrolments"
FINGERPRINT_TAG = b"comptoir-fingerprint/1\x00"
GROUPS, DIGITS = 6, 4


class OutboxEvent(TypedDict):
    """One event on its way up; `body` is JSON as text, character for character as it was hashed."""

    seq: int
    kind: str
    body: str
    sha256: str
    prev: str
    recorded_at: str


class UplinkRequest(TypedDict):
    """What a kiosk sends: the events from `from_seq` on that HQ has not acknowledged, and how it stands."""

    format: str
    corner_id: str
    key_id: str
    stream: str
    from_seq: int
    events: list[OutboxEvent]
    heartbeat: Heartbeat


class CornerNews(TypedDict):
    """A corner document and the hash that names it."""

    sha256: str
    document: CornerDocument


class UplinkReply(TypedDict):
    """HQ's answer to an uplink. `ack` is the highest seq up to which HQ holds everything, `time` its clock.

    `corner` is None where the kiosk holds the newest document; `replaced_at` is when another device took this one's place.
    `claimed` is what became of the corner's slips, for a kiosk that says up to where it heard that.
    """

    ack: int
    time: str
    corner: CornerNews | None
    replaced_at: NotRequired[str]
    claimed: NotRequired[ClaimNews]


def uplink_reply(
    ack: int,
    time: str,
    corner: CornerNews | None = None,
    *,
    replaced_at: str | None = None,
    claimed: ClaimNews | None = None,
) -> UplinkReply:
    """Return HQ's answer; `replaced_at` is left out of it for the corner's device of today, `claimed` where nobody asked."""
    reply: UplinkReply = {"ack": ack, "time": time, "corner": corner}
    if replaced_at is not None:
        reply["replaced_at"] = replaced_at
    if claimed is not None:
        reply["claimed"] = claimed
    return reply


def plain_code(code: str) -> str:
    """Return a code as it is compared: no spaces or dashes, capitals, and Crockford's digits for letters that look like them."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", code)).upper().translate(str.maketrans("OIL", "011"))


def fingerprint_of(public_key: bytes, *, root: str, code: str, stream: str) -> str:
    """Return the 24 digits that kiosk and HQ must both show: of the key, the root the kiosk will trust, the code and the stream.

    HQ draws `stream` at random once it holds the key, so whoever stands between the two cannot search for a key and a root
    that make both screens agree: one of them is fixed before the other side's share is known (docs/protocol.md §8).
    """
    parts = (public_key, root.encode(), plain_code(code).encode(), stream.encode())
    digest = hashlib.sha256(FINGERPRINT_TAG + b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    digits = f"{int.from_bytes(digest, 'big') % 10 ** (GROUPS * DIGITS):0{GROUPS * DIGITS}}"
    return " ".join(digits[start : start + DIGITS] for start in range(0, len(digits), DIGITS))


def corner_sha256(document: Mapping[str, object]) -> str:
    """Return what names a version of a corner document: SHA-256 of it as compact JSON with sorted names."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
