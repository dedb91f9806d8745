"""Whoever sends a device back prints a label with the seller's address, while there is something to send."""

from __future__ import annotations

from tests.marketplace.hq import IPHONE_13, Hq
from tests.marketplace.orders.test_returns import withdrawn
from tests.marketplace.papers.printed import printed
from tests.marketplace.sellers.desks import paid_part


def test_a_device_that_goes_back_has_a_label_to_its_seller_until_it_is_there(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    case_name, order_id = withdrawn(hq, part), part["order_id"]
    address = f"/orders/{order_id}/returns/{case_name}/label.pdf"

    assert address in hq.client.get(f"/orders/{order_id}").text
    hq.write("""update seller set body = '{"name": "Atelier Loire SAS", "country": "DE"}' where seller_id = 1""")
    text = printed(hq.client.get(address).data)
    for fact in (
        "Retour",
        part["number"],
        "Atelier Loire SAS",
        "Camille Roux",
        "Deutschland",
        "Apple iPhone 13",
        "IMEI 490154203237518",
    ):
        assert fact in text, fact
    other = paid_part(hq, IPHONE_13, counter=2)
    assert hq.client.get(f"/orders/{other['order_id']}/returns/{case_name}/label.pdf").status_code == 404
    hq.write("update unit_case set state = 'received'")
    assert hq.client.get(address).status_code == 404
