"""Nobody at the screen gets out of the kiosk's page: a real Chromium with what is shipped (policies, flags, keyboard, session)
shows a page that offers every way out, and real keys and clicks try them.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import unquote

import pytest

from tests.deploy.hostile import PLACES
from tests.deploy.machines import Machine, layered_machine, not_here

SCREEN = "1080x1920"
SOON_S = 30.0
SHIFT, CTRL, ALT, LOGO = 50, 37, 64, 133
KEYMAP = """xkb_keymap { xkb_keycodes { include "evdev" }; xkb_types { include "complete" };
xkb_compat { include "complete" }; xkb_symbols { include "comptoir(page)" }; };"""
"""What the rules of /etc/xkb/rules/comptoir lead to, as an X server takes it."""
BROWSER = """#!/bin/sh
exec /usr/bin/chromium --no-sandbox --disable-gpu --window-position=0,0 --window-size=1080,1920 "$@" >/dev/null 2>&1
"""
LETTERS = {"n": 57, "t": 28, "w": 25, "o": 32, "s": 39, "p": 33, "j": 44, "h": 43, "u": 30, "i": 31, "d": 40, "f": 41, "l": 46}
LETTERS |= {"q": 24, "g": 42, "k": 45, "e": 26, "b": 56, "m": 58, "r": 27, "c": 54, "a": 38, "x": 53, "v": 55, "1": 10, "2": 11}
FUNCTION_KEYS = [*range(67, 77), 95, 96, *range(191, 203)]
OWN_KEYS = [107, 119, 124, 127, 135, 136, 148, 150, 152, 158, 163, 166, 167, 179, 180, 181, 225, 229]
"""Print, delete, power, pause, menu, and what keyboards have for themselves: mail, browser, back, home, search, files…"""
ZOOM, EDGES, MOVES = {"plus": 21, "minus": 20, "0": 19}, {"tab": 23, "escape": 9}, {"left": 113, "right": 114, "home": 110}

CHORDS = {f"ctrl+{name}": [CTRL, code] for name, code in {**LETTERS, **ZOOM, **EDGES, "F4": 70}.items()}
CHORDS |= {f"ctrl+shift+{name}": [CTRL, SHIFT, code] for name, code in {**LETTERS, **EDGES, "delete": 119}.items()}
CHORDS |= {f"alt+{name}": [ALT, code] for name, code in {**LETTERS, **MOVES, **EDGES, "F4": 70}.items()}
CHORDS |= {f"logo+{name}": [LOGO, code] for name, code in LETTERS.items()} | {"logo": [LOGO], "ctrl+alt+F2": [CTRL, ALT, 68]}
CHORDS |= {f"key {code}": [code] for code in (*FUNCTION_KEYS, *OWN_KEYS, EDGES["escape"])}
CHORDS |= {f"shift+{code}": [SHIFT, code] for code in (EDGES["escape"], 76, 96)}


@dataclass(frozen=True, slots=True)
class Screen:
    """The kiosk's screen: real keys and clicks go in, and the page tells what became of it."""

    machine: Machine

    def keys(self, *chords: list[int]) -> None:
        """Press chords one after the other, by the keys' places on the keyboard."""
        self.xdotool(" ".join(f"key --delay 20 {'+'.join(map(str, chord))}" for chord in chords))

    def click(self, name: str, button: int = 1) -> None:
        x, y = PLACES[name]
        self.xdotool(f"mousemove {x + 100} {y + 30} click {button}")

    def drag(self, name: str, x: int, y: int) -> None:
        left, top = PLACES[name]
        way = ((left + 110, top + 30), (left + 150, top + 40), (x, y), (x + 3, y))
        moves = " ".join(f"mousemove {across} {down} sleep 0.05" for across, down in way)
        self.xdotool(f"mousemove {left + 100} {top + 30} mousedown 1 {moves} mouseup 1")

    def xdotool(self, words: str) -> None:
        self.machine.run(f"DISPLAY=:9 xdotool {words}")

    def windows(self) -> list[str]:
        return self.machine.run(
            "DISPLAY=:9 xdotool search --onlyvisible --class chromium getwindowname %@", expect=None
        ).splitlines()

    def told(self) -> list[tuple[float, str]]:
        """Return every request of the browser so far, and when it came."""
        lines = self.machine.run("cat /tmp/asked 2>/dev/null", expect=None).splitlines()
        return [(float(at), unquote(path)) for at, path in (line.split(" ", 1) for line in lines)]

    def wait(self, after: float) -> None:
        """Return once the page has told twice that it lives, after a moment."""
        deadline = time.monotonic() + SOON_S
        while sum(at > after and path.startswith("/alive") for at, path in self.told()) < 2:
            assert time.monotonic() < deadline, "the page is gone"
            time.sleep(0.1)

    def held(self, since: float) -> list[str]:
        """Return what was otherwise since a moment than a kiosk's page alone on its screen: nothing."""
        self.wait(time.monotonic())
        kept = {"url": "http://127.0.0.1:8001/", "seen": "visible", "focus": True}
        odd = []
        for at, path in self.told():
            if at < since or path.startswith("/healthz"):
                continue
            state = json.loads(path.removeprefix("/alive?")) if path.startswith("/alive?") else {}
            size = state.pop("size", None)
            if state != kept or size != list(SIZE):
                odd.append(f"{at - since:.1f} s: {path}")
        windows = self.windows()
        return odd[:5] if windows == ["KIOSK - Chromium"] else [*odd[:5], *windows]


