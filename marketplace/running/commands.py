"""`comptoir marketplace mail`: by which server mail leaves."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import click

from marketplace.db import reading, row
from marketplace.installation import opened, read_installation
from marketplace.keys import directory_option
from marketplace.running.mail import MAIL, TLS, SmtpServer, read_sender, smtp_server, store_smtp_server
from pos.errors import Invalid
from pos.files import read_file
from sync.addresses import HostAndPort, bracketed

MOST_BYTES = 1000
secret_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("mail")
@directory_option
@click.option("--smtp", type=HostAndPort(), help="The mail server, as smtp.example.org:587.")
@click.option("--from", "sender", metavar="ADDRESS", help="Who mail is from; by default comptoir@ the public address's host.")
@click.option("--user", metavar="NAME", help="The name to log in with.")
@click.option("--password-file", type=secret_file, help="A file with the password to log in with.")
@click.option("--tls", type=click.Choice(TLS), default=TLS[0], show_default=True, help="How the connection is encrypted.")
def mail_command(
    directory: Path, smtp: tuple[str, int] | None, sender: str | None, user: str | None, password_file: Path | None, tls: str
) -> None:
    """Name the server that mail leaves by, or say which is named and how many mails wait."""
    if (user is None) != (password_file is None):
        raise click.UsageError("--user and --password-file are given together")
    if smtp is None and (sender or user):
        raise click.UsageError("--smtp is missing")
    with opened(directory) as engine:
        if smtp is not None:
            if password_file is not None and tls == "none" and not _is_loopback(smtp[0]):
                raise Invalid("a password is sent over an encrypted connection alone: --tls starttls or implicit")
            password = read_file(password_file, most_bytes=MOST_BYTES).decode().strip() if password_file else None
            sender = read_sender(sender, read_installation(directory).public_url)
            server = SmtpServer(host=smtp[0], port=smtp[1], sender=sender, tls=tls, user=user, password=password)
            store_smtp_server(engine, server)
        with reading(engine) as connection:
            named = smtp_server(connection)
            query = "select count(*) as n from job where kind = :kind and state in ('waiting', 'running')"
            waiting = (row(connection, query, kind=MAIL) or {"n": 0})["n"]
    click.echo(f"mail: {_in_words(named)}; {waiting} wait")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_words(server: SmtpServer | None) -> str:
    if server is None:
        return "no server is named, so none is sent"
    return f"by {bracketed(server.host)}:{server.port} ({server.tls}), from {server.sender}"
