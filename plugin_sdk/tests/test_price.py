"""Money is exact: one rounding up, at the end of a request."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from routeiq_sdk import Deployment, ModelGroup, Price, Usage

rates = st.integers(min_value=0, max_value=10**12)
prices = st.builds(
    Price, input=rates, output=rates, cached=rates, cache_write=rates, per_request=rates, scale=st.integers(1, 10**9)
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    plain, cached, written, output = (draw(st.integers(0, 10**9)) for _ in range(4))
    return Usage(plain + cached + written, output, cached_tokens=cached, cache_write_tokens=written)


def exact(price: Price, usage: Usage) -> Fraction:
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    units = (
        Fraction(plain) * price.input
        + Fraction(usage.cached_tokens) * price.cached
        + Fraction(usage.cache_write_tokens) * price.cache_write
        + Fraction(usage.output_tokens) * price.output
        + price.per_request
    )
    return units / price.scale


@given(prices, usages())
def test_a_cost_is_the_exact_sum_rounded_up_once(price: Price, usage: Usage) -> None:
    assert price.cost(usage) == math.ceil(exact(price, usage))


@given(prices, usages())
def test_a_cost_is_a_whole_number_and_never_negative(price: Price, usage: Usage) -> None:
    cost = price.cost(usage)
    assert type(cost) is int
    assert cost >= 0


@given(prices, st.integers(0, 10**9), st.integers(0, 10**9))
def test_more_cached_tokens_than_input_do_not_lower_the_cost(price: Price, input_tokens: int, cached: int) -> None:
    """Providers have reported it; the plain part is then zero, not negative."""
    usage = Usage(input_tokens, 0, cached_tokens=input_tokens + cached)
    assert price.cost(usage) == math.ceil(
        Fraction((input_tokens + cached) * price.cached + price.per_request, price.scale)
    )


def test_a_fraction_of_a_nano_dollar_is_rounded_up() -> None:
    assert Price(input=1, output=0, cached=0, cache_write=0, scale=1000).cost(Usage(1)) == 1
    assert Price(input=1, output=0, cached=0, cache_write=0, scale=1000).cost(Usage(1000)) == 1
    assert Price(input=1, output=0, cached=0, cache_write=0, scale=1000).cost(Usage(1001)) == 2


def test_a_group_is_as_dear_as_its_dearest_deployment() -> None:
    def at(rate: int, scale: int) -> Deployment:
        price = Price(input=rate, output=rate, cached=0, cache_write=0, scale=scale)
        return Deployment(str(rate), "group", "openai", "m", "openai", price=price)

    unpriced = Deployment("unpriced", "group", "openai", "m", "openai")
    assert ModelGroup("group", (at(5, 1), at(400, 100), unpriced)).price == at(5, 1).price
    assert ModelGroup("group", (unpriced,)).price is None
