"""Thousands of odd requests to every route of both apps: each is answered, none is our fault, and the log stays quiet."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from flask import Flask

from kiosk.app import create_app as kiosk_app
from pos import clock, selections, slips
from tests import world
from tests.amounts import amount
from tests.campaigns.requests import ask, draw, fault_of
from tests.marketplace.conftest import found, real_now
from tests.marketplace.hq import CopiedHq, Hq
from tests.rules.test_routes import PARTS, rules

ROUNDS, REQUESTS = amount("rounds of 250 odd requests to each app"), 250
SLOWEST_S = 0.5
"""Of processor time: were a request of some kilobytes to take longer, a few of them would take all of a kiosk."""
LOG_OUTS = frozenset({"counter.log_out", "console.log_out"})


@pytest.fixture
def corner(kiosk: world.Kiosk) -> tuple[Flask, dict[str, str]]:
    """A kiosk with a slip, a selection, and a clerk at its counter."""
    now, catalog = clock.now(), kiosk.catalog.read()
    with kiosk.ops_write() as ops:
        selection_id = selections.start_selection(ops.execute, now=now)
        wish = selections.Wish(listing_id=101, plan_id=world.SERIE_100)
        selections.add_line(ops.execute, catalog, selection_id, wish=wish, now=now)
        slip = slips.issue_slip(ops, catalog, selection_id, device=kiosk.device, seen=None, language="fr", now=now)
    app = kiosk_app(kiosk.directory, sync=False)
    answer = app.test_client().post("/counter/session", data={"clerk": "camille", "pin": world.PIN})
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return app, {**PARTS, "selection_id": selection_id, "number": slip.number, "cookie": cookie}


@pytest.fixture(scope="session")
def first_hq(tmp_path_factory: pytest.TempPathFactory) -> Hq:
    """A marketplace to copy."""
    return found(tmp_path_factory.mktemp("campaign") / "hq", None, now=real_now())


@pytest.fixture
def centre(first_hq: Hq, tmp_path: Path) -> Iterator[tuple[Flask, dict[str, str]]]:
    """A marketplace with an order, and HQ at its console."""
    hq = CopiedHq(first_hq, tmp_path / "hq")
    digits = hq.digits()
    order = hq.claim(hq.digits(counter=2)).headers["Location"].rpartition("/")[2]
    answer = hq.client.post("/console/login", data={"password": hq.password})
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    hq.app.testing = False
    yield hq.app, {**PARTS, "digits": digits, "order_id": order, "key_id": hq.key_id, "stream": hq.stream, "cookie": cookie}
    hq.close()


@pytest.fixture
def own_heap() -> Iterator[None]:
    """Leave out of the collector's work whatever earlier tests of this process left: half a second of it is no request's."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("seed", range(ROUNDS))
@pytest.mark.parametrize("part", ["corner", "centre"])
@pytest.mark.usefixtures("own_heap")
def test_an_odd_request_is_answered_as_what_it_is(
    part: str, seed: int, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    app, known = request.getfixturevalue(part)
    random, faults = Random(f"{part} {seed}"), []
    caplog.set_level(logging.INFO)
    every = rules(app)
    for number in range(REQUESTS):
        rule = every[number % len(every)]
        drawn = draw(random, rule, {**known, "cookie": ""} if rule.endpoint in LOG_OUTS else known)
        caplog.clear()
        began = time.thread_time()
        answer = ask(app, drawn)
        took_s = time.thread_time() - began
        if fault := fault_of(drawn, answer) or logged(caplog) or (f"takes {took_s:.2f} s" if took_s > SLOWEST_S else ""):
            faults.append(f"{fault}: {short(drawn)}")

    assert not faults, "\n".join(faults)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return what a request left in the log beyond one line."""
    lines = [record for record in caplog.records if record.levelno >= logging.INFO]
    if any(record.exc_info for record in lines):
        return f"a traceback: {lines[0].exc_info}"
    return f"{len(lines)} lines in the log" if len(lines) > 1 or any("\n" in line.getMessage() for line in lines) else ""


def short(drawn: object) -> str:
    """Return a request as a person reads it."""
    text = repr(drawn)
    return text if len(text) < 600 else f"{text[:400]} … {text[-200:]}"
