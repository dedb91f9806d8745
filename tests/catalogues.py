"""The sentences that each language owes: those of every page and program, or those that customers see, and which of them it has.

`python -m tests.catalogues` (`make languages`) prints what each catalogue still lacks.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes
from jinja2.ext import babel_extract

import templates
from pos.languages import COMPLETE, LANGUAGES, SOURCES
from pos.locales import LOCALES
from sync.faults import SENTENCES, faults

ROOT = Path(__file__).parents[1]
PAGES = Path(templates.__path__[0])
APPS = ("shop", "kiosk", "marketplace")
PARTS = ("words", *APPS)
GETTEXT = ("_", "gettext", "ngettext")
STAFF_FRAMES = frozenset(
    {"kiosk/counter/base.html", "kiosk/counter/login.html", "marketplace/desk.html", "marketplace/sellers/desk.html"}
)
STAFF_PAGES = re.compile(
    r"kiosk/enrolment|marketplace/(login|sellers/(apply|choice|login|waiting)|papers/(fee_invoice|statement)"
    r"|mail/(case_opened|import_given_up|seller_decision|units_wait))\.html"
)
"""What speaks to those who work here, though it stands in the frame of customers' pages."""
STAFF_PROGRAMS = re.compile(r"kiosk/(counter|printing)/|pos/day_words\.py")
PAPER_PROGRAMS = re.compile(r"kiosk/printing/(slip_text|labels)\.py")
PAPER_PAGES = "marketplace/papers/"
FRAMES = (
    "kiosk/base.html",
    "marketplace/base.html",
    "marketplace/shop.html",
    "kiosk/ending.html",
    "marketplace/ending.html",
    "kiosk/companion.html",
    "kiosk/comparison.html",
)
Wanted = dict[str, str | None]
"""A sentence in French, and what it is for two and more where it counts."""


def environment() -> Environment:
    return Environment(extensions=["jinja2.ext.i18n"], autoescape=True)


def pages(part: str) -> list[Path]:
    return sorted((PAGES / part).rglob("*.html"))


