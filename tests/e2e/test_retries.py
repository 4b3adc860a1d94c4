"""Promise: inside one group a failed call is tried again when that can help, no more often than told, never otherwise.
Other groups are `test_fallbacks`'s, benching is `test_cooldowns`'s.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import openai_row


async def _pair(gateway: Any, up: ScriptedUpstream, **router: Any) -> Any:
    """Two deployments of one group, so that a retry needs no pause."""
    rows = [openai_row("fast", up.base_url, name, order=place) for place, name in enumerate(("first", "second"), 1)]
    return await gateway({"model_list": rows, "router_settings": {"disable_cooldowns": True, **router}})


def _asked(up: ScriptedUpstream) -> list[str | None]:
    return [request.model for request in up.requests]


@pytest.mark.parametrize(
    "failure",
    [
        Reply.error(500),
        Reply.error(502),
        Reply.error(503),
        Reply.error(529),
        Reply.error(408),
        Reply.error(409),
        Reply.rate_limited(None),
        Reply.cut(),
        Reply.empty(),
        Reply.html(200),
    ],
    ids=lambda reply: f"{reply.name} {reply.status}",
)
async def test_what_may_pass_is_tried_elsewhere(gateway, scripted_upstream: ScriptedUpstream, failure: Any) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up)
    up.script_for("first", failure)
    status, headers, _ = await gw.chat("fast")
    assert status == 200
    assert _asked(up) == ["first", "second"]
    assert (headers["x-litellm-attempted-retries"], headers["x-litellm-attempted-fallbacks"]) == ("1", "0")
    (record,) = await gw.recorded()
    assert [attempt.ok for attempt in record.attempts] == [False, True]
    assert [attempt.number for attempt in record.attempts] == [1, 2]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_what_is_wrong_with_one_deployment_is_tried_elsewhere(
    gateway, scripted_upstream: ScriptedUpstream, status: int
) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up)
    up.script_for("first", Reply.error(status))
    assert (await gw.chat("fast"))[0] == 200
    assert _asked(up) == ["first", "second"]


@pytest.mark.parametrize("status", [401, 404])
async def test_and_not_on_the_same_deployment(gateway, scripted_upstream: ScriptedUpstream, status: int) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    up.script(Reply.error(status))
    assert (await gw.chat("fast"))[0] == status
    assert len(up.requests) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_is_wrong_with_the_request_is_not_tried_again(
    gateway, scripted_upstream: ScriptedUpstream, status: int
) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up)
    up.script(Reply.error(status, "invalid_request_error", "No."))
    got, headers, _ = await gw.chat("fast")
    assert (got, _asked(up)) == (status, ["first"])
    assert "retry-after" not in headers


@pytest.mark.parametrize(("told", "calls"), [(0, 1), (1, 2), (3, 4)])
async def test_no_more_retries_than_the_client_allows(
    gateway, scripted_upstream: ScriptedUpstream, told: int, calls: int
) -> None:
    up = scripted_upstream
    rows = [openai_row("fast", up.base_url, f"m{number}") for number in range(5)]
    gw = await gateway({"model_list": rows, "router_settings": {"disable_cooldowns": True}})
    up.default = Reply.error(500)
    status, _, _ = await gw.chat("fast", num_retries=told)
    assert (status, len(up.requests)) == (500, calls)
    assert len(set(_asked(up))) == calls  # each time one that was not tried yet


async def test_the_override_of_the_body_counts_too(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up, num_retries=1)
    up.default = Reply.error(500)
    await gw.chat("fast", router_settings_override={"num_retries": 0})
    assert len(up.requests) == 1


async def test_the_retry_policy_counts_by_class_of_failure(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _pair(
        gateway,
        up,
        num_retries=0,
        retry_policy={"InternalServerErrorRetries": 0, "TimeoutErrorRetries": 1, "DefaultRetries": 1},
        model_group_retry_policy={"other": {"InternalServerErrorRetries": 5}},
    )
    up.script_for("first", Reply.rate_limited(None), Reply.error(408), Reply.error(500))
    assert [(await gw.chat("fast"))[0] for _ in range(3)] == [200, 200, 500]
    assert _asked(up) == ["first", "second", "first", "second", "first"]


async def test_a_group_may_have_its_own_policy(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    policy = {"fast": {"InternalServerErrorRetries": 1}}
    gw = await _pair(gateway, up, num_retries=0, model_group_retry_policy=policy)
    up.script_for("first", Reply.error(500))
    assert (await gw.chat("fast"))[0] == 200


@pytest.mark.parametrize("key", ["num_retries", "max_retries"])
async def test_a_deployment_may_have_its_own_number(gateway, scripted_upstream: ScriptedUpstream, key: str) -> None:
    up = scripted_upstream
    rows = [openai_row("fast", up.base_url, name, order=place, **{key: 0}) for place, name in enumerate("ab", 1)]
    gw = await gateway({"model_list": rows})
    up.default = Reply.error(500)
    assert (await gw.chat("fast"))[0] == 500
    assert len(up.requests) == 1
    await gw.chat("fast", num_retries=1)
    assert len(up.requests) == 3  # the client's word goes before the row's


async def test_retry_after_of_the_only_provider_is_waited_for(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)], "router_settings": {"num_retries": 1}})
    up.script(Reply.rate_limited(0.3), Reply.chat("second time lucky"))
    started = time.monotonic()
    status, _, body = await gw.chat("fast")
    assert (status, body["choices"][0]["message"]["content"]) == (200, "second time lucky")
    assert 0.3 <= time.monotonic() - started < 2.0
    assert up.requests[1].received_at - up.requests[0].received_at >= 0.3


async def test_the_routers_least_pause_is_kept(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    router = {"num_retries": 1, "retry_after": 0.8}
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)], "router_settings": router})
    up.script(Reply.rate_limited(0.01))
    assert (await gw.chat("fast"))[0] == 200
    assert up.requests[1].received_at - up.requests[0].received_at >= 0.8


async def test_a_hanging_deployment_is_left_for_the_next(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up, timeout=0.3)
    up.script_for("first", Reply.hang())
    status, headers, _ = await gw.chat("fast")
    assert (status, headers["x-litellm-timeout"]) == (200, "0.3")
    assert up.requests[0].disconnected.is_set()
    (record,) = await gw.recorded()
    assert [attempt.kind for attempt in record.attempts] == ["timeout", "ok"]


@pytest.mark.parametrize("where", ["router", "deployment", "body", "header", "request_timeout"])
async def test_each_timeout_counts_where_it_is_written(
    gateway, scripted_upstream: ScriptedUpstream, where: str
) -> None:
    up = scripted_upstream
    row = openai_row("fast", up.base_url, **({"timeout": 0.2} if where == "deployment" else {}))
    config: dict[str, Any] = {"model_list": [row], "router_settings": {"num_retries": 0}}
    if where == "router":
        config["router_settings"]["timeout"] = 0.2
    if where == "request_timeout":
        config["litellm_settings"] = {"request_timeout": 0.2}
    gw = await gateway(config)
    up.script(Reply.hang())
    fields = {"timeout": 0.2} if where == "body" else {}
    headers = {"x-litellm-timeout": "0.2"} if where == "header" else {}
    body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], **fields}
    async with gw.session.post("/v1/chat/completions", json=body, headers=headers) as response:
        error = (await response.json())["error"]
    assert response.status == 408
    assert "0.2 s" in error["message"]


async def test_a_stream_has_its_own_timeout_to_the_first_event(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up, timeout=20, stream_timeout=0.3)
    up.script_for("first", Reply.stream(first_delay=5))
    up.script_for("second", Reply.stream(["a", "b", "c"], gap=0.15))  # longer in all, which is no matter
    status, headers, stream = await gw.stream("fast")
    assert (status, headers["x-litellm-timeout"]) == (200, "0.3")
    assert stream.endswith(b"data: [DONE]\n\n")
    assert _asked(up) == ["first", "second"]


async def test_nothing_is_tried_again_after_the_first_event(
    gateway, scripted_upstream: ScriptedUpstream, nothing_left
) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up, fallbacks=[{"fast": ["fast"]}])
    up.script_for("first", Reply.cut(after_events=2))
    status, _, stream = await gw.stream("fast")
    assert (status, b"[DONE]" in stream) == (200, False)
    assert _asked(up) == ["first"]
    await nothing_left(gw)
