from __future__ import annotations

import pytest
from click.testing import CliRunner

from comptoir import comptoir
from pos import outbox
from pos.ops import store_setting
from sync.faults import fault
from tests import world


def lines(kiosk: world.Kiosk, *arguments: str) -> list[str]:
    return CliRunner().invoke(comptoir, ["kiosk", *arguments, "--dir", str(kiosk.directory)]).output.splitlines()


def test_what_only_this_device_knows_is_said_in_the_words_that_set_it(kiosk: world.Kiosk) -> None:
    wishes = ("--printer", "192.0.2.9:9100", "--mirror", "http://192.0.2.7:8001", "--mirror", "http://192.0.2.8:8001/")
    said = lines(kiosk, "set", "--marketplace", "https://hq.example/", *wishes, "--share", "on")

    assert said == [
        "marketplace  https://hq.example",
        "printer      192.0.2.9:9100",
        "mirrors      http://192.0.2.7:8001, http://192.0.2.8:8001",
        "share        on",
        "media budget 64 MB",
    ]
    assert lines(kiosk, "set", "--mirror", "", "--share", "off")[2:4] == ["mirrors      none", "share        off"]


def test_an_event_that_stayed_here_is_said(kiosk: world.Kiosk) -> None:
    assert "outbox    0 waiting, 0 at HQ" in lines(kiosk, "status")
    with kiosk.ops_write() as ops:
        outbox.note_set_aside(ops, {17: "too_large"}, now=world.NOW)
    assert "outbox    0 waiting, 0 at HQ, 1 of them by their hash alone" in lines(kiosk, "status")
    said = "outbox       warning  R-58   event_set_aside: 0 waiting, 0 at HQ; event 17: too_large since 2026-11-22T14:32:00Z"
    assert said in lines(kiosk, "doctor")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("replaced", "another device was enrolled in its place"),
        ("revoked", "HQ withdrew this device"),
        ("stream_forked", "the records were copied or restored"),
        ("rejected", "HQ refuses its rounds"),
    ],
)
def test_the_doctor_says_what_hq_said_of_this_device(kiosk: world.Kiosk, code: str, words: str) -> None:
    assert any(line.startswith("enrolment    ok              nantes-crebillon, key ") for line in lines(kiosk, "doctor"))
    with kiosk.ops_write() as ops:
        store_setting(ops, "sync_faults", {"offline": "2026-11-22T09:00:00Z", code: "2026-11-22T09:00:00Z"})

    [said] = [line for line in lines(kiosk, "doctor") if line.startswith("enrolment")]

    state, short = ("warning", "S-84") if code == "rejected" else ("FAULT", fault(code).short)
    assert said.startswith(f"enrolment    {state:<8} {short}   {code}: nantes-crebillon, key ")
    assert words in said
    assert said.endswith("since 2026-11-22T09:00:00Z")


def test_the_doctor_says_what_others_on_this_machine_can_open(kiosk: world.Kiosk) -> None:
    assert "privacy      ok              the files are their owner's alone" in lines(kiosk, "doctor")
    (kiosk.directory / "ops.db").chmod(0o640)

    [said] = [line for line in lines(kiosk, "doctor") if line.startswith("privacy")]

    assert said.startswith(
        f"privacy      FAULT    K-69   files_exposed: others on this machine can open {kiosk.directory / 'ops.db'}"
    )
