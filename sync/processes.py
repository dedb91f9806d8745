"""How a process that serves a part of the system ends with the one that started it."""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""


def end_with_parent(number: int, *, parent: int | None = None) -> None:
    """Have the kernel send this process the signal `number` once the process that started it has died, however that ended.

    Call it in the started process; elsewhere than on Linux it does nothing. `parent` is who started it, where that is known: it
    may have died before this call.
    """
    if sys.platform == "linux":
        expected = os.getppid() if parent is None else parent
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != expected:
            os.kill(os.getpid(), number)
