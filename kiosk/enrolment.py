"""`comptoir kiosk enrol · set`: make a device the kiosk of a corner, and set what only this device knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from sqlite_utils import Database

from kiosk.directories import directory_option, open_records
from kiosk.printing.installed import installed_printers, set_address
from kiosk.printing.transports import parse_address
from pos import clock
from pos.ops import open_ops, setting, store_setting
from pos.privacy import take_over
from sync.addresses import WebAddress
from sync.corner.client import Client
from sync.corner.enrolment import enrol
from sync.corner.media import BUDGET_BYTES
from sync.corner.mirrors import MIRRORS, SHARED


class PrinterAddress(click.ParamType[str]):
    """Where a printer is: `192.0.2.7:9100`, `/dev/usb/lp0`, or `/dev/ttyUSB0@38400` for a serial line."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address in its one spelling, or fail as wrong usage."""
        try:
            return parse_address(str(value))
        except ValueError:
            self.fail("HOST:PORT as in 192.0.2.7:9100, or a device as in /dev/usb/lp0 or /dev/ttyUSB0@38400", param, ctx)


@click.command("enrol")
@directory_option
@click.option("--marketplace", required=True, type=WebAddress(), help="The marketplace's URL.")
@click.option("--code", required=True, help="The one-time code HQ gave for this corner.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until HQ confirms the device, where it wants to.")
def enrol_command(directory: Path, marketplace: str, code: str, *, wait: bool) -> None:
    """Make this device the kiosk of a corner; the fingerprint shown must be the one HQ shows."""
    take_over(directory)
    store = open_ops(directory / "ops.db")
    document = enrol(directory, store, Client(marketplace), code, now=clock.now, show=_show_fingerprint, wait=wait)
    click.echo(f"enrolled as {document['corner_id']}, key {setting(store.read(), 'key_id')}")


@click.command("set")
@directory_option
@click.option("--marketplace", type=WebAddress(), help="The marketplace's URL, when it moved.")
@click.option("--printer", type=PrinterAddress(), help="The corner's printer for slips: HOST:PORT or a device.")
@click.option(
    "--mirror",
    "mirrors",
    type=WebAddress(or_none=True),
    multiple=True,
    help="A neighbour asked before HQ; may be repeated; '' for none.",
)
@click.option("--share", type=click.Choice(["on", "off"]), help="Whether neighbours may fetch the catalogue here.")
@click.option("--media-budget", metavar="MB", type=click.IntRange(0, 100_000), help="Most megabytes of drawings and pictures.")
def set_command(
    directory: Path,
    marketplace: str | None,
    printer: str | None,
    mirrors: tuple[str, ...],
    share: str | None,
    media_budget: int | None,
) -> None:
    """Set what only this device knows: its printer, its marketplace, its neighbours, and what room media may take."""
    store = open_records(directory)
    wishes: dict[str, Any] = {}
    if marketplace:
        wishes["marketplace_url"] = marketplace
    if mirrors:
        wishes[MIRRORS] = [url for url in mirrors if url]
    if share:
        wishes[SHARED] = share == "on"
    if media_budget is not None:
        wishes["media_budget_bytes"] = media_budget * 2**20
    with store.write() as ops:
        for name, value in wishes.items():
            store_setting(ops, name, value)
        if printer:
            set_address(ops, printer)
    for name, said in _own_settings(store.read()).items():
        click.echo(f"{name:<12} {said}")


def _show_fingerprint(fingerprint: str) -> None:
    click.echo(f"fingerprint {fingerprint}")


def _own_settings(ops: Database) -> dict[str, str]:
    """Return what only this device knows, in the words that set it."""
    printers, budget_bytes = installed_printers(ops), setting(ops, "media_budget_bytes")
    return {
        "marketplace": setting(ops, "marketplace_url") or "none",
        "printer": ", ".join(each.address for each in printers) or "none",
        "mirrors": ", ".join(setting(ops, MIRRORS) or []) or "none",
        "share": "on" if setting(ops, SHARED) else "off",
        "media budget": f"{(BUDGET_BYTES if budget_bytes is None else budget_bytes) // 2**20} MB",
    }
