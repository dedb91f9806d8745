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


class Throttled(Offline):
    """The marketplace is there and takes no more of ours for now: what it did not take waits here."""


class Rejected(SyncError):
    """The marketplace understood and said no; `data` carries its `status` and its `code`."""

    status = 409


class NotConfirmed(SyncError):
    """HQ knows this device's key and nobody there has confirmed it; `data` may carry the `fingerprint` to compare."""

    status = 409


class MetadataExpired(SyncError):
    """What HQ signed has run out by trusted time: nothing of it is installed, and what is held stays in use."""

    status = 409


class Stale(SyncError):
    """What was offered is older than what is held; it was left aside."""

    status = 409


class NotEnoughKeys(SyncError):
    """Fewer root keys are at hand than a new root needs; nothing was written. `data` carries `found` and `needed`."""

    status = 409


class CornerUnreadable(SyncError):
    """The corner document held is one no page could show: what to follow is not known until HQ sends another."""

    status = 409


class NoRoom(SyncError):
    """The kiosk's disk is nearly full: what is left is for slips, and the catalogue stays where it is."""

    status = 507


class WalLarge(SyncError):
    """A reader keeps the catalogue's log from being written back; applying changes pauses before it fills the disk."""

    status = 503


class Busy(SyncError):
    """Another process is doing this for the same directory."""

    status = 409
