"""Addresses as people give them on a command line: judged once, where they come in.

What passes here is stored, printed in QR codes and connected to for years without another look.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import urlsplit

import click

HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.ASCII | re.IGNORECASE)
LONGEST = 200
"""A slip's QR carries the address and up to 901 digits."""


class WebAddress(click.ParamType[str]):
    """The http or https address of a site, as `https://shop.example`; it is returned without a slash at its end."""

    name = "url"

    def __init__(self, *, or_none: bool = False) -> None:
        self._or_none = or_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address, or fail as wrong usage with the reason; with `or_none`, an empty text stays one."""
        try:
            return "" if self._or_none and not value else web_address(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class HostAndPort(click.ParamType[tuple[str, int]]):
    """Where a device listens, as `192.0.2.7:9100` or `[2001:db8::7]:9100`."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return host and port, or fail as wrong usage with the reason."""
        try:
            return value if isinstance(value, tuple) else host_and_port(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Host(click.ParamType[str]):
    """A name or address of a machine, without brackets."""

    name = "host"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the host, or fail as wrong usage."""
        host = str(value).removeprefix("[").removesuffix("]")
        if not _is_host(host):
            self.fail(f"{value!r} is no name or address of a machine", param, ctx)
        return host


def host_and_port(text: str) -> tuple[str, int]:
    """Return where a device listens. Raises: ValueError with the reason."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not _is_host(host) or not re.fullmatch("[0-9]{1,5}", port, re.ASCII) or not 0 < int(port) < 65536:
        raise ValueError("HOST:PORT, as in 192.0.2.7:9100")
    return host, int(port)


def web_address(text: str) -> str:
    """Return the address of a site without its last slash. Raises: ValueError with the reason."""
    if len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"a web address has at most {LONGEST} plain characters and no space")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not _is_host(parts.hostname or "") or parts.port == 0 or set("@?#\\") & set(text):
        raise ValueError(f"{text!r} is no address of a site: http://HOST[:PORT] or https://HOST[:PORT]")
    return text.rstrip("/")


def bracketed(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _is_host(text: str) -> bool:
    if ":" not in text:
        return bool(HOST_NAME.fullmatch(text))
    try:
        return bool(IPv6Address(text.partition("%")[0]))
    except ValueError:
        return False
