"""What a fleet of any size asks of the edge and of HQ: formulas over costs measured here; the drain after an outage simulated.

The inputs are measured by small fleets of `demo.fleet` and kept in the scratch folder as `inputs.json`; `--inputs FILE` prints
the table again from such a file.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from bench.away import publish_once
from bench.world import MARKETPLACE_PORT, process
from demo.corners import enrol_corners, remove_corners
from demo.fleet import Load, run_fleet
from demo.following import Poll
from demo.herd import Herd, simulate_return
from demo.kiosks import LoadKiosk
from demo.usage import cpu_s, server_processes
from demo.wire import Tally, Wire
from pos import clock
from sync.corner.schedule import POLL_S

FLEETS = (500, 5_000, 50_000)
OUTAGE_S = 3 * 3600.0
RETRY_AFTER_S = 5
SPEED = 60.0
KIOSKS = 60
MINUTES = 0.5
HOUR_MINUTES = 1.0
PUBLISHING_SPEED = 6.0
DAY_S = 86_400.0
UPLINKS = ((300, 0), (150, 1), (15, 75))
"""Rounds, and slips in each: heartbeats, single slips, and what three hours leave behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is not measured: a shop's day, the publisher's pace, and how the edge is built."""

    slips_per_day: float = 300.0
    open_hours: float = 12.0
    publications_per_min: float = 1.0
    heartbeat_s: float = 600.0
    heads: int = 6
    """Markets times rings."""
    caches: int = 2
    """Edge locations that fetch from HQ for themselves."""
    fresh_s: float = 10.0
    """How long a cache answers with a head before it asks again: `s-maxage`."""
    full_at: float = 0.7
    """The share of a core that HQ's uplink may use before it refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What was measured: seconds of HQ's CPU and bytes with headers, for one of each."""

    poll_cpu_s: float
    heartbeat_cpu_s: float
    batch_cpu_s: float
    """A batch without its events."""
    slip_cpu_s: float
    quiet_poll_bytes: float
    news_requests: float
    """Requests a kiosk makes in a poll that finds a publication, the poll included."""
    news_bytes: float
    heartbeat_bytes: float
    slip_bytes: float


def quiet_fleet(directory: Path | None, url: str, *, origin: str | None = None) -> dict[str, Any]:
    """Run a small, fast fleet for a minute: an hour of sixty kiosks, each one's first heartbeat written for the history."""
    load = Load(
        kiosks=KIOSKS,
        url=url,
        minutes=HOUR_MINUTES,
        directory=directory,
        market="fr",
        slips_per_hour=0.0,
        outage_s=0.0,
        speed=SPEED,
        is_cold=False,
        origin=origin,
    )
    return run_fleet(load, progress=lambda _stage, _done, _of: None)


def measure_inputs(scratch: Path) -> Inputs:
    """Measure what the formulas need against a served marketplace, and keep it in `inputs.json`."""
    directory, url = scratch / "marketplace", f"http://127.0.0.1:{MARKETPLACE_PORT}"
    serving = ("-m", "comptoir", "marketplace", "serve", "--dir", str(directory), "--port", str(MARKETPLACE_PORT))
    with process(*serving, url=f"{url}/readyz"):
        nameless = quiet_fleet(None, url)
        poll_cpu_s = float(nameless["hq_cpu"]["seconds"]) / _count(nameless, "poll")
        try:
            heartbeat, one, many = (_uplinks(directory, url, rounds, slips) for rounds, slips in UPLINKS)
        finally:
            remove_corners(directory)
        with _publishing(directory) as publications:
            news = _newsy_fleet(url)
    slip_cpu_s = (many.cpu_s - one.cpu_s) / (UPLINKS[2][1] - 1)
    quiet_poll_bytes = _bytes_of(nameless, "poll") / _count(nameless, "poll")
    inputs = Inputs(
        poll_cpu_s=poll_cpu_s,
        heartbeat_cpu_s=heartbeat.cpu_s - poll_cpu_s,
        batch_cpu_s=max(0.0, one.cpu_s - slip_cpu_s - poll_cpu_s),
        slip_cpu_s=slip_cpu_s,
        quiet_poll_bytes=quiet_poll_bytes,
        heartbeat_bytes=heartbeat.size,
        slip_bytes=one.size,
        **_news(news, publications(), quiet_poll_bytes),
    )
    (scratch / "inputs.json").write_text(json.dumps(asdict(inputs), indent=2))
    return inputs


