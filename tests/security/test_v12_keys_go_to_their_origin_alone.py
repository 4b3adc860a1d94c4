"""V12: a provider's key goes to the origin it was registered for, whatever clients, admins and teams write.

The class of CVE reports where a client's `api_base`, a moved row or a header redirects the gateway's own key.
"""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row

from .canary_host import UPSTREAM_KEY, CanaryHost
from .conftest import Govern

MESSAGES = [{"role": "user", "content": "hello"}]
OPERATORS = "sk-the-operators-own-key-7731"
SURFACES = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/messages")


async def ask(
    gateway: TestGateway, method: str, path: str, body: Any, key: str = "", **headers: str
) -> tuple[int, Any]:
    told = {**headers, **({"authorization": f"Bearer {key}"} if key else {})}
    async with gateway.session.request(method, path, json=body, headers=told) as response:
        return response.status, await response.json(content_type=None)


async def ok(gateway: TestGateway, path: str, body: Any, key: str = "", method: str = "POST") -> Any:
    status, answer = await ask(gateway, method, path, body, key)
    assert status == 200, answer
    return answer


@pytest.mark.parametrize("path", SURFACES)
@pytest.mark.parametrize("field", ["api_base", "base_url", "api_key", "custom_llm_provider", "extra_headers"])
async def test_no_field_of_a_client_moves_a_call(
    path: str, field: str, govern: Govern, canary_host: CanaryHost
) -> None:
    gateway = await govern()
    body = {"model": "fast", "messages": MESSAGES, "prompt": "x", "input": "x", "max_tokens": 5}
    for value in (canary_host.origin, f"{canary_host.origin}/v1", {"host": f"127.0.0.1:{canary_host.port}"}):
        for place in (body, {**body, "extra_body": {}, "litellm_params": {}}):
            status, _ = await ask(gateway, "POST", path, {**place, field: value})
            assert status == 400
    assert canary_host.hits == 0


async def test_no_nested_field_and_no_header_of_a_client_moves_a_call(
    govern: Govern, scripted_upstream: ScriptedUpstream, canary_host: CanaryHost
) -> None:
    gateway = await govern()
    there = {"api_base": canary_host.origin, "base_url": canary_host.origin}
    for nested in ("litellm_params", "metadata", "extra_body", "router_settings_override", "routeiq"):
        await ask(gateway, "POST", SURFACES[0], {"model": "fast", "messages": MESSAGES, nested: there})
    for name in (
        "x-litellm-api-base",
        "api-base",
        "x-forwarded-host",
        "x-forwarded-for",
        "forwarded",
        "x-original-url",
    ):
        target = canary_host.origin if "base" in name or "url" in name else f"127.0.0.1:{canary_host.port}"
        await ask(gateway, "POST", SURFACES[0], {"model": "fast", "messages": MESSAGES}, **{name: target})
    await ask(gateway, "POST", SURFACES[0], {"model": f"openai/{canary_host.origin}/v1", "messages": MESSAGES})
    assert canary_host.hits == 0
    for request in scripted_upstream.requests:
        assert request.headers["host"] == scripted_upstream.origin.removeprefix("http://")
        assert request.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"


