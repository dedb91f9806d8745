"""`comptoir marketplace publish · trial · promote · halt · rollback · ring · sweep`, as somebody types them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pos import clock
from sync.hq.garbage import KEPT
from tests.marketplace import world
from tests.marketplace.test_commands import run


@pytest.fixture
def hq(tmp_path: Path) -> Path:
    """A marketplace with the small world published, Nantes a canary."""
    directory = tmp_path / "hq"
    assert run("init", "--dir", directory)[0] == 0
    feed(directory)
    assert run("publish", "--dir", directory) == (0, "fr: publication 1\n")
    assert run("ring", "nantes-crebillon", "canary", "--dir", directory) == (0, "nantes-crebillon: canary\n")
    return directory


def feed(hq: Path, *, markets: dict[str, dict[str, Any]] = world.MARKETS, **listings: dict[str, str] | None) -> None:
    number = len(list(hq.parent.glob("feed*")))
    written = world.write_feed(hq.parent / f"feed{number}", None, world.listings(**listings), markets=markets)
    assert run("import", written, "--dir", hq)[0] == 0


def document(*arguments: str | Path) -> Any:
    status, said = run(*arguments, "--json")
    assert status == 0, said
    return json.loads(said)


def test_a_preview_says_what_would_change_and_publishes_nothing(hq: Path) -> None:
    feed(hq, l11={"price": "149.00"}, l12={"price": "380.00"}, l21=None)
    status, said = run("publish", "--preview", "--dir", hq)
    assert status == 0
    for line in (
        "  listing: 2 changed",
        "  listing: 1 removed",
        "  prices: 1 up, 1 down, 1 by more than half",
        "  listing 11: 369.00 → 149.00",
        "  listing 12: 372.00 → 380.00",
    ):
        assert line in said.splitlines()
    assert " bytes each for 2 corners" in said.splitlines()[0]
    (seen,) = document("publish", "--preview", "--ring", "canary", "--dir", hq)
    assert (seen["market"], seen["corners"]) == ("fr", 1)
    assert (seen["preview"]["changed"]["listing"], seen["preview"]["movement"]["jumped"]) == (2, 1)
    assert run("publish", "--dir", hq) == (0, "fr: publication 2\n"), "it was all still to be published"
    assert run("publish", "--preview", "--dir", hq) == (0, "fr: nothing would change\n")


def test_before_the_first_publication_everything_is_new(tmp_path: Path) -> None:
    hq = tmp_path / "hq"
    run("init", "--dir", hq)
    assert run("publish", "--dir", hq) == (0, "nothing to publish: import a feed first\n")
    feed(hq)
    assert run("publish", "--preview", "--dir", hq) == (0, "fr: everything is new, for 2 corners\n")
    assert document("publish", "--preview", "--dir", hq) == [{"market": "fr", "corners": 2, "preview": None}]
    status, said = run("publish", "--ring", "canary", "--dir", hq)
    assert (status, said) == (1, "fr has to be published to everybody first")
    assert document("publish", "--dir", hq) == {"fr": 1}


def test_a_trial_from_its_ring_to_everybody(hq: Path) -> None:
    assert run("trial", "--dir", hq) == (0, "no trial is open\n")
    feed(hq, l11={"price": "349.00"})
    status, said = run("publish", "--ring", "canary", "--percent", "50", "--dir", hq)
    assert (status, said.startswith("fr: publication 2, trial t2 at ")) == (0, True)
    status, said = run("trial", "--dir", hq)
    assert ("fr: trial t2 since " in said, "50 % of canary; 0 of 0 corners have it, 0 failed" in said) == (True, True)
    (seen,) = document("trial", "--dir", hq)
    assert (seen["market"], seen["trial"]["trial_id"], seen["trial"]["shares"]["canary"]) == ("fr", "t2", 5_000)
    assert (seen["arrived"], seen["failed"], seen["reason_to_halt"]) == (0, [], "")
    for ring in ("canary", "early"):
        assert run("promote", "--dir", hq) == (0, f"fr: trial t2: 100 % of {ring}\n")
    assert run("promote", "--ring", "stable", "--percent", "10", "--dir", hq) == (0, "fr: trial t2: 10 % of stable\n")
    status, said = run("promote", "--dir", hq)
    assert (status, "fr: trial t2: promoted, publication " in said) == (0, True)
    assert run("trial", "--dir", hq) == (0, "no trial is open\n")
    assert document("trial", "--dir", hq) == []


def test_halting_leads_back_and_keeps_the_rows_back(hq: Path) -> None:
    feed(hq, l11={"price": "349.00"})
    run("publish", "--ring", "canary", "--dir", hq)
    status, said = run("halt", "--reason", "too cheap", "--market", "fr", "--dir", hq)
    assert (status, "fr: trial t2 halted, publication " in said) == (0, True)
    assert run("publish", "--dir", hq) == (0, "fr: nothing changed\n")
    status, said = run("publish", "--preview", "--dir", hq)
    assert (status, said) == (0, "fr: nothing would change\n")


def test_rolling_back_publishes_old_rows_forward(hq: Path) -> None:
    feed(hq, l11={"price": "349.00"})
    assert run("publish", "--dir", hq) == (0, "fr: publication 2\n")
    assert run("rollback", "1", "--dir", hq) == (0, "fr: publication 3\n")
    assert run("rollback", "1", "--market", "fr", "--dir", hq) == (0, "fr: nothing changed\n")
    feed(hq, l11={"price": "349.00"}, l13={"price": "399.00"})
    status, said = run("publish", "--preview", "--dir", hq)
    assert (status, "  listing: 1 changed" in said, "1 rows stay back" in said) == (0, True, True)


def test_one_market_of_two_can_be_meant(hq: Path) -> None:
    feed(hq, markets=world.TWO_MARKETS, l13={"market": "us", "currency": "USD"})
    assert run("publish", "--market", "us", "--dir", hq) == (0, "us: publication 1\n")
    feed(hq, markets=world.TWO_MARKETS, l13={"market": "us", "currency": "USD", "price": "390.00"})
    status, said = run("publish", "--ring", "canary", "--market", "us", "--dir", hq)
    assert (status, said.startswith("us: publication 2, trial t2")) == (0, True)
    assert run("halt", "--market", "fr", "--dir", hq) == (1, "no trial is open")
    assert [each["market"] for each in document("trial", "--dir", hq)] == ["us"]
    assert document("trial", "--market", "fr", "--dir", hq) == []


@pytest.mark.parametrize(
    ("typed", "status", "sentence"),
    [
        (("publish", "--ring", "everybody"), 2, "'everybody' is not one of"),
        (("publish", "--percent", "101"), 2, "101 is not in the range"),
        (("publish", "--market", "de"), 1, "no market de"),
        (("publish", "--market", "de", "--preview"), 1, "no market de"),
        (("promote",), 1, "no trial is open"),
        (("promote", "--ring", "tiny"), 2, "'tiny' is not one of"),
        (("halt",), 1, "no trial is open"),
        (("rollback",), 2, "Missing argument 'VERSION'"),
        (("rollback", "0"), 2, "0 is not in the range"),
        (("rollback", "9"), 1, "fr has no publication 9 of its own track"),
        (("rollback", "1", "--market", "de"), 1, "no market de"),
        (("ring", "nowhere", "canary"), 1, "no corner nowhere"),
        (("ring", "nantes-crebillon", "tiny"), 2, "'tiny' is not one of"),
    ],
)
def test_what_fails_says_so_in_a_line(hq: Path, typed: tuple[str, ...], status: int, sentence: str) -> None:
    ended, said = run(*typed, "--dir", hq)
    assert (ended, sentence in said) == (status, True), said
    assert len(said.strip().splitlines()) == 1 or status == 2


def test_an_open_trial_refuses_a_roll_back(hq: Path) -> None:
    feed(hq, l11={"price": "349.00"})
    run("publish", "--ring", "canary", "--dir", hq)
    assert run("rollback", "1", "--dir", hq) == (1, "promote or halt the open trial of fr first")


def test_sweeping_deletes_what_nobody_can_ask_for(hq: Path) -> None:
    assert run("sweep", "--dir", hq) == (0, "0 files, 0 bytes deleted\n")
    orphan = hq / "sync" / "b" / ("0" * 64)
    orphan.write_bytes(b"left by a crash")
    assert run("sweep", "--dir", hq) == (0, "0 files, 0 bytes deleted\n"), "a publication may be about to name it"
    long_ago = (clock.now() - 2 * KEPT).timestamp()
    for blob in (hq / "sync" / "b").iterdir():
        os.utime(blob, (long_ago, long_ago))
    assert run("sweep", "--dir", hq) == (0, "1 files, 15 bytes deleted\n")
    feed(hq, l11={"price": "349.00"})
    assert run("publish", "--dir", hq) == (0, "fr: publication 2\n"), "every blob a publication needs is there"
