"""The QR code of a slip or a label: its modules, and a slip's drawing for a screen.

A slip's URL is a prefix in lower case and one long decimal number. They are encoded as two segments, bytes then digits, so that
136 bytes of token fit in version 9 (reference/printing.md §2.2); one byte segment would need version 14.
"""

from __future__ import annotations

import re
from typing import Literal

from qrcode import constants
from qrcode.main import QRCode
from qrcode.util import MODE_8BIT_BYTE, MODE_ALPHA_NUM, MODE_NUMBER, QRData

ErrorCorrection = Literal["M", "Q"]
Matrix = list[list[bool]]

QUIET_ZONE = 4
"""Modules of white on every side (ISO/IEC 18004)."""

_LEVELS = {"M": constants.ERROR_CORRECT_M, "Q": constants.ERROR_CORRECT_Q}


def matrix(url: str, *, error_correction: ErrorCorrection = "Q") -> Matrix:
    """Return the modules of `url`, row by row, true where dark, without quiet zone (ISO/IEC 18004, byte then numeric mode).

    Our own codes, of capitals and digits, are one segment of such: a label's twenty signs fit in version 1.
    """
    code = QRCode(error_correction=_LEVELS[error_correction], border=0)
    if re.fullmatch(r"[0-9]*[A-Z-][0-9A-Z-]*", url, re.ASCII):
        code.add_data(QRData(url.encode(), mode=MODE_ALPHA_NUM), optimize=0)
        code.make(fit=True)
        return [[bool(module) for module in row] for row in code.get_matrix()]
    prefix, digits = re.fullmatch(r"(.*?)([0-9]*)", url, re.DOTALL | re.ASCII).groups()  # type: ignore[union-attr]
    if prefix:
        code.add_data(QRData(prefix.encode(), mode=MODE_8BIT_BYTE), optimize=0)
    if digits:
        code.add_data(QRData(digits.encode(), mode=MODE_NUMBER), optimize=0)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.get_matrix()]


def svg(url: str) -> str:
    """Return a stand-alone drawing of the code: a white ground with the quiet zone, and one path of dark runs."""
    modules = matrix(url)
    side = len(modules) + 2 * QUIET_ZONE
    runs = "".join(
        f"M{QUIET_ZONE + run.start()} {QUIET_ZONE + y}h{run.end() - run.start()}v1H{QUIET_ZONE + run.start()}z"
        for y, row in enumerate(modules)
        for run in re.finditer("1+", "".join("1" if module else "0" for module in row))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="qr" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path fill="#000" d="{runs}"/></svg>'
    )
