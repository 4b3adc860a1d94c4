"""Promise: every path, key header and request header an OpenAI client may use means what LiteLLM makes of it.
Answers and errors themselves are tested with the clients.
"""

from __future__ import annotations

import base64
from typing import Any

import openai
import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import KEY, openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
WRONG = "sk-wrong-5d21c0b87f6e4a93"

BODIES = {
    "/chat/completions": {"messages": HELLO},
    "/completions": {"prompt": "hello"},
    "/embeddings": {"input": "hello"},
}


@pytest.mark.parametrize("surface", sorted(BODIES))
@pytest.mark.parametrize(
    "form", ["/v1{}", "{}", "/engines/fast{}", "/openai/deployments/fast{}?api-version=2025-01-01"]
)
async def test_every_path_of_a_surface_serves(
    gateway, scripted_upstream: ScriptedUpstream, form: str, surface: str
) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    named = {} if "fast" in form else {"model": "fast"}
    async with gw.session.post(form.format(surface), json={**BODIES[surface], **named}) as response:
        body = await response.json()
    assert (response.status, body["model"]) == (200, "fast")
    (asked,) = scripted_upstream.requests
    assert (asked.path, asked.model) == ("/v1" + surface, "scripted-model")


async def test_a_path_may_name_a_model_with_a_slash(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await gateway({"model_list": [openai_row("org/fast", scripted_upstream.base_url)]})
    async with gw.session.post("/engines/org/fast/chat/completions", json={"messages": HELLO}) as response:
        assert (response.status, (await response.json())["model"]) == (200, "org/fast")


async def test_the_model_of_the_path_counts_not_the_one_of_the_body(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url, "a"), openai_row("slow", up.base_url, "b")]})
    url = "/openai/deployments/fast/chat/completions"
    async with gw.session.post(url, json={"model": "slow", "messages": HELLO}) as response:
        assert (await response.json())["model"] == "fast"
    assert up.requests[0].model == "a"


