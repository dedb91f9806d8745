"""The root depends on the set of rows and on nothing else."""

from __future__ import annotations

import json
from hashlib import blake2b, shake_128
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.roots import RootState, canonical_rows, schema_text

values = st.one_of(st.none(), st.integers(-(2**62), 2**62), st.text(st.characters(exclude_categories=["Cs"])))
rows = st.lists(st.tuples(values, values, values), max_size=30)


@given(rows)
def test_a_row_is_hashed_as_its_compact_json_array(some: list[tuple[Any, ...]]) -> None:
    expected = [json.dumps(["sku", *row], ensure_ascii=False, separators=(",", ":")).encode() for row in some]
    assert canonical_rows("sku", some) == expected


def test_texts_that_look_like_the_border_between_rows_stay_whole() -> None:
    assert canonical_rows("law", [(1, "[[64],[128]]"), (2, "],[")]) == [b'["law",1,"[[64],[128]]"]', b'["law",2,"],["]']


@given(rows, st.randoms(use_true_random=False))
def test_order_does_not_matter(some: list[tuple[Any, ...]], random: Any) -> None:
    straight, shuffled = RootState(), RootState()
    straight.add("sku", some)
    random.shuffle(some)
    for row in some:
        shuffled.add("sku", [row])
    assert straight.root(b"s") == shuffled.root(b"s")


@given(rows, rows)
def test_removing_what_was_added_leads_back(kept: list[tuple[Any, ...]], passing: list[tuple[Any, ...]]) -> None:
    state = RootState()
    state.add("sku", kept)
    root = state.root(b"s")
    state.add("sku", passing)
    state.remove("sku", passing)
    assert (state.root(b"s"), state.rows) == (root, len(kept))


def test_the_same_row_twice_is_not_nothing() -> None:
    state = RootState()
    state.add("sku", [(1,), (1,)])
    assert state.root(b"s") != RootState().root(b"s")


def test_the_root_is_bound_to_table_and_schema() -> None:
    one, other = RootState(), RootState()
    one.add("sku", [(1, 2)])
    other.add("stock", [(1, 2)])
    assert one.root(b"s") != other.root(b"s")
    assert one.root(schema_text([("sku", ["a", "b"])])) != one.root(schema_text([("sku", ["b", "a"])]))


def test_the_root_as_the_protocol_page_spells_it() -> None:
    state = RootState()
    state.add("stock", [(7, 3)])
    total = int.from_bytes(shake_128(b'["stock",7,3]').digest(256), "big")
    schema = b'[["stock",["listing_id","quantity"]]]'
    assert schema_text([("stock", ("listing_id", "quantity"))]) == schema
    assert state.root(schema) == blake2b(total.to_bytes(256, "big") + (1).to_bytes(8, "big") + schema, digest_size=32).hexdigest()
    assert RootState.from_bytes(state.to_bytes(), 1).root(schema) == state.root(schema)


@pytest.mark.parametrize("value", [1.5, True, b"x"])
def test_what_has_no_single_spelling_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="sku"):
        canonical_rows("sku", [(1, value)])
