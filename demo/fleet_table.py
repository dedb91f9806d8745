"""A fleet's report as text for a terminal."""

from __future__ import annotations

from typing import Any

COLUMNS = (
    ("requests", "requests"),
    ("per_s", "per s"),
    ("p50_ms", "p50 ms"),
    ("p95_ms", "p95 ms"),
    ("p99_ms", "p99 ms"),
    ("bytes_in_per_s", "B/s in"),
    ("bytes_out_per_s", "B/s out"),
    ("not_modified_share", "304"),
    ("refused", "503"),
    ("errors", "errors"),
    ("requests_per_kiosk_hour", "req/kiosk h"),
    ("bytes_per_kiosk_hour", "B/kiosk h"),
)


def fleet_table(report: dict[str, Any]) -> str:
    """Return the report as a table with what is true of all of it below."""
    lines = [["", *(title for _, title in COLUMNS)]]
    lines += [[name, *(_shown(key, figures[key]) for key, _ in COLUMNS)] for name, figures in report["requests"].items()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
    return "\n".join([*table, "", *_sentences(report)])


def _shown(key: str, value: float) -> str:
    return f"{value:.0%}" if key == "not_modified_share" else f"{value:,}"


def _sentences(report: dict[str, Any]) -> list[str]:
    events, outage, hq_cpu = report["events"], report["outage"], report["hq_cpu"]
    lines = [
        f"{report['kiosks']:,} kiosks for {report['seconds']:,} s at speed {report['speed']:g}: "
        f"{report['requests_per_s']:,} requests/s, {report['requests_in_the_busiest_second']:,} in the busiest second",
        f"events: {events['recorded']:,} recorded, {events['acked']:,} acknowledged ({events['acked_per_s']:,}/s), "
        f"{events['waiting']:,} waiting",
    ]
    if outage is not None:
        drained = outage["drained_after_s"]
        back = f"all back after {drained:,} s" if drained is not None else f"{outage['corners_not_back']:,} corners not back yet"
        lines.append(
            f"outage of {outage['seconds']:g} s: {back}, {outage['requests_in_the_busiest_second_after']:,} requests "
            "in the busiest second after it"
        )
    if hq_cpu is not None:
        lines.append(
            f"HQ: {hq_cpu['seconds']:,} s of CPU, {hq_cpu['share_of_a_core']:.1%} of a core, "
            f"{hq_cpu['seconds_per_kiosk_hour']:g} s per kiosk and hour"
        )
    lines += [f"failed rounds, {code}: {count:,}" for code, count in sorted(report["problems"].items())]
    lines.append(f"this command: {report['own_cpu_share']:.1%} of a core; rounds began {report['late_ms_p99']:,} ms late (p99)")
    return lines
