"""Every failure arrives as one `UpstreamError` in the provider's own words, and no call is ever made twice."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq.errors import UpstreamError
from routeiq.upstream.base import Limits
from routeiq_testkit import Reply

LONG = "This model's maximum context length is 8 tokens."
FAMILIES = pytest.mark.parametrize("provider", ["openai", "anthropic"])
SHORT = Limits(connect=1, answer=0.3, idle=0.3, max_bytes=1 << 20)
HELLO = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}


async def failed(lane: Any, **how: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await (lane.stream if how.pop("stream", False) else lane.answer)(**how)
    return caught.value


@FAMILIES
@pytest.mark.parametrize(
    ("reply", "status", "name"),
    [
        (Reply.error(400, "invalid_request_error", "too hot", param="temperature"), 400, "BadRequestError"),
        (Reply.error(400, "invalid_request_error", LONG), 400, "ContextWindowExceededError"),
        (Reply.error(400, "x", "no", code="content_policy_violation"), 400, "ContentPolicyViolationError"),
        (Reply.error(401, "authentication_error", "no"), 401, "AuthenticationError"),
        (Reply.error(403, "permission_error", "no"), 403, "APIError"),
        (Reply.error(404, "not_found_error", "no"), 404, "NotFoundError"),
        (Reply.error(408, "x", "no"), 408, "Timeout"),
        (Reply.error(413, "x", "no"), 413, "APIError"),
        (Reply.error(422, "x", "no"), 422, "BadRequestError"),
        (Reply.error(429, "x", "no"), 429, "RateLimitError"),
        (Reply.error(500, "x", "no"), 500, "InternalServerError"),
        (Reply.error(502, "x", "no"), 502, "BadGatewayError"),
        (Reply.error(503, "x", "no"), 503, "ServiceUnavailableError"),
        (Reply.error(529, "x", "no"), 529, "InternalServerError"),
    ],
)
async def test_an_error_answer_keeps_its_status_and_has_its_class(
    lane: Any, provider: str, reply: Any, status: int, name: str
) -> None:
    lane.upstream.script(reply)
    error = await failed(lane, provider=provider)
    assert (error.kind, error.status, error.name, error.dispatched) == ("error", status, name, True)
    assert error.message in ("too hot", LONG, "no")
    assert len(lane.upstream.requests) == 1


@FAMILIES
@pytest.mark.parametrize("stream", [False, True])
async def test_a_rate_limit_says_how_long_to_wait(lane: Any, provider: str, stream: bool) -> None:
    lane.upstream.script(Reply.rate_limited(7))
    error = await failed(lane, provider=provider, stream=stream)
    assert (error.name, error.status, error.retry_after) == ("RateLimitError", 429, 7.0)
    assert (error.type, error.code) == ("rate_limit_error", "rate_limit_exceeded")
    assert error.headers["x-request-id"] == "req_scripted_1"


async def test_the_field_at_fault_is_named(lane: Any) -> None:
    lane.upstream.script(Reply.error(400, "invalid_request_error", "too hot", param="temperature"))
    assert (await failed(lane)).param == "temperature"


async def test_a_key_that_the_provider_repeats_is_not_told_on(lane: Any) -> None:
    lane.upstream.script(Reply.error(401, "authentication_error", "Incorrect API key: sk-operators-own-key."))
    error = await failed(lane)
    assert error.message == "Incorrect API key: [redacted]."
    assert "sk-operators" not in str(error)


@FAMILIES
@pytest.mark.parametrize("reply", [Reply.html(200), Reply.not_json(), Reply.empty()])
async def test_an_answer_that_is_none_is_garbage(lane: Any, provider: str, reply: Any) -> None:
    lane.upstream.script(reply)
    error = await failed(lane, provider=provider)
    assert (error.kind, error.name) == ("garbage", "BadGatewayError")


@FAMILIES
@pytest.mark.parametrize("reply", [Reply.cut(), Reply.cut(after_body_bytes=20), Reply.cut(reset=True), Reply.garbage()])
async def test_a_broken_connection_is_a_cut_and_the_call_is_not_repeated(lane: Any, provider: str, reply: Any) -> None:
    lane.upstream.script(reply)
    error = await failed(lane, provider=provider)
    assert (error.kind, error.status, error.name, error.dispatched) == ("cut", 0, "APIConnectionError", True)
    assert len(lane.upstream.requests) == 1


async def test_an_answer_beyond_the_bound_is_refused(lane: Any) -> None:
    lane.upstream.script(Reply.huge(2))
    error = await failed(lane, limits=Limits(connect=5, answer=10, idle=5, max_bytes=1 << 20))
    assert (error.kind, error.message) == ("garbage", "the provider's answer is larger than 1 MiB")


async def test_a_provider_that_is_not_there_was_not_called(lane: Any) -> None:
    await lane.upstream.__aexit__(None, None, None)
    error = await failed(lane)
    assert (error.kind, error.status, error.name, error.dispatched) == ("error", 0, "APIConnectionError", False)


@FAMILIES
@pytest.mark.parametrize("stream", [False, True])
async def test_silence_is_a_timeout_and_frees_the_connection(lane: Any, provider: str, stream: bool) -> None:
    lane.upstream.script(Reply.hang())
    error = await failed(lane, provider=provider, stream=stream, limits=SHORT)
    assert (error.kind, error.name) == ("timeout", "Timeout")
    await lane.upstream.requests[0].disconnected.wait()


@FAMILIES
async def test_a_stream_that_breaks_before_its_first_event_fails_before_it_is_a_reply(lane: Any, provider: str) -> None:
    lane.upstream.script(Reply.cut(after_events=0))
    with pytest.raises(UpstreamError) as caught:
        await lane.ask({**HELLO, "stream": True}, provider=provider)
    assert caught.value.kind == "cut"


@FAMILIES
async def test_a_stream_that_breaks_later_says_so_after_what_came(lane: Any, provider: str) -> None:
    source = Reply.stream() if provider == "openai" else Reply.message_stream()
    lane.upstream.script(Reply.cut(after_events=4, of=source))
    reply = await lane.ask({**HELLO, "stream": True}, provider=provider)
    came = []
    with pytest.raises(UpstreamError) as caught:
        async for block in reply.blocks():
            came.append(block)
    await reply.close()
    assert b"Hello" in b"".join(came)
    assert b"[DONE]" not in b"".join(came)
    assert (caught.value.kind, caught.value.name) == ("cut", "APIConnectionError")


async def test_a_stream_that_falls_silent_is_a_timeout_and_frees_the_connection(lane: Any) -> None:
    lane.upstream.script(Reply.hang(after_events=3))
    error = await failed(lane, stream=True, limits=Limits(connect=5, answer=5, idle=0.3, max_bytes=1 << 20))
    assert (error.kind, error.message) == ("timeout", "the provider was silent for 0.3 s")
    await lane.upstream.requests[0].disconnected.wait()


@pytest.mark.parametrize(
    ("provider", "reply"),
    [
        ("openai", Reply.stream_error(message="out of breath")),
        ("anthropic", Reply.message_stream_error(message="out of breath")),
    ],
)
async def test_an_error_event_is_told_in_the_providers_words(lane: Any, provider: str, reply: Any) -> None:
    lane.upstream.script(reply)
    error = await failed(lane, provider=provider, stream=True)
    assert (error.kind, error.message) == ("error", "out of breath")


@FAMILIES
async def test_a_stream_that_is_closed_early_frees_the_connection(lane: Any, provider: str) -> None:
    source = Reply.stream() if provider == "openai" else Reply.message_stream()
    lane.upstream.script(Reply.hang(after_events=4, of=source))
    reply = await lane.ask({**HELLO, "stream": True}, provider=provider)
    blocks = reply.blocks()
    await anext(blocks)
    await blocks.aclose()
    await reply.close()
    await lane.upstream.requests[0].disconnected.wait()


async def test_a_parameter_that_the_provider_lacks_is_the_clients_fault(lane: Any) -> None:
    error = await failed(lane, fields={**HELLO, "logit_bias": {"5": 1}}, provider="anthropic")
    assert (error.status, error.name, error.dispatched) == (400, "UnsupportedParamsError", False)
    assert "logit_bias" in error.message
    assert lane.upstream.requests == []
    await lane.answer({**HELLO, "logit_bias": {"5": 1}}, provider="anthropic", info={"drop_params": True})