SIZE = (1079, 1919, 1, 1)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """A machine with all that is shipped in place, and its session on a virtual screen, showing the hostile page."""
    for needed in ("Xvfb", "xdotool", "xkbcomp", "chromium"):
        if not shutil.which(needed):
            not_here(f"{needed} is missing: install the packages xvfb, xdotool and chromium")
    with layered_machine(tmp_path_factory.mktemp("screen") / "layer", has_network=False) as machine, ExitStack() as running:
        machine.run("cp -R /srv/product/deploy/root/. / && rm -f /tmp/asked && mkdir -p /tmp/.X11-unix /run/comptoir-screen")
        machine.run(f"cat > /tmp/keymap <<'E'\n{KEYMAP}\nE\ncat > /tmp/browser <<'E'\n{BROWSER}E\nchmod 755 /tmp/browser")
        running.enter_context(machine.running(f"Xvfb :9 -screen 0 {SCREEN}x24 -noreset -nolisten tcp"))
        wait_until(lambda: machine.run("DISPLAY=:9 xdotool getdisplaygeometry", expect=None).startswith("1080"))
        # 3 is the keyboard of the screen, 5 the one that the test types on.
        machine.run("for keyboard in 3 5; do xkbcomp -w0 -i $keyboard -I/etc/xkb /tmp/keymap :9; done")
        session = "DISPLAY=:9 HOME=/tmp XDG_RUNTIME_DIR=/run/comptoir-screen COMPTOIR_BROWSER=/tmp/browser"
        running.enter_context(machine.running(f"env {session} /usr/lib/comptoir/session"))
        made = Screen(machine)
        # While there is no app, the screen says that it comes.
        wait_until(lambda: made.windows() == ["Comptoir - Chromium"])
        running.enter_context(machine.running("python3 /srv/product/tests/deploy/hostile.py /tmp/asked"))
        made.wait(0)
        yield made


def wait_until(is_so: object) -> None:
    deadline = time.monotonic() + SOON_S
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_no_chord_and_no_key_leads_out_of_the_page(screen: Screen) -> None:
    since = time.monotonic()
    names = list(CHORDS)
    for begin in range(0, len(names), 25):
        screen.keys(*(CHORDS[name] for name in names[begin : begin + 25]))
        assert screen.held(since) == [], names[begin : begin + 25]
        since = time.monotonic()


def test_letters_and_digits_are_typed_as_a_scanner_types_them(screen: Screen) -> None:
    screen.click("text")
    screen.xdotool("key 57 key 10 key 50+57 key 79")  # n, 1, N, and the 7 of the number pad
    screen.machine.run("true")
    assert screen.held(time.monotonic()) == []


@pytest.mark.parametrize("name", ["print", "schemes", "local"])
def test_nothing_of_a_page_leads_to_files_printing_or_the_browser_s_own_pages(screen: Screen, name: str) -> None:
    since = time.monotonic()
    screen.click(name)

    assert screen.held(since) == []


@pytest.mark.parametrize("name", ["link", "local", "text"])
def test_no_menu_opens_over_the_page(screen: Screen, name: str) -> None:
    since = time.monotonic()
    screen.click(name, button=3)

    assert screen.held(since) == []


@pytest.mark.parametrize("name", ["link", "local", "text"])
def test_what_is_dragged_away_leads_nowhere(screen: Screen, name: str) -> None:
    since = time.monotonic()
    screen.drag(name, 500, 1500)
    screen.drag(name, 540, 1)

    assert screen.held(since) == []


def test_a_download_is_not_kept(screen: Screen) -> None:
    screen.click("download")
    screen.wait(time.monotonic())

    assert screen.windows() == ["KIOSK - Chromium"]
    assert screen.machine.run("find /tmp /root -name 'file*' -newer /tmp/browser -not -path '*/profile/*'").split() == []