def capacity_table(inputs: Inputs, assumed: Assumed) -> str:
    """Return the computed and simulated figures for each size of fleet as a Markdown table, the formula beside each."""
    lines = [
        "### Capacity, computed and simulated",
        "",
        f"| what | formula | {' | '.join(f'{kiosks:,} corners' for kiosks in FLEETS)} |",
        f"|---|---|{'---|' * len(FLEETS)}",
    ]
    columns = [list(_figures(kiosks, inputs, assumed)) for kiosks in FLEETS]
    for cells in zip(*columns, strict=True):
        what, formula, _ = cells[0]
        lines.append(f"| {what} | {formula} | {' | '.join(figure for _, _, figure in cells)} |")
    measured = ", ".join(f"{name} {value:.5g}" for name, value in asdict(inputs).items())
    taken = ", ".join(f"{name} {value:g}" for name, value in asdict(assumed).items())
    return "\n".join([*lines, "", f"Measured: {measured}.", f"Assumed: {taken}, poll_s {POLL_S:g}.", ""])


def _figures(kiosks: int, inputs: Inputs, assumed: Assumed) -> Iterator[tuple[str, str, str]]:
    """Yield what, formula and figure, in the order of the table."""
    news = min(1.0, assumed.publications_per_min * POLL_S / 60)
    edge_rps = kiosks / POLL_S * (1 + news * (inputs.news_requests - 1))
    poll_bytes = (1 - news) * inputs.quiet_poll_bytes + news * inputs.news_bytes
    edge_bytes = kiosks * DAY_S / POLL_S * poll_bytes
    blobs = (inputs.news_requests - 1) * assumed.publications_per_min / 60
    origin_rps = assumed.caches * (assumed.heads / assumed.fresh_s + assumed.heads * blobs)
    slips_per_poll = assumed.slips_per_day / assumed.open_hours / 3600 * POLL_S
    batches = (1 - math.exp(-slips_per_poll)) / POLL_S
    open_share = assumed.open_hours * 3600 / DAY_S
    heartbeats = 1 / assumed.heartbeat_s
    up_peak_rps = kiosks * batches
    up_mean_rps = kiosks * (batches * open_share + heartbeats * (1 - open_share))
    up_bytes = kiosks * (
        assumed.slips_per_day * inputs.slip_bytes + DAY_S * (1 - open_share) * heartbeats * inputs.heartbeat_bytes
    )
    slip_rps = kiosks * assumed.slips_per_day / assumed.open_hours / 3600
    up_cpu = up_peak_rps * inputs.batch_cpu_s + slip_rps * inputs.slip_cpu_s
    static_cpu = origin_rps * inputs.poll_cpu_s
    yield "requests/s at the edge", "N / poll_s · (1 + news · (news_requests − 1))", f"{edge_rps:,.0f}"
    yield "bytes a day from the edge", "N · 86,400 / poll_s · (news ? news_bytes : quiet_poll_bytes)", _bytes(edge_bytes)
    yield "static requests/s at the origin", "caches · heads · (1 / fresh_s + blobs of a publication / 60)", f"{origin_rps:.1f}"
    yield "uplinks/s at the origin, open", "N · (1 − e^(−slips a poll)) / poll_s", f"{up_peak_rps:,.1f}"
    yield "… mean of a day", "… · open share + N / heartbeat_s · closed share", f"{up_mean_rps:,.1f}"
    yield "bytes a day up", "N · (slips · slip_bytes + heartbeats · heartbeat_bytes)", _bytes(up_bytes)
    yield "HQ CPU, static side behind a cache", "static requests/s · poll_cpu_s", f"{static_cpu:.1%} of a core"
    yield "… without any cache", "requests/s at the edge · poll_cpu_s", f"{edge_rps * inputs.poll_cpu_s:,.2f} cores"
    yield "HQ CPU, uplink, open", "uplinks/s · batch_cpu_s + slips/s · slip_cpu_s", f"{up_cpu:,.2f} cores"
    yield from _drain(kiosks, inputs, assumed)


