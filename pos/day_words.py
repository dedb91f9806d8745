"""What each figure of the day report is called and means, once for screen, file, paper and HQ.

French stands here; other languages in `<pages>/words/<language>.po`. docs/glossary.md has the same in English.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import time
from functools import lru_cache
from gettext import NullTranslations
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from pos.csv_files import plain
from pos.day_reports import OTHERS, DayFacts, FigureRow
from pos.languages import text_of, translations
from pos.locales import LOCALES

VOIDED = "voided"
"""Not a figure of its own: how many of a figure's slips were voided since."""
HEAD = ("day", "corner", "from", "until", "counted_at", "figure", "key", "name", "value", "voided", "definition")


class Definition(NamedTuple):
    """What a figure is called, and what it counts."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class DayWords:
    """The sentences of one language."""

    language: str
    sentences: NullTranslations

    @property
    def definitions(self) -> dict[str, Definition]:
        """The figures by their id, and `VOIDED`."""
        return {**self._of_slips(), **self._of_papers_and_table()}

    def names(self, rows: Sequence[FigureRow]) -> list[str]:
        """Return what each row of one figure is called; an hour that the night of a clock change has twice with its offset."""
        times = Counter(row["key"][11:16] for row in rows if row["figure"] == "slips_by_hour")
        return [self._hour(row["key"], is_twice=times[row["key"][11:16]] > 1) if times else self._name(row) for row in rows]

    def definition(self, figure: str) -> Definition:
        """Return what a figure is called and means; one that only a newer version knows goes by its id."""
        return self.definitions.get(figure, Definition(figure, ""))

    def table(self, days: Iterable[tuple[str, DayFacts]]) -> Iterator[tuple[str, ...]]:
        """Yield corners' days as one long table with its head: a row for each count, texts never formulas."""
        yield HEAD
        for corner_id, told in days:
            span = (told["day"], corner_id, told["from_at"], told["until_at"], told["counted_at"])
            for figure, group in groupby(told["figures"], key=itemgetter("figure")):
                rows, meaning = list(group), self.definition(figure).meaning
                for name, row in zip(self.names(rows), rows, strict=True):
                    counts = ("" if count is None else str(count) for count in (row["value"], row["voided"]))
                    yield (*span, plain(figure), plain(row["key"]), plain(name), *counts, meaning)

    def _of_slips(self) -> dict[str, Definition]:
        _ = self.sentences.gettext
        return {
            "slips": Definition(
                _("Bons"),
                _("Bons faits pendant la journée du corner, annulés compris. Un bon compte à la minute imprimée dessus."),
            ),
            "slips_by_hour": Definition(
                _("Bons par heure"),
                _(
                    "Bons de la journée, par heure de l’horloge du corner. La nuit où elle change, une heure manque ou figure "
                    "deux fois."
                ),
            ),
            "slips_by_sku": Definition(
                _("Bons par modèle"),
                _(
                    "Bons de la journée où figure le modèle, en quelque quantité. Un bon de deux modèles compte pour chacun : "
                    "la somme peut dépasser le nombre de bons."
                ),
            ),
            "slips_by_plan": Definition(
                _("Bons par forfait"),
                _(
                    "Bons de la journée où figure le forfait, avec un appareil ou seul. "
                    "Un bon de deux forfaits compte pour chacun."
                ),
            ),
            "bundles_helped": Definition(
                _("Offres groupées accompagnées"),
                _(
                    "Bons de la journée avec un appareil et son forfait sur une ligne, faits avec l’aide de la personne. "
                    "Aucun classement."
                ),
            ),
            "claimed": Definition(
                _("Bons devenus commandes"),
                _("Bons de la journée devenus commandes depuis, dans l’état que le siège en a dit en dernier."),
            ),
        }

    def _of_papers_and_table(self) -> dict[str, Definition]:
        _ = self.sentences.gettext
        return {
            "papers_printed": Definition(
                _("Papiers sortis"),
                _(
                    "Papiers demandés pendant la journée et sortis, selon l’imprimante ou quelqu’un qui l’a vu ; "
                    "duplicatas compris."
                ),
            ),
            "papers_uncertain": Definition(
                _("Papiers incertains"),
                _("Papiers demandés pendant la journée dont personne n’a encore dit s’ils sont sortis."),
            ),
            "papers_failed": Definition(
                _("Papiers non sortis"),
                _("Papiers demandés pendant la journée qui ne sont pas sortis, ou auxquels quelqu’un a renoncé."),
            ),
            "papers_waiting": Definition(
                _("Papiers en attente"), _("Papiers demandés pendant la journée qui attendent encore ou s’impriment.")
            ),
            "demo_events": Definition(
                _("Appareils de démonstration"),
                _("Ce que des conseillers ont noté des appareils de la table pendant la journée, par nature."),
            ),
            "labels_confirmed": Definition(
                _("Étiquettes posées"),
                _("Étiquettes de la table scannées à leur place, ou dites posées, pendant la journée."),
            ),
            "labels_stale": Definition(
                _("Étiquettes dépassées"),
                _("Étiquettes en place qui, à la fin de la journée ou maintenant, ne disent plus ce que dit l’écran."),
            ),
            VOIDED: Definition(
                _("Dont annulés"),
                _("Bons de la journée annulés depuis, quel que soit le jour de l’annulation. Ils restent comptés."),
            ),
        }

    def _name(self, row: FigureRow) -> str:
        if row["name"]:
            return text_of(row["name"], self.language)
        _ = self.sentences.gettext
        papers = {
            "slip": _("bons"),
            "label": _("étiquettes"),
            "report": _("rapports"),
            "diagnostic": _("diagnostics"),
            "test": _("essais d’imprimante"),
        }
        states = {
            "ordered": _("commandés"),
            "shipped": _("expédiés"),
            "returned": _("retournés"),
            "cancelled": _("commande annulée"),
        }
        noted = {
            "seen": _("vus"),
            "moved": _("déplacés"),
            "missing": _("manquants"),
            "loaned": _("prêtés"),
            "returned": _("rendus"),
            "stolen": _("volés"),
            "damaged": _("abîmés"),
            "battery": _("batteries relevées"),
            "wiped": _("effacés"),
            "charged": _("chargés"),
            "cleaned": _("nettoyés"),
            "tested": _("essayés"),
        }
        kinds = {"claimed": states, "demo_events": noted}.get(row["figure"], papers) | {OTHERS: _("les autres")}
        return kinds.get(row["key"], row["key"])

    def _hour(self, key: str, *, is_twice: bool) -> str:
        text = LOCALES[self.language].time(time(int(key[11:13])))
        return f"{text} (UTC{key[16:]})" if is_twice else text


@lru_cache
def day_words(language: str, pages: Path) -> DayWords:
    """Return the sentences of a language, read once."""
    return DayWords(language, translations("words", language, pages))
