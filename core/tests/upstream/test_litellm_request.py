"""A client's fields reach litellm by name only; what steers litellm itself is the operator's alone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from routeiq.upstream.base import Limits
from routeiq.upstream.litellm_request import accepts, arguments
from routeiq.wires.body import Body, read_fields
from routeiq_sdk import Attempt, Deployment, RequestError, Secret

LIMITS = Limits(connect=5, answer=10.2, idle=5, max_bytes=1 << 20)
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}


def call(fields: dict[str, Any], wire: str = "openai-chat", **changes: Any) -> dict[str, Any]:
    values = {"provider": "bedrock", "model": "amazon.nova-lite-v1:0", "wire": "litellm", **changes}
    deployment = Deployment(id="d", group="fast", **values)
    body = Body(wire, read_fields(orjson.dumps(fields)), "fast", fields.get("stream") is True)
    return arguments(deployment, Attempt(1, deployment), body, LIMITS)


def test_the_wires_that_are_served() -> None:
    assert all(accepts(w) for w in ("openai-chat", "openai-completion", "openai-embedding", "anthropic-messages"))
    assert not accepts("anthropic-count-tokens")


def test_secrets_are_revealed_for_the_call_however_deep_they_sit() -> None:
    params = {"aws_secret_access_key": Secret("s1"), "vertex_credentials": {"private_key": Secret("s2"), "x": [1]}}
    told = call(CHAT, params=params, api_key=Secret("s0"))
    assert (told["api_key"], told["aws_secret_access_key"]) == ("s0", "s1")
    assert told["vertex_credentials"] == {"private_key": "s2", "x": [1]}


def test_retries_fallbacks_mocks_and_prices_of_the_gateway_stay_here() -> None:
    params = {
        "num_retries": 5,
        "max_retries": 5,
        "fallbacks": ["x"],
        "mock_response": "no",
        "mock_tool_calls": [],
        "input_cost_per_token": 1,
        "cache_read_input_token_cost": 1,
        "max_budget": 1,
        "use_litellm_proxy": True,
        "aws_region_name": "eu-central-1",
    }
    told = call(CHAT, params=params)
    assert told.pop("aws_region_name") == "eu-central-1"
    assert (told.pop("num_retries"), told.pop("max_retries")) == (0, 0)
    assert told.keys() == {"model", "messages", "timeout"}


@pytest.mark.parametrize(
    "name",
    [
        "api_base",
        "api_key",
        "aws_region_name",
        "azure_ad_token",
        "headers",
        "hf_model_name",
        "litellm_logging_obj",
        "logger_fn",
        "made_up",
        "model_list",
        "prompt_id",
        "shared_session",
        "ssl_verify",
        "url",
        "vertex_credentials",
    ],
)
def test_a_field_that_is_no_request_field_is_refused_by_name(name: str) -> None:
    with pytest.raises(RequestError, match=rf"^{name}: ") as caught:
        call({**CHAT, name: "http://evil.example"})
    assert (caught.value.status, caught.value.param) == (400, name)


def test_the_operator_may_drop_unknown_fields_or_let_one_through() -> None:
    fields = {**CHAT, "made_up": 1}
    assert "made_up" not in call(fields, info={"drop_params": True})
    assert call(fields, params={"allowed_openai_params": ["made_up"]})["made_up"] == 1


def test_the_clients_field_wins_over_the_deployments_default() -> None:
    told = call({**CHAT, "temperature": 0.1, "top_p": None}, params={"temperature": 1, "top_p": 0.5})
    assert (told["temperature"], told["top_p"]) == (0.1, 0.5)


def test_a_stream_asks_for_its_usage_and_keeps_the_clients_options() -> None:
    told = call({**CHAT, "stream": True, "stream_options": {"x": 1}})
    assert told["stream_options"] == {"x": 1, "include_usage": True}


def test_the_librarys_own_timeout_is_behind_the_adapters() -> None:
    assert call(CHAT)["timeout"] == 12.0


def test_a_model_name_cannot_carry_an_address() -> None:
    with pytest.raises(RequestError, match="api_base"):
        call(CHAT, model="https://evil.example/model")


def test_tool_servers_are_left_to_the_provider() -> None:
    tools = [{"type": "mcp", "server_url": "http://tools.example"}]
    told = call({**CHAT, "tools": tools})
    assert (told["tools"], told["_skip_mcp_handler"]) == (tools, True)


def test_building_a_call_leaves_the_body_as_it_was() -> None:
    deployment = Deployment(id="d", group="g", provider="p", model="m", wire="litellm")
    body = Body("openai-chat", read_fields(orjson.dumps(CHAT)), "fast", False)
    arguments(deployment, Attempt(1, deployment), body, LIMITS)["messages"][0]["content"] = "changed"
    assert body.json() == CHAT
