from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from demo.printer import Faults, VirtualPrinter
from kiosk.printing import paper, printers
from kiosk.printing.printers import Deadlines, Outcome, PrinterState
from kiosk.printing.profiles import usual_paper
from tests.kiosk.printing import sending
from tests.kiosk.slip_facts import bundle_facts, slip_url
from tests.processes import PATIENCE_S

QUICK = Deadlines(connect_s=2.0, status_s=3.0, write_s=3.0, confirm_s=0.8, grace_s=0.2)
"""For what ends by itself, and for what never comes although the printer answers questions."""
IMPATIENT = Deadlines(connect_s=2.0, status_s=0.2, write_s=0.4, confirm_s=0.3, grace_s=0.2)
"""For printers that say nothing."""
PATIENT = Deadlines(status_s=5.0, confirm_s=20.0, grace_s=0.2)
"""For what must be confirmed, however busy the machine."""
SLIP = paper.slip_bytes(bundle_facts(), slip_url(), paper=usual_paper(80), language="fr", copy_no=0)
QUESTIONS_BYTES = 12
"""What the four status questions before each job weigh."""


@pytest.fixture
def virtual() -> Iterator[VirtualPrinter]:
    printer = VirtualPrinter(0, None)
    printer.start()
    yield printer
    printer.stop()


def address(virtual: VirtualPrinter) -> str:
    return f"127.0.0.1:{virtual.port}"


def send(virtual: VirtualPrinter, data: bytes = SLIP, deadlines: Deadlines = QUICK) -> Outcome:
    return sending.send(address(virtual), data, deadlines=deadlines)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_job_is_confirmed_once_the_paper_is_out(virtual: VirtualPrinter) -> None:
    assert send(virtual, deadlines=PATIENT) == Outcome("confirmed", "process_id")
    assert len(virtual.papers()) == 1


def test_two_jobs_make_two_papers(virtual: VirtualPrinter) -> None:
    assert [send(virtual, deadlines=PATIENT).state for _ in range(2)] == ["confirmed", "confirmed"]
    assert list(virtual.papers()) == [1, 2]


def test_a_printer_that_is_not_there_is_offline() -> None:
    nowhere = f"127.0.0.1:{closed_port()}"

    assert printers.status(nowhere, 0.3) == PrinterState("offline", ("unreachable",))


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(paper_out=True), Outcome("failed", "paper_out")),
        (Faults(cover_open=True), Outcome("failed", "cover_open")),
        (Faults(close_after=QUESTIONS_BYTES - 3), Outcome("failed", "closed")),
        (Faults(reset_after=3), Outcome("failed", "closed")),
    ],
)
def test_before_the_first_byte_a_fault_is_a_failure(virtual: VirtualPrinter, faults: Faults, expected: Outcome) -> None:
    virtual.faults = faults

    assert send(virtual) == expected
    assert virtual.papers() == {}
    assert not virtual.has_uncut()


@pytest.mark.parametrize("count", [QUESTIONS_BYTES + 1, 500, 9000, QUESTIONS_BYTES + len(SLIP) - 1])
@pytest.mark.parametrize("end", ["reset_after", "close_after"])
def test_a_connection_lost_on_the_way_is_uncertain(virtual: VirtualPrinter, end: str, count: int) -> None:
    virtual.faults = Faults(**{end: count})  # type: ignore[arg-type]

    assert send(virtual) == Outcome("uncertain", "closed")
    assert virtual.papers() == {}


def test_a_connection_lost_after_the_paper_came_out_is_still_uncertain(virtual: VirtualPrinter) -> None:
    """The paper is there, nobody said so: the truth is that we do not know."""
    virtual.faults = Faults(close_after=QUESTIONS_BYTES + len(SLIP))

    assert send(virtual) == Outcome("uncertain", "closed")
    assert wait_for_papers(virtual, 1)


def test_a_printer_that_stops_reading_is_uncertain_within_the_deadlines(virtual: VirtualPrinter) -> None:
    """A small job vanishes into buffers, a large one blocks: both end in time."""
    virtual.faults = Faults(stall_after=100)
    began = time.monotonic()

    assert send(virtual, deadlines=IMPATIENT) == Outcome("uncertain", "no_answer")
    assert send_to_a_wall(bytes(30_000_000)) == Outcome("uncertain", "stalled")
    assert time.monotonic() - began < 5


def test_silence_is_uncertain_and_unknown(virtual: VirtualPrinter) -> None:
    virtual.faults = Faults(is_silent=True)

    assert printers.status(address(virtual), 0.2) == PrinterState("unknown", ("silent",))
    assert send(virtual, deadlines=IMPATIENT) == Outcome("uncertain", "no_answer")
    assert wait_for_papers(virtual, 1)


def test_noise_is_not_an_answer(virtual: VirtualPrinter) -> None:
    """Queued automatic status says "no paper" and flow control comes in between: python-escpos believes both."""
    virtual.faults = Faults(sends_noise=True)

    assert printers.status(address(virtual), 3.0) == PrinterState("ok")
    assert send(virtual, deadlines=PATIENT) == Outcome("confirmed", "process_id")


def test_paper_that_runs_out_in_the_middle_is_uncertain(virtual: VirtualPrinter) -> None:
    virtual.faults = Faults(paper_out_after=9000)

    assert send(virtual) == Outcome("uncertain", "paper_out")
    assert virtual.papers() == {}
    assert virtual.has_uncut()
    assert printers.status(address(virtual), 3.0) == PrinterState("fault", ("paper_out",))


