"""What can go wrong between a kiosk and the marketplace. None of these loses anything: the state before stands."""

from __future__ import annotations

from pos.errors import PosError


class SyncError(PosError):
    """The exchange failed; both sides keep what they had."""

    status = 502


class Untrusted(SyncError):
    """The bytes or the signature are not what their author announced; they were not used."""

    status = 401


class WrongRoot(SyncError):
    """The rows do not add up to the announced root; nothing was committed. `data` carries `channel`."""


class Gap(SyncError):
    """No chain of segments leads from here to the head; a snapshot is needed. `data` carries `channel`."""


class Malformed(SyncError):
    """The message does not follow docs/protocol.md."""

    status = 400


class TooLarge(SyncError):
    """More bytes than the format or the announcement allows; reading stopped."""

    status = 413


class Offline(SyncError):
    """The marketplace did not answer in time, or answered that it cannot now; `data` may carry `retry_after_s`."""

    status = 503


class Rejected(SyncError):
    """The marketplace understood and said no; `data` carries its `status` and its `code`."""

    status = 409


class NotConfirmed(SyncError):
    """HQ knows this device's key and nobody there has confirmed it; `data` may carry the `fingerprint` to compare."""

    status = 409


class Busy(SyncError):
    """Another process is doing this for the same directory."""

    status = 409
