"""How a fact of a selection is said, once for screen, paper and marketplace: same facts, same figures, in every language.

French stands here; other languages in `<pages>/words/<language>.po`. Nothing is priced here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from babel.support import NullTranslations

from pos.languages import money, translations
from pos.months import Span


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language."""

    language: str
    sentences: NullTranslations

    def each_month(self, spans: Sequence[Span], currency: str) -> str:
        """Say what is due month by month: `14,99 € pendant 12 mois, puis 24,99 € pendant 12 mois`; nothing where nothing is."""
        _ = self.sentences.gettext
        if not spans:
            return ""
        (months, cents), *later = spans
        first = self.sentences.ngettext("%(amount)s pendant %(n)s mois", "%(amount)s pendant %(n)s mois", months)
        if not later:
            first = self.sentences.ngettext("%(amount)s, un seul mois", "%(amount)s chaque mois, pendant %(n)s mois", months)
        return first % {"amount": money(cents, currency, self.language), "n": months} + self._later(later, currency)

    def for_how_long(self, spans: Sequence[Span], currency: str) -> str:
        """Say how long the first month's amount lasts and what follows; nothing where it never changes."""
        if len(spans) < 2:
            return ""
        months = spans[0][0]
        first = self.sentences.ngettext("pendant %(n)s mois", "pendant %(n)s mois", months) % {"n": months}
        return first + self._later(spans[1:], currency)

    def option(self, terms: Mapping[str, int], quantity: int, currency: str) -> str:
        """Say what an option costs for so many units; what costs nothing is included."""
        _ = self.sentences.gettext
        once, monthly = terms["one_off_cents"] * quantity, terms["monthly_cents"] * quantity
        amounts = [money(once, currency, self.language)] if once else []
        amounts += [_("%(amount)s par mois") % {"amount": money(monthly, currency, self.language)}] if monthly else []
        return " + ".join(amounts) or _("inclus")

    def battery(self, pct: int | None, is_new: int) -> str:
        """Say how the battery is; nothing of a device without one, or of one nobody measured."""
        if is_new:
            return self.sentences.gettext("batterie neuve")
        return "" if pct is None else self.sentences.gettext("batterie à %(pct)s %%") % {"pct": pct}

    def _later(self, spans: Sequence[Span], currency: str) -> str:
        then = (
            self.sentences.ngettext(", puis %(amount)s pendant %(n)s mois", ", puis %(amount)s pendant %(n)s mois", months)
            % {"amount": money(cents, currency, self.language), "n": months}
            for months, cents in spans
        )
        return "".join(then)


@lru_cache
def words(language: str, pages: Path) -> Words:
    """Return the sentences of a language, read once."""
    return Words(language, translations("words", language, pages))
