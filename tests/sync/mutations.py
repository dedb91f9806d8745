"""Bugs planted into running code for the simulator to find: each is shown by some seed, whose history replays it.

A mutation that no longer fits the code fails loudly, so that it is carried along when the code changes. The world that every
history starts from is made before a bug is planted, since it is kept for those that follow.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

import marketplace.events.inbox
import sync.follower
import sync.hq.publisher
from demo.simulator.run import History, run_seed
from demo.simulator.stand_ins import swapped
from demo.simulator.template import template
from sync.blobs import BlobFolder, BlobRef, ref_of

MOST_SEEDS = 150
ROOT_CHECK = """    if root_of(name, state) != segment.post_root:
        raise WrongRoot(f"{name} does not add up after version {segment.last}", channel=name)
"""
LAST_ROOT_CHECK = """    if root_of(name, state) != head.root:
        raise WrongRoot(f"{name} does not add up to the head's root", channel=name)
"""


@contextmanager
def inbox_without_dedupe() -> Iterator[None]:
    """HQ stores an event as often as it arrives."""
    template()
    with rewritten(marketplace.events.inbox, "_insert", '"on conflict (corner_id, key_id, stream, seq) do nothing"', '""'):
        yield


@contextmanager
def follower_without_root_check() -> Iterator[None]:
    """A kiosk commits whatever the rows add up to."""
    template()
    with (
        rewritten(sync.follower, "_apply_one", ROOT_CHECK, ""),
        rewritten(sync.follower, "_must_be", LAST_ROOT_CHECK, "    return\n"),
    ):
        yield


@contextmanager
def head_before_blobs() -> Iterator[None]:
    """The publisher announces heads first, and writes the blobs they lead to after that."""
    template()
    store, read, announce = BlobFolder.store, BlobFolder.read, sync.hq.publisher.announce
    waiting: dict[str, tuple[BlobFolder, bytes]] = {}

    def store_later(folder: BlobFolder, blob: bytes) -> BlobRef:
        ref = ref_of(blob)
        waiting[ref.sha256] = (folder, blob)
        return ref

    def read_waiting(folder: BlobFolder, ref: BlobRef) -> bytes:
        return waiting[ref.sha256][1] if ref.sha256 in waiting else read(folder, ref)

    def announce_first(*place: Any, **about: Any) -> bool:
        has_written = announce(*place, **about)
        while waiting:
            store(*waiting.popitem()[1])
        return has_written

    with (
        swapped(BlobFolder, "store", store_later),
        swapped(BlobFolder, "read", read_waiting),
        swapped(sync.hq.publisher, "announce", announce_first),
    ):
        yield


Mutation = Callable[[], AbstractContextManager[None]]
MUTATIONS: tuple[Mutation, ...] = (inbox_without_dedupe, follower_without_root_check, head_before_blobs)
BEGINS: dict[Mutation, int] = {head_before_blobs: 230}
"""Where to begin with a bug that shows only where HQ dies within one step of a publication: one history in two hundred."""


@contextmanager
def rewritten(module: ModuleType, function: str, old: str, new: str) -> Iterator[None]:
    """Replace a piece of a function's source during the block."""
    original = getattr(module, function)
    source = inspect.getsource(original)
    assert source.count(old) == 1, f"{module.__name__}.{function} no longer reads as the mutation expects"
    exec(compile(source.replace(old, new), f"<mutated {function}>", "exec"), module.__dict__)
    try:
        yield
    finally:
        setattr(module, function, original)


def first_failure(*, begin: int = 0) -> History | None:
    """Run seeds from `begin` until one shows a violation; None when `MOST_SEEDS` do not."""
    return next((outcome for outcome in map(run_seed, range(begin, begin + MOST_SEEDS)) if outcome.violation), None)
