"""Whatever goes wrong between kiosks and HQ, once it ends everything is in its place: thousands of histories, one a seed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from demo.fleet_commands import fleet_command
from demo.simulator.run import History, run_seed
from demo.simulator.stand_ins import InlineHashing, standing_in
from pos import clock
from sync.hashing import Hashing
from sync.segments import Block, SnapshotPart, encode_part
from tests.amounts import amount
from tests.sync import mutations

SEEDS = amount("histories of the simulator")
AT_ONCE = 25
STEPS = 5
"""Fewer than the command's: many short histories find more than few long ones in the time a test may take."""


@cache
def first_failure(mutation: mutations.Mutation) -> History | None:
    """Return the first history that shows a planted bug."""
    with mutation():
        return mutations.first_failure(begin=mutations.BEGINS.get(mutation, 0))


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_every_history_comes_to_rest_with_everything_in_its_place(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        outcome = run_seed(seed, steps=STEPS)
        trace = "\n".join(outcome.trace)
        again = f"comptoir fleet simulate --from {seed} --seeds 1 --steps {STEPS}"
        assert outcome.violation is None, f"seed {seed}: {outcome.violation}\nagain: {again}\n{trace}"


def test_a_seed_replays_exactly_in_another_process_too() -> None:
    program = "from demo.simulator.run import run_seed; print(*(run_seed(seed).hash for seed in range(3)))"
    here = [run_seed(seed).hash for seed in range(3)]
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert here == there
    assert len(set(here)) == 3


def test_other_steps_make_another_history() -> None:
    assert run_seed(5, steps=3).hash != run_seed(5, steps=4).hash


@pytest.mark.long
@pytest.mark.parametrize("mutation", mutations.MUTATIONS)
def test_a_planted_bug_is_found(mutation: mutations.Mutation) -> None:
    outcome = first_failure(mutation)
    assert outcome is not None
    assert outcome.violation
    assert outcome.violation in outcome.trace[-1]


def test_the_command_says_what_it_ran() -> None:
    said = CliRunner().invoke(fleet_command, ["simulate", "--from", "7", "--seeds", "2", "--steps", "4"])
    assert (said.exit_code, said.output) == (0, "2 seeds from 7: none failed\n")


def test_the_command_prints_a_failing_seed_with_its_history_and_how_to_replay_it() -> None:
    failing = first_failure(mutations.inbox_without_dedupe)
    assert failing is not None
    with mutations.inbox_without_dedupe():
        said = CliRunner().invoke(fleet_command, ["simulate", "--from", str(failing.seed), "--seeds", "1"])
    assert said.exit_code == 1
    assert f"seed {failing.seed}: {failing.violation}" in said.output
    assert f"comptoir fleet simulate --from {failing.seed} --seeds 1" in said.output
    assert failing.trace[0] in said.output


def test_the_stand_in_for_hashing_sums_what_the_process_sums(tmp_path: Path) -> None:
    paths = []
    for number in range(3):
        block = Block(("listing_id", "quantity"), [[number * 2, number * 2 + 1], [4, 5]])
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(encode_part(SnapshotPart("stock", (("stock", block),))))
    sums = []
    for hashing in (Hashing(), InlineHashing()):
        for path in paths:
            hashing.feed(path)
        sums.append({name: (state.value, state.rows) for name, state in hashing.states().items()})
        hashing.stop()
    assert sums[0] == sums[1]
    assert sums[0]["stock"][1] == 6


def test_clock_and_chance_come_from_the_seed_alone() -> None:
    moment = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    drawn = []
    for _ in range(2):
        with standing_in(Random(1), lambda: moment):
            import secrets
            import uuid

            assert clock.now() == moment
            drawn.append((uuid.uuid4(), secrets.token_hex(8), secrets.choice(range(1000))))
    assert drawn[0] == drawn[1]
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 60  # noqa: TID251 - the real clock is back
