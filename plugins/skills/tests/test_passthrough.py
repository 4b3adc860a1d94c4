"""Promise: in one account at Anthropic each tenant sees its own skills, and the account's key reaches nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import anthropic
import pytest
import pytest_asyncio
from aiohttp import web
from anthropic import AsyncAnthropic

from routeiq_testkit.gateway import TestGateway

from .conftest import Serve
from .writing import skill_md

KEY = "sk-ant-account-5f21d0"


@dataclass
class Account:
    """An account at a provider that answers as Anthropic documents it."""

    url: str = ""
    skills: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[web.Request] = field(default_factory=list)
    status: int = 200

    async def create(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        if self.status != 200:
            return web.json_response({"error": {"message": f"no: {KEY}"}}, status=self.status)
        form = await request.post()
        made = self._add(f"skill_01{len(self.skills)}", str(form.get("display_name", "x")), "custom")
        return web.json_response(made)

    async def list(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        ordered = list(self.skills.values())
        start = int(request.query.get("page", 0))
        page = ordered[start : start + 1]
        more = start + 1 < len(ordered)
        return web.json_response({"data": page, "has_more": more, "next_page": str(start + 1) if more else None})

    async def one(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        skill = self.skills.get(request.match_info["id"])
        if skill is None:
            return web.json_response(
                {"type": "error", "error": {"type": "not_found_error", "message": "x"}}, status=404
            )
        if request.method == "DELETE":
            del self.skills[skill["id"]]
            return web.json_response({"id": skill["id"], "type": "skill_deleted"})
        return web.json_response(skill)

    def _add(self, id: str, name: str, source: str) -> dict[str, Any]:
        moment = "2026-11-26T00:00:00Z"
        self.skills[id] = {
            "id": id,
            "type": "skill",
            "display_name": name,
            "latest_version_id": "skillver_1",
            "source": {"type": source},
            "created_at": moment,
            "updated_at": moment,
        }
        return self.skills[id]


@pytest_asyncio.fixture
async def account() -> AsyncIterator[Account]:
    account = Account()
    app = web.Application()
    app.add_routes(
        [
            web.post("/v1/skills", account.create),
            web.get("/v1/skills", account.list),
            web.get("/v1/skills/{id}", account.one),
            web.delete("/v1/skills/{id}", account.one),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    account.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield account
    await runner.cleanup()


@pytest_asyncio.fixture
async def passing(serve: Serve, account: Account) -> TestGateway:
    return await serve({"governance": {}}, sources=[], passthrough={"api_key": KEY, "api_base": account.url})


async def clients(gateway: TestGateway) -> tuple[AsyncAnthropic, AsyncAnthropic]:
    made = []
    for user in ("a", "b"):
        async with gateway.session.post("/key/generate", json={"user_id": user}) as response:
            key = (await response.json())["key"]
        made.append(AsyncAnthropic(api_key=key, base_url=gateway.url, max_retries=0))
    return made[0], made[1]


async def test_each_tenant_sees_its_own_and_anthropics(passing: TestGateway, account: Account) -> None:
    a, b = await clients(passing)
    account._add("pptx", "PowerPoint", "anthropic")
    first = await a.beta.skills.create(files=[("p/SKILL.md", skill_md("p"))], display_name="of a")
    second = await b.beta.skills.create(files=[("p/SKILL.md", skill_md("p"))], display_name="of b")
    assert {skill.id async for skill in a.beta.skills.list()} == {"pptx", first.id}
    assert {skill.id async for skill in b.beta.skills.list()} == {"pptx", second.id}
    assert (await a.beta.skills.retrieve("pptx")).id == "pptx"
    for attempt in (b.beta.skills.retrieve(first.id), b.beta.skills.delete(first.id), a.beta.skills.delete("pptx")):
        with pytest.raises(anthropic.NotFoundError):
            await attempt
    assert (await a.beta.skills.delete(first.id)).type == "skill_deleted"
    assert first.id not in account.skills


async def test_the_accounts_key_goes_out_and_the_callers_does_not(passing: TestGateway, account: Account) -> None:
    a, _ = await clients(passing)
    await a.beta.skills.create(files=[("p/SKILL.md", skill_md("p"))])
    (seen,) = account.seen
    assert seen.headers["x-api-key"] == KEY
    assert str(a.api_key) not in str(seen.headers)
    assert "authorization" not in seen.headers


@pytest.mark.parametrize("status", [401, 403, 302])
async def test_a_refused_key_is_the_gateways_fault_and_stays_secret(
    passing: TestGateway, account: Account, status: int
) -> None:
    a, _ = await clients(passing)
    account.status = status
    with pytest.raises(anthropic.APIStatusError) as refused:
        await a.beta.skills.create(files=[("p/SKILL.md", skill_md("p"))])
    assert refused.value.status_code == 502
    assert KEY not in refused.value.response.text


async def test_ids_cannot_steer_the_call(passing: TestGateway, account: Account) -> None:
    for id in ("..%2f..%2fv1%2fmessages", "x%3fy", "x%23", "%2e%2e", "a%40b"):
        async with passing.session.get(f"{passing.url}/v1/skills/{id}") as response:
            assert response.status in (400, 404)
    assert account.seen == []
