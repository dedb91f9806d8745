"""The wire to a printer: TCP, `/dev/usb/lp*`, or a serial line. Every wait has an end; nothing here knows what the bytes mean.

Devices are opened without blocking and waited for with `select`: a stuck line or an unplugged cable ends at its deadline,
where a blocking write would hold its thread for ever (reference/printing.md §1.5).
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import stat
import termios
import time
import tty
from typing import Protocol

from sync.addresses import bracketed, host_and_port

_SPEEDS = {speed: getattr(termios, f"B{speed}") for speed in (9600, 19200, 38400, 57600, 115200)}
_DEVICE = re.compile(r"(/dev/[A-Za-z0-9._/:-]{1,120})(?:@([0-9]{4,6}))?", re.ASCII)
_PRINTERS = re.compile(r"/dev/(?:usb/lp[0-9]+|lp[0-9]+|comptoir-[a-z0-9-]+)", re.ASCII)
_LINES = re.compile(r"/dev/(?:tty(?:USB|ACM|AMA|S)[0-9]+|serial/by-(?:id|path)/[A-Za-z0-9._:-]+)", re.ASCII)
"""Devices that may be printers. No other is opened: what a person types must never lead to our own files."""
SPEEDS = tuple(_SPEEDS)
_USUAL_SPEED = 9600
_PIECE = 4096
"""Bytes written at once: small enough that a deadline is kept on a slow line."""


class Transport(Protocol):
    """An open way to a printer."""

    def write(self, data: memoryview, until: float) -> int:
        """Write some of `data` before a monotonic time and return how much. Raises: TimeoutError, OSError."""

    def read(self, until: float) -> bytes:
        """Return what arrives first, or nothing when the other side has gone. Raises: TimeoutError, OSError."""

    def close(self) -> None:
        """Let go of the printer."""


def parse_address(text: str) -> str:
    """Return a printer's address in its one spelling: `host:port`, `/dev/usb/lp0`, or `/dev/ttyUSB0@38400` for a serial line.

    Raises: ValueError.
    """
    text = text.strip()
    if device := _DEVICE.fullmatch(text):
        path, speed = device[1], int(device[2] or _USUAL_SPEED)
        if _LINES.fullmatch(path) and speed in _SPEEDS:
            return f"{path}@{speed}"
        if _PRINTERS.fullmatch(path) and not device[2]:
            return path
        raise ValueError(text)
    host, port = host_and_port(text)
    return f"{bracketed(host)}:{port}"


def place_of(address: str) -> str:
    """Return where an address leads, whatever the speed of its line: two printers never share one."""
    return address.partition("@")[0]


def connect(address: str, deadline_s: float) -> Transport:
    """Open the way to a printer at an address of `parse_address`. Raises: OSError, ValueError."""
    if found := _DEVICE.fullmatch(address):
        return _Device(found[1], int(found[2]) if found[2] else None)
    return _Network(*host_and_port(address), deadline_s)


class _Network:
    def __init__(self, host: str, port: int, deadline_s: float) -> None:
        self.socket = socket.create_connection((host, port), timeout=deadline_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: memoryview, until: float) -> int:
        self.socket.settimeout(_left(until))
        return self.socket.send(data[:_PIECE])

    def read(self, until: float) -> bytes:
        self.socket.settimeout(_left(until))
        return self.socket.recv(1024)

    def close(self) -> None:
        self.socket.close()


class _Device:
    """A character device: a USB printer's, or a serial line's with its speed."""

    def __init__(self, path: str, speed: int | None) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            if not stat.S_ISCHR(os.fstat(self.file).st_mode):
                raise OSError(errno.ENODEV, "not a device", path)
            if speed is not None:
                _set_line(self.file, speed)
        except (OSError, termios.error) as problem:
            os.close(self.file)
            raise OSError(*problem.args) from problem

    def write(self, data: memoryview, until: float) -> int:
        _, ready, _ = select.select([], [self.file], [], _left(until))
        if not ready:
            raise TimeoutError
        try:
            return os.write(self.file, data[:_PIECE])
        except BlockingIOError:
            # A USB printer without paper says "ready" and takes nothing: the next try waits, or meets the deadline.
            time.sleep(min(0.05, _left(until)))
            return 0

    def read(self, until: float) -> bytes:
        ready, _, _ = select.select([self.file], [], [], _left(until))
        if not ready:
            raise TimeoutError
        try:
            data = os.read(self.file, 1024)
        except BlockingIOError:
            data = b""
        if not data:
            # usblp reports "readable" with nothing to read: nobody has gone.
            time.sleep(min(0.05, _left(until)))
            raise TimeoutError
        return data

    def close(self) -> None:
        os.close(self.file)


def _set_line(file: int, speed: int) -> None:
    """Set 8 data bits, no parity, one stop bit and hardware flow control, as slip printers come. Raises: termios.error."""
    tty.setraw(file)
    attributes = termios.tcgetattr(file)
    attributes[2] |= termios.CLOCAL | termios.CREAD | termios.CRTSCTS
    attributes[4] = attributes[5] = _SPEEDS[speed]
    termios.tcsetattr(file, termios.TCSANOW, attributes)


def _left(until: float) -> float:
    # Zero would make a socket non-blocking, which is another contract.
    return max(0.001, until - time.monotonic())
