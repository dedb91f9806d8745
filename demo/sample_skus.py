"""Grow the models of `demo/sample/` into SKUs: every genuine one, then variants of them until there are enough."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

Row = dict[str, Any]

SAMPLE = Path(__file__).with_name("sample")
ORIGIN = frozenset({"source", "checked_on"})


@dataclass(frozen=True, slots=True)
class SampleSku:
    """A SKU of the feed, with what its listings are made from."""

    row: Row
    good_cents: int
    popularity: int
    turn: int
    """0 for a model's first SKU, 1 for its second, and so on; variants come after every genuine SKU."""
    has_battery: bool
    genuine: bool


def grow_skus(wanted: int) -> list[SampleSku]:
    """Return every genuine SKU, then as many market-facing variants as bring the list to `wanted`."""
    categories = read_rows("categories")
    colors = json.loads((SAMPLE / "colors.json").read_text("utf-8"))
    axes = json.loads((SAMPLE / "variants.json").read_text("utf-8"))
    genuine: list[SampleSku] = []
    rounds: list[list[Row]] = []
    for category in categories:
        for model in json.loads((SAMPLE / "models" / f"{category['category_id']}.json").read_text("utf-8")):
            changes = list(combine_variants(model, axes.get(category["category_id"], [])))
            for sku in expand_model(model, category, colors, first_id=len(genuine) + 1):
                genuine.append(sku)
                rounds.append(changes)
    skus = list(genuine)
    for turn in range(max(map(len, rounds))):
        for sku, changes in zip(genuine, rounds, strict=True):
            if len(skus) >= wanted:
                return skus
            if turn < len(changes):
                skus.append(vary_sku(sku, changes[turn], sku_id=len(skus) + 1))
    return skus


def expand_model(model: Row, category: Row, colors: Row, *, first_id: int) -> Iterator[SampleSku]:
    """Yield one SKU for each capacity and colour of a model; colours turn fastest, so the first SKUs differ visibly."""
    storages = model.get("storages") or [None]
    for turn, (step, name) in enumerate(product(range(len(storages)), model["colors"])):
        color = describe_color(name, colors)
        parts = (slug(model["model"]), str(storages[step] or ""), color["code"])
        row = {
            "sku_id": first_id + turn,
            "sku": "-".join(part for part in parts if part),
            "category_id": category["category_id"],
            "brand": model["brand"],
            "model": model["model"],
            "storage_gb": storages[step],
            "color": color,
            "year": model["year"],
            "ean": internal_ean(first_id + turn),
            "weight_g": model["weight_g"],
            "specs": model["specs"],
            "updates_until": model.get("updates_until"),
            "new_price": model.get("new_price") if step == 0 else None,
            "words": model.get("words", ""),
        }
        yield SampleSku(
            row=row,
            good_cents=model["good_cents"] + step * model.get("step_cents", 0),
            popularity=model.get("popularity", 3),
            turn=turn,
            has_battery=bool(model.get("battery", category["battery"])),
            genuine=True,
        )


def describe_color(name: str, colors: Row) -> Row:
    """Return the feed's colour from an English name, which may carry the maker's own shade: `Blue#276787`."""
    english, _, own_hex = name.partition("#")
    told = colors[english]
    names = {"fr": told["fr"], "en": english, "es": told["es"], "de": told["de"], "ar": told["ar"]}
    return {"code": slug(english), "hex": f"#{own_hex}" if own_hex else told["hex"], "name": names}


def combine_variants(model: Row, axes: Sequence[Sequence[Row]]) -> Iterator[Row]:
    """Yield every way to vary a model, the plain one left out, each as one merged change."""
    memory = [
        {"code": f"RAM{ram}", "name": f"RAM {ram}", "cents": ram * 600, "specs": {"ram_gb": ram}}
        for ram in model.get("more_ram", [])
    ]
    skipped = model.get("without", [])
    choices = [[None, *(option for option in axis if option["code"] not in skipped)] for axis in [memory, *axes]]
    for picks in product(*choices):
        chosen = [pick for pick in picks if pick is not None]
        if chosen:
            yield {
                "code": "-".join(pick["code"] for pick in chosen),
                "name": " · ".join(pick["name"] for pick in chosen),
                "cents": sum(pick["cents"] for pick in chosen),
                "words": " ".join(pick["words"] for pick in chosen if "words" in pick),
                "specs": {key: value for pick in chosen for key, value in pick["specs"].items()},
            }


def vary_sku(sku: SampleSku, change: Row, *, sku_id: int) -> SampleSku:
    """Return a market-facing variant of a genuine SKU: another keyboard, memory, connection or bundle.

    The model's source says nothing of one that differs in what it describes.
    """
    specs = sku.row["specs"]
    if specs.keys() & change["specs"].keys():
        specs = {key: value for key, value in specs.items() if key not in ORIGIN}
    row = sku.row | {
        "sku_id": sku_id,
        "sku": f"{sku.row['sku']}-{change['code']}",
        "model": f"{sku.row['model']} · {change['name']}",
        "ean": internal_ean(sku_id),
        "specs": specs | change["specs"],
        "new_price": None,
        "words": f"{sku.row['words']} {change['words']}".strip(),
    }
    return SampleSku(
        row=row,
        good_cents=sku.good_cents + change["cents"],
        popularity=sku.popularity,
        turn=sku.turn,
        has_battery=sku.has_battery,
        genuine=False,
    )


def slug(text: str) -> str:
    """Return a name as the upper-case words of a SKU code."""
    spelt = text.upper().replace("+", " PLUS")
    return "-".join("".join(char if char.isascii() and char.isalnum() else " " for char in spelt).split())


def internal_ean(number: int) -> str:
    """Return an EAN-13 of the range GS1 keeps for internal use (20–29), so that it is never another product's."""
    digits = f"29{number:010d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def read_rows(name: str) -> list[Row]:
    """Read one of the sample's files of one JSON object a line."""
    return read_lines(SAMPLE / f"{name}.jsonl")


def read_lines(path: Path) -> list[Row]:
    """Read a file of one JSON object a line."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
