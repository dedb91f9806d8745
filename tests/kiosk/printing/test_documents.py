from __future__ import annotations

import os

import pytest

from kiosk.printing.documents import DocumentUnmade, made_apart


def test_a_document_is_made_in_a_process_of_its_own() -> None:
    assert made_apart("binascii:unhexlify", "255044462d") == b"%PDF-"
    assert len(made_apart("os:getpid")) != os.getpid(), "bytes(n) is n bytes"


def test_what_failed_there_is_said_here() -> None:
    with pytest.raises(DocumentUnmade, match="No module named 'nowhere'"):
        made_apart("nowhere:page")


def test_what_takes_for_ever_is_ended_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.printing.documents.LONGEST_S", 0.3)
    with pytest.raises(DocumentUnmade, match="timed out"):
        made_apart("time:sleep", 60)
