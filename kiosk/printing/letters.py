"""The letters a slip is printed in: those of CP858, which nearly every printer draws, and how the rest of Europe is written so.

Every letter of every European language has an answer: itself, or what people write without it (ł as l, œ as oe, Ж as Zh).
Invisible characters go. What nobody here can spell (an ideograph, a pictogram) is one "?" a character: columns stay columns.
"""

from __future__ import annotations

import re
import unicodedata

CODE_PAGE = "cp858"
GLUE = "\u00a0"
"""A space that does not break; printed as a plain one."""

UNKNOWN = "?"

_TYPOGRAPHY = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "‹": "<", "›": ">", "ʼ": "'", "ʻ": "'",
    "′": "'", "″": '"', "‴": "'''", "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "⁄": "/",
    "™": "", "℠": "", "℗": "(P)", "✓": "x", "✔": "x", "→": "->", "←": "<-", "≥": ">=", "≤": "<=", "≠": "<>", "≈": "~", "•": "·",
    "‣": "·", "●": "·", "★": "*", "☆": "*", "₺": "TRY", "₽": "RUB", "₴": "UAH", "₾": "GEL", "֏": "AMD", "₼": "AZN",
    "\u202f": GLUE, "\u2007": GLUE, "\u115f": "", "\u1160": "", "\u3164": "", "\uffa0": "", "\u2800": " ",
}  # fmt: skip
_LATIN = {"œ": "oe", "ŋ": "ng", "ı": "i", "ĸ": "q", "ʒ": "z", "ə": "e", "ɛ": "e", "ɔ": "o", "ẞ": "SS"}
# ISO 843 for Greek; for Cyrillic and Caucasian letters what passports write, each for itself.
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψω",
        (
            "a",
            "v",
            "g",
            "d",
            "e",
            "z",
            "i",
            "th",
            "i",
            "k",
            "l",
            "m",
            "n",
            "x",
            "o",
            "p",
            "r",
            "s",
            "s",
            "t",
            "y",
            "f",
            "ch",
            "ps",
            "o",
        ),
        strict=True,
    )
)
_GREEK_OU = re.compile("(?<=[οΟ])[υύΥΎ]")
_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k", "л": "l",
    "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch",
    "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya", "є": "ye", "і": "i", "ї": "yi",
    "ђ": "d", "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz", "ѕ": "dz", "ѓ": "gj", "ќ": "kj", "ә": "a", "ӕ": "ae", "ө": "o",
    "ү": "u", "ұ": "u", "һ": "h", "ӏ": "'", "ҥ": "ng", "ҩ": "o", "ӡ": "dz", "ҽ": "ch", "ԝ": "w", "ԛ": "q", "ҡ": "q",
}  # fmt: skip
_GEORGIAN = dict(
    zip(
        "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
        "a b g d e v z t i k l m n o p zh r s t u p k gh q sh ch ts dz ts ch kh j h".split(),
        strict=True,
    )
)
_ARMENIAN = dict(
    zip(
        "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆև",
        "a b g d e z e e t zh i l kh ts k h dz gh ch m y n sh o ch p j r s v t r ts w p k o f ev".split(),
        strict=True,
    )
)
_PLAIN = {"─": "-", "═": "=", "€": "E", "█": "#", "│": "|"}
_SPELLED = _TYPOGRAPHY | _LATIN | _GREEK | _CYRILLIC | _GEORGIAN | _ARMENIAN


def printable(text: str) -> str:
    """Return `text` in letters of CP858, a column each: what is measured is what is printed. Line ends stay.

    Calling it again changes nothing.
    """
    whole = _GREEK_OU.sub(lambda found: "U" if found[0].isupper() else "u", unicodedata.normalize("NFC", text))
    return "".join(
        _written(letter, beside=whole[max(at - 1, 0) : at] + whole[at + 1 : at + 2]) for at, letter in enumerate(whole)
    )


def encoded(text: str, code_page: str = CODE_PAGE) -> bytes:
    """Return one line of text as the bytes a printer draws it from: no control character ever reaches it as a command.

    A code page that lacks one of our letters (the rules, mostly) has the nearest plain one instead.
    """
    line = printable(text).translate({ord(GLUE): " ", ord("\n"): " "})
    if code_page != CODE_PAGE:
        line = "".join(letter if _is_drawn(letter, code_page) else _PLAIN.get(letter, UNKNOWN) for letter in line)
    return line.encode(code_page)


def _written(letter: str, *, beside: str) -> str:
    """Return one character as it is printed; a capital of two letters is ŒUVRE's or Œuvre's by what stands `beside` it."""
    if letter == "\n" or letter == GLUE:
        return letter
    if letter in _SPELLED:
        return _SPELLED[letter]
    if (small := letter.lower()) in _SPELLED:
        return _SPELLED[small].upper() if beside.isupper() else _SPELLED[small].capitalize()
    kind = unicodedata.category(letter)
    if kind in ("Cf", "Mn", "Me"):
        return ""
    if kind in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    if _is_drawn(letter):
        return letter
    parts = unicodedata.normalize("NFKD", letter)
    if parts == letter:
        parts = _without_stroke(letter)
    return "".join(_written(part, beside=beside) for part in parts) or UNKNOWN


def _without_stroke(letter: str) -> str:
    """Return the letter that the name of this one begins with: "LATIN SMALL LETTER L WITH STROKE" is an L; else the unknown."""
    name, _, addition = unicodedata.name(letter, "").partition(" WITH ")
    try:
        return unicodedata.lookup(name) if addition else UNKNOWN
    except KeyError:
        return UNKNOWN


def _is_drawn(letter: str, code_page: str = CODE_PAGE) -> bool:
    try:
        letter.encode(code_page)
    except UnicodeEncodeError:
        return False
    return True
