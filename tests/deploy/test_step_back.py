"""The updater's own steps, with an app that is whatever the release in place says it is: sick, deaf, cut off at any step."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from tests.amounts import amount
from tests.deploy.machines import REPOSITORY

UPDATE = REPOSITORY / "deploy/root/usr/lib/comptoir/update"
COMMAND = """#!/bin/sh
case "$1 $2" in
  "kiosk take-release") cp -R {offered}/. "$8" ;;
  "kiosk backup") touch {kiosk}/copied ;;
esac
"""
PROGRAMS = {
    "python": '#!/bin/sh\n[ "$2" = venv ] && mkdir -p "$4/bin" && cp {bin}/pip "$4/bin/python"',
    "pip": '#!/bin/sh\n[ -e {offered}/no-wheel ] && { echo no wheel >&2; exit 1; }\ncp {bin}/comptoir "${0%/*}/comptoir"',
    "runuser": '#!/bin/sh\nshift 3\nexec "$@"',
    "systemctl": '#!/bin/sh\necho "$@" >> {calls}\n[ "$1" = show ] && echo 0\nexit 0',
    "systemd-sysusers": "#!/bin/sh\nexit 0",
    "systemd-tmpfiles": "#!/bin/sh\nexit 0",
}
RULE = "etc/udev/rules.d/70-comptoir.rules"


class Box:
    """A system below a folder, with release 1 in place; the app there is as `hows` says of the release in place."""

    def __init__(self, update: ModuleType, folder: Path) -> None:
        self.update, self.folder = update, folder
        self.offered, self.bin = folder / "offered", folder / "bin"
        self.hows: dict[str, str] = {}
        self.is_quiet = True
        for name in ("bin", "system/run/systemd/system", "opt", "kiosk"):
            (folder / name).mkdir(parents=True)
        places = {"bin": self.bin, "offered": self.offered, "calls": folder / "calls", "kiosk": folder / "kiosk"}
        for name, text in {**PROGRAMS, "comptoir": COMMAND}.items():
            (self.bin / name).write_text(re.sub(r"\{(bin|offered|calls|kiosk)\}", lambda place: str(places[place[1]]), text))
            (self.bin / name).chmod(0o755)
        self.offer("1")
        update.build("1", self.offered)
        update.lay("1", "", update.LAST)
        update.switch("1")

    def offer(self, version: str, how: str = "well") -> None:
        """Let the app have fetched a release, signed."""
        for name, text in {
            "lock.txt": f"comptoir=={version}",
            "release.json": json.dumps({"version": version}),
            f"root/{RULE}": f"# {version}\n" * 1000,
            f"root/etc/{version}.conf": version,
            "root/usr/lib/comptoir/update": f"#!{version}",
            "root/etc/systemd/system/comptoir-kiosk.service": f"# {version}\n[Install]\n",
        }.items():
            (self.offered / name).parent.mkdir(parents=True, exist_ok=True)
            (self.offered / name).write_text(text)
        for old in self.offered.glob("root/etc/*.conf"):
            if old.name != f"{version}.conf":
                old.unlink()
        self.hows[version] = how

    def run(self) -> None:
        self.update.main([])

    def serving(self) -> str:
        return str(self.update.current())

    def state(self) -> Any:
        return self.update.known()

    def is_whole(self, version: str) -> bool:
        """Whether the system's files are this release's and no other's."""
        system = self.folder / "system"
        confs = [path.name for path in (system / "etc").glob("*.conf")]
        return (system / RULE).read_text() == f"# {version}\n" * 1000 and confs == [f"{version}.conf"]

    def answer(self, page: str) -> tuple[int, dict[str, Any]] | None:
        version = self.serving()
        how = self.hows[version]
        if how == "dead":
            return None
        if page == "/readyz":
            return (503, {"code": "records_damaged"}) if how == "sick" else (200, {"status": "ready"})
        said = "1" if how == "another" else version
        return 200, {"version": said, "quiet": self.is_quiet, "catalog": {"price": {"age_s": 500 if how == "deaf" else 0}}}


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Box]:
    """The updater as a module over a folder of the test's own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = spec_from_loader("update", SourceFileLoader("update", str(UPDATE)))
    assert spec is not None
    assert spec.loader is not None
    update = module_from_spec(spec)
    spec.loader.exec_module(update)
    places = {"SYSTEM": "system", "RELEASES": "opt", "OWN": "own", "KIOSK": "kiosk"}
    for name, place in places.items():
        monkeypatch.setattr(update, name, tmp_path / place)
    for name, value in {"LOOK_S": 0.01, "GOOD_S": 0.02, "WINDOW_S": 20.0, "EXCHANGE_S": 0.2, "FREE_BYTES": 0}.items():
        monkeypatch.setattr(update, name, value)
    monkeypatch.setattr(update, "PYTHON", str(tmp_path / "bin/python"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    made = Box(update, tmp_path)

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = made.answer(self.path)
            if answer is None:
                return
            body = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    monkeypatch.setattr(update, "APP", f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_healthy_release_stays_and_only_then_brings_its_own_updater(box: Box) -> None:
    box.offer("2")
    box.run()

    assert (box.serving(), box.is_whole("2")) == ("2", True)
    assert (box.folder / "system/usr/lib/comptoir/update").read_text() == "#!2"
    assert (box.folder / "kiosk/copied").exists()
    calls = (box.folder / "calls").read_text().splitlines()
    assert "restart --no-block comptoir-kiosk" in calls
    assert "enable --quiet comptoir-kiosk.service" in calls
    box.offer("3")
    box.run()
    assert sorted(path.name for path in (box.folder / "opt").iterdir()) == ["2", "3", "current"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("dead", "it does not answer"),
        ("sick", "it cannot serve: records_damaged"),
        ("another", "it says that it is 1"),
        ("deaf", "it has not heard HQ, which the one before had"),
    ],
)
def test_a_release_that_is_not_healthy_gives_its_place_back(
    box: Box, how: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how != "deaf":
        monkeypatch.setattr(box.update, "WINDOW_S", 0.2)
    box.offer("2", how)
    box.run()

    assert (box.serving(), box.is_whole("1")) == ("1", True)
    assert (box.folder / "system/usr/lib/comptoir/update").read_text() == "#!1"
    [(sha256, refused)] = box.state()["refused"].items()
    assert sha256 == hashlib.sha256((box.offered / "release.json").read_bytes()).hexdigest()
    assert (refused["code"], refused["why"]) == ("update_stepped_back", why)
    # A line that was cut just then is no fault of the release: it is tried again on another day. Anything else is final.
    assert (refused["until"] < "9000") == (how == "deaf")
    before = (box.folder / "calls").read_text()
    box.run()
    assert (box.folder / "calls").read_text() == before

    # Another word of HQ's, and it is tried again.
    (box.offered / "release.json").write_text('{"version": "2", "said_at": "later"}')
    box.hows["2"] = "well"
    monkeypatch.setattr(box.update, "WINDOW_S", 20.0)
    box.run()
    assert box.serving() == "2"


def test_what_was_wrong_before_is_no_fault_of_the_release(box: Box) -> None:
    box.hows["1"] = "sick"
    box.offer("2", "sick")
    box.run()

    assert box.serving() == "2"


def test_a_release_with_a_wheel_missing_changes_nothing(box: Box) -> None:
    box.offer("2")
    (box.offered / "no-wheel").touch()
    with pytest.raises(box.update.Failed, match=r"the release is not whole: .*no wheel"):
        box.run()

    assert (box.serving(), box.is_whole("1")) == ("1", True)
    assert sorted(path.name for path in (box.folder / "opt").iterdir()) == ["1", "current"]
    assert box.state()["problem"]["code"] == "update_failed"
    (box.offered / "no-wheel").unlink()
    box.run()
    assert (box.serving(), box.state()["problem"]) == ("2", None)


def test_nothing_is_begun_while_somebody_is_there(box: Box) -> None:
    box.offer("2")
    box.is_quiet = False
    box.run()
    assert (box.serving(), (box.folder / "opt/2").exists()) == ("1", False)

    box.hows["1"] = "dead"
    box.run()
    assert box.serving() == "2", "an app that does not answer disturbs nobody"


def test_a_machine_that_goes_out_each_time_gets_the_release_before(box: Box) -> None:
    box.offer("2")
    box.update.put(box.folder / "own/trial.json", json.dumps(trial_of(box, starts=3)).encode())
    box.update.build("2", box.offered)
    box.update.lay("2", "1")
    box.update.switch("2")
    box.run()

    assert (box.serving(), box.is_whole("1")) == ("1", True)
    [refused] = box.state()["refused"].values()
    assert refused["why"] == "the machine went out 3 times while it was tried"


@pytest.mark.parametrize("how", ["well", "sick"])
def test_killed_at_any_step_it_leaves_a_whole_release_and_goes_on(box: Box, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "sick":
        monkeypatch.setattr(box.update, "WINDOW_S", 0.05)
    step, stride, version = 1, 120 // amount("steps at which an update is killed"), 1
    while True:
        before, version = str(version), version + 1
        box.offer(str(version), how)
        status = killed_after(box, step)
        assert (box.folder / "opt" / box.serving() / "whole").exists(), step
        assert (box.folder / "opt" / box.serving() / "venv/bin/comptoir").exists(), step
        # The machine is on again: what was begun is ended, one way or the other.
        for _ in range(2):
            box.run()
        assert not (box.folder / "own/trial.json").exists(), step
        goal = str(version) if how == "well" else before
        assert (box.serving(), box.is_whole(goal)) == (goal, True), step
        if how == "sick":
            version -= 1
            (box.folder / "own/state.json").unlink()
        if status == 0:
            break
        step += stride
    assert step > 30


def trial_of(box: Box, *, starts: int) -> dict[str, Any]:
    sha256 = hashlib.sha256((box.offered / "release.json").read_bytes()).hexdigest()
    return {"version": "2", "before": "1", "sha256": sha256, "starts": starts, "ready": "", "has_exchanged": False}


def killed_after(box: Box, calls: int) -> int:
    """Run the updater in a process of its own, killed at a call of one of its functions; return its status."""
    child = os.fork()
    if child == 0:
        left = calls

        def count(frame: FrameType, event: str, _: object) -> None:
            nonlocal left
            if event == "call" and frame.f_code.co_filename == str(UPDATE):
                left -= 1
                if left == 0:
                    os._exit(9)

        try:
            sys.setprofile(count)
            box.run()
        finally:
            os._exit(0)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended[1])
