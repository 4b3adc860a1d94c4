"""Cards: rewritten, signed, cached, guarded; an agent's own signature is checked where its keys are known."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.types import AgentCard, GetExtendedAgentCardRequest
from a2a.utils.signing import SignatureVerificationError, create_agent_card_signer, create_signature_verifier
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt import PyJWK

from .clients import connected, everything, message

CARD = "/a2a/echo/.well-known/agent-card.json"
ANN = {"authorization": "Bearer person-ann"}
EVE = {"authorization": "Bearer person-eve"}


async def fetch(gateway: Any, path: str = CARD, **headers: str) -> tuple[int, Any, Any]:
    async with gateway.session.get(path, headers={**ANN, **headers}) as response:
        raw = await response.read()
        return response.status, response.headers, json.loads(raw) if raw else None


async def test_the_card_names_the_gateway_and_nothing_of_the_agents_own(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    status, _, card = await fetch(gateway, **{"A2A-Version": "1.0"})
    assert status == 200
    assert (card["name"], card["provider"]["organization"], card["skills"][0]["id"]) == ("Echo", "Echo Ltd", "echo")
    urls = {(each["protocolBinding"], each["protocolVersion"], each["url"]) for each in card["supportedInterfaces"]}
    base = f"{gateway.url}/a2a/echo"
    assert urls == {
        ("JSONRPC", "1.0", base),
        ("HTTP+JSON", "1.0", f"{base}/v1"),
        ("JSONRPC", "0.3", base),
        ("HTTP+JSON", "0.3", base),
    }
    assert set(card["securitySchemes"]) == {"bearer", "apiKey"}
    assert agent.url not in json.dumps(card)
    assert "url" not in card


async def test_a_client_of_0_3_finds_its_own_fields(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    for path in (CARD, "/a2a/echo/.well-known/agent.json"):
        _, _, card = await fetch(gateway, path)
        assert card["url"] == f"{gateway.url}/a2a/echo"
        assert (card["preferredTransport"], card["protocolVersion"]) == ("JSONRPC", "0.3")
        assert agent.url not in json.dumps(card)


async def test_public_url_is_what_cards_name(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, public_url="https://gate.example/")
    _, _, card = await fetch(gateway, **{"A2A-Version": "1.0"})
    assert card["supportedInterfaces"][0]["url"] == "https://gate.example/a2a/echo"


async def test_the_gateways_signature_holds_and_a_changed_card_fails(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    async with gateway.session.get("/.well-known/jwks-a2a.json", headers={"authorization": ""}) as response:
        assert response.status == 200
        keys = {key["kid"]: PyJWK(key) for key in (await response.json())["keys"]}
    verify = create_signature_verifier(lambda kid, jku: keys[kid or ""], ["ES256"])
    for version in ("1.0", "0.3"):
        _, _, document = await fetch(gateway, **{"A2A-Version": version})
        card = parse_agent_card(document)
        verify(card)
        for change in (lambda c: setattr(c, "description", "Other."), lambda c: c.skills[0].tags.append("new")):
            changed = AgentCard()
            changed.CopyFrom(card)
            change(changed)
            with pytest.raises(SignatureVerificationError):
                verify(changed)
        moved = AgentCard()
        moved.CopyFrom(card)
        moved.supported_interfaces[0].url = "https://evil.example"
        with pytest.raises(SignatureVerificationError):
            verify(moved)


def signing_pair() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return private, public


def sign(card: AgentCard, private: str) -> None:
    create_agent_card_signer(private, {"kid": "maker", "alg": "ES256", "jku": None, "typ": "JOSE"})(card)


async def test_an_agent_with_the_right_signature_is_called(run_agent, open_gateway) -> None:
    private, public = signing_pair()
    agent = await run_agent()
    sign(agent.card, private)
    gateway = await open_gateway(agents={"echo": {"url": agent.url, "trusted_keys": [public]}})
    async with connected(gateway) as client:
        assert len(await everything(client, message("hello"))) == 1


@pytest.mark.parametrize("how", ["unsigned", "other key", "changed", "moved"])
async def test_an_agent_with_a_wrong_signature_is_not_called(run_agent, open_gateway, how) -> None:
    private, public = signing_pair()
    agent = await run_agent()
    if how != "unsigned":
        sign(agent.card, signing_pair()[0] if how == "other key" else private)
    if how == "changed":
        agent.card.description = "Gives your money away."
    if how == "moved":
        agent.card.supported_interfaces[0].url = agent.url + "/other"
    gateway = await open_gateway(agents={"echo": {"url": agent.url, "trusted_keys": [public]}})
    status, _, body = await fetch(gateway)
    assert status == 503
    assert "sign" in body["error"]["message"]
    assert agent.url not in json.dumps(body)
    async with gateway.session.post(
        "/a2a/echo/v1/message:send", headers={**ANN, "A2A-Version": "1.0"}, json=plain("hello")
    ) as response:
        assert response.status == 503
    assert all("card" in path or "agent.json" in path for path in agent.paths)


async def test_a_card_is_fetched_once_and_not_for_every_call(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    async with connected(gateway) as client:
        for number in range(5):
            await everything(client, message(f"number {number}"))
    assert len([path for path in agent.paths if "well-known" in path]) == 1


async def test_a_card_that_has_not_changed_is_not_sent_again(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    _, headers, _ = await fetch(gateway)
    assert "max-age" in headers["Cache-Control"]
    assert headers["Cache-Control"].startswith("private")
    status, again, body = await fetch(gateway, **{"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, None)
    assert again["ETag"] == headers["ETag"]
    assert (await fetch(gateway, **{"If-None-Match": '"other"'}))[0] == 200


async def test_the_extended_card_is_for_those_who_signed_in(run_agent, open_gateway) -> None:
    agent = await run_agent(extended=True)
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, public_cards=True)
    async with httpx.AsyncClient(base_url=gateway.url) as nobody:
        public = await nobody.get(CARD)
        assert public.status_code == 200
        assert public.headers["cache-control"].startswith("public")
        assert [skill["id"] for skill in public.json()["skills"]] == ["echo"]
        for path in ("/a2a/echo/v1/extendedAgentCard", "/a2a"):
            assert (await nobody.get(path, headers={"A2A-Version": "1.0"})).status_code == 401
    async with connected(gateway) as client:
        card = await client.get_extended_agent_card(GetExtendedAgentCardRequest())
    assert [skill.id for skill in card.skills] == ["echo", "secret"]
    assert all(each.url.startswith(gateway.url) for each in card.supported_interfaces)
    assert card.signatures


async def test_an_agent_that_the_caller_may_not_use_is_not_there(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, default_agent="echo")
    hidden = await fetch(gateway, **EVE)
    absent = await fetch(gateway, "/a2a/nobody/.well-known/agent-card.json", **EVE)
    assert hidden[0] == absent[0] == 404
    assert hidden[2] == absent[2]
    assert (await fetch(gateway, "/a2a", **EVE))[2] == {"agents": []}
    assert (await fetch(gateway, "/v1/agents", **EVE))[2] == []
    assert (await fetch(gateway, "/.well-known/agent-card.json", **EVE))[0] == 404
    for path, body in (("/a2a/echo", rpc("SendMessage", plain("hello"))), ("/a2a/echo/v1/message:send", plain("x"))):
        async with gateway.session.post(path, headers={**EVE, "A2A-Version": "1.0"}, json=body) as response:
            assert response.status == 404
    assert agent.paths == []


async def test_the_catalog_has_the_agents_and_says_which_are_away(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(
        agents={"echo": {"url": agent.url}, "gone": {"url": "http://127.0.0.1:9"}}, default_agent="echo"
    )
    status, _, catalog = await fetch(gateway, "/a2a")
    assert status == 200
    by_name = {entry["name"]: entry for entry in catalog["agents"]}
    assert by_name["echo"]["card"]["name"] == "Echo"
    assert "card" not in by_name["gone"]
    assert "cannot be reached" in by_name["gone"]["error"]
    assert (await fetch(gateway, "/.well-known/agent-card.json"))[2]["name"] == "Echo"


async def test_a_card_that_sends_the_gateway_elsewhere_is_not_followed(run_agent, open_gateway) -> None:
    other = await run_agent()
    agent = await run_agent()
    for each in agent.card.supported_interfaces:
        each.url = each.url.replace(agent.url, other.url)
    gateway = await open_gateway(
        agents={"echo": {"url": agent.url}, "told": {"url": agent.url, "origins": [other.url]}}
    )
    status, _, body = await fetch(gateway)
    assert status == 500
    assert "names another address" in body["error"]["message"]
    assert other.paths == []
    async with connected(gateway, "told") as client:
        assert len(await everything(client, message("hello"))) == 1
    assert other.paths == ["/rpc"]


GUARD = """
from routeiq_sdk import Plugin, PluginConfig, Reject, Replace, hookimpl

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def guard_tool_definition(self, ctx, definition):
        if definition.tool == "skill/echo":
            return Reject(400, "poisoned")
        return Replace({**definition.definition, "description": "Cleaned."})
"""


async def test_guards_see_what_an_agent_says_of_itself(run_agent, open_gateway, plugin_folder) -> None:
    plugin_folder.install("cleaner", GUARD, kind="guard")
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}}, plugins={"cleaner": {}})
    _, _, card = await fetch(gateway)
    assert card["description"] == "Cleaned."
    assert card["skills"] == []


def plain(text: str, **fields: Any) -> dict[str, Any]:
    return {"message": {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": text}], **fields}}


def rpc(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
