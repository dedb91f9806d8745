"""A sentence as a row of items: names, phrases, numbers, and words nobody knows. A typo in a long word is forgiven."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import takewhile

from rapidfuzz import process
from rapidfuzz.distance import OSA

from pos.finder.generations import model_of_generation
from pos.finder.lexicon import LANGUAGES, Meanings, known_words, lexicon, stem, words_of_language
from pos.finder.names import Names
from pos.finder.numbers import number_at
from pos.finder.pieces import Piece, pieces_of

FORGIVEN_FROM = 5
"""So many letters a word has at least whose typo is forgiven: digits never are."""
TWO_FORGIVEN_FROM = 9
FOREIGN_FROM = 8
JOINED_FROM = 7
LEAST_PART = 3
BRAND_TIERS = frozenset({"ultra", "pro", "fe", "lite"})
PRAISED_WITHIN = 5
TIERS_WITHIN = 6
AFTER_NUMBER = frozenset({"gb", "tb", "inch", "hour", "years", "old", "EUR", "USD", "GBP", "CHF", "JPY"})


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of a sentence: what it may mean, by kind; nothing where nobody knows. `hundredths` is the value of a number."""

    means: Meanings
    start: int
    end: int
    hundredths: int | None = None
    pieces: tuple[str, ...] = field(default=())

    def __contains__(self, kind: str) -> bool:
        return kind in self.means

    @property
    def is_filler(self) -> bool:
        """Tell whether a word between two others says nothing by itself."""
        return "words.stop" in self.means


def beside(items: Sequence[Item], index: int, step: int) -> Item | None:
    """Return the next item on one side that says something; a comma does."""
    place = index + step
    while 0 <= place < len(items) and items[place].is_filler:
        place += step
    return items[place] if 0 <= place < len(items) else None


def praised(items: Sequence[Item], place: int, praises: frozenset[str]) -> int | None:
    """Return where the nearest of some words of praise stands in the clause of an item, only words that say nothing between."""
    for step in (-1, 1):
        index = place + step
        while 0 <= index < len(items) and abs(index - place) <= PRAISED_WITHIN and "break" not in items[index]:
            if items[index].means.get("qualities") in praises:
                return index
            if not items[index].is_filler:
                break
            index += step
    return None


def items_of(sentence: str, languages: Sequence[str], names: Names) -> list[Item]:
    """Return the items of a sentence, its words looked up in `languages`, the first ones first."""
    pieces = _mended(pieces_of(sentence), languages, names)
    items: list[Item] = []
    place = 0
    while place < len(pieces):
        length, item = _item(pieces, place, languages, names, items)
        items.append(item)
        place += length
    return items


def _item(
    pieces: Sequence[Piece], place: int, languages: Sequence[str], names: Names, before: Sequence[Item]
) -> tuple[int, Item]:
    if pieces[place].is_break:
        return 1, _made(pieces[place : place + 1], {"break": ","})
    name_length, name = _name(pieces, place, names, before)
    length, meanings = _phrase(pieces, place, languages)
    number = _number(pieces, place, languages)
    if name and name_length >= length:
        return name_length, _made(pieces[place : place + name_length], name)
    if amount := meanings.get("amounts"):
        return length, replace(_made(pieces[place : place + length], {"number": ""}), hundredths=int(amount) * 100)
    if number and number[0] >= length:
        return number[0], replace(_made(pieces[place : place + number[0]], {"number": ""}), hundredths=number[1])
    return max(length, 1), _made(pieces[place : place + max(length, 1)], meanings)


def _made(pieces: Sequence[Piece], means: Meanings) -> Item:
    return Item(means, pieces[0].start, pieces[-1].end, None, tuple(piece.text for piece in pieces))


def _name(pieces: Sequence[Piece], place: int, names: Names, before: Sequence[Item]) -> tuple[int, Meanings | None]:
    """Return the longest name at `place`: `iPad 10` is none before inches."""
    if tier := _tier(pieces, place, names, before):
        return tier
    is_listed = bool(before) and any(kind in before[-1] for kind in ("words.or", "words.and"))
    if (pieces[place].hundredths is not None or is_listed) and (more := _next_model(pieces, place, names, before)):
        return more
    if generation := model_of_generation(pieces, place, names):
        return generation
    last = len(pieces)
    while matched := names.match(pieces[:last], place):
        length, kind, key = matched
        after = place + length
        if pieces[after - 1].hundredths is not None and length > 1 and after < len(pieces) and _is_unit(pieces, after):
            longer = names.match([*pieces[:after], *pieces[after + 1 :]], place)
            if longer and longer[0] > length and longer[1] == "model":
                return longer[0] + 1, {"model": longer[2]}  # `MacBook Pro 14 pouces M1 Pro`
            if kind == "model" and names.is_sized(key):
                return length + 1, {"model": key}  # `MacBook Pro 16 pouces`
            last = after - 1
            continue
        if kind == "model" and names.is_other(pieces, after):
            last = after - 1  # An iPhone 8 Plus is no iPhone 8.
            continue
        if kind == "family" and (spoken := _spoken(pieces, place, after, names)):
            return spoken
        return length, {kind: key}
    return 0, None


