"""Headers of answers: the contract's names, small in all, and nobody's line breaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.request.answer_headers import AnswerHeaders, line, of_failure, usd
from routeiq_sdk import Candidate, Decision, Deployment
from routeiq_sdk.values.http import Headers

DEPLOYMENT = Deployment("id-1", "group", "openai", "model", "openai", region="eu")
HEADERS = AnswerHeaders("1.109", "f" * 64)


def ctx():
    from routeiq.request.context import RequestContext

    made = RequestContext(
        request_id="7c1f7d9e-6a31-4a55-9d6c-0d1d6c0f9b11",
        surface="chat",
        route="/v1/chat/completions",
        method="POST",
        path="/",
        headers=Headers([]),
        client=None,
        config="r",
    )
    made.decision_id = "dec-" + made.request_id
    return made


def served(provider: dict[str, str] | None = None, context=None) -> list[tuple[bytes, bytes]]:
    return HEADERS.served(
        context or ctx(),
        DEPLOYMENT,
        api_base="https://api.example/v1",
        attempts=4,
        fallbacks=1,
        max_retries=2,
        timeout=600,
        upstream_ms=1.0,
        provider=provider or {},
    )


def test_an_answer_carries_the_headers_of_the_contract() -> None:
    context = ctx()
    context.cost = 21_000
    context.decide(Decision("why", (Candidate("group", 1.0),)))
    told = dict(served({"x-ratelimit-remaining-tokens": "9", "x-request-id": "up-1"}, context))
    assert told[b"x-litellm-call-id"] == context.request_id.encode()
    assert told[b"x-litellm-version"] == b"1.109.1"
    assert told[b"x-litellm-model-id"] == b"id-1"
    assert told[b"x-litellm-model-group"] == b"group"
    assert told[b"x-litellm-model-name"] == b"openai/model"
    assert told[b"x-litellm-model-region"] == b"eu"
    assert told[b"x-litellm-model-api-base"] == b"https://api.example/v1"
    assert told[b"x-litellm-attempted-retries"] == b"2"
    assert told[b"x-litellm-attempted-fallbacks"] == b"1"
    assert told[b"x-litellm-max-retries"] == b"2"
    assert told[b"x-litellm-timeout"] == b"600"
    assert told[b"x-litellm-response-cost"] == b"0.000021"
    assert told[b"x-ratelimit-remaining-tokens"] == b"9"
    assert told[b"llm_provider-x-ratelimit-remaining-tokens"] == b"9"
    assert told[b"request-id"] == b"up-1"
    assert told[b"x-routeiq-strategy"] == b"why"
    assert told[b"x-routeiq-model"] == b"group"
    assert float(told[b"x-litellm-overhead-duration-ms"]) >= 0
    assert all(told.values()), "empty headers are left out"


def test_an_unpriced_answer_names_no_cost() -> None:
    assert b"x-litellm-response-cost" not in dict(served())


NAMES = st.from_regex(r"\A(x-ratelimit-)?[a-z][a-z-]{0,20}\Z")
VALUES = st.text(max_size=60) | st.sampled_from(["a\r\nx-evil: 1", "a\nb", "\x00", "é" * 30, "x" * 5000])


@given(st.dictionaries(NAMES, VALUES, max_size=80))
def test_all_headers_stay_below_4_kb_and_on_their_lines_whatever_the_provider_sends(provider: dict[str, str]) -> None:
    told = served(provider)
    assert sum(len(name) + len(value) + 4 for name, value in told) < 4096
    for name, value in told:
        assert not any(byte < 32 or byte == 127 for byte in name + value)
        assert value == value.strip()


def test_limits_that_are_told_twice_count_twice() -> None:
    provider = {f"x-ratelimit-{number}": "v" * 100 for number in range(40)}
    assert sum(len(name) + len(value) + 4 for name, value in served(provider)) < 4096


def test_cookies_and_framing_of_the_provider_stay_with_the_provider() -> None:
    provider = {"set-cookie": "a=b", "content-length": "3", "content-encoding": "gzip", "transfer-encoding": "chunked"}
    names = {name for name, _ in served(provider)}
    assert not names & {b"llm_provider-" + name.encode() for name in provider}
    assert not names & {name.encode() for name in provider}


def test_a_header_worded_by_a_plugin_is_one_line() -> None:
    assert line("X-Mine", " a\r\nset-cookie: b\x7f ") == (b"x-mine", b"a set-cookie: b")


def test_a_failure_carries_the_timeout_and_what_the_provider_said() -> None:
    assert of_failure({"x-ratelimit-limit-requests": "1", "set-cookie": "x"}, 2.5) == {
        "x-litellm-timeout": "2.5",
        "llm_provider-x-ratelimit-limit-requests": "1",
        "x-ratelimit-limit-requests": "1",
    }
    assert of_failure({}, None) == {}


@pytest.mark.parametrize(
    ("nano", "text"), [(0, "0.0"), (1, "0.000000001"), (10**9, "1.0"), (1_500_000_000, "1.5"), (21_000, "0.000021")]
)
def test_money_is_written_exactly_and_without_an_exponent(nano: int, text: str) -> None:
    assert usd(nano) == text


@given(st.integers(-(10**18), 10**18))
def test_money_reads_back_as_what_it_was(nano: int) -> None:
    from decimal import Decimal

    assert Decimal(usd(nano)) * 10**9 == nano
    assert "e" not in usd(nano).lower()
