"""Whatever a program sends to the sellers' API, by its own description and beside it, it is answered and nothing breaks."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode

from tests.marketplace.hq import Hq
from tests.marketplace.sellers.desks import paid_part
from tests.marketplace.sellers.selling import Seller

EXAMPLES = 12


def test_no_request_of_any_shape_breaks_the_api(hq: Hq) -> None:
    seller = Seller(hq)
    seller.put("A-1")
    paid_part(hq)
    described = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", hq.app)
    described.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    tried, answered = set(), set()
    for found in described.get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            hq.write("update api_key set full_at_us = 0")
            answer = case.call(headers={"Authorization": f"Bearer {seller.key}"})
            answered.add(answer.status_code)
            assert answer.status_code < 500, f"{case.method} {case.path}: {answer.text[:500]}"

        check()
        tried.add(f"{operation.method.upper()} {operation.path}")
    assert {"POST /api/v1/imports", "PUT /api/v1/listings/{sku}"} <= tried
    assert {200, 404, 422} <= answered, "good and bad requests alike"