def _spoken(pieces: Sequence[Piece], place: int, after: int, names: Names) -> tuple[int, Meanings] | None:
    """Return the model whose number is written in words: `iPhone zwölf mini`."""
    for language in LANGUAGES if after < len(pieces) and pieces[after].text.isalpha() else ():
        if number := number_at(pieces, after, language):
            digits = replace(pieces[after], text=str(number[1]))
            matched = names.match([*pieces[place:after], digits, *pieces[after + number[0] :]], 0)
            if matched and matched[1] == "model":
                return matched[0] + number[0] - 1, {"model": matched[2]}
    return None


def _tier(pieces: Sequence[Piece], place: int, names: Names, before: Sequence[Item]) -> tuple[int, Meanings] | None:
    """Return a word such as `Pro` at `place`; before a number, `max` and `plus` are none."""
    if not _may_be_tier(before, pieces[place:], names) or not (tier := names.tier(_before_unit(pieces, place), place)):
        return None
    follows = pieces[place + tier[0] : place + tier[0] + 1]
    is_bound = bool(follows) and follows[0].hundredths is not None and tier[1] in ("Max", "Plus")
    return None if is_bound else (tier[0], {"tier": tier[1]})


def _may_be_tier(before: Sequence[Item], after: Sequence[Piece], names: Names) -> bool:
    """Tell whether a word such as `Pro` may go with a family: right after it, or denied where one is named."""
    if before and ("family" in before[-1] or "tier" in before[-1]):
        return True
    if before and "brand" in before[-1]:
        return after[0].text in BRAND_TIERS  # `Samsung Ultra`
    if not before:
        return False
    if not any(kind in item for item in before for kind in ("family", "brand", "model")):
        last = next((item for item in reversed(before) if not item.is_filler or "words.not" in item), before[-1])
        is_denied = any(kind in last for kind in ("words.not", "words.except", "tier")) and len(after[0].text) >= LEAST_PART
        return is_denied and any(piece.text in names.families for piece in after)
    joins = ("words.not", "words.and", "words.or")
    told = [item for item in before[-TIERS_WITHIN:] if not item.is_filler or any(kind in item for kind in joins)]
    if len(told) > 1 and "tier" in told[-2] and ("words.and" in told[-1] or "words.or" in told[-1]):
        return True
    return bool(told) and ("words.not" in told[-1] or "words.except" in told[-1])


def _before_unit(pieces: Sequence[Piece], place: int) -> Sequence[Piece]:
    """Return the pieces up to a number near `place` that has a unit: `Pro 14 pouces` is a Pro."""
    for index in range(place + 1, min(place + 3, len(pieces) - 1)):
        if pieces[index].hundredths is not None and _is_unit(pieces, index + 1):
            return pieces[:index]
    return pieces


def _next_model(pieces: Sequence[Piece], place: int, names: Names, before: Sequence[Item]) -> tuple[int, Meanings] | None:
    """Return the model that a number alone is after another: `iPhone 13 ou 14`."""
    joins = ("words.or", "words.and", "break", "words.the", "intents", "words.not", "words.except")
    if not before or not any(kind in before[-1] for kind in joins):
        return None
    named = [item for item in before if "model" in item or "family" in item]
    if not named or not _is_joined(before, before.index(named[-1])):
        return None
    line = next((line for item in reversed(named) if (line := tuple(takewhile(str.isalpha, item.pieces)))), ())
    for words in (line[:length] for length in range(len(line), 0, -1)):
        head = [Piece(word, word, pieces[place].start, pieces[place].start) for word in words]
        matched = names.match([*head, *pieces[place:]], 0)
        if matched and matched[1] == "model" and matched[0] > len(words):
            length = matched[0] - len(words)
            after = place + length
            return None if after < len(pieces) and _is_unit(pieces, after) else (length, {"model": matched[2]})
    return None


def _is_joined(before: Sequence[Item], model: int) -> bool:
    """Tell whether only what lists, denies or compares stands between a model and a number: `than the 14`."""
    joins = ("words.or", "words.and", "words.not", "words.except", "words.but", "break", "intents")
    is_plain = all(item.is_filler or any(kind in item for kind in joins) for item in before[model + 1 :])
    return is_plain or ("words.the" in before[-1] and any("intents" in item for item in before))


