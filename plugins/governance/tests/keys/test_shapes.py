"""Dollars and times are written in LiteLLM's shapes without losing anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_governance.api.shapes import body_of, dollars, duration, iso, nano, page_of, timestamp
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import Headers, HttpRequest


@settings(max_examples=500)
@given(st.integers(0, 4 * 10**15))
def test_dollars_come_back_as_the_same_nano_dollars(amount: int) -> None:
    assert nano("x", json.loads(json.dumps(dollars(amount)))) == amount


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (0, 0),
        (1, 10**9),
        (0.1, 10**8),
        ("0.1", 10**8),
        (1e-9, 1),
        (1e-12, 1),
        (9e9, 9 * 10**18),
        (12.345678901, 12345678901),
    ],
)
def test_dollars_are_exact_and_a_tiny_amount_is_not_nothing(value: Any, amount: int) -> None:
    assert nano("x", value) == amount


@pytest.mark.parametrize(
    "value", [-1, -1e-12, 9.1e9, 10**40, 1e308, float("nan"), float("inf"), "NaN", "-1", "", "x", None, True, [], {}]
)
def test_what_is_no_amount_of_dollars(value: Any) -> None:
    with pytest.raises(RequestError) as refused:
        nano("max_budget", value)
    assert (refused.value.status, refused.value.param) == (400, "max_budget")


@settings(max_examples=200)
@given(st.integers(0, 8 * 10**18).map(lambda at: at // 1000 * 1000))
def test_times_come_back_as_they_were(at: int) -> None:
    assert timestamp("x", iso(at)) == at


@pytest.mark.parametrize("text", ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31 12:00:00"])
def test_times_of_all_clients_are_read(text: str) -> None:
    assert iso(timestamp("x", text)) == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize("value", ["soon", "1969-12-31", "9999-01-01", "2026-13-01", 5, None])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(RequestError):
        timestamp("x", value)


@pytest.mark.parametrize(("value", "kept"), [("30s", "30s"), ("1mo", "1mo"), ("daily", "24h"), ("monthly", "30d")])
def test_durations_and_litellms_words_for_them(value: str, kept: str) -> None:
    assert duration("x", value) == kept


def _request(body: bytes = b"") -> HttpRequest:
    return HttpRequest("POST", "/", {}, {}, Headers([]), body, None)


@pytest.mark.parametrize("body", [b"[]", b"3", b"{", b'{"a": NaN}', b"\xff", b'"x"', b"[" * 100_000, b"null"])
def test_what_is_no_object(body: bytes) -> None:
    with pytest.raises(RequestError) as refused:
        body_of(_request(body))
    assert (refused.value.status, refused.value.param) == (400, "request_body")


def test_no_body_is_an_empty_object() -> None:
    assert body_of(_request()) == {}


@pytest.mark.parametrize("query", [{"page": "0"}, {"page": "-1"}, {"page": "²"}, {"size": "1001"}, {"page": "9" * 50}])
def test_pages_that_are_none(query: dict[str, str]) -> None:
    with pytest.raises(RequestError):
        page_of(query)


def test_both_names_of_a_pages_size() -> None:
    assert page_of({"page": "2", "size": "7"}) == page_of({"page": "2", "page_size": "7"}) == (2, 7)
    assert page_of({}, 10) == (1, 10)
