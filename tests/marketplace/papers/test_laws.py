"""What papers owe to the law of a market: its rate of VAT, its words and its articles, as the sample's law rows say them."""

from __future__ import annotations

import pytest

from demo.sample_markets import MARKETS
from demo.sample_skus import read_lines
from marketplace.bodies import compact
from tests.marketplace.hq import IPHONE_13, Hq
from tests.marketplace.papers.printed import printed
from tests.marketplace.papers.test_invoices import IMEIS, fetched, shipped
from tests.marketplace.sellers.desks import paid_part

FRENCH = ("297 E", "293 B", "L. 217", "Biens d’occasion", "20 %", "code de la consommation")


def rule_by(hq: Hq, market: str) -> None:
    """Give the world's market the law of a country of the sample."""
    hq.write("delete from law")
    for law in read_lines(MARKETS / market / "laws.jsonl"):
        row = {**law, "body": compact({**law["body"], "source": law["source"]}), "market": "fr"}
        del row["source"]
        hq.write("insert into law values (:law_id, :market, :kind, :valid_from, :valid_to, :body)", **row)


@pytest.mark.parametrize(
    ("market", "words", "article", "rate", "guarantee"),
    [
        ("de", "Gebrauchtgegenstände/Sonderregelung", "(§ 25a UStG)", "TVA 19 %", "(BGB §§ 437, 438 Abs. 1 Nr. 3, 477)"),
        ("es", "Régimen especial de los bienes usados", "135 a 139)", "TVA 21 %", "(RDL 1/2007, arts. 120.1, 121.1)"),
    ],
)
def test_invoices_and_confirmations_name_the_law_of_the_market(
    hq: Hq, market: str, words: str, article: str, rate: str, guarantee: str
) -> None:
    rule_by(hq, market)
    on_margin, regular = paid_part(hq, IPHONE_13), paid_part(hq, IPHONE_13, counter=2)
    hq.write("update unit set vat_margin = 0 where part_id = :part_id", part_id=regular["part_id"])
    shipped(hq, on_margin, IMEIS[0])
    shipped(hq, regular, IMEIS[1])

    margin, stated = fetched(hq, on_margin, "1-F-000001"), fetched(hq, regular, "1-F-000002")
    confirmation = printed(hq.client.get(f"/orders/{regular['order_id']}/confirmation.pdf").data)
    for text, facts in ((margin, (words, article, guarantee)), (stated, (rate, guarantee)), (confirmation, (guarantee,))):
        assert [fact for fact in facts if fact not in text] == [], text
        assert [named for named in FRENCH if named in text] == [], text
    assert "Modèle de formulaire de rétractation" in confirmation, "everywhere in the Union"