def _is_unit(pieces: Sequence[Piece], place: int) -> bool:
    if pieces[place].text == "to":
        return False  # `from an iPhone 8 to something newer`
    units = (lexicon(language).match(pieces, place) for language in ("any", *LANGUAGES))
    return any(unit and unit[1].get("units") in AFTER_NUMBER for unit in units)


def _phrase(pieces: Sequence[Piece], place: int, languages: Sequence[str]) -> tuple[int, Meanings]:
    """Return the longest phrase at `place`; of two as long one as it is written, then that of the language asked first."""
    best, spoken = (0, False), ""
    meanings: Meanings = {}
    for language in (languages[0], "any", *languages[1:]):
        matched = lexicon(language).found(pieces, place)
        if matched is None or (language in languages[1:] and not matched[2] and _is_short(pieces, place, matched[0])):
            continue
        rank = matched[0], matched[2]
        if rank > best:
            best, meanings, spoken = rank, matched[1], language
        elif rank == best and "any" in (language, spoken):
            meanings = {**matched[1], **meanings}
    return best[0], meanings


def _is_short(pieces: Sequence[Piece], place: int, length: int) -> bool:
    """Tell whether the words are too short to be known by their stems in another language than the page's."""
    return max(len(piece.text) for piece in pieces[place : place + length]) < JOINED_FROM


def _number(pieces: Sequence[Piece], place: int, languages: Sequence[str]) -> tuple[int, int] | None:
    """Return how many pieces a number at `place` takes, and its hundredfold."""
    if pieces[place].text[0].isdecimal():
        hundredths = pieces[place].hundredths
        return None if hundredths is None else (1, hundredths)
    written = [number for language in languages if (number := number_at(pieces, place, language))]
    longest = max(written, key=lambda number: number[0], default=None)
    return (longest[0], longest[1] * 100) if longest else None


def _mended(pieces: Sequence[Piece], languages: Sequence[str], names: Names) -> list[Piece]:
    """Return the pieces with joined words taken apart and typos forgiven, where a long word is in no lexicon and no name."""
    mended: list[Piece] = []
    for piece in pieces:
        if len(piece.text) < FORGIVEN_FROM or not piece.text.isalpha() or _is_known(piece.text, languages, names):
            mended.append(piece)
        elif parts := _parts(piece, names):
            mended += parts
        else:
            near = _nearest(piece.text, names, languages[0])
            mended.append(replace(piece, text=near, raw=near) if near else piece)
    return mended


def _is_known(word: str, languages: Sequence[str], names: Names) -> bool:
    if word in known_words() or word in names.words:
        return True
    if word in names.joined or any(stem(word, language) in _stems(language) for language in languages):
        return True
    return _is_number(word, languages)


def _is_number(word: str, languages: Sequence[str]) -> bool:
    return any(number_at([Piece(word, word, 0, len(word))], 0, language) for language in languages)


@lru_cache
def _stems(language: str) -> frozenset[str]:
    return frozenset(word for phrase in lexicon(language).stemmed for word in phrase)


def _parts(piece: Piece, names: Names) -> list[Piece]:
    """Return the two known words that a word holds, if it does."""
    if len(piece.text) < JOINED_FROM:
        return []
    known = known_words() | names.words
    for cut in range(len(piece.text) - LEAST_PART, LEAST_PART - 1, -1):
        left, right = piece.text[:cut], piece.text[cut:]
        is_long = min(len(left), len(right)) > LEAST_PART
        has_name = any(part in names.words and len(part) > LEAST_PART for part in (left, right))
        if left in known and right in known and (is_long or has_name):
            middle = piece.start + cut
            return [Piece(left, left, piece.start, middle), Piece(right, right, middle, piece.end)]
    return []


def _nearest(word: str, names: Names, language: str) -> str | None:
    """Return the word of ours that a typo away from `word` is, if one is, a name's first; both begin alike.

    A short word of another language than the page's is more likely a word we do not know than one mistyped: `matter`, `Mutter`.
    """
    near = _near(word, names.words)
    is_ours = near is not None and (len(word) >= FOREIGN_FROM or near in words_of_language(language) or near in names.words)
    return near if is_ours else None


@lru_cache(maxsize=4096)
def _near(word: str, words: frozenset[str]) -> str | None:
    most = 2 if len(word) >= TWO_FORGIVEN_FROM else 1
    for kind in (words, known_words()):
        if near := process.extractOne(word, _by_first(kind).get(word[0], ()), scorer=OSA.distance, score_cutoff=most):
            return near[0]
    return None


@lru_cache(maxsize=8)
def _by_first(words: frozenset[str]) -> dict[str, list[str]]:
    """Return the long ones of our words by their first letter."""
    sorted_words: dict[str, list[str]] = defaultdict(list)
    for word in sorted(words):
        if len(word) >= FORGIVEN_FROM and word.isalpha():
            sorted_words[word[0]].append(word)
    return sorted_words
