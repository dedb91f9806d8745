"""How a fact of a line or a selection is said, once for screen, paper and marketplace, in every language.

French stands here; other languages in `<pages>/words/<language>.po`. Nothing is priced here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path

from pos.credit import CreditFacts
from pos.eligibility import Reason
from pos.languages import money, number, short_money, storage, text_of, translations
from pos.line_facts import ComparedFacts, LineFacts
from pos.months import Span

MOST_COMPARED_SAID = 3


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language."""

    language: str
    sentences: NullTranslations
    money: Callable[[int, str, str], str] = money
    """How an amount is written: cents, currency, language; paper lacks the signs of some currencies."""

    def names(self, line: LineFacts) -> list[str]:
        """Return what is in a line: its device, its plan, its options; the first of them names it, the others go with it."""
        device = [line["listing"]["title"]] if line["listing"] else []
        others = [*([line["plan"]] if line["plan"] else []), *line["options"]]
        return [*device, *(text_of(other["name"], self.language) for other in others)]

    def acquisition(self, way: str | None) -> str:
        """Say how the number of a plan comes, as whoever chose it says it; what nobody said is to be asked."""
        _ = self.sentences.gettext
        known = {"new": _("Nouveau numéro"), "port": _("Je garde mon numéro"), "renewal": _("Déjà client")}
        return known.get(way or "", _("numéro à préciser"))

    def reason(self, reason: Reason, currency: str) -> str:
        """Say why a plan is not open to a situation, or what it does not bring there."""
        _, data = self.sentences.gettext, reason.data
        match reason.code:
            case "no_device_discount":
                return _("Pas de remise sur l’appareil avec ce forfait.")
            case "device_below_minimum":
                least = short_money(data["min_device_cents"], currency, self.language)
                return _("Ce forfait demande un appareil à partir de %(least)s.") % {"least": least}
            case "acquisition_not_offered":
                return _("Ce forfait n’est pas proposé dans votre situation.")
            case _other:
                most = {"most": data["max_devices"]}
                return _("Appareils avec ce forfait, toute la sélection comprise : %(most)s au plus.") % most

    def nearest(self, plan: Mapping[str, str]) -> str:
        """Name the nearest plan that would do, by its name in each language."""
        return self.sentences.gettext("Le plus proche qui convient : %(plan)s.") % {"plan": text_of(plan, self.language)}

    def credit(self, credit: CreditFacts, currency: str) -> str:
        """Say the figures of one unit's credit: what L312-6 wants said beside every instalment."""
        part, last = credit["instalment_cents"], credit["last_instalment_cents"]
        sentence = self.sentences.ngettext(
            "Prix comptant %(cash)s, acompte %(deposit)s, puis %(n)s mensualité de %(part)s et une dernière de %(last)s. "
            "Montant total du crédit : %(credit)s, TAEG fixe de 0 %%. Montant total dû : %(due)s.",
            "Prix comptant %(cash)s, acompte %(deposit)s, puis %(n)s mensualités de %(part)s et une dernière de %(last)s. "
            "Montant total du crédit : %(credit)s, TAEG fixe de 0 %%. Montant total dû : %(due)s.",
            credit["months"] - 1,
        )
        if part == last:
            sentence = self.sentences.ngettext(
                "Prix comptant %(cash)s, acompte %(deposit)s, puis %(n)s mensualité de %(part)s. "
                "Montant total du crédit : %(credit)s, TAEG fixe de 0 %%. Montant total dû : %(due)s.",
                "Prix comptant %(cash)s, acompte %(deposit)s, puis %(n)s mensualités de %(part)s. "
                "Montant total du crédit : %(credit)s, TAEG fixe de 0 %%. Montant total dû : %(due)s.",
                credit["months"],
            )
        amounts = {
            "cash": credit["cash_price_cents"],
            "deposit": credit["deposit_cents"],
            "part": part,
            "last": last,
            "credit": credit["credit_cents"],
            "due": credit["total_due_cents"],
        }
        written = {name: self.money(cents, currency, self.language) for name, cents in amounts.items()}
        return sentence % {**written, "n": credit["months"] - (part != last)}

    def levy(self, cents: int, currency: str) -> str:
        """Say how much of a price is the private copy levy (L311-1 CPI)."""
        amount = {"amount": self.money(cents, currency, self.language)}
        return self.sentences.gettext("Dont rémunération pour copie privée : %(amount)s.") % amount

    def compared(self, line: LineFacts, currency: str) -> list[str]:
        """Say what a line's device was compared with: in three sentences at most, prices before what else differs."""
        others = line.get("compared", [])
        told = [self._beside(other, currency) for other in others]
        if len(others) == 1:
            told += self._differing(others[0]["figures"])
        return told[:MOST_COMPARED_SAID]

    def _beside(self, other: ComparedFacts, currency: str) -> str:
        _, price = self.sentences.gettext, other["figures"].get("price_cents")
        name = f"{other['title']} {storage(other['storage_gb'], self.language)}".strip()
        if price is None:
            return _("Comparé à : %(name)s, que personne ne proposait alors.") % {"name": name}
        gap = price[1] - price[0]
        grade = text_of(other["grade"], self.language)
        written = {"name": name, "grade": grade, "gap": self.money(abs(gap), currency, self.language)}
        if gap == 0:
            return _("Comparé à : %(name)s (%(grade)s), au même prix.") % written
        dearer, cheaper = (
            _("Comparé à : %(name)s (%(grade)s), %(gap)s de plus."),
            _("Comparé à : %(name)s (%(grade)s), %(gap)s de moins."),
        )
        return (dearer if gap > 0 else cheaper) % written

    def _differing(self, figures: Mapping[str, Sequence[int]]) -> Iterator[str]:
        _ = self.sentences.gettext
        sentences: dict[str, tuple[str, Callable[[int], str]]] = {
            "updates_until": (_("Mises à jour jusqu’en %(own)s ici, %(other)s pour l’autre."), str),
            "storage_gb": (_("Stockage : %(own)s ici, %(other)s pour l’autre."), lambda value: storage(value, self.language)),
            "weight_g": (_("Poids : %(own)s g ici, %(other)s g pour l’autre."), lambda value: number(value, self.language)),
        }
        for name, (sentence, written) in sentences.items():
            if name in figures:
                own, other = figures[name]
                yield sentence % {"own": written(own), "other": written(other)}

    def leaving(self, cents: int, currency: str) -> str:
        """Say what leaving a plan after a year would cost (L224-28)."""
        amount = {"amount": self.money(cents, currency, self.language)}
        return self.sentences.gettext("partir après 12 mois coûterait %(amount)s") % amount

    def refunded(self, total_cents: int, currency: str) -> str:
        """Say what the total is once the refund that must be asked for has come."""
        total = {"total": self.money(total_cents, currency, self.language)}
        return self.sentences.gettext("Après remboursement sur demande : %(total)s") % total

    def each_month(self, spans: Sequence[Span], currency: str) -> str:
        """Say what is due month by month: `14,99 € pendant 12 mois, puis 24,99 € pendant 12 mois`; nothing where nothing is."""
        _ = self.sentences.gettext
        if not spans:
            return ""
        (months, cents), *later = spans
        first = self.sentences.ngettext("%(amount)s pendant %(n)s mois", "%(amount)s pendant %(n)s mois", months)
        if not later:
            first = self.sentences.ngettext("%(amount)s, un seul mois", "%(amount)s chaque mois, pendant %(n)s mois", months)
        return first % {"amount": self.money(cents, currency, self.language), "n": months} + self._later(later, currency)

    def for_how_long(self, spans: Sequence[Span], currency: str) -> str:
        """Say how long the first month's amount lasts and what follows; nothing where it never changes."""
        if len(spans) < 2:
            return ""
        months = spans[0][0]
        first = self.sentences.ngettext("pendant %(n)s mois", "pendant %(n)s mois", months) % {"n": months}
        return first + self._later(spans[1:], currency)

    def monthly(self, cents: int, spans: Sequence[Span], currency: str) -> str:
        """Say the first month's amount, and where it changes how long it lasts and what follows."""
        _, amount = self.sentences.gettext, self.money(cents, currency, self.language)
        if how_long := self.for_how_long(spans, currency):
            return _("%(amount)s par mois %(how_long)s") % {"amount": amount, "how_long": how_long}
        return _("%(amount)s par mois") % {"amount": amount}

    def option(self, terms: Mapping[str, int], quantity: int, currency: str) -> str:
        """Say what an option costs for so many units; what costs nothing is included."""
        _ = self.sentences.gettext
        once, monthly = terms["one_off_cents"] * quantity, terms["monthly_cents"] * quantity
        amounts = [self.money(once, currency, self.language)] if once else []
        amounts += [self.monthly(monthly, (), currency)] if monthly else []
        return " + ".join(amounts) or _("inclus")

    def battery(self, pct: int | None, is_new: int) -> str:
        """Say how the battery is; nothing of a device without one, or of one nobody measured."""
        if is_new:
            return self.sentences.gettext("batterie neuve")
        return "" if pct is None else self.sentences.gettext("batterie à %(pct)s %%") % {"pct": pct}

    def _later(self, spans: Sequence[Span], currency: str) -> str:
        then = (
            self.sentences.ngettext(", puis %(amount)s pendant %(n)s mois", ", puis %(amount)s pendant %(n)s mois", months)
            % {"amount": self.money(cents, currency, self.language), "n": months}
            for months, cents in spans
        )
        return "".join(then)


@lru_cache
def words(language: str, pages: Path) -> Words:
    """Return the sentences of a language, read once."""
    return Words(language, translations("words", language, pages))
