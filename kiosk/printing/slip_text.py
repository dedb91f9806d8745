"""What a slip says, as blocks one below the other: pure data that `kiosk.printing.paper` sets on paper.

Every amount is a frozen fact of the slip or a product of one with its quantity; nothing is priced here. No personal data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import templates
from pos.claims import kilograms
from pos.credit import CreditFacts
from pos.languages import fraction, moment, money, money_by_code, number, storage, text_of
from pos.line_facts import LineFacts, ListingFacts, OptionFacts, PlanFacts, frozen_exit_cents
from pos.months import plan_spans, runs, spans
from pos.slip_facts import SlipFacts
from pos.totals import Line, PlanTerms
from pos.words import words
from shop.languages import sentences_of

Size = Literal["small", "plain", "tall", "big"]
UNPRINTED = frozenset("₩₪₹")
"""Signs of our currencies that printers of slips lack: paper has the code instead."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words, and perhaps an amount at the right. `small` is the fine print, `tall` twice as high, `big` twice both ways.

    The amount of a total is set larger than its words, as large as the paper allows.
    """

    text: str
    amount: str = ""
    size: Size = "plain"
    align: Literal["left", "center"] = "left"
    is_detail: bool = False
    is_bold: bool = False
    is_inverse: bool = False
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""

    is_double: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """White paper."""

    dots: int


@dataclass(frozen=True, slots=True)
class Code:
    """The QR code; `instead` is said where it does not fit."""

    instead: str


@dataclass(frozen=True, slots=True)
class Logo:
    """The mark."""


Block = Text | Rule | Space | Code | Logo


def blocks(facts: SlipFacts, *, language: str, copy_no: int) -> list[Block]:
    """Return the whole slip, top to bottom."""
    writer = _Writer(facts, language)
    return [
        *writer.head(copy_no),
        *(block for line in facts["lines"] for block in writer.line(line)),
        *writer.totals(),
        *writer.code(),
        *writer.rights(),
        *writer.foot(),
    ]


class _Writer:
    """The facts of one slip in one language."""

    def __init__(self, facts: SlipFacts, language: str) -> None:
        self.facts = facts
        self.language = language
        self.words = sentences_of("kiosk", language)
        self.said = replace(words(language, templates.PATH), money=_printed_money)

    def head(self, copy_no: int) -> Iterator[Block]:
        """Say where, what this is and is not, which slip, until when."""
        _, corner, partner = self.words.gettext, self.facts["corner"], self.facts["partner"]
        yield Logo()
        yield Space(14)
        yield Text(corner["name"], size="big", align="center", is_bold=True)
        yield Text(f"{partner['name']} · {corner['phone']}", align="center")
        yield Space(20)
        yield from _band(_("RÉCAPITULATIF DE SÉLECTION"))
        if copy_no:
            yield Space(10)
            yield Text(f"DUPLICATA {copy_no}", size="big", align="center", is_bold=True)
        yield Space(10)
        yield Text(_("Ni facture, ni ticket de caisse.\nRien n’a été réglé ici."), align="center")
        yield Space(20)
        yield Text(_("Bon n°"), align="center")
        yield Text(self.facts["number"], size="big", align="center", is_bold=True)
        yield Text(
            _("Valable jusqu’au %(moment)s") % {"moment": self._moment(self.facts["valid_until"])}, align="center", is_bold=True
        )
        yield Space(12)
        yield Rule(is_double=True)

    def line(self, line: LineFacts) -> Iterator[Block]:
        """Say all of one line: device, plan, options, credit."""
        if line["listing"]:
            yield from self._device(line["listing"], line["quantity"])
        for sentence in self.said.compared(line, self.facts["currency"]):
            yield Text(sentence, size="small", is_detail=True)
        if line["plan"]:
            yield from self._plan(line, line["plan"])
        for option in line["options"]:
            yield from self._option(option, line["quantity"])
        if line["credit"]:
            yield from self._credit(line["credit"], line["quantity"])
        yield Rule(is_double=line is self.facts["lines"][-1])

    def totals(self) -> Iterator[Block]:
        """Say what the selection costs on ordering, by month and over its whole length."""
        _, totals = self.words.gettext, self.facts["totals"]
        yield Space(8)
        yield self._total(_("À la commande"), totals["due_today_cents"])
        due = spans(tuple(Line.from_slip(line) for line in self.facts["lines"]))
        for place, (count, cents) in enumerate(due):
            label = _("Par mois") if not place else _("puis")
            yield self._total(f"{label}, {self._months(count)}" if len(due) > 1 else label, cents)
        if totals["horizon_months"]:
            horizon = totals["horizon_months"]
            label = self.words.ngettext("Total sur %(n)s mois", "Total sur %(n)s mois", horizon) % {"n": horizon}
            yield self._total(label, totals["total_cents"])
        if totals["refund_cents"]:
            yield Text(_("Après remboursement sur demande"), self._money(totals["total_after_refund_cents"]))
        if totals["instalments"]:
            months = self.said.each_month(runs(totals["instalments"]), self.facts["currency"])
            yield Text(_("Dont pour l’appareil : %(months)s.") % {"months": months})
        yield Space(8)
        yield Rule(is_double=True)

    def code(self) -> Iterator[Block]:
        """Show the code and say what to do with it."""
        _ = self.words.gettext
        yield Space(16)
        yield Text(_("Commandez depuis votre téléphone"), size="tall", align="center", is_bold=True)
        yield Text(_("Visez ce code avec l’appareil photo."), align="center")
        yield Space(8)
        yield Code(instead=_("Code trop grand pour ce papier : donnez le numéro du bon."))
        yield Space(8)
        yield Text(
            _("Sans appareil photo : appelez le %(phone)s, bon %(number)s.")
            % {"phone": _together(self.facts["corner"]["phone"]), "number": self.facts["number"]},
            align="center",
        )
        yield Space(12)
        yield from _band(_("Prix vérifié en ligne :\nle plus bas des deux s’applique"), size="plain")
        yield Space(16)

    def rights(self) -> Iterator[Block]:
        """Say the guarantees and the right to withdraw, where the market's law gives them."""
        _, guarantees = self.words.gettext, self.facts["guarantees"]
        yield Text(_("Vos droits"), is_bold=True)
        if guarantees["legal_months"] and self._has_device():
            months = guarantees["legal_months"]
            sentence = self.words.ngettext(
                "Garantie légale de conformité : %(n)s mois dès la livraison, due par le vendeur.",
                "Garantie légale de conformité : %(n)s mois dès la livraison, due par le vendeur.",
                months,
            )
            yield Text(sentence % {"n": months})
            yield Text(_("La garantie commerciale de chaque vendeur s’y ajoute, sans la remplacer."))
        if guarantees["withdrawal_days"]:
            days = guarantees["withdrawal_days"]
            sentence = self.words.ngettext(
                "Rétractation : %(n)s jour pour changer d’avis après une commande en ligne.",
                "Rétractation : %(n)s jours pour changer d’avis après une commande en ligne.",
                days,
            )
            yield Text(sentence % {"n": days})
        yield Space(12)
        yield Rule()

    def foot(self) -> Iterator[Block]:
        """Say where the figures come from and how to keep the paper."""
        _, corner = self.words.gettext, self.facts["corner"]
        facts = {
            "moment": self._moment(self.facts["issued_at"]),
            "publication": number(self.facts["publication"], self.language),
            "corner": f"{corner['name']} ({number(corner['corner_no'], self.language)})",
        }
        yield Text(_("Établi le %(moment)s, heure locale,\n%(corner)s.") % facts, size="small", align="center")
        yield Text(_("Prix du catalogue n° %(publication)s. Aucune donnée personnelle.") % facts, size="small", align="center")
        yield Text(_("Le papier thermique pâlit : prenez ce bon en photo."), size="small", align="center")

    def _device(self, listing: ListingFacts, quantity: int) -> Iterator[Block]:
        _ = self.words.gettext
        title = listing["title"] if quantity == 1 else f"{quantity} × {listing['title']}"
        yield Text(title, self._money(listing["all_in_cents"] * quantity), is_bold=True)
        if quantity > 1:
            yield Text(_("%(amount)s pièce") % {"amount": self._money(listing["all_in_cents"])}, is_detail=True)
        details = [storage(listing["storage_gb"], self.language), text_of(listing["color"], self.language)]
        yield Text(" · ".join([detail for detail in details if detail] + [self._grade(listing)]), is_detail=True)
        if battery := self._battery(listing):
            yield Text(battery, is_detail=True)
        yield Text(_("Vendeur : %(name)s") % {"name": listing["seller"]["legal_name"]}, is_detail=True)
        yield Text(self._delivery(listing), is_detail=True)
        yield Text(self._guarantees(listing), is_detail=True)
        yield Space(4)
        yield Text(" ".join(self._fine_print(listing)), size="small", is_detail=True)

    def _delivery(self, listing: ListingFacts) -> str:
        days = listing["delivery_days"]
        sentence = self.words.ngettext("Livraison comprise, en %(n)s jour", "Livraison comprise, en %(n)s jours", days)
        if listing["shipping_cents"]:
            sentence = self.words.ngettext(
                "Livraison comprise (%(amount)s), en %(n)s jour", "Livraison comprise (%(amount)s), en %(n)s jours", days
            )
        return sentence % {"amount": self._money(listing["shipping_cents"]), "n": days}

    def _guarantees(self, listing: ListingFacts) -> str:
        _, legal = self.words.gettext, self.facts["guarantees"]["legal_months"]
        commercial = self._months(listing["warranty_months"])
        if not legal:
            return _("Garantie commerciale : %(months)s") % {"months": commercial}
        return _("Garantie légale %(legal)s, commerciale %(commercial)s") % {
            "legal": self._months(legal),
            "commercial": commercial,
        }

    def _fine_print(self, listing: ListingFacts) -> Iterator[str]:
        _ = self.words.gettext
        if not self.facts.get("tax_included", self.facts["market"] == "fr"):
            yield _("Prix hors taxes locales, calculées en ligne selon l’adresse de livraison.")
        elif listing["vat_note"] == "margin":
            yield _("Prix TTC, TVA sur la marge, non récupérable.")
        else:
            yield _("Prix TTC, TVA comprise.")
        if listing["copy_levy_cents"]:
            yield self.said.levy(listing["copy_levy_cents"], self.facts["currency"])
        if co2 := listing["co2"]:
            sentence = self.words.ngettext(
                "Environ %(kg)s kg de CO2e évités sur %(n)s an par rapport au neuf (source : %(source)s).",
                "Environ %(kg)s kg de CO2e évités sur %(n)s ans par rapport au neuf (source : %(source)s).",
                co2["years"],
            )
            kilos = number(kilograms(co2["grams"]), self.language)
            yield sentence % {"kg": kilos, "n": co2["years"], "source": co2["source"]}

    def _plan(self, line: LineFacts, plan: PlanFacts) -> Iterator[Block]:
        _, quantity = self.words.gettext, line["quantity"]
        terms = PlanTerms.from_facts(plan["terms"])
        months = plan_spans(line)
        amount = self._monthly(months[0][1])
        yield Space(6)
        yield Text(f"{'+  ' if line['listing'] else ''}{text_of(plan['name'], self.language)}", amount, is_bold=True)
        if how_long := self.said.for_how_long(months, self.facts["currency"]):
            yield Text(how_long, is_detail=True)
        yield Text(f"{self.said.acquisition(plan['acquisition'])} · {self._commitment(terms.commitment_months)}", is_detail=True)
        if line["listing"] and (discount := terms.discount_on(line["listing"]["all_in_cents"])):
            yield Text(_("Avantage sur l’appareil"), self._money(-discount * quantity), is_detail=True)
        if terms.activation_cents:
            yield Text(_("Mise en service"), self._money(terms.activation_cents * quantity), is_detail=True)
        if line["totals"]["refund_cents"]:
            days = plan["refund_deadline_days"]
            sentence = self.words.ngettext(
                "Remboursé sur demande sous %(n)s jour", "Remboursé sur demande sous %(n)s jours", days
            )
            yield Text(sentence % {"n": days}, self._money(line["totals"]["refund_cents"]), is_detail=True)
        if (leaving := frozen_exit_cents(line)) is not None:
            yield Text(_("Partir après 12 mois"), self._money(leaving), is_detail=True)
        summary = plan["summary"]
        yield Text(
            _("Résumé du contrat, version %(version)s :\n%(url)s") % {"version": summary["version"], "url": summary["url"]},
            size="small",
            is_detail=True,
        )

    def _option(self, option: OptionFacts, quantity: int) -> Iterator[Block]:
        _, terms = self.words.gettext, option["terms"]
        name = text_of(option["name"], self.language)
        yield Space(6)
        if terms["one_off_cents"]:
            yield Text(f"+  {name}", self._money(terms["one_off_cents"] * quantity), is_bold=True)
        if terms["monthly_cents"]:
            yield Text(f"+  {name}", self._monthly(terms["monthly_cents"] * quantity), is_bold=True)
        if not terms["one_off_cents"] and not terms["monthly_cents"]:
            yield Text(f"+  {name}", _("inclus"), is_bold=True)
        if terms["monthly_cents"]:
            yield Text(self._commitment(terms["commitment_months"]), is_detail=True)

    def _credit(self, credit: CreditFacts, quantity: int) -> Iterator[Block]:
        _ = self.words.gettext
        yield Space(8)
        yield Text(_("Votre appareil à crédit") if quantity == 1 else _("Crédit pour chaque appareil"), is_bold=True)
        yield Text(_("Prix comptant"), self._money(credit["cash_price_cents"]), is_detail=True)
        yield Text(_("Acompte à la commande"), self._money(credit["deposit_cents"]), is_detail=True)
        yield Text(
            _("Montant du crédit, TAEG fixe %(rate)s %%") % {"rate": self._rate(credit["rate_bp"])},
            self._money(credit["credit_cents"]),
            is_detail=True,
        )
        part, last = credit["instalment_cents"], credit["last_instalment_cents"]
        times = credit["months"] - (part != last)
        monthly = self.words.ngettext("Mensualité, une seule fois", "Mensualité, %(n)s fois", times) % {"n": times}
        yield Text(monthly, self._money(part), is_detail=True)
        if part != last:
            yield Text(_("Dernière mensualité"), self._money(last), is_detail=True)
        yield Text(_("Montant total dû"), self._money(credit["total_due_cents"]), is_detail=True)
        yield Text(text_of(credit["sentence"], self.language), is_bold=True)

    def _has_device(self) -> bool:
        return any(line["listing"] for line in self.facts["lines"])

    def _grade(self, listing: ListingFacts) -> str:
        return text_of(listing["grade"]["name"], self.language)

    def _battery(self, listing: ListingFacts) -> str:
        """Return the battery's sentence; a device without battery carries no figure and gets none."""
        _ = self.words.gettext
        if listing["new_battery"]:
            return _("Batterie neuve")
        if listing["battery_pct"] is None:
            return ""
        return _("Batterie %(here)s %% (%(floor)s %% au moins)") % {
            "floor": listing["grade"]["battery_min_pct"],
            "here": listing["battery_pct"],
        }

    def _commitment(self, months: int) -> str:
        if not months:
            return self.words.gettext("Sans engagement")
        return self.words.ngettext("Engagement %(n)s mois", "Engagement %(n)s mois", months) % {"n": months}

    def _rate(self, rate_bp: int) -> str:
        return fraction(rate_bp, 2, self.language)

    def _total(self, label: str, cents: int) -> Text:
        return Text(label, self._money(cents), is_bold=True, is_total=True)

    def _money(self, cents: int) -> str:
        return _printed_money(cents, self.facts["currency"], self.language)

    def _monthly(self, cents: int) -> str:
        return self.words.gettext("%(amount)s/mois") % {"amount": self._money(cents)}

    def _months(self, months: int) -> str:
        return self.words.ngettext("%(n)s mois", "%(n)s mois", months) % {"n": months}

    def _moment(self, text: str) -> str:
        return _together(moment(text, self.language, self.facts["corner"]["time_zone"]))


def _printed_money(cents: int, currency: str, language: str) -> str:
    text = money(cents, currency, language)
    return money_by_code(cents, currency, language) if UNPRINTED & set(text) else text


def _together(text: str) -> str:
    """Glue the words of a date or a telephone number."""
    return text.replace(" ", "\u00a0")


def _band(text: str, *, size: Literal["plain", "tall"] = "tall") -> Iterator[Block]:
    """White words on black, over the whole width."""
    yield Text(text, size=size, align="center", is_bold=True, is_inverse=True)
