"""Running seeds: faults for a while, then rest, then the question whether everything holds; the same history for the same seed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from demo.simulator import faults, invariants
from demo.simulator.disk import clear
from demo.simulator.kiosk import Kiosk
from demo.simulator.network import Weather
from demo.simulator.stand_ins import standing_in
from demo.simulator.template import scratch, template
from demo.simulator.watch import watching
from demo.simulator.world import Violation, World
from sync.rounds import RoundReport

STEPS = 25
PASSES = 16
"""So many rounds of everybody are more than enough to come to rest; a world that still moves then never will."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a seed went: its history, the history's hash, and what was violated, if anything."""

    seed: int
    hash: str
    trace: tuple[str, ...]
    violation: str | None


def run_seed(seed: int, *, steps: int = STEPS) -> Outcome:
    """Run one seed from the template to rest."""
    made = template()
    root = scratch()
    random = Random(seed)  # noqa: S311 - a history to replay, no secret
    world = World(random, root, made, kiosks=random.randint(2, len(made.kiosks)))
    world.meanwhile = lambda: _maybe_meanwhile(world)
    violation = None
    try:
        with _quiet(), standing_in(Random(random.getrandbits(64)), world.now), watching(world.machines, lambda: world.time):  # noqa: S311
            world.open()
            try:
                _live(world, steps)
                _rest(world)
                invariants.at_rest(world)
            except Violation as found:
                violation = str(found)
            finally:
                world.close()
    finally:
        clear(root)
    return Outcome(seed, world.hash(), tuple(world.trace), violation)


def _live(world: World, steps: int) -> None:
    for world.step in range(1, steps + 1):
        world.pass_time(timedelta(seconds=world.random.choice((1, 60, 3_600, 40_000))))
        _deliver(world)
        faults.draw(world, faults.ACTIONS)(world)
        _look_around(world)


def _rest(world: World) -> None:
    """Let the faults end and everybody go on until nothing moves any more; operators help where a kiosk cannot help itself."""
    world.step += 1
    world.say("the faults end")
    world.meanwhile = _nothing
    world.hq.is_down = False
    for kiosk in world.kiosks:
        kiosk.line.weather = Weather()
    for machine in world.machines:
        machine.countdown = machine.room = None
    while world.later:
        _deliver(world)
    for _ in range(PASSES):
        world.pass_time(timedelta(minutes=15))
        world.say(f"hq publishes {world.at_hq('publish', world.hq.publish)}")
        reports = [(kiosk, world.round(kiosk)) for kiosk in world.kiosks]
        _look_around(world)
        if all(_is_quiet(report) for _, report in reports):
            return
        for kiosk, report in reports:
            if report is not None and _needs_enrolment(report):
                world.enrol(kiosk)
    raise world.fail("the world does not come to rest")


def _is_quiet(report: RoundReport | None) -> bool:
    if report is None or report.problems or report.moved is None or report.pushed is None:
        return False
    moved, pushed = report.moved, report.pushed
    return moved.before == moved.publication and not pushed.sent and not pushed.pending and not pushed.is_new_corner


def _needs_enrolment(report: RoundReport) -> bool:
    """Tell whether HQ's console or the kiosk's counter would send an operator: a stream that forked, a key HQ does not know."""
    said = {(problem.data.get("status"), problem.data.get("code")) for problem in report.problems}
    return any(status == 401 or code == "stream_forked" for status, code in said)


def _deliver(world: World) -> None:
    waiting, world.later[:] = list(world.later), []
    for arrive in waiting:
        arrive()


def _look_around(world: World) -> None:
    for kiosk in world.kiosks:
        _look(world, kiosk)


def _look(world: World, kiosk: Kiosk) -> None:
    invariants.after_step(world, kiosk)


def _maybe_meanwhile(world: World) -> None:
    if world.random.random() < 0.12:
        faults.draw(world, faults.MEANWHILE)(world)


def _nothing() -> None:
    """Nothing happens meanwhile."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the product's log off the screen: a bad line is business as usual here."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
