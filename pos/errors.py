"""Every refusal the trade knows. The class name is the fact; its sentence for a person stands in a template, by code."""

from __future__ import annotations

import re
from typing import Any, ClassVar


class PosError(Exception):
    """A refusal with a stable `code`, the HTTP-like `status` both apps share, and its facts as attributes in `data`."""

    status: ClassVar[int] = 500

    def __init__(self, detail: str = "", **data: Any) -> None:
        super().__init__(detail or self.code)
        self.detail = detail
        self.data = data

    @property
    def code(self) -> str:
        """The class name in snake_case: the key of its sentence and the `code` of its JSON."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


class Invalid(PosError):
    """The request itself is malformed."""

    status = 400


class NotFound(PosError):
    """Nothing stands at this address."""

    status = 404


class NotHere(NotFound):
    """The device is of a category that this partner does not show; `data` names its `sku`."""


class SlipNotFound(NotFound):
    """No slip bears this number, or the visit it was made in is over: clerks find it at the counter, anybody else asks them."""


class Conflict(PosError):
    """The world changed between page and tap."""

    status = 409


class PriceChanged(Conflict):
    """The price seen is no longer the price; `data` carries `was_cents` and `now_cents`."""


class ListingGone(Conflict):
    """The listing is offline, out of stock or its seller suspended; `data` may carry `sku`."""


class SlipAlreadyVoided(Conflict):
    """The slip was voided before; a voided slip stays voided."""


class SlipWithdrawn(Conflict):
    """The kiosk's key was withdrawn before this slip's counter: it is none of ours, and opens nothing."""


class Refused(PosError):
    """The rules of the trade refuse it."""

    status = 422


class NotEligible(Refused):
    """The plan is not open to this situation; `data` carries `reasons` and, where one exists, the nearest `fix`."""


class InvalidImei(Refused):
    """Not an IMEI: 15 digits whose last is the Luhn check."""


class InvalidRio(Refused):
    """Not the RIO of this number."""


class InvalidAccount(Refused):
    """Not an account number and transfer PIN, which an operator asks of who takes a number away."""


class TooManySlips(PosError):
    """More slips were made here within a minute than people can want: nothing was made, and the next minute makes more."""

    status = 429


class EmptySelection(Refused):
    """A slip needs at least one line."""


class TooManyLines(Refused):
    """A selection holds at most 12 lines, fewer where they carry many options (the slip token's limits)."""


class Unrecordable(Refused):
    """A text in it is longer than HQ takes, or is none: nothing was recorded."""


class WrongPin(Refused):
    """The PIN is not this clerk's; `data` carries `wait_s` while further tries are refused."""


class ManagersOnly(PosError):
    """The corner's manager or HQ's support does this; nothing was changed."""

    status = 403


class HqAlone(Refused):
    """Only HQ changes a manager or its own people; nothing was changed."""


class TooManyClerks(Refused):
    """The corner lists as many people as it can; nobody was added."""


class WeakPin(Refused):
    """A PIN that would be guessed first; `data` carries the `reason`. Nothing was changed."""


class Unavailable(PosError):
    """A part is missing for the moment; nothing was lost."""

    status = 503


class CatalogMissing(Unavailable):
    """The catalogue is being fetched."""


class CatalogUnreadable(Unavailable):
    """catalog.db or its folder may not be read and written by this program: it cannot be fetched again either."""


class RecordsDamaged(Unavailable):
    """ops.db fails its check, or is no database: no slip is issued and the file is kept as it is."""


class RecordsMissing(Unavailable):
    """There is a device's key and no ops.db: nothing is begun in its place."""


class RecordsUnreadable(Unavailable):
    """ops.db may not be read by the user this program runs as."""


class RecordsReadOnly(Unavailable):
    """ops.db lies where nothing can be written: by its mode, its folder's, or its file system's."""


class RecordsNewer(Unavailable):
    """ops.db was brought to a newer schema by a newer version of this program."""


class RecordsBusy(Unavailable):
    """Another program holds ops.db for longer than a tap can wait."""


class KeyMissing(Unavailable):
    """There is no device.key to sign a slip with."""


class KeyUnreadable(Unavailable):
    """device.key may not be read by the user this program runs as."""


class KeyDamaged(Unavailable):
    """device.key is not the 32 bytes of a key."""


class KioskRevoked(Unavailable):
    """HQ withdrew this kiosk's key: a slip made now would open nothing, so none is made."""


class DiskFull(Unavailable):
    """The disk refused the write; everything committed before is intact."""


class PrinterOffline(Unavailable):
    """No byte reached the printer; `data` carries `reason`."""
