from __future__ import annotations

import ipaddress
import os
import socket
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.paper import pictures
from kiosk.printing import discovery, printers, transports
from kiosk.printing.printers import Deadlines, Outcome, PrinterState
from tests.kiosk.printing import sending

QUICK = Deadlines(connect_s=1.0, status_s=0.3, write_s=0.5, confirm_s=0.4, grace_s=0.1)


class Device:
    """The printer's end of a serial line: it answers status questions, and the id at the end of a job."""

    def __init__(self) -> None:
        self.end, self.other = os.openpty()
        tty.setraw(self.other)
        self.path = os.ttyname(self.other)
        self.received = b""
        self.is_reading = True
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while self.is_reading:
            try:
                data = os.read(self.end, 4096)
            except OSError:
                return
            self.received += data
            if data.startswith(b"\x10\x04"):
                os.write(self.end, b"\x12" * data.count(b"\x10\x04"))
            at = self.received.find(b"\x1d(H\x06\x00\x30\x30")
            if at >= 0 and len(self.received) >= at + 11:
                os.write(self.end, b"\x37\x22" + self.received[at + 7 : at + 11] + b"\x00")
                self.received = self.received[:at]

    def unplug(self) -> None:
        self.is_reading = False
        os.close(self.other)
        os.close(self.end)


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device()
    yield made
    if made.is_reading:
        made.unplug()


@pytest.mark.parametrize("speed", ["", "@9600", "@115200"], ids=["usb", "slow serial", "fast serial"])
def test_a_job_is_printed_and_confirmed_over_a_device(device: Device, speed: str) -> None:
    device.thread.start()

    outcome = sending.send(device.path + speed, b"\x1b@Bonjour\n\x1dV\x00", deadlines=Deadlines())

    assert outcome == Outcome("confirmed", "process_id")
    (cut,) = pictures(device.received.replace(b"\x10\x04\x02", b""))
    assert "Bonjour" in cut.text


def test_a_device_that_takes_nothing_ends_at_its_deadline(device: Device) -> None:
    began = time.monotonic()

    outcome = sending.send(device.path, b"x" * 1_000_000, deadlines=QUICK)

    assert outcome.state == "uncertain"
    assert outcome.reason == "stalled"
    assert time.monotonic() - began < 5


def test_a_device_unplugged_before_a_job_failed_and_in_the_middle_of_one_is_uncertain(device: Device) -> None:
    conversation = printers.Conversation(device.path, 1.0)
    with conversation:
        device.unplug()
        assert conversation.deliver(b"x" * 100_000, b"ABCD", QUICK) == Outcome("failed", "closed")
    assert printers.status(device.path) == PrinterState("offline", ("unreachable",))


def test_a_file_is_no_device_and_not_one_byte_of_it_changes(tmp_path: Path) -> None:
    with (tmp_path / "records").open("w+b") as file:
        file.write(b"SQLite format 3")
        file.flush()

        assert printers.status(f"/dev/fd/{file.fileno()}") == PrinterState("offline", ("unreachable",))

    assert (tmp_path / "records").read_bytes() == b"SQLite format 3"


def test_a_slow_line_may_take_its_time_as_long_as_it_goes_on(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "_PIECE", 20)
    device.thread.start()
    write = transports._Device.write

    def slowly(self: transports._Device, data: memoryview, until: float) -> int:
        time.sleep(0.02)
        return write(self, data, until)

    monkeypatch.setattr(transports._Device, "write", slowly)
    began = time.monotonic()

    assert sending.send(device.path, b"\x1b@" + b"x" * 1000 + b"\n\x1dV\x00", deadlines=QUICK).state == "confirmed"

    assert time.monotonic() - began > QUICK.write_s, "longer than a silence may last"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" 192.0.2.7:9100 ", "192.0.2.7:9100"),
        ("[2001:db8::7]:9100", "[2001:db8::7]:9100"),
        ("caisse.local:9100", "caisse.local:9100"),
        ("/dev/usb/lp0", "/dev/usb/lp0"),
        ("/dev/ttyUSB0@038400", "/dev/ttyUSB0@38400"),
        ("/dev/ttyUSB0", "/dev/ttyUSB0@9600"),
        ("/dev/serial/by-id/usb-EPSON_TM-1", "/dev/serial/by-id/usb-EPSON_TM-1@9600"),
    ],
)
def test_an_address_has_one_spelling(typed: str, kept: str) -> None:
    assert transports.parse_address(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        *("", "9100", "host:0", "host:99999", "a b:9100"),
        *("/etc/passwd", "/dev/../etc/passwd", "/dev/fd/3", "/dev/watchdog", "/dev/shm/x", "/dev/ttyS0@300", "/dev/usb/lp0@9600"),
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each with its own words
        transports.parse_address(typed)


def test_printers_are_found_on_the_network_and_among_the_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "lp0").touch()
    (tmp_path / "ttyUSB0").touch()
    monkeypatch.setattr(discovery, "own_networks", lambda: [ipaddress.IPv4Network("127.0.0.1/32")])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        near, wide = (discovery.find_printers(is_wide=is_wide, port=port, devices=tmp_path) for is_wide in (False, True))

    assert near == [str(tmp_path / "usb" / "lp0"), *(f"{tmp_path}/ttyUSB0@{speed}" for speed in transports.SPEEDS)]
    assert wide == [*near, f"127.0.0.1:{port}"]


def test_only_small_private_networks_are_walked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    routes = tmp_path / "route"
    routes.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "eth0\t00000000\t0101A8C0\t3\t0\t0\t0\t00000000\n"
        "eth0\t0001A8C0\t00000000\t1\t0\t0\t0\t00FFFFFF\n"
        "eth1\t0000000A\t00000000\t1\t0\t0\t0\t000000FF\n"
        "eth2\t00000808\t00000000\t1\t0\t0\t0\t00FFFFFF\n"
    )
    monkeypatch.setattr(discovery, "_ROUTES", routes)

    assert [str(each) for each in discovery.own_networks()] == ["192.168.1.0/24"]
