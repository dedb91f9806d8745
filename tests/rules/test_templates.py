"""Pages and programs keep to each other: fragments exist, every refusal has its sentence."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from jinja2 import nodes

import kiosk
import marketplace
import pos
import shop
import sync
from pos.errors import PosError
from shop.languages import SENTENCE
from sync.faults import faults
from tests import catalogues
from tests.catalogues import APPS as PARTS
from tests.catalogues import PAGES, calls_in, environment, pages

ROOT = Path(__file__).parents[2]
LONGEST_LINE, MOST_VALUES = 140, 6
DATA = ' type="application/ld+json"'
"""What a browser never runs (HTML, 4.12.1: a data block)."""
MACHINERY = "web.py"
"""The module that passes on what pages are handed."""
# Refusals nobody meets on a page: what speaks to programs says the code alone, a command says it in full on its terminal.
OFF_SCREEN = {
    "pos_error": "the root of all refusals, never raised itself",
    "sync_error": "the root of the protocol's refusals, never raised itself",
    "untrusted": "protocol: answered to kiosks as JSON, kept as a fault by the round",
    "wrong_root": "protocol: a fault of the round",
    "gap": "protocol: a fault of the round",
    "malformed": "protocol: answered to kiosks as JSON",
    "too_large": "protocol: answered to kiosks as JSON",
    "offline": "protocol: a state of the round",
    "metadata_expired": "protocol: a fault of the round",
    "stale": "protocol: a fault of the round",
    "file_refused": "kept with the import: its report says the reason by a code of its own",
    "not_enough_keys": "said by `comptoir marketplace keys rotate`",
    "rejected": "protocol: a fault of the round",
    "malformed_events": "protocol: answered to kiosks as JSON",
    "too_many_events": "protocol: answered to kiosks as JSON",
    "throttled": "protocol: a state of the round",
    "stream_forked": "protocol: answered to kiosks as JSON",
    "wrong_code": "protocol: enrolment, answered as JSON and said by `comptoir kiosk enrol`",
    "too_many_tries": "protocol: enrolment, answered as JSON and said by `comptoir kiosk enrol`",
    "device_refused": "protocol: enrolment, answered as JSON and said by `comptoir kiosk enrol`",
    "not_confirmed": "said by `comptoir kiosk enrol`",
    "revoked": "protocol: answered to kiosks as JSON, kept as a fault by the round",
    "overloaded": "protocol: answered to kiosks as JSON",
    "left_at_kiosk": "the reason of a dead letter, which the console shows as it is",
    "unknown_key": "sellers' API: answered as JSON",
    "not_in_scope": "sellers' API: answered as JSON",
    "too_many_requests": "sellers' API: answered as JSON",
    "request_in_flight": "sellers' API: answered as JSON",
    "key_reused": "sellers' API: answered as JSON",
    "bad_body": "sellers' API: answered as JSON",
    "listing_refused": "sellers' API: answered as JSON",
    "feed_refused": "`comptoir marketplace import` prints every line of it",
    "wrong_password": "said by the only page that asks for one, marketplace/login.html, whatever its code",
}


def every_page() -> list[Path]:
    return [path for part in PARTS for path in pages(part)]


def calls(part: str, name: str) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / part).rglob("*.py")):
        for node in calls_in(path, name):
            yield f"{path.name}:{node.lineno}", node


def blocks(path: Path) -> set[str]:
    parsed = environment().parse(path.read_text(encoding="utf-8"))
    return {block.name for block in parsed.find_all(nodes.Block)}


def test_every_fragment_is_a_block_of_its_page() -> None:
    found = [each for part in PARTS for each in calls(part, "fragment")]
    assert len(found) >= 3
    for where, call in found:
        template, block = (ast.literal_eval(value) for value in call.args[:2])
        assert block in blocks(PAGES / template), f"{where}: {template} has no block {block}"


@pytest.mark.parametrize("part", PARTS)
def test_every_page_named_by_a_route_exists(part: str) -> None:
    named = [
        (where, call.args[0].value)
        for name in ("page", "render_template")
        for where, call in calls(part, name)
        if call.args and isinstance(call.args[0], ast.Constant) and str(call.args[0].value).endswith(".html")
    ]
    assert named
    missing = [(where, name) for where, name in named if not (PAGES / str(name)).exists()]
    assert missing == []


@pytest.mark.parametrize("path", every_page(), ids=lambda path: path.relative_to(PAGES).as_posix())
def test_no_line_of_a_template_is_too_long_to_read(path: Path) -> None:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    assert [(number, len(line)) for number, line in lines if len(line) > LONGEST_LINE] == []


@pytest.mark.parametrize("part", PARTS)
def test_a_page_is_handed_few_values(part: str) -> None:
    handed = [(where, call.keywords) for name in ("page", "render_template") for where, call in calls(part, name)]
    handed = [(where, values) for where, values in handed if not where.startswith(MACHINERY)]
    assert handed
    # `**values` may be any number: nobody sees at the call what the page gets.
    assert [where for where, values in handed if len(values) > MOST_VALUES or any(value.arg is None for value in values)] == []


@pytest.mark.parametrize("path", every_page(), ids=lambda path: path.relative_to(PAGES).as_posix())
def test_no_style_or_script_stands_inside_a_page(path: Path) -> None:
    text = path.read_text(encoding="utf-8").lower()
    for forbidden in (" style=", "<style", " onclick=", " onload=", " onchange=", " onsubmit=", "javascript:", "hx-on", "|safe"):
        assert forbidden not in text
    for script in text.split("<script")[1:]:
        tag = script.split(">", 1)[0]
        assert " src=" in tag or tag == DATA, "only data may stand in a page"


def messages_of(part: str) -> set[tuple[str, str | None]]:
    return set(catalogues.wanted_of(part).items())


@pytest.mark.parametrize("path", every_page(), ids=lambda path: path.relative_to(PAGES).as_posix())
def test_every_sentence_can_be_translated_before_its_page_is_compiled(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(SENTENCE.findall(text)) == len(re.findall(r"\b_\(", text))


def english(part: str) -> dict[str, Message]:
    """Return the sentences of a part's own file."""
    return catalogues.messages_of(part, "en")


def subclasses(kind: type[PosError]) -> Iterator[type[PosError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from subclasses(below)


def every_refusal() -> dict[str, type[PosError]]:
    packages = (pos, sync, shop, kiosk, marketplace)
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    ours = [
        kind for kind in subclasses(PosError) if kind.__module__.split(".")[0] in ("pos", "sync", "shop", "kiosk", "marketplace")
    ]
    return {kind.code.fget(kind()): kind for kind in ours}  # type: ignore[attr-defined]


def strings_in(path: Path) -> set[str]:
    """Return the texts a page compares or looks codes up by."""
    parsed = environment().parse(path.read_text(encoding="utf-8"))
    return {str(constant.value) for constant in parsed.find_all(nodes.Const) if isinstance(constant.value, str)}


def test_every_refusal_has_its_sentence() -> None:
    """In the error page of the part that raises it, or the register of faults; rules of the trade by the kiosk, or HQ."""
    said = {part: {text for path in pages(part) for text in strings_in(path)} for part in PARTS}
    silent = []
    for code, kind in every_refusal().items():
        home = kind.__module__.split(".")[0]
        heard = said["shop"] | (said[home] if home in PARTS else said["kiosk"] | said["marketplace"])
        if code not in heard and code not in OFF_SCREEN and code not in faults():
            silent.append(code)

    assert sorted(silent) == []


def test_the_list_of_refusals_off_screen_is_current() -> None:
    assert set(OFF_SCREEN) - set(every_refusal()) == set()
