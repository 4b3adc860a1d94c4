"""With the real directory of governance: sign-in, roles, budgets' users, provisioning and its end, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .issuer import Issuer

TOKEN = "scim-token-5c1f0e8a7b"
SCIM = {"authorization": f"Bearer {TOKEN}"}
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "Hello!"}]}


@pytest_asyncio.fixture
async def running(gateway: StartGateway, scripted_upstream: ScriptedUpstream, issuer: Issuer) -> TestGateway:
    row = issuer.configured(
        upsert=True, role_map={"boss": "proxy_admin", "lead": "team_admin"}, claims={"team": "groups"}
    )
    oidc = {"issuers": [row], "scim": {"token": TOKEN}}
    return await gateway(
        {
            "model_list": [openai_row("fast", scripted_upstream.base_url)],
            "routeiq": {"egress": {"allow": ["127.0.0.0/8"]}, "plugins": {"governance": {}, "oidc": oidc}},
        }
    )


@pytest_asyncio.fixture
async def http(running: TestGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running.url) as client:
        yield client


def by(issuer: Issuer, **claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {issuer.token(**claims)}"}


async def scim_user(http: httpx.AsyncClient, **body: Any) -> str:
    answer = await http.post("/scim/v2/Users", json=body, headers=SCIM)
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["id"]
    return id


async def test_a_person_who_signs_in_becomes_a_user_and_calls_models(
    http: httpx.AsyncClient, running: TestGateway, issuer: Issuer
) -> None:
    headers = by(issuer, email="ann@example.com", email_verified=True)
    answer = await http.post("/v1/chat/completions", json=CHAT, headers=headers)
    assert answer.status_code == 200, answer.text
    (record,) = await running.recorded()
    assert (record.principal, record.user) == ("oidc:ann", "ann")
    master = {"authorization": f"Bearer {running.key}"}
    info = await http.get("/user/info", params={"user_id": "ann"}, headers=master)
    assert info.status_code == 200, info.text
    assert info.json()["user_info"]["user_email"] == "ann@example.com"


async def test_provisioned_people_are_found_by_their_tokens_and_teams_by_their_groups(
    http: httpx.AsyncClient, running: TestGateway, issuer: Issuer
) -> None:
    ann = await scim_user(http, userName="ann@example.com", externalId="ann", displayName="Ann", title="Lead")
    group = {"displayName": "Research", "externalId": "g-1", "members": [{"value": ann}]}
    made = await http.post("/scim/v2/Groups", json=group, headers=SCIM)
    assert made.status_code == 201, made.text
    answer = await http.post("/v1/chat/completions", json=CHAT, headers=by(issuer, groups=["g-1"]))
    assert answer.status_code == 200, answer.text
    (record,) = await running.recorded()
    assert (record.user, record.team) == (ann, made.json()["id"])
    read = (await http.get(f"/scim/v2/Users/{ann}", headers=SCIM)).json()
    assert (read["userName"], read["title"], read["externalId"]) == ("ann@example.com", "Lead", "ann")
    found = await http.get("/scim/v2/Users", params={"filter": 'userName eq "ANN@example.com"'}, headers=SCIM)
    assert [user["id"] for user in found.json()["Resources"]] == [ann]


async def test_roles_of_the_token_decide_what_may_be_administered(http: httpx.AsyncClient, issuer: Issuer) -> None:
    new = {"user_id": "made-by-boss"}
    for claims, status in (
        ({"roles": ["boss"]}, 200),
        ({"sub": "bob", "roles": ["proxy_admin"]}, 403),
        ({"sub": "carol"}, 403),
    ):
        answer = await http.post("/user/new", json=new, headers=by(issuer, **claims))
        assert answer.status_code == status, (claims, answer.text)
    assert (await http.get("/scim/v2/Users", headers=by(issuer, roles=["boss"]))).status_code == 200
    assert (await http.get("/scim/v2/Users", headers=by(issuer, sub="carol"))).status_code == 403


async def test_deactivation_and_deletion_end_tokens_and_virtual_keys_at_once(
    http: httpx.AsyncClient, running: TestGateway, issuer: Issuer
) -> None:
    master = {"authorization": f"Bearer {running.key}"}
    for end in ("deactivate", "delete"):
        sub = f"person-{end}"
        id = await scim_user(http, userName=f"{sub}@example.com", externalId=sub)
        made = await http.post("/key/generate", json={"user_id": id}, headers=master)
        assert made.status_code == 200, made.text
        key = {"authorization": f"Bearer {made.json()['key']}"}
        for headers in (key, by(issuer, sub=sub)):
            assert (await http.post("/v1/chat/completions", json=CHAT, headers=headers)).status_code == 200
        if end == "delete":
            assert (await http.delete(f"/scim/v2/Users/{id}", headers=SCIM)).status_code == 204
        else:
            body = {"Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
            assert (await http.patch(f"/scim/v2/Users/{id}", json=body, headers=SCIM)).status_code == 200
        for headers in (key, by(issuer, sub=sub), by(issuer, sub=sub, jti="new")):
            answer = await http.post("/v1/chat/completions", json=CHAT, headers=headers)
            assert answer.status_code == 401, (end, answer.text)


async def test_the_provisioning_token_opens_no_route_of_governance(http: httpx.AsyncClient) -> None:
    for method, path in (("GET", "/user/list"), ("POST", "/key/generate"), ("GET", "/v1/models"), ("GET", "/key/info")):
        assert (
            await http.request(method, path, json={} if method == "POST" else None, headers=SCIM)
        ).status_code == 401
