from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from kiosk.turns import AT_ONCE, Turns

LONG_S = 10.0


def in_threads(count: int, work: Any) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_a_few_compute_at_once_and_the_others_follow() -> None:
    inside: list[int] = []
    most: list[int] = []
    full, go_on = threading.Semaphore(0), threading.Event()

    def app(_environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        inside.append(1)
        most.append(len(inside))
        full.release()
        go_on.wait(LONG_S)
        inside.pop()
        return [b"done"]

    answer = Turns().before(app)
    threads = in_threads(AT_ONCE + 3, lambda: answer({}, None))
    for _ in range(AT_ONCE):
        assert full.acquire(timeout=LONG_S)
    assert not full.acquire(timeout=0.1)

    go_on.set()
    for thread in threads:
        thread.join(LONG_S)
    assert (len(most), max(most)) == (AT_ONCE + 3, AT_ONCE)


def test_whoever_waits_for_a_printer_lets_the_others_go_on() -> None:
    turns = Turns()
    printed, waiting = threading.Event(), threading.Semaphore(0)

    def app(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        if environ["prints"]:
            with turns.given_up():
                waiting.release()
                printed.wait(LONG_S)
        return [b"done"]

    answer = turns.before(app)
    threads = in_threads(AT_ONCE + 1, lambda: answer({"prints": True}, None))
    for _ in threads:
        assert waiting.acquire(timeout=LONG_S)

    assert list(answer({"prints": False}, None)) == [b"done"]
    printed.set()
    for thread in threads:
        thread.join(LONG_S)
    assert list(answer({"prints": False}, None)) == [b"done"]


def test_a_turn_given_up_twice_is_given_up_once() -> None:
    turns = Turns()

    def app(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        if environ["depth"]:
            with turns.given_up(), turns.given_up():
                return answer({"depth": environ["depth"] - 1}, None)
        return [b"done"]

    answer = turns.before(app)
    assert list(answer({"depth": 2}, None)) == [b"done"]
    free = [turns._places.acquire(blocking=False) for _ in range(AT_ONCE + 1)]
    assert free == [True] * AT_ONCE + [False]


def test_a_failure_gives_its_turn_back() -> None:
    turns = Turns()

    def fails(_environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        raise ValueError

    for _ in range(AT_ONCE + 1):
        try:
            turns.before(fails)({}, None)
        except ValueError:
            continue

    assert list(turns.before(lambda _environ, _start: [b"done"])({}, None)) == [b"done"]


def test_work_outside_of_any_request_gives_nothing_up() -> None:
    turns = Turns()
    with turns.given_up(), turns.given_up():
        pass

    assert list(turns.before(lambda _environ, _start: [b"done"])({}, None)) == [b"done"]