async def test_the_gateways_own_key_is_not_sent_to_an_address_of_the_api(
    govern: Govern, canary_host: CanaryHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", OPERATORS)
    credential = {"credential_name": "operators", "credential_values": {"api_key": OPERATORS}, "credential_info": {}}
    gateway = await govern(
        credential_list=[credential], routeiq={"egress": {"allow": [f"127.0.0.1:{canary_host.port}"]}}
    )
    there = {"model": "openai/x", "api_base": canary_host.origin}
    for params in (
        there,
        {**there, "api_key": "os.environ/OPENAI_API_KEY"},
        {**there, "litellm_credential_name": "operators"},
        {"model": "openai/x", "base_url": canary_host.origin, "litellm_credential_name": "operators"},
    ):
        status, answer = await ask(gateway, "POST", "/model/new", {"model_name": "theft", "litellm_params": params})
        assert status == 400, answer
        await ask(gateway, "POST", SURFACES[0], {"model": "theft", "messages": MESSAGES})
    assert canary_host.hits == 0


async def team_admin(gateway: TestGateway) -> str:
    await ok(gateway, "/team/new", {"team_id": "blue"})
    await ok(gateway, "/user/new", {"user_id": "tess", "user_role": "internal_user"})
    await ok(gateway, "/team/member_add", {"team_id": "blue", "member": {"user_id": "tess", "role": "admin"}})
    return str((await ok(gateway, "/key/generate", {"user_id": "tess"}))["key"])


@pytest.mark.parametrize("mover", ["team admin", "master key"])
@pytest.mark.parametrize("sent", [{}, {"api_key": "mask"}], ids=["no key", "the mask as shown"])
async def test_who_moves_a_row_does_not_take_its_key_along(
    mover: str,
    sent: dict[str, str],
    govern: Govern,
    scripted_upstream: ScriptedUpstream,
    canary_host: CanaryHost,
) -> None:
    """An admin gave the team a model with a key that the team cannot read; the team points it at a host of its own."""
    allow = [f"127.0.0.1:{canary_host.port}", scripted_upstream.origin.removeprefix("http://")]
    gateway = await govern(routeiq={"egress": {"allow": allow}})
    tess = await team_admin(gateway)
    row = {"model": "openai/x", "api_base": scripted_upstream.base_url, "api_key": OPERATORS}
    made = await ok(
        gateway, "/model/new", {"model_name": "mine", "litellm_params": row, "model_info": {"team_id": "blue"}}
    )
    who = tess if mover == "team admin" else ""
    _, shown = await ask(gateway, "GET", "/model/info", None)
    (seen,) = [each for each in shown["data"] if each["model_info"]["id"] == made["model_id"]]
    told = {"api_key": seen["litellm_params"]["api_key"]} if sent else {}
    assert OPERATORS not in str(shown)
    path = f"/model/{made['model_id']}/update"
    for moved in ({"api_base": canary_host.origin}, {"base_url": canary_host.origin}, {"model": "groq/x"}):
        status, answer = await ask(gateway, "PATCH", path, {"litellm_params": {**moved, **told}}, who)
        assert status in (400, 403), answer
    key = (await ok(gateway, "/key/generate", {"team_id": "blue"}))["key"]
    assert (await ask(gateway, "POST", SURFACES[0], {"model": "mine", "messages": MESSAGES}, key))[0] == 200
    assert canary_host.hits == 0
    own = {"litellm_params": {"api_base": canary_host.origin, "api_key": "sk-of-the-team"}}
    assert (await ask(gateway, "PATCH", path, own, who))[0] == 200
    await ask(gateway, "POST", SURFACES[0], {"model": "mine", "messages": MESSAGES}, key)
    assert canary_host.hits > 0  # the canary would have noticed
    assert b"sk-of-the-team" in canary_host.heard
    assert OPERATORS.encode() not in canary_host.heard


async def test_an_added_row_is_not_taken_for_the_operators_by_its_id(
    govern: Govern, scripted_upstream: ScriptedUpstream, canary_host: CanaryHost
) -> None:
    """The id of a YAML row is no secret, and a row that took it would have its address among the operator's."""
    gateway = await govern()
    taken = gateway.runtime.catalog.deployments[0].id
    there = {"model": "openai/x", "api_base": canary_host.origin, "api_key": "k"}
    twin = {"model_name": "twin", "litellm_params": there, "model_info": {"id": taken}}
    assert (await ask(gateway, "POST", "/model/new", twin))[0] == 400
    await ask(gateway, "POST", SURFACES[0], {"model": "twin", "messages": MESSAGES})
    assert canary_host.hits == 0
    assert (await ask(gateway, "POST", SURFACES[0], {"model": "fast", "messages": MESSAGES}))[0] == 200


async def test_an_added_row_does_not_reach_what_the_operator_wrote_for_others(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    gateway = await govern()
    there = {"model": "openai/x", "api_base": scripted_upstream.base_url, "api_key": "k"}
    await ok(gateway, "/model/new", {"model_name": "theirs", "litellm_params": there})
    status, answer = await ask(gateway, "POST", SURFACES[0], {"model": "theirs", "messages": MESSAGES})
    assert status >= 400
    assert "egress rules refuse" in answer["error"]["message"]
    assert "127.0.0.1" not in answer["error"]["message"]
    assert scripted_upstream.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_provider_that_redirects_gets_nobody_the_key(
    status: int, govern: Govern, scripted_upstream: ScriptedUpstream, canary_host: CanaryHost
) -> None:
    gateway = await govern()
    scripted_upstream.script(Reply.redirect(f"{canary_host.origin}/v1/chat/completions", status=status))
    answered, _ = await ask(gateway, "POST", SURFACES[0], {"model": "fast", "messages": MESSAGES})
    assert answered == 502
    assert canary_host.hits == 0


async def test_a_fallback_takes_its_own_key(gateway: Any, scripted_upstream: ScriptedUpstream) -> None:
    async with ScriptedUpstream() as other:
        rows = [
            openai_row("fast", scripted_upstream.base_url, api_key="sk-of-fast"),
            openai_row("other", other.base_url, api_key="sk-of-other"),
        ]
        settings = {"num_retries": 0, "fallbacks": [{"fast": ["other"]}]}
        running = await gateway({"model_list": rows, "router_settings": settings})
        scripted_upstream.script(Reply.error(500))
        assert (await ask(running, "POST", SURFACES[0], {"model": "fast", "messages": MESSAGES}))[0] == 200
        assert {r.headers["authorization"] for r in scripted_upstream.requests} == {"Bearer sk-of-fast"}
        assert {r.headers["authorization"] for r in other.requests} == {"Bearer sk-of-other"}