def _drain(kiosks: int, inputs: Inputs, assumed: Assumed) -> Iterator[tuple[str, str, str]]:
    """Simulate the return after the outage, with as many cores as take the herd without refusing anybody."""
    slips = assumed.slips_per_day / assumed.open_hours * OUTAGE_S / 3600
    batch_cpu_s = inputs.batch_cpu_s + slips * inputs.slip_cpu_s
    unbounded = simulate_return(_herd(kiosks, kiosks))
    cores = math.ceil(unbounded.peak_uplinks_rps * batch_cpu_s / assumed.full_at)
    bounded = simulate_return(_herd(kiosks, max(1, int(cores * assumed.full_at / batch_cpu_s))))
    shown = f"{bounded.drained_s / 60:.1f} min, {bounded.refused:,} refused"
    what = f"after {OUTAGE_S / 3600:g} h without HQ: most polls/s"
    yield what, "simulated with `sync.corner.schedule`", f"{bounded.peak_polls_rps:,} (usual {bounded.usual_rps:,.0f})"
    yield f"… most batches/s, {slips:.0f} slips in each", "simulated; about N / 260", f"{bounded.peak_uplinks_rps:,}"
    yield "… cores of HQ that this takes", "batches/s · (batch_cpu_s + slips · slip_cpu_s) / full_at", f"{cores}"
    yield "… until the last has delivered", "simulated with that many cores", shown


def _herd(kiosks: int, uplinks_per_s: int) -> Herd:
    return Herd(kiosks=kiosks, outage_s=OUTAGE_S, uplinks_per_s=uplinks_per_s, retry_after_s=RETRY_AFTER_S, seed=1)


def _newsy_fleet(url: str) -> dict[str, Any]:
    """Run nameless followers while HQ publishes, at a pace its publisher can hold here."""
    load = Load(
        kiosks=KIOSKS,
        url=url,
        minutes=2 * MINUTES,
        directory=None,
        market="fr",
        slips_per_hour=0.0,
        outage_s=0.0,
        speed=PUBLISHING_SPEED,
        is_cold=False,
    )
    return run_fleet(load, progress=lambda _stage, _done, _of: None)


@contextmanager
def _publishing(directory: Path) -> Iterator[Any]:
    """Publish 300 changes every ten seconds, a minute's worth at five a second; lend the count of publications so far."""
    over = threading.Event()
    made: list[float] = []

    def publish() -> None:
        while not over.wait(POLL_S / PUBLISHING_SPEED):
            made.append(publish_once(directory, round(POLL_S * 5)))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield lambda: len(made)
    finally:
        over.set()
        thread.join()


def _news(report: dict[str, Any], publications: int, quiet_poll_bytes: float) -> dict[str, float]:
    """Return requests and bytes of a poll that finds a publication: what the fleet asked for beyond its quiet polls."""
    looks = KIOSKS * max(1, publications)
    fetched = sum(_count(report, kind) for kind in report["requests"]) - _count(report, "poll")
    size = sum(_bytes_of(report, kind) for kind in report["requests"]) - (_count(report, "poll") - looks) * quiet_poll_bytes
    return {"news_requests": 1 + fetched / looks, "news_bytes": size / looks}


@dataclass(frozen=True, slots=True)
class _Uplink:
    """What one round with an uplink cost: HQ's CPU, the poll's included, and the uplink's bytes."""

    cpu_s: float
    size: float


def _uplinks(directory: Path, url: str, rounds: int, slips: int) -> _Uplink:
    """Let one corner do rounds one after the other, each with so many slips; without slips each is a heartbeat."""
    (outbox,), book = enrol_corners(directory, "fr", 1, progress=lambda _done, _of: None)
    tally = Tally()
    poll, wire = Poll("fr", is_cold=False), Wire(url, tally)
    kiosk = LoadKiosk(outbox.corner_id, poll, wire, outbox=outbox, slips=None, slips_per_s=0, silence_s=0, random=Random(1))
    kiosk.round(time.monotonic())
    servers = server_processes(url)
    before = cpu_s(servers)
    for _ in range(rounds):
        for _ in range(slips):
            book.issue(outbox, now=clock.now())
        kiosk.round(time.monotonic())
    used = cpu_s(servers) - before
    kiosk.close()
    kind = tally.kinds["batch" if slips else "heartbeat"]
    return _Uplink(used / rounds, (kind.sent + kind.received) / sum(kind.statuses.values()))


def _count(report: dict[str, Any], kind: str) -> int:
    return int(report["requests"].get(kind, {"requests": 0})["requests"])


def _bytes_of(report: dict[str, Any], kind: str) -> float:
    figures = report["requests"][kind]
    return float(figures["bytes_in_per_s"] + figures["bytes_out_per_s"]) * float(report["seconds"])


def _bytes(size: float) -> str:
    return f"{size / 1e9:,.2f} GB" if size < 1e12 else f"{size / 1e12:,.2f} TB"
