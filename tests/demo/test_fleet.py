"""The simulated fleet against a real marketplace process, everything 120 times as fast as in a shop."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from demo.fleet import Load, run_fleet
from demo.fleet_commands import fleet_command
from marketplace import tables
from marketplace.db import open_engine, reading, rows
from marketplace.installation import read_installation
from pos.errors import Invalid, Unavailable
from tests.processes import comptoir, free_port, serving

QUIET: dict[str, Any] = {
    "kiosks": 6,
    "minutes": 0.05,
    "directory": None,
    "market": "fr",
    "slips_per_hour": 0.0,
    "outage_s": 0.0,
    "speed": 120.0,
    "is_cold": False,
}


def unheard(stage: str, done: int, of: int) -> None:
    """Hear how far a fleet is and say nothing."""


JUDGED_S = 30


class Hq:
    """A served marketplace, and what its database holds."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.url = f"http://127.0.0.1:{port}"
        self.engine = open_engine(read_installation(directory).database)

    def close(self) -> None:
        self.engine.dispose()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with reading(self.engine) as connection:
            return rows(connection, sql)

    def fleet(self, **changes: Any) -> dict[str, Any]:
        return run_fleet(Load(**{**QUIET, "url": self.url, **changes}), progress=unheard)

    def busy_fleet(self, **changes: Any) -> dict[str, Any]:
        """Run a fleet that sends slips, and return once HQ, which judges beside its answers, has judged them all."""
        report = self.fleet(directory=self.directory, slips_per_hour=100.0, **changes)
        deadline = time.monotonic() + JUDGED_S
        while self.rows("select 1 as one from inbox where state = 'new' limit 1"):
            assert time.monotonic() < deadline, "events wait to be judged for ever"
            time.sleep(0.05)
        return report


@pytest.fixture(scope="module")
def hq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hq]:
    directory, feed, port = tmp_path_factory.mktemp("hq"), tmp_path_factory.mktemp("feed"), free_port()
    comptoir("sample", "--listings", "300", "--seed", "1", "--out", str(feed))
    comptoir("marketplace", "init", "--dir", str(directory), "--public-url", f"http://127.0.0.1:{port}")
    comptoir("marketplace", "import", str(feed), "--dir", str(directory))
    comptoir("marketplace", "publish", "--dir", str(directory))
    made = Hq(directory, port)
    arguments = ("marketplace", "serve", "--dir", str(directory), "--port", str(port))
    with closing(made), serving(*arguments, url=f"{made.url}/readyz"):
        yield made


def test_every_slip_of_the_fleet_is_at_hq_and_means_what_hq_computes(hq: Hq) -> None:
    before = hq.rows("select count(*) as events from inbox where corner_id like 'load-%'")[0]["events"]
    report = hq.busy_fleet()

    stored = hq.rows("select state, reason from inbox where corner_id like 'load-%'")
    slips = hq.rows("select corner_id, difference from slip where corner_id like 'load-%'")
    assert before + report["events"]["acked"] == len(stored) == len(slips) > 10
    assert {(each["state"], each["reason"]) for each in stored} == {("judged", "")}
    assert {each["difference"] for each in slips} == {None}
    assert report["problems"] == {}


def test_a_later_run_goes_on_with_the_same_corners_and_their_chains(hq: Hq) -> None:
    hq.busy_fleet()
    devices = hq.rows("select corner_id, key_id from device where corner_id like 'load-%' order by corner_id")
    before = hq.rows("select count(*) as events from inbox")[0]["events"]

    report = hq.busy_fleet()

    assert hq.rows("select corner_id, key_id from device where corner_id like 'load-%' order by corner_id") == devices
    assert [each["corner_id"] for each in devices] == [f"load-0000{number}" for number in range(1, 7)]
    assert hq.rows("select count(*) as events from inbox")[0]["events"] == before + report["events"]["acked"] > before
    assert hq.rows("select 1 as one from device where quarantined_at is not null") == []
    assert report["problems"] == {}