def test_what_waits_in_the_printer_comes_out_with_new_paper(virtual: VirtualPrinter) -> None:
    """Why an uncertain job is never tried again without a person."""
    virtual.faults = Faults(paper_out_after=9000)
    send(virtual)

    virtual.faults = Faults()

    assert wait_for_papers(virtual, 1)
    assert virtual.papers()[1].errors == ()


def test_a_late_id_is_waited_for(virtual: VirtualPrinter) -> None:
    virtual.faults = Faults(late_s=0.4)

    assert send(virtual, deadlines=PATIENT) == Outcome("confirmed", "process_id")


def test_an_id_after_the_deadline_is_too_late(virtual: VirtualPrinter) -> None:
    virtual.faults = Faults(late_s=1.0)

    assert send(virtual, deadlines=IMPATIENT).state == "uncertain"


def test_the_id_of_an_earlier_job_confirms_nothing(virtual: VirtualPrinter) -> None:
    virtual.faults = Faults(stale_id=b"A1B2", paper_out_after=9000)

    assert send(virtual) == Outcome("uncertain", "paper_out")


def test_a_printer_without_ids_confirms_by_reading_to_the_end(virtual: VirtualPrinter) -> None:
    virtual.faults = Faults(knows_ids=False)

    assert send(virtual, deadlines=PATIENT) == Outcome("confirmed", "buffer_read")


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(), PrinterState("ok")),
        (Faults(paper_out=True), PrinterState("fault", ("paper_out",))),
        (Faults(cover_open=True), PrinterState("fault", ("cover_open",))),
        (Faults(cover_open=True, paper_out=True), PrinterState("fault", ("cover_open", "paper_out"))),
        (Faults(close_after=3), PrinterState("unknown", ("closed",))),
        (Faults(reset_after=3), PrinterState("unknown", ("closed",))),
    ],
)
def test_status_is_never_better_than_what_was_answered(virtual: VirtualPrinter, faults: Faults, expected: PrinterState) -> None:
    virtual.faults = faults

    assert printers.status(address(virtual), 3.0) == expected


def test_a_status_that_stalls_is_unknown_in_time(virtual: VirtualPrinter) -> None:
    virtual.faults = Faults(stall_after=3)

    assert printers.status(address(virtual), 0.2) == PrinterState("unknown", ("silent",))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([0x12, 0x12, 0x12, 0x12], PrinterState("ok")),
        ([0x12, 0x12, 0x1E, 0x12], PrinterState("ok", ("paper_near_end",))),
        ([0x12, 0x12, 0x72, 0x12], PrinterState("fault", ("paper_out",))),
        ([0x32, 0x12, 0x7E, 0x1A], PrinterState("fault", ("paper_out",))),
        ([0x12, 0x1A, 0x12, 0x1A], PrinterState("fault", ("cutter",))),
        ([0x52, 0x32, 0x12, 0x1A], PrinterState("fault", ("error",))),
        ([0x12, 0x12, 0x12, 0x1A], PrinterState("fault", ("not_ready",))),
        ([0x12, 0x12, 0xFF, 0x12], PrinterState("unknown", ("silent",))),
        ([0x12, 0x12, 0x00, 0x12], PrinterState("unknown", ("silent",))),
        ([0x16], PrinterState("fault", ("cover_open",))),
    ],
)
def test_status_bytes_are_read_as_epson_wrote_them(answers: list[int], expected: PrinterState) -> None:
    with scripted(answers) as port:
        assert printers.status(f"127.0.0.1:{port}", 0.4) == expected


@pytest.mark.parametrize(
    "pieces", [[b"\x10\x00", b"\x0c\x00\x12"], [b"\x37\x25\x31\x00\x12"], [b"\x13", b"\x11\x12"], [b"\xff\x90\x12"]]
)
def test_other_answers_are_passed_over_even_in_pieces(pieces: list[bytes]) -> None:
    with scripted((pieces, 0x12, 0x12, 0x12)) as port:
        assert printers.status(f"127.0.0.1:{port}", 3.0) == PrinterState("ok")


class scripted:  # noqa: N801 - used as a statement: `with scripted(...)`
    """A server that gives the nth question (three bytes) the nth answer, then falls silent."""

    def __init__(self, answers: Sequence[int | Sequence[bytes]]) -> None:
        self.answers = answers
        self.server = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        return int(self.server.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self.thread.join()
        self.server.close()

    def _serve(self) -> None:
        connection, _ = self.server.accept()
        with connection:
            for answer in self.answers:
                connection.recv(3)
                for piece in [bytes([answer])] if isinstance(answer, int) else answer:
                    connection.sendall(piece)
                    time.sleep(0.01)
            while connection.recv(100):
                pass


def send_to_a_wall(data: bytes) -> Outcome:
    """Send to someone who accepts a connection and never reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return sending.send(f"127.0.0.1:{server.getsockname()[1]}", data, deadlines=IMPATIENT)


def wait_for_papers(virtual: VirtualPrinter, count: int) -> bool:
    until = time.monotonic() + PATIENCE_S
    while len(virtual.papers()) < count and time.monotonic() < until:
        time.sleep(0.02)
    return len(virtual.papers()) == count