def calls_in(path: Path, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == name:
            yield node


@cache
def customers_pages() -> frozenset[str]:
    """Return the templates a customer's page is made of: those that stand in no frame of staff, and all that they take in."""
    parents, taken = {}, {}
    for path in (path for part in APPS for path in pages(part)):
        parsed = environment().parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(PAGES).as_posix()
        above = [each.template for each in parsed.find_all(nodes.Extends)]
        parents[name] = [each.value if isinstance(each, nodes.Const) else "" for each in above]
        others = parsed.find_all((nodes.Include, nodes.Import, nodes.FromImport))
        taken[name] = [each.template.value for each in others if isinstance(each.template, nodes.Const)]

    def is_staff(name: str) -> bool:
        return name in STAFF_FRAMES or any(is_staff(above) for above in parents.get(name, ()))

    reached = {name for name in parents if parents[name] and not is_staff(name) and not STAFF_PAGES.match(name)} | {*FRAMES}
    waiting = list(reached)
    while waiting:
        for other in [*taken.get(name := waiting.pop(), ()), *parents.get(name, ())]:
            if other and other not in reached:
                reached.add(other)
                waiting.append(other)
    return frozenset(reached)


@cache
def wanted_of(part: str, whose: str = "everything", *, is_printed: bool = True) -> Wanted:
    """Return the sentences of a part, all or the `customers`'; those of paper where it `is_printed`.

    What stands in no call but in the English, as labels of a table do, may be shown to anybody; so may a text of the shop.
    """
    everywhere = {sentence for each in PARTS for sentence in _called(each, "everything", is_printed=True)}
    told = {one: _many(message) for one, message in messages_of(part, "en").items()}
    labels = {one: many for one, many in told.items() if one not in everywhere or (part == "shop" and one in _texts(part))}
    return labels | _called(part, whose, is_printed=is_printed)


@cache
def _called(part: str, whose: str, *, is_printed: bool) -> Wanted:
    wanted: Wanted = {}
    for path in pages(part) if part in APPS else ():
        name = path.relative_to(PAGES).as_posix()
        if whose == "customers" and (name not in customers_pages() or (name.startswith(PAPER_PAGES) and not is_printed)):
            continue
        with path.open("rb") as source:
            for _, _, given, _ in babel_extract(source, GETTEXT, (), {"encoding": "utf-8", "extensions": "jinja2.ext.i18n"}):
                one, many = (given[0], given[1]) if isinstance(given, tuple) else (given, None)
                wanted[str(one)] = many or wanted.get(str(one))
    for path in programs(part):
        name = path.relative_to(ROOT).as_posix()
        is_paper = PAPER_PROGRAMS.match(name) is not None
        if whose == "customers" and not (is_printed if is_paper else not STAFF_PROGRAMS.match(name)):
            continue
        for call in (call for each in GETTEXT for call in calls_in(path, each)):
            texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if texts:
                wanted[texts[0]] = texts[1] if len(texts) > 1 else wanted.get(texts[0])
    if part == "shop" and whose == "everything":
        wanted |= {getattr(each, name): None for each in faults().values() for name in SENTENCES}
    return wanted


@cache
def _texts(part: str) -> frozenset[str]:
    """Return every text in the programs of a part that are not for staff: one of them may be a label."""
    paths = [path for path in programs(part) if not STAFF_PROGRAMS.match(path.relative_to(ROOT).as_posix())]
    parsed = [node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    return frozenset(node.value for node in parsed if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _many(message: Message) -> str | None:
    return None if isinstance(message.id, str) else message.id[1]


def programs(part: str) -> list[Path]:
    if part == "words":
        return [ROOT / "pos" / "words.py", ROOT / "pos" / "day_words.py"]
    return sorted((ROOT / part).rglob("*.py"))


def catalogue(part: str, language: str) -> Catalog | None:
    """Return the file of a part in a language, None where there is none."""
    path = PAGES / part / f"{language}.po"
    if not path.exists():
        return None
    with path.open("rb") as source:
        return read_po(source, locale=language)


def messages_of(part: str, language: str) -> dict[str, Message]:
    """Return the sentences of a part's own file by their French."""
    found = catalogue(part, language)
    return {message.id if isinstance(message.id, str) else message.id[0]: message for message in found or () if message.id}


def claim_of(part: str, language: str) -> str:
    """Return whose sentences a file says it holds, "" for a draft."""
    said = COMPLETE.search((PAGES / part / f"{language}.po").read_text(encoding="utf-8"))
    return said[1] if said else ""


def strings_of(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def missing_in(part: str, language: str, whose: str) -> list[str]:
    """Return what the file of a part, with the shop's beside it, does not say of all it should, in order."""
    known = messages_of(part, language)
    if part in ("kiosk", "marketplace"):
        known = messages_of("shop", language) | known
    wanted = wanted_of(part, whose, is_printed=LOCALES[language].is_printed)
    return sorted(
        one
        for one, many in wanted.items()
        if one not in known
        or known[one].fuzzy
        or not all(strings_of(known[one]))
        or (many is not None and isinstance(known[one].string, str))
    )


def files() -> list[tuple[str, str]]:
    """Return every catalogue there is, by part and language."""
    return [(part, path.stem) for part in PARTS for path in sorted((PAGES / part).glob("*.po"))]


def main(languages: list[str]) -> None:
    """Print what each language lacks: for customers, and for everybody."""
    for language in languages or [each for each in LANGUAGES if each != SOURCES]:
        for part in PARTS:
            customers, everything = (missing_in(part, language, whose) for whose in ("customers", "everything"))
            state = claim_of(part, language) if (part, language) in files() else ""
            click.echo(
                f"{language} {part}: says {state or 'nothing'}; lacks {len(customers)} for customers, {len(everything)} in all"
            )
            for sentence in everything if languages else ():
                click.echo(f"  {'customers' if sentence in customers else 'staff    '} {sentence!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
