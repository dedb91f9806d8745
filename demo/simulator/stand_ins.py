"""What stands in for the clock, for chance and for the second process while a seed runs: everything follows from one `Random`.

Invariant: nothing the product asks for in a run comes from the machine it runs on, so a seed gives the same history each time.
"""

from __future__ import annotations

import os
import random as random_module
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, tzinfo
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import Signature, SSlibKey

import marketplace.db
import sync.heartbeats
from pos import clock
from sync.hashing import Hashing
from sync.roots import RootState
from sync.segments import decode_part


class InlineHashing:
    """`sync.hashing.Hashing` without its process: the same sums, made while the parts arrive."""

    def __init__(self) -> None:
        self._states: dict[str, RootState] = {}

    def feed(self, path: Path) -> None:
        """Sum one verified part."""
        part = decode_part(path.read_bytes())
        state = self._states.setdefault(part.channel, RootState())
        for table, block in part.tables:
            state.add(table, block.rows())

    def states(self) -> dict[str, RootState]:
        """Return the sums of everything fed."""
        return self._states

    def stop(self) -> None:
        """Nothing runs."""


@contextmanager
def standing_in(random: Random, now: Callable[[], datetime]) -> Iterator[None]:
    """Let the product see `now` as its clock and `random` as its only source of chance during the block."""

    def time_now(zone: tzinfo | None = None) -> datetime:
        return now().astimezone(zone)

    def new_key() -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(random.randbytes(32))

    verify, good = SSlibKey.verify_signature, set[tuple[str, str, bytes]]()

    def verify_once(key: SSlibKey, signature: Signature, data: bytes) -> None:
        # HQ and kiosks look at the same few signed files again and again: what was found good once is.
        known = (key.keyval["public"], signature.signature, data)
        if known not in good:
            verify(key, signature, data)
            good.add(known)

    state = random_module.getstate()
    random_module.seed(random.getrandbits(64))
    with ExitStack() as swaps:
        swaps.callback(random_module.setstate, state)
        for target, name, stand_in in (
            (clock, "datetime", SimpleNamespace(now=time_now, fromisoformat=datetime.fromisoformat)),
            (os, "urandom", random.randbytes),
            # `secrets`, `SystemRandom` and with them every token and code draw from here.
            (random_module, "_urandom", random.randbytes),
            (Ed25519PrivateKey, "generate", staticmethod(new_key)),
            (tempfile, "_name_sequence", (f"{random.getrandbits(64):016x}" for _ in count())),
            (SSlibKey, "verify_signature", verify_once),
            (sync.heartbeats, "time", SimpleNamespace(monotonic=lambda: 0.0)),
            # How full the disk of the machine is that runs the seed must not matter.
            (shutil, "disk_usage", lambda _: SimpleNamespace(total=2**36, used=0, free=2**36)),
            # A writer that finds the database busy waits; alone in the process it would wait for itself.
            (marketplace.db, "time", SimpleNamespace(sleep=lambda _: None, monotonic=time.monotonic)),
            *((Hashing, name, getattr(InlineHashing, name)) for name in ("__init__", "feed", "states", "stop")),
        ):
            swaps.enter_context(swapped(target, name, stand_in))
        yield


@contextmanager
def swapped(target: Any, name: str, stand_in: Any) -> Iterator[None]:
    """Put `stand_in` in the place of an attribute during the block."""
    original = target.__dict__[name]
    setattr(target, name, stand_in)
    try:
        yield
    finally:
        setattr(target, name, original)
