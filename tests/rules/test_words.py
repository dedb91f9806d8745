"""The kiosk takes no money, and its words say so: that keeps it outside cash-register law (DESIGN §4, CGI 286 I 3° bis)."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import templates

ROOT = Path(__file__).parents[2]
PAGES = Path(templates.__path__[0])
PARTS = ("shop", "kiosk")
BANNED = frozenset({"sale", "sales", "sold", "payment", "payments", "paid", "receipt", "receipts", "invoice", "checkout", "cart"})
# Sentences that say what the slip is not (domain.md §7), and nothing else.
ALLOWED = ("not a receipt", "nothing was paid", "nothing has been paid", "Nothing is paid")
KIOSK_FILES = sorted(
    [
        *(path for part in PARTS for path in (ROOT / part).rglob("*.py")),
        *(path for part in PARTS for path in (PAGES / part).rglob("*.html")),
        *(path for part in PARTS for path in (PAGES / "static").glob(f"{part}*")),
    ]
)


def banned_words(text: str) -> list[str]:
    """Return the banned words of a text, whole words whatever their case, also as parts of `snake_case` and `camelCase` names."""
    for sentence in ALLOWED:
        text = re.sub(re.escape(sentence), " ", text, flags=re.IGNORECASE)
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return [word for word in re.findall(r"[a-z]+", parts.lower()) if word in BANNED]


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield a file's names and texts by line; the comments of a program are for programmers."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                yield token.start[0], token.string
    else:
        yield from enumerate(source.splitlines(), 1)


def test_the_rule_sees_what_it_must() -> None:
    assert banned_words("cart_total isPaid CHECKOUT 'Sold out' Sale!") == ["cart", "paid", "checkout", "sold", "sale"]
    assert banned_words("cartoon carton wholesale unpaidness resold") == []
    assert banned_words("This is not a receipt: nothing was paid.") == []
    assert len(KIOSK_FILES) > 10


@pytest.mark.parametrize("path", KIOSK_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_banned_word_in_the_kiosk(path: Path) -> None:
    assert [f"{path.name}:{line}: {word}" for line, text in texts_of(path) for word in banned_words(text)] == []


def test_no_banned_word_in_the_kiosk_s_english() -> None:
    messages = []
    for part in PARTS:
        with (PAGES / part / "en.po").open("rb") as source:
            messages += list(read_po(source, locale="en"))
    strings = [[message.string] if isinstance(message.string, str) else list(message.string or ()) for message in messages]
    sentences = [text for several in strings for text in several]

    assert len(sentences) > 50
    assert [(word, text) for text in sentences for word in banned_words(text)] == []


def test_no_banned_word_in_addresses_or_records() -> None:
    for path in (ROOT / "pos").glob("*.py"):
        if path.name in ("slips.py", "selections.py", "ops.py", "outbox.py", "tokens.py", "corners.py", "clerks.py"):
            assert [(path.name, line, word) for line, text in texts_of(path) for word in banned_words(text)] == []
