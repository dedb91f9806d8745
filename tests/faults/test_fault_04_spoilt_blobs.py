"""Fault 4: a blob arrives cut short, with a flipped bit, too long or as another one. It is refused and fetched again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync.errors import Offline, TooLarge, Untrusted
from tests.sync.conftest import Answer, Hq, Kiosk, Line, listing

SPOILS: dict[str, Callable[[bytes], bytes]] = {
    "first bit": lambda body: bytes([body[0] ^ 1]) + body[1:],
    "last bit": lambda body: body[:-1] + bytes([body[-1] ^ 128]),
    "cut in half": lambda body: body[: len(body) // 2],
    "one byte short": lambda body: body[:-1],
    "one byte more": lambda body: body + b"\0",
    "nothing": lambda body: b"",
    "the same twice": lambda body: body + body,
    "a page": lambda body: b"<html>Bienvenue sur le Wi-Fi</html>",
    "zeros": lambda body: bytes(len(body)),
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("is_first", [True, False])
def test_fault_04_any_blob_may_be_spoilt_and_the_next_round_fetches_it_again(
    hq: Hq, follower: Kiosk, line: Line, spoil: str, is_first: bool
) -> None:
    """The 1st blob of a round is spoilt, then the 2nd, the 3rd … until a round has no such blob."""
    hq.publish()
    before = None
    if not is_first:
        follower.follow()
        before = follower.rows()
        hq.put("listing", listing(1, price_cents=12_300))
        hq.put("stock", (1, 0))
        hq.publish()
    number = 0
    while True:
        number += 1
        spoiler = Spoiler(number, SPOILS[spoil])
        line.after = spoiler
        try:
            follower.follow()
        except (Untrusted, TooLarge, Offline):
            assert spoiler.has_spoilt
            if before is None:
                assert not follower.catalog.path.exists()
            else:
                assert follower.rows() == before
            continue
        break
    assert number > (2 if is_first else 1)
    assert follower.rows() == hq.rows
    assert follower.is_sound()


class Spoiler:
    """Spoils the n-th blob that is asked for."""

    def __init__(self, number: int, spoil: Callable[[bytes], bytes]) -> None:
        self._left = number
        self._spoil = spoil

    @property
    def has_spoilt(self) -> bool:
        return self._left <= 0

    def __call__(self, request: Any, answer: Answer) -> Answer:
        if "/b/" not in request.path_url:
            return answer
        self._left -= 1
        return (answer[0], answer[1], self._spoil(answer[2])) if self._left == 0 else answer
