"""The IMEI of a phone: fifteen digits, the last a Luhn check. Checked in memory, never stored or repeated in errors."""

from __future__ import annotations

from stdnum import imei
from stdnum.exceptions import ValidationError

from pos.errors import InvalidImei

LENGTH = 15


def check_imei(text: str) -> str:
    """Return the fifteen digits of an IMEI as typed, spaces and hyphens removed.

    A valid IMEI says nothing about theft. An IMEISV (16 digits) has no check and is refused. Raises: InvalidImei.
    Source: 3GPP TS 23.003 §6.2 and annex B; test vectors in reference/domain.md §6.
    """
    try:
        number: str = imei.validate(text)
    except ValidationError:
        raise InvalidImei from None
    if len(number) != LENGTH:
        raise InvalidImei
    return number
