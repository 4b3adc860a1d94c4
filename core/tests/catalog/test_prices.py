"""The price book: exact rates, the order of sources, and unpriced models that stay visible."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.catalog.prices import PriceBook, find_price_map
from routeiq.catalog.rates import usd
from routeiq.config.routeiq_block import PriceOverride
from routeiq_sdk import ConfigError, Price, Usage

MAP: dict[str, dict[str, Any]] = {
    "small": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "cache_read_input_token_cost": 7.5e-08,
        "max_input_tokens": 128000,
        "max_output_tokens": 16384,
        "supports_function_calling": True,
        "supports_vision": True,
        "supports_response_schema": True,
    },
    "host/small": {"litellm_provider": "host", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06},
    "host/large": {
        "litellm_provider": "host",
        "mode": "chat",
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_creation_input_token_cost": 3.75e-06,
        "cache_read_input_token_cost": 3e-07,
        "input_cost_per_token_above_200k_tokens": 6e-06,
    },
    "host/steps": {"litellm_provider": "host", "mode": "chat", "tiered_pricing": [{"input_cost_per_token": 1e-06}]},
    "host/free": {
        "litellm_provider": "host",
        "mode": "chat",
        "input_cost_per_token": 0,
        "output_cost_per_token": 0.0,
    },
    "host/by-the-second": {
        "litellm_provider": "host",
        "mode": "chat",
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
        "output_cost_per_second": 0.01,
    },
    "host/half": {"litellm_provider": "host", "mode": "chat", "input_cost_per_token": 1e-06},
    "host/vectors": {"litellm_provider": "host", "mode": "embedding", "input_cost_per_token": 2e-08},
    "host/asked": {
        "litellm_provider": "host",
        "mode": "chat",
        "input_cost_per_token": 0.0,
        "output_cost_per_token": 2.8e-07,
        "input_cost_per_request": 0.005,
    },
    "ft:small": {"litellm_provider": "openai", "input_cost_per_token": 3e-07, "output_cost_per_token": 1.2e-06},
    "family": {"litellm_provider": "host-language-models", "input_cost_per_token": 1e-06, "output_cost_per_token": 0},
    "host/reasons": {
        "litellm_provider": "host",
        "mode": "chat",
        "input_cost_per_token": 2e-06,
        "output_cost_per_token": 8e-06,
        "output_cost_per_reasoning_token": 3e-06,
        "input_cost_per_token_batches": 1e-06,
        "search_context_cost_per_query": {"search_context_size_low": 0.005},
    },
}
HOST = [("host", name.removeprefix("host/")) for name in MAP if name.startswith("host/")]
ALL = [*HOST, ("openai", "small"), ("openai", "ft:small:org::id"), ("other", "small"), ("host", "family")]


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(MAP))
    return path


@pytest.fixture
def book(map_file: Path) -> PriceBook:
    return PriceBook.load(map_file, wanted=ALL)


def own(**mtok: str) -> PriceOverride:
    return PriceOverride.model_validate({f"{name}_usd_per_mtok": Decimal(amount) for name, amount in mtok.items()})


def per_million(
    price: Price | None,
    *,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
) -> int:
    """Nano-dollars of a call with so many million tokens."""
    assert price is not None
    mega = 10**6
    return price.cost(Usage(input_tokens * mega, output_tokens * mega, cached_tokens * mega, cache_write_tokens * mega))


def test_rates_of_the_map_are_exact(book: PriceBook) -> None:
    small = book.price("openai", "small")
    assert small is not None
    assert (small.input, small.output, small.cached, small.cache_write, small.scale) == (150, 600, 75, 150, 1)
    assert small.cost(Usage(input_tokens=1)) == 150
    assert small.cost(Usage(input_tokens=7, output_tokens=3, cached_tokens=2)) == 5 * 150 + 2 * 75 + 3 * 600
    assert small.version == book.version


def test_cost_is_rounded_up_once_at_the_end(map_file: Path) -> None:
    book = PriceBook.load(map_file, {"tiny": own(input="0.0001", output="0.0003")}, wanted=[])
    tiny = book.price("any", "tiny")
    assert tiny is not None
    assert tiny.cost(Usage(input_tokens=1)) == 1
    assert tiny.cost(Usage(input_tokens=5, output_tokens=5)) == 2
    assert tiny.cost(Usage()) == 0


def test_what_nobody_prices_is_unpriced(book: PriceBook) -> None:
    for model in ("unheard-of", "half", "steps", "by-the-second"):
        assert book.price("host", model) is None
    assert book.facts("host", "unheard-of") is None


def test_a_zero_that_is_meant_is_a_price(book: PriceBook, map_file: Path) -> None:
    assert per_million(book.price("host", "free"), input_tokens=5, output_tokens=5) == 0
    zero = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    assert per_million(book.price("host", "by-the-second", zero), input_tokens=1) == 0
    mine = PriceBook.load(map_file, {"by-the-second": own(input="0", output="0")}, wanted=ALL)
    assert per_million(mine.price("host", "by-the-second"), input_tokens=1) == 0


def test_a_model_without_output_needs_no_output_rate(book: PriceBook) -> None:
    assert per_million(book.price("host", "vectors"), input_tokens=1) == 20_000_000


def test_a_price_a_request_is_added_to_each(book: PriceBook) -> None:
    asked = book.price("host", "asked")
    assert asked is not None
    assert asked.cost(Usage(input_tokens=100, output_tokens=1)) == 5_000_000 + 280
    only = book.price("host", "unheard-of", {"input_cost_per_request": "0.01"})
    assert only is not None
    assert only.cost(Usage(input_tokens=100, output_tokens=1)) == 10_000_000


def test_a_price_of_another_provider_is_never_taken(book: PriceBook) -> None:
    assert per_million(book.price("host", "small"), input_tokens=1) == 10**9
    assert per_million(book.price("openai", "small"), input_tokens=1) == 150_000_000
    assert book.price("other", "small") is None
    assert book.facts("other", "small") is None
    assert book.price("host", "family") is not None


def test_a_tuned_model_has_the_price_of_tuned_models_of_its_base(book: PriceBook) -> None:
    assert per_million(book.price("openai", "ft:small:org::id"), input_tokens=1) == 300_000_000


def test_the_row_wins_over_the_yaml_and_the_yaml_over_the_map(map_file: Path) -> None:
    overrides = {"small": own(input="5", output="6"), "host/small": own(input="7", output="8")}
    book = PriceBook.load(map_file, overrides, wanted=ALL)
    assert per_million(book.price("openai", "small"), input_tokens=1) == 5 * 10**9
    assert per_million(book.price("host", "small"), output_tokens=1) == 8 * 10**9
    row = {"input_cost_per_token": Decimal("1e-06"), "output_cost_per_token": None}
    assert per_million(book.price("host", "small", row), input_tokens=1) == 10**9
    assert per_million(book.price("host", "small", row), output_tokens=1) == 8 * 10**9


def test_a_new_input_rate_takes_the_old_cache_rates_with_it(book: PriceBook) -> None:
    row = {"input_cost_per_token": 1e-06}
    price = book.price("host", "large", row)
    assert price is not None
    assert price.cached == price.cache_write == price.input
    only_output = book.price("host", "large", {"output_cost_per_token": 1e-06})
    assert only_output is not None
    assert Decimal(only_output.cached) / only_output.scale == 300


def test_cache_rates_of_the_yaml_hold_and_default_to_input(map_file: Path) -> None:
    full = own(input="3", output="15", cache_read="0.3", cache_write="3.75")
    book = PriceBook.load(map_file, {"m": full, "n": own(input="3", output="15")}, wanted=[])
    usage = {"input_tokens": 3, "cached_tokens": 1, "cache_write_tokens": 1}
    assert per_million(book.price("p", "m"), **usage) == 3_000_000_000 + 300_000_000 + 3_750_000_000
    assert per_million(book.price("p", "n"), **usage) == 9_000_000_000


@pytest.mark.parametrize("value", ["cheap", -1, float("nan"), float("inf"), True, "-0.1", [1]])
def test_what_is_no_price_is_refused_by_name(book: PriceBook, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"input_cost_per_token: .* is no price"):
        book.price("host", "small", {"input_cost_per_token": value})


def test_facts_are_those_of_the_map(book: PriceBook) -> None:
    small = book.facts("openai", "small")
    assert small is not None
    assert (small.max_input_tokens, small.max_output_tokens, small.mode) == (128000, 16384, "chat")
    assert small.abilities == {"tools": True, "vision": True, "json": True}
    assert not small.tiered
    assert small.other_charges == ()
    bare = book.facts("host", "small")
    assert bare is not None
    assert (bare.max_input_tokens, bare.abilities, bare.mode) == (None, {}, None)


def test_a_price_that_is_not_the_whole_price_says_so(book: PriceBook, map_file: Path) -> None:
    large, steps, reasons = (book.facts("host", name) for name in ("large", "steps", "reasons"))
    assert large is not None
    assert large.tiered
    assert large.other_charges == ()
    assert steps is not None
    assert steps.tiered
    assert reasons is not None
    assert reasons.other_charges == ("output_cost_per_reasoning_token", "search_context_cost_per_query")
    mine = PriceBook.load(map_file, {"large": own(input="1", output="1")}, wanted=ALL).facts("host", "large")
    assert mine is not None
    assert not mine.tiered


def test_only_what_was_asked_for_is_kept(map_file: Path) -> None:
    book = PriceBook.load(map_file, wanted=[("host", "small")])
    assert book.price("host", "small") is not None
    assert book.price("host", "large") is None


def test_a_wildcard_keeps_the_models_of_its_provider(map_file: Path) -> None:
    book = PriceBook.load(map_file, wanted=[("host", "*"), ("openai", "sm*")])
    assert book.price("host", "large") is not None
    assert book.price("host", "family") is not None
    assert book.price("openai", "small") is not None
    assert book.price("openai", "ft:small:org::id") is None


def test_the_version_names_the_map_the_overrides_and_the_row(map_file: Path) -> None:
    plain = PriceBook.load(map_file, wanted=[])
    assert plain.version == PriceBook.load(map_file, wanted=ALL).version
    changed = PriceBook.load(map_file, {"small": own(input="1", output="2")}, wanted=ALL)
    again = PriceBook.load(map_file, {"small": own(input="1.0", output="2.00")}, wanted=ALL)
    assert changed.version == again.version != plain.version
    row = changed.price("openai", "small", {"input_cost_per_token": 1e-06})
    other = changed.price("openai", "small", {"input_cost_per_token": 2e-06})
    assert row is not None
    assert other is not None
    assert row.version.startswith(f"{changed.version}+")
    assert row.version != other.version
    map_file.write_text(json.dumps(MAP | {"new": {}}))
    assert PriceBook.load(map_file, wanted=[]).version != plain.version


@pytest.mark.parametrize("content", ["<html>", "[]", '{"host/small": 1}', '{"host/small": {', ""])
def test_a_map_that_cannot_be_read_is_named(map_file: Path, content: str) -> None:
    map_file.write_text(content)
    with pytest.raises(ConfigError, match=str(map_file)):
        PriceBook.load(map_file, wanted=ALL)
    map_file.unlink()
    with pytest.raises(ConfigError, match=str(map_file)):
        PriceBook.load(map_file, wanted=ALL)


amounts = st.decimals(min_value=0, max_value=1000, places=9, allow_nan=False)
counts = st.integers(0, 10**7)


@given(rates=st.tuples(amounts, amounts, amounts, amounts), counts=st.tuples(counts, counts, counts, counts))
def test_any_cost_equals_decimal_arithmetic(
    rates: tuple[Decimal, Decimal, Decimal, Decimal], counts: tuple[int, int, int, int]
) -> None:
    names = ("input", "output", "cache_read", "cache_write")
    override = own(**{name: str(rate) for name, rate in zip(names, rates, strict=True)})
    price = PriceBook.load(None, {"m": override}, wanted=[]).price("p", "m")
    assert price is not None
    plain, output, cached, written = counts
    usage = Usage(plain + cached + written, output, cached, written)
    exact = sum((rate * 1000 * count for rate, count in zip(rates, counts, strict=True)), Decimal(0))
    assert price.cost(usage) == int(exact.to_integral_value(ROUND_CEILING))


@given(value=st.floats(0, 1, allow_subnormal=False))
def test_a_float_is_the_text_it_was_written_as(value: float) -> None:
    assert usd("rate", value) == usd("rate", repr(value)) == usd("rate", Decimal(repr(value)))


def test_the_installed_map_is_found_and_read_without_importing_litellm() -> None:
    code = (
        "import sys\n"
        "from routeiq.catalog.prices import PriceBook, find_price_map\n"
        "names = [('openai', 'gpt-4o-mini'), ('anthropic', 'claude-sonnet-4-5')]\n"
        "book = PriceBook.load(find_price_map(), wanted=names)\n"
        "for name in names:\n"
        "    price, facts = book.price(*name), book.facts(*name)\n"
        "    assert price.output > price.input > price.cached > 0, price\n"
        "    assert facts.mode == 'chat' and facts.max_input_tokens > 1000, facts\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'litellm']\n"
    )
    assert find_price_map() is not None, "the tests need the extra `litellm`"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_entry_of_the_installed_map_can_be_read() -> None:
    path = find_price_map()
    assert path is not None
    listed = json.loads(path.read_text())
    providers = {entry["litellm_provider"] for entry in listed.values() if "litellm_provider" in entry}
    book = PriceBook.load(path, wanted=[(provider, "*") for provider in providers])
    priced = 0
    for name, entry in listed.items():
        provider = entry.get("litellm_provider", "")
        model = name.removeprefix(f"{provider}/")
        entry = listed.get(f"{provider}/{model}", entry)
        price = book.price(provider, model)
        if price is not None:
            priced += 1
            expected = Decimal(repr(entry.get("input_cost_per_token", 0))) * 10**9
            assert Decimal(price.input) / price.scale == expected, name
    assert priced > 1000