async def test_the_azure_client_works_plain_and_streamed(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url), openai_row("embed", up.base_url)]})
    async with openai.AsyncAzureOpenAI(
        azure_endpoint=gw.url, api_key=gw.key, api_version="2025-01-01", max_retries=0
    ) as client:
        plain = await client.chat.completions.create(model="fast", messages=HELLO)
        stream = await client.chat.completions.create(model="fast", messages=HELLO, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        vectors = await client.embeddings.create(model="embed", input="hello")
    assert (plain.choices[0].message.content, text) == ("Hello from upstream.", "Hello from upstream.")
    assert len(vectors.data) == 1
    assert {request.headers["authorization"] for request in up.requests} == {"Bearer sk-upstream"}
    assert all("api-key" not in request.headers and not request.query for request in up.requests)


async def test_an_azure_deployment_is_called_the_azure_way(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    params = {
        "model": "azure/my-deployment",
        "api_base": up.origin,
        "api_key": "azure-key",
        "api_version": "2025-03-01",
    }
    gw = await gateway({"model_list": [{"model_name": "fast", "litellm_params": params}]})
    status, headers, body = await gw.chat("fast")
    assert (status, body["model"]) == (200, "fast")
    (asked,) = up.requests
    assert (asked.path, asked.query) == ("/openai/deployments/my-deployment/chat/completions", "api-version=2025-03-01")
    assert asked.headers["api-key"] == "azure-key"
    assert "authorization" not in asked.headers
    assert "?" not in headers["x-litellm-model-api-base"]


ORDER = ["x-litellm-api-key", "authorization", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key"]


async def _status(gw: Any, headers: dict[str, str]) -> int:
    async with gw.session.post(
        "/v1/chat/completions", json={"model": "fast", "messages": HELLO}, headers=headers
    ) as response:
        await response.read()
        return int(response.status)


@pytest.fixture
async def keyless(gateway, scripted_upstream: ScriptedUpstream) -> Any:
    """A gateway whose session sends no key of its own."""
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    del gw.session.headers["authorization"]
    return gw


@pytest.mark.parametrize("name", ORDER)
async def test_a_key_is_found_in_each_header(keyless: Any, name: str) -> None:
    assert await _status(keyless, {name: KEY}) == 200
    assert await _status(keyless, {name: WRONG}) == 401


@pytest.mark.parametrize("place", range(len(ORDER) - 1))
async def test_the_first_header_of_the_order_decides(keyless: Any, place: int) -> None:
    first, second = ORDER[place], ORDER[place + 1]
    assert await _status(keyless, {first: WRONG, second: KEY}) == 401
    assert await _status(keyless, {second: WRONG, first: KEY}) == 200


@pytest.mark.parametrize(
    "value",
    [
        f"Bearer {KEY}",
        f"bearer {KEY}",
        f"Basic {KEY}",
        KEY,
        f"AWS4-HMAC-SHA256 Credential=Bearer {KEY}/2026/eu/bedrock",
    ],
)
async def test_authorization_may_be_written_in_each_way(keyless: Any, value: str) -> None:
    assert await _status(keyless, {"authorization": value}) == 200


async def test_the_configured_key_header_comes_first(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await gateway(
        {
            "model_list": [openai_row("fast", scripted_upstream.base_url)],
            "general_settings": {"litellm_key_header_name": "x-company-key"},
        }
    )
    assert await _status(gw, {"x-company-key": KEY, "authorization": f"Bearer {WRONG}"}) == 200
    assert await _status(gw, {"x-company-key": f"Bearer {WRONG}"}) == 401


async def test_without_a_key_nothing_is_read_or_called(keyless: Any, scripted_upstream: ScriptedUpstream) -> None:
    async with keyless.session.post("/v1/chat/completions", data=b"{not even json") as response:
        error = (await response.json())["error"]
    assert (response.status, error["type"], error["code"]) == (401, "auth_error", "401")
    (record,) = await keyless.recorded()
    assert (record.status, record.principal, record.requested_model) == (401, None, None)
    assert scripted_upstream.connections_seen == 0


async def test_no_credential_of_the_client_reaches_the_provider(
    keyless: Any, scripted_upstream: ScriptedUpstream
) -> None:
    secret = base64.b64encode(b"client:cookie").decode()
    assert await _status(keyless, {"x-api-key": KEY, "cookie": secret, "x-goog-api-key": WRONG}) == 200
    (asked,) = scripted_upstream.requests
    sent = repr(asked.headers.raw)
    assert KEY not in sent
    assert WRONG not in sent
    assert secret not in sent


async def test_headers_of_the_request_steer_timeout_and_retries(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [openai_row("fast", up.base_url), openai_row("fast", up.base_url, "second")]
    gw = await gateway({"model_list": rows, "router_settings": {"disable_cooldowns": True}})
    up.script(*[Reply.error(500)] * 2)
    body = {"model": "fast", "messages": HELLO, "num_retries": 3}
    told = {"x-litellm-num-retries": "1", "x-litellm-timeout": "4.5"}
    async with gw.session.post("/v1/chat/completions", json=body, headers=told) as response:
        assert response.status == 500
    assert len(up.requests) == 2
    async with gw.session.post("/v1/chat/completions", json=body, headers=told) as response:
        assert response.status == 200
        assert response.headers["x-litellm-timeout"] == "4.5"
        assert response.headers["x-litellm-max-retries"] == "1"


async def test_fields_for_the_gateway_stay_in_the_gateway(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    status, _, _ = await gw.chat(
        "fast",
        num_retries=1,
        timeout=20,
        stream_timeout=20,
        fallbacks=["fast"],
        tags=["a"],
        metadata={"tags": ["b"]},
        cache={"no-cache": True},
        router_settings_override={"num_retries": 1},
        seed=7,
    )
    assert status == 200
    assert set(up.requests[0].json) == {"model", "messages", "seed"}
    (record,) = await gw.recorded()
    assert record.tags == ("a", "b")


async def test_an_unknown_path_and_a_wrong_method_get_the_frameworks_body(gateway) -> None:
    gw = await gateway({"model_list": []})
    async with gw.session.post("/v1/nothing/here", json={}) as response:
        assert (response.status, await response.json()) == (404, {"detail": "Not Found"})
    async with gw.session.get("/v1/chat/completions") as response:
        assert (response.status, await response.json()) == (405, {"detail": "Method Not Allowed"})
        assert response.headers["x-litellm-call-id"]
