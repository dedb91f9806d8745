"""How units go to their customer: carrier, tracking number, and which device went, checked before anything is noted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from marketplace.db import row
from pos.errors import Conflict, InvalidImei, Refused
from pos.imei import check_imei

PHONE = "phone"
SERIAL = re.compile(r"[0-9A-Za-z][0-9A-Za-z/-]{3,39}", re.ASCII)
TRACKING = re.compile(r"[0-9A-Za-z][0-9A-Za-z -]{4,49}", re.ASCII)
MOST_CARRIER = 40


class InvalidShipment(Refused):
    """Something of a shipment is missing or cannot be; `data["fields"]` maps each field to a code."""


class ImeiKnown(Conflict):
    """A phone of this IMEI was shipped before and did not come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """Carrier and its tracking number, and each unit's IMEI or serial number by its number; phones need their IMEI."""

    carrier: str
    tracking: str
    imeis: Mapping[int, str]
    serials: Mapping[int, str]


def check_shipment(connection: Connection, shipment: Shipment, skus: Mapping[int, int]) -> Shipment:
    """Return a shipment as it is kept; `skus` has each unit's SKU by its number. Raises: InvalidShipment, ImeiKnown."""
    carrier, tracking = shipment.carrier.strip(), shipment.tracking.strip()
    imeis, serials = _given(shipment.imeis, skus), _given(shipment.serials, skus)
    fields: dict[str, str] = {}
    if not 1 <= len(carrier) <= MOST_CARRIER or not carrier.isprintable():
        fields["carrier"] = "malformed" if carrier else "missing"
    if not TRACKING.fullmatch(tracking):
        fields["tracking"] = "malformed" if tracking else "missing"
    fields |= {f"imei_{unit_no}": "malformed" for unit_no, imei in imeis.items() if not _is_imei(imei)}
    fields |= {f"serial_{unit_no}": "malformed" for unit_no, serial in serials.items() if not SERIAL.fullmatch(serial)}
    fields |= {
        f"imei_{unit_no}": "missing"
        for unit_no, sku_id in skus.items()
        if unit_no not in imeis and needs_imei(connection, sku_id)
    }
    if fields:
        raise InvalidShipment("the shipment is not complete", fields=fields)
    imeis = {unit_no: check_imei(imei) for unit_no, imei in imeis.items()}
    _refuse_known(connection, list(imeis.values()))
    return Shipment(carrier=carrier, tracking=tracking, imeis=imeis, serials=serials)


def needs_imei(connection: Connection, sku_id: int) -> bool:
    """Return whether a device of this SKU is a phone, which is not shipped without its IMEI."""
    query = """
        select category.body as category
        from sku join category on category.category_id = sku.category_id where sku.sku_id = :sku_id
    """
    found = row(connection, query, sku_id=sku_id)
    return found is not None and json.loads(found["category"]).get("form") == PHONE


def _given(texts: Mapping[int, str], skus: Mapping[int, int]) -> dict[int, str]:
    return {unit_no: texts[unit_no].strip() for unit_no in skus if texts.get(unit_no, "").strip()}


def _is_imei(text: str) -> bool:
    try:
        check_imei(text)
    except InvalidImei:
        return False
    return True


def _refuse_known(connection: Connection, imeis: Sequence[str]) -> None:
    query = "select 1 as one from unit where imei = :imei and state in ('shipped', 'delivered')"
    if len(set(imeis)) < len(imeis) or any(row(connection, query, imei=imei) for imei in imeis):
        raise ImeiKnown("this phone was shipped before and did not come back")