def test_a_quiet_corner_polls_unchanged_heads_and_says_once_that_it_is_there(hq: Hq) -> None:
    requests = hq.fleet(directory=hq.directory)["requests"]

    assert set(requests) == {"poll", "metadata", "head", "heartbeat"}
    assert requests["head"]["requests"] == 6
    assert requests["heartbeat"]["requests"] == 6
    assert requests["poll"]["requests"] > 6
    assert requests["poll"]["not_modified_share"] == pytest.approx(1 - 6 / requests["poll"]["requests"], abs=0.001)


def test_nameless_corners_only_follow(hq: Hq) -> None:
    before = hq.rows("select count(*) as events from inbox")
    assert set(hq.fleet()["requests"]) == {"poll", "metadata", "head"}
    assert hq.rows("select count(*) as events from inbox") == before


def test_cold_corners_fetch_a_whole_catalogue_each(hq: Hq) -> None:
    report = hq.fleet(is_cold=True)
    requests = report["requests"]["snapshot"]["requests"]

    assert requests % 6 == 0
    assert requests // 6 >= 6
    assert report["problems"] == {}


def test_bytes_that_are_not_what_the_head_names_are_counted_as_such(hq: Hq) -> None:
    blobs = {path: path.read_bytes() for path in (hq.directory / "sync" / "b").iterdir()}
    for path, content in blobs.items():
        path.write_bytes(b"\x00" * len(content))
    try:
        problems = hq.fleet(is_cold=True)["problems"]
    finally:
        for path, content in blobs.items():
            path.write_bytes(content)

    assert set(problems) == {"untrusted"}
    assert problems["untrusted"] >= 6


def test_after_an_outage_every_corner_comes_back(hq: Hq) -> None:
    report = hq.busy_fleet(outage_s=1.0, minutes=0.1)

    assert report["outage"]["corners_not_back"] == 0
    assert report["outage"]["drained_after_s"] > 0
    assert report["problems"] == {}


def test_hqs_own_cpu_is_measured_where_it_runs_here(hq: Hq) -> None:
    assert 0 < hq.fleet()["hq_cpu"]["seconds"] < 4


def test_removing_the_fleet_leaves_nothing_of_it_and_everything_else(hq: Hq) -> None:
    hq.busy_fleet()
    real = hq.rows("select corner_id from corner where corner_id not like 'load-%'")

    assert comptoir("fleet", "--remove", "--dir", str(hq.directory)) == "6 simulated corners removed\n"

    owned = [table.name for table in tables.metadata.sorted_tables if "corner_id" in table.columns]
    assert "slip" in owned
    assert [name for name in owned if hq.rows(f"select 1 as one from {name} where corner_id like 'load-%'")] == []
    assert hq.rows("select corner_id from corner") == real


def test_the_table_says_what_was_measured(hq: Hq) -> None:
    printed = comptoir("fleet", "--kiosks", "3", "--against", hq.url, "--minutes", "0.02", "--speed", "120")
    assert "p99 ms" in printed
    assert "\npoll " in printed
    assert "3 kiosks for " in printed


def test_one_json_document_is_printed_on_request(hq: Hq) -> None:
    printed = comptoir("fleet", "--kiosks", "3", "--against", hq.url, "--minutes", "0.02", "--speed", "120", "--json")
    assert json.loads(printed)["kiosks"] == 3


@pytest.mark.parametrize(
    ("arguments", "said"), [((), "--kiosks and --against are needed"), (("--remove",), "--remove needs --dir")]
)
def test_a_call_that_lacks_something_is_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    ended = CliRunner().invoke(fleet_command, arguments)
    assert (ended.exit_code, said in ended.output) == (2, True)


def test_a_marketplace_that_never_answers_is_an_error() -> None:
    with pytest.raises(Unavailable, match="never answered"):
        run_fleet(Load(**QUIET | {"url": f"http://127.0.0.1:{free_port()}", "minutes": 0.01}), progress=unheard)


def test_an_outage_needs_time_to_come_back_from() -> None:
    with pytest.raises(Invalid, match="half of the time"):
        run_fleet(Load(**QUIET | {"url": "http://127.0.0.1:9", "outage_s": 2.0}), progress=unheard)
