"""`comptoir kiosk doctor`: what a technician has to know of a kiosk, a line each with its remedy; the records stay."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from kiosk.checks import Finding, examine
from kiosk.directories import directory_option
from pos.languages import LANGUAGES
from shop.filters import told_fault

REMEDY_INDENT = 31


@click.command("doctor")
@directory_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--language", default="en", show_default=True, type=click.Choice(list(LANGUAGES)), help="Of the remedies.")
def doctor_command(directory: Path, *, as_json: bool, language: str) -> None:
    """Check files, key, copies, machine, clock, browser, network and printers: a table with remedies; status 1 for a FAULT."""
    findings = examine(directory)
    if as_json:
        click.echo(json.dumps([_row(each, language) for each in findings], ensure_ascii=False, indent=2))
    else:
        for place, each in enumerate(findings):
            _print(each, language, is_first=each.code not in {before.code for before in findings[:place]})
    if any(each.state == "FAULT" for each in findings):
        sys.exit(1)


def _print(finding: Finding, language: str, *, is_first: bool) -> None:
    told = told_fault(finding.code, language) if finding.code else None
    said = f"{finding.code}: {finding.said}" if finding.code else finding.said
    click.echo(f"{finding.part:<12} {finding.state:<8} {told.short if told else '':<5}  {said}")
    if told and is_first:
        click.echo(f"{'':<{REMEDY_INDENT - 2}}→ {told.repair}")


def _row(finding: Finding, language: str) -> dict[str, str | None]:
    told = told_fault(finding.code, language) if finding.code else None
    return {
        "part": finding.part,
        "state": finding.state.lower(),
        "short": told.short if told else None,
        "code": finding.code,
        "what": finding.said,
        "remedy": told.repair if told else None,
    }
