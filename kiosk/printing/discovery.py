"""Printers within reach that nobody has set up yet: on the local network, on USB, on a serial line."""

from __future__ import annotations

import ipaddress
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kiosk.printing import transports

RAW_PORT = 9100
"""Where network printers take raw bytes."""
_KNOCK_S = 0.4
_AT_ONCE = 64
_LARGEST_NETWORK = 512
_LINES = ("ttyUSB*", "ttyACM*")
_ROUTES = Path("/proc/net/route")


def find_printers(*, is_wide: bool, port: int = RAW_PORT, devices: Path = Path("/dev")) -> list[str]:
    """Return the addresses of what may be a printer: devices, and where `is_wide` who takes raw bytes on the local network.

    A network of 250 addresses takes a few seconds.
    """
    local = [str(path) for path in sorted(devices.glob("usb/lp*"))]
    local += [f"{path}@{speed}" for pattern in _LINES for path in sorted(devices.glob(pattern)) for speed in transports.SPEEDS]
    hosts = [str(host) for each in own_networks() for host in each.hosts()] if is_wide else []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda host: _is_open(host, port), hosts))
    return local + [f"{host}:{port}" for host, is_open in zip(hosts, answers, strict=True) if is_open]


def own_networks() -> list[ipaddress.IPv4Network]:
    """Return the private networks this machine stands in, without those too large to walk through."""
    try:
        lines = _ROUTES.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    networks = []
    for line in lines:
        fields = line.split()
        if fields[2] == "00000000" and fields[1] != "00000000":
            start, mask = (str(ipaddress.IPv4Address(struct.pack("<I", int(fields[at], 16)))) for at in (1, 7))
            network = ipaddress.IPv4Network(f"{start}/{mask}", strict=False)
            if network.is_private and network.num_addresses <= _LARGEST_NETWORK:
                networks.append(network)
    return networks


def _is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=_KNOCK_S):
            return True
    except OSError:
        return False
