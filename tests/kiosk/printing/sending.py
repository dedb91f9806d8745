"""One job sent as a printer's worker sends it, without a queue: for tests of what is said on the wire."""

from __future__ import annotations

from kiosk.printing.printers import Conversation, Deadlines, Outcome, new_process_id


def send(address: str, data: bytes, *, deadlines: Deadlines) -> Outcome:
    """Print `data` and return the printer's word on it. Raises: OSError when the printer cannot be reached."""
    with Conversation(address, deadlines.connect_s) as conversation:
        before = conversation.status(deadlines.status_s)
        if before.must_wait():
            return Outcome("failed", before.reasons[0])
        process_id = new_process_id()
        return conversation.deliver(data, process_id, deadlines) or conversation.confirmation(process_id, deadlines)
