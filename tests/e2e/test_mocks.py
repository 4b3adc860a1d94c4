"""Promise: LiteLLM's mock switches work for admins, and for others only when the operator says so.
What a fallback does is `test_fallbacks`'s.
"""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row

GUEST = """
from routeiq_sdk import Plugin, Principal, hookimpl


class Fixture(Plugin):
    name = "guests"

    @hookimpl
    async def authenticate(self, ctx):
        return Principal("guest")
"""


async def _gateway(gateway: Any, up: ScriptedUpstream, **routeiq: Any) -> Any:
    rows = [openai_row(name, up.base_url, name) for name in ("a", "b", "c", "d")]
    router = {
        "num_retries": 0,
        "fallbacks": [{"a": ["b"]}],
        "context_window_fallbacks": [{"a": ["c"]}],
        "content_policy_fallbacks": [{"a": ["d"]}],
    }
    return await gateway({"model_list": rows, "router_settings": router, "routeiq": routeiq})


@pytest.mark.parametrize(
    ("switch", "served"),
    [
        ("mock_testing_fallbacks", "b"),
        ("mock_testing_context_fallbacks", "c"),
        ("mock_testing_content_policy_fallbacks", "d"),
        ("mock_testing_rate_limit_error", "b"),
    ],
)
async def test_a_switch_fails_the_first_group_without_a_call(
    gateway, scripted_upstream: ScriptedUpstream, switch: str, served: str
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    status, headers, _ = await gw.chat("a", **{switch: True})
    assert (status, headers["x-litellm-model-group"]) == (200, served)
    assert [request.model for request in scripted_upstream.requests] == [served]
    assert switch not in scripted_upstream.requests[0].json


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"mock_testing_rate_limit_error": True}, 429), ({"mock_timeout": True}, 408), ({"mock_timeout": False}, 200)],
)
async def test_without_a_fallback_the_mocked_failure_is_the_answer(
    gateway, scripted_upstream: ScriptedUpstream, fields: dict[str, Any], status: int
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    assert (await gw.chat("b", **fields))[0] == status


async def test_a_canned_answer_costs_no_call(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    status, _, body = await gw.chat("a", mock_response="Canned.")
    assert (status, body["choices"][0]["message"]["content"]) == (200, "Canned.")
    status, _, stream = await gw.stream("a", mock_response="Canned.")
    assert (status, b"Canned." in stream, stream.endswith(b"data: [DONE]\n\n")) == (200, True, True)
    assert scripted_upstream.connections_seen == 0


@pytest.mark.parametrize(
    ("text", "status"),
    [("litellm.RateLimitError", 429), ("Exception: litellm.ContextWindowExceededError", 400), ("litellm.Timeout", 408)],
)
async def test_a_canned_failure_is_a_failure(
    gateway, scripted_upstream: ScriptedUpstream, text: str, status: int
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    assert (await gw.chat("b", mock_response=text))[0] == status


async def test_a_row_may_be_canned(gateway) -> None:
    row = {"model_name": "fake", "litellm_params": {"model": "openai/fake", "mock_response": "From the row."}}
    gw = await gateway({"model_list": [row]})
    status, _, body = await gw.chat("fake")
    assert (status, body["choices"][0]["message"]["content"]) == (200, "From the row.")
    message = {"model": "fake", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    async with gw.session.post("/v1/messages", json=message) as response:
        assert (await response.json())["content"][0]["text"] == "From the row."


@pytest.mark.parametrize("allowed", [False, True])
async def test_other_keys_need_the_operators_word(
    gateway, scripted_upstream: ScriptedUpstream, plugin_folder, allowed: bool
) -> None:
    plugin_folder.install("guests", GUEST, kind="auth")
    gw = await _gateway(gateway, scripted_upstream, plugins={"guests": {}}, compat={"allow_mock_requests": allowed})
    status, _, body = await gw.chat("a", mock_response="Canned.")
    assert status == 200
    assert (body["choices"][0]["message"]["content"] == "Canned.") is allowed
    assert len(scripted_upstream.requests) == (0 if allowed else 1)
    assert all("mock_response" not in request.json for request in scripted_upstream.requests)
