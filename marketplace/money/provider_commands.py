"""`comptoir marketplace payments`: give the marketplace what the payment provider gave HQ."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import click
from sqlalchemy import Engine

from marketplace.db import reading, run_tx
from marketplace.installation import opened
from marketplace.keys import directory_option
from marketplace.money.provider import API, ProviderDown, ProviderSettings, provider_of, read_settings, store_settings
from pos.errors import Invalid
from pos.files import read_file
from sync.addresses import WebAddress

KEY = re.compile(r"[sr]k_(test|live)_[A-Za-z0-9]{8,250}", re.ASCII)
WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{8,250}", re.ASCII)
MOST_BYTES = 1000
secret_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("payments")
@directory_option
@click.option("--key-file", type=secret_file, help="A file with the provider's secret key, sk_… or rk_….")
@click.option("--webhook-secret-file", type=secret_file, help="A file with the signing secret of the webhook endpoint, whsec_….")
@click.option("--api", default=API, show_default=True, type=WebAddress(), help="The address of the provider's API.")
def payments_command(directory: Path, key_file: Path | None, webhook_secret_file: Path | None, api: str) -> None:
    """Set the payment provider up from two files with its secrets, or say how it is set up."""
    with opened(directory) as engine:
        if key_file is not None and webhook_secret_file is not None:
            given = ProviderSettings(
                key=_read_secret(key_file, KEY, "a secret key of the provider"),
                webhook_secret=_read_secret(webhook_secret_file, WEBHOOK_SECRET, "a webhook's signing secret"),
                api=api.rstrip("/"),
            )
            _set_up(engine, given)
        elif key_file is not None or webhook_secret_file is not None:
            raise click.UsageError("--key-file and --webhook-secret-file are given together")
        with reading(engine) as connection:
            click.echo(_in_words(read_settings(connection)))


def _read_secret(path: Path, form: re.Pattern[str], words: str) -> str:
    """Return the secret in a file, never in an error. Raises: Invalid, OSError."""
    secret = read_file(path, most_bytes=MOST_BYTES).decode("ascii", errors="replace").strip()
    if not form.fullmatch(secret):
        raise Invalid(f"{path} does not hold {words}")
    return secret


def _set_up(engine: Engine, given: ProviderSettings) -> None:
    """Store what was given, once the provider took it or could not be reached. Raises: Invalid."""
    if "_live_" in given["key"] and not given["api"].startswith("https://"):
        raise Invalid("a live key is only sent over https")
    try:
        provider_of(given["key"], given["webhook_secret"], given["api"]).try_key()
    except ProviderDown as problem:
        if problem.data.get("reason") == "key":
            raise Invalid("the provider does not take this key: nothing was changed") from problem
        click.echo("the provider does not answer now: the key is stored untried", err=True)
    run_tx(engine, partial(store_settings, stored=given))


def _in_words(stored: ProviderSettings | None) -> str:
    if stored is None:
        return "payments: not set up, so nothing that must be paid can be ordered"
    return f"payments: {'live' if '_live_' in stored['key'] else 'test'} keys, {stored['api']}"
