"""Specifications in words: each published key has a label and a way to write its value, in the order people compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pos import languages
from pos.locales import LOCALES
from shop import door
from shop.languages import sentence

LABELS = {
    "screen_tenths_in": "Écran",
    "storage_gb": "Stockage",
    "ram_gb": "Mémoire",
    "chip": "Puce",
    "network": "Réseau",
    "sim": "SIM",
    "main_mp": "Photo principale",
    "lenses": "Objectifs",
    "battery_mah": "Batterie",
    "connector": "Prise",
    "connectivity": "Connexion",
    "keyboard": "Clavier",
    "max_resolution": "Image",
    "disc_drive": "Lecteur de disques",
    "panel": "Dalle",
    "case_mm": "Boîtier",
    "gps": "GPS",
    "ecg": "Électrocardiogramme",
    "noise_cancelling": "Réduction de bruit",
    "runtime_h": "Autonomie",
    "jack": "Prise casque",
    "resolution": "Définition",
    "refresh_hz": "Fréquence",
    "hdmi_ports": "Ports HDMI",
    "system": "Système",
    "pressure_bar": "Pression",
    "tank_ml": "Réservoir",
    "grinder": "Broyeur",
    "power_w": "Puissance",
    "capacity_l": "Capacité",
    "grill": "Gril",
    "turntable_mm": "Plateau",
    "bowl_ml": "Bol",
    "speeds": "Vitesses",
    "heats": "Chauffe",
    "suction_aw": "Aspiration",
    "runtime_min": "Autonomie",
    "bin_ml": "Collecteur",
    "charge_min": "Charge",
    "length_max_mm": "Longueur maximale",
    "megapixels": "Capteur",
    "sensor": "Format du capteur",
    "mount": "Monture",
    "video": "Vidéo",
    "weight_g": "Poids",
    "year": "Année",
    "updates_until": "Mises à jour jusqu’en",
}
"""French labels by key; every one stands in the catalogues of the other languages.

What a model withstands of water (`ip`, `water_m`, `waterproof`) has none: a device that was opened does not keep it.
"""

UNITS = {
    "main_mp": "Mpx",
    "battery_mah": "mAh",
    "case_mm": "mm",
    "runtime_h": "h",
    "refresh_hz": "Hz",
    "pressure_bar": "bar",
    "power_w": "W",
    "capacity_l": "L",
    "turntable_mm": "mm",
    "suction_aw": "AW",
    "runtime_min": "min",
    "charge_min": "min",
    "length_max_mm": "mm",
    "megapixels": "Mpx",
    "weight_g": "g",
}
SOURCED = {
    "repair_tenths": "repair_source",
    "spare_parts_until": "spare_parts_source",
    "spare_parts_years": "spare_parts_source",
}
"""Facts about repair that are said only with their source, and under which name that stands among the specifications."""
PLAIN_NUMBERS = frozenset({"year", "updates_until", "lenses", "speeds", "hdmi_ports"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """A figure with who says it: tenths of a point for `repair_tenths`, a year for `spare_parts_until`, years from the
    day the maker gave up the model for `spare_parts_years`.
    """

    value: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecsOrigin:
    """Who publishes a model's specifications, and the day (YYYY-MM-DD) they were taken from that."""

    source: str
    checked_on: str


def spec_rows(item: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return (label, value) of a SKU in the visitor's language, in its category's order; None for what is not known.

    A category that does not say what it compares has the rows that are known.
    """
    facts = facts_of(item)
    compared = item["category"].get("compare")
    wanted = compared or [key for key in LABELS if facts.get(key) is not None]
    return [(label(key), spec_value(key, facts[key]) if facts.get(key) is not None else None) for key in wanted if key in LABELS]


def specs_origin(item: Mapping[str, Any]) -> SpecsOrigin | None:
    """Return where a SKU's specifications come from; None where its row does not say so with a day."""
    specs = item.get("specs") or {}
    source, checked_on = specs.get("source"), specs.get("checked_on")
    if isinstance(source, str) and isinstance(checked_on, str):
        return SpecsOrigin(source=source, checked_on=checked_on)
    return None


def sourced_specs(item: Mapping[str, Any]) -> dict[str, Sourced]:
    """Return what is known of a SKU's repair, by key: nothing without a source, nothing reckoned (reference/domain.md §4)."""
    specs = item.get("specs") or {}
    pairs = {key: (specs.get(key), specs.get(name)) for key, name in SOURCED.items()}
    return {
        key: Sourced(value=value, source=source)
        for key, (value, source) in pairs.items()
        if type(value) is int and value > 0 and isinstance(source, str)
    }


def label(key: str) -> str:
    """Return what a specification is called in the visitor's language."""
    return sentence(LABELS[key])


def facts_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a SKU's specifications together with what its row knows."""
    own = {key: item.get(key) for key in ("storage_gb", "year", "updates_until", "weight_g")}
    return {**own, **(item.get("specs") or {})}


def spec_value(key: str, value: Any) -> str:
    """Return one value as people of the visitor's language read it."""
    if isinstance(value, bool):
        return sentence("oui" if value else "non")
    isolated = LOCALES[door.visitor().language].isolated
    writer = WRITERS.get(key)
    if writer:
        return isolated(writer(value))
    if isinstance(value, int):
        text = str(value) if key in PLAIN_NUMBERS else languages.number(value, door.visitor().language)
        return isolated(f"{text}\u00a0{UNITS[key]}" if key in UNITS else text)
    return languages.text_of(value, door.visitor().language) if isinstance(value, dict) else str(value)


def _inches(tenths: Any) -> str:
    return f"{languages.fraction(int(tenths), 1, door.visitor().language)}″"


def _gigabytes(value: Any) -> str:
    return languages.storage(int(value), door.visitor().language)


def _litres(millilitres: Any) -> str:
    return f"{languages.fraction(int(millilitres), 3, door.visitor().language)}\u00a0L"


WRITERS: dict[str, Callable[[Any], str]] = {
    "screen_tenths_in": _inches,
    "storage_gb": _gigabytes,
    "ram_gb": _gigabytes,
    "tank_ml": _litres,
    "bowl_ml": _litres,
    "bin_ml": _litres,
}
