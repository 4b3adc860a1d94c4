"""V21: a provider sees the key that the operator gave for it, and nothing that a client authenticated with.

Delegation in MCP, where a client's token may stand for it elsewhere, is tested with the adapters that do it.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import anthropic_row, openai_row

from .conftest import Govern
from .issuers import AUDIENCE, Issuer
from .tenants import CHAT, Client, client_of

OTHERS = {
    "cookie": "session=cookie-of-the-client-5b1c",
    "proxy-authorization": "Basic cHJveHktb2YtdGhlLWNsaWVudA==",
    "x-forwarded-authorization": "Bearer forwarded-of-the-client",
    "x-auth-token": "auth-token-of-the-client",
    "x-amz-security-token": "amz-of-the-client",
    "openai-organization": "org-of-the-client",
    "x-my-own": "own-header-of-the-client",
    "dpop": "dpop-of-the-client",
}
PLACES = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key", "ocp-apim-subscription-key")
OWN = "sk-operators-own-provider-key-1"


def rows(up: ScriptedUpstream) -> list[dict[str, Any]]:
    return [
        openai_row("fast", up.base_url, api_key=OWN),
        anthropic_row("claude", up.origin, api_key=OWN),
    ]


def seen(up: ScriptedUpstream) -> str:
    """All bytes that the provider got."""
    return "\n".join(f"{each.method} {each.target}\n{each.headers!r}\n{each.body!r}" for each in up.requests)


@pytest.mark.parametrize("forward", [False, True], ids=["default", "told to forward headers"])
async def test_no_provider_sees_what_a_client_came_with(
    govern: Govern, scripted_upstream: ScriptedUpstream, forward: bool
) -> None:
    general = {"forward_client_headers_to_llm_api": True, "forward_llm_provider_auth_headers": True} if forward else {}
    running = await govern(model_list=rows(scripted_upstream), general_settings=general)
    key = await client_of(running).key_with()
    for place in PLACES:
        for path, body in (
            ("/v1/chat/completions", CHAT),
            ("/v1/chat/completions", {**CHAT, "stream": True}),
            ("/v1/chat/completions", {**CHAT, "model": "claude"}),
            ("/v1/messages", {**CHAT, "max_tokens": 9}),
            ("/v1/messages", {**CHAT, "model": "claude", "max_tokens": 9}),
            ("/v1/completions", {"model": "fast", "prompt": "x"}),
            ("/v1/embeddings", {"model": "fast", "input": "x"}),
        ):
            value = f"Bearer {key.key}" if place == "authorization" else key.key
            headers = {**OTHERS, "authorization": "", place: value}
            if place != "authorization":
                headers.pop("authorization")
            session = running.session
            async with session.post(path, json=body, headers=headers, skip_auto_headers=[]) as response:
                await response.read()
                assert response.status in (200, 400), (place, path, await response.text())
    told = seen(scripted_upstream)
    assert OWN in told
    forms = {key.key, base64.b64encode(key.key.encode()).decode(), running.key, key.id}
    forms |= {value.rpartition(" ")[2] for value in OTHERS.values()}
    assert [form for form in forms if form in told] == []


async def test_no_provider_sees_the_token_of_an_identity_provider(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    async with Issuer() as issuer:
        oidc = {"issuers": [{"issuer": issuer.url, "audience": AUDIENCE}]}
        running = await govern(
            model_list=rows(scripted_upstream),
            plugins={"oidc": oidc},
            routeiq={"egress": {"allow": ["127.0.0.0/8"]}},
        )
        token = issuer.token()
        for model in ("fast", "claude"):
            assert (await Client(running, token).chat(model=model)).status == 200
        told = seen(scripted_upstream)
        assert OWN in told
        assert not any(part in told for part in token.split("."))


async def test_a_token_for_somebody_else_is_not_taken(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    """The audience binds a token to this gateway: one that a client was given for another server is refused."""
    async with Issuer() as issuer:
        oidc = {"issuers": [{"issuer": issuer.url, "audience": AUDIENCE}]}
        running = await govern(plugins={"oidc": oidc}, routeiq={"egress": {"allow": ["127.0.0.0/8"]}})
        for audience in ("another-server", [], ["another-server"], "", AUDIENCE.upper(), AUDIENCE + " "):
            assert (await Client(running, issuer.token(aud=audience)).chat()).status == 401, audience
        assert (await Client(running, issuer.token()).chat()).status == 200
    assert len(scripted_upstream.requests) == 1
