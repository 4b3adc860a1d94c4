"""What came over from a LiteLLM proxy works: its keys, their limits and what they had spent, its models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .conftest import Import
from .litellm_database import OldDatabase, sealed, sealed_by_gcm, token

KEY = "sk-an-old-key-of-litellm-0001"
PRICE = {"input_cost_per_token": "0.000001", "output_cost_per_token": "0.00001"}
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)


async def served(gateway: StartGateway, upstream: ScriptedUpstream, document: dict[str, Any]) -> TestGateway:
    return await gateway(
        {
            "model_list": [openai_row("written", upstream.base_url, **PRICE)],
            "routeiq": {**document["routeiq"], "egress": {"allow": ["127.0.0.1"]}, "plugins": {"governance": {}}},
        }
    )


async def asks(gateway: TestGateway, key: str, model: str = "written") -> tuple[int, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
    headers = {"authorization": f"Bearer {key}"}
    async with gateway.session.post("/v1/chat/completions", json=body, headers=headers) as response:
        return response.status, await response.json()


async def reads(gateway: TestGateway, path: str, **query: str) -> Any:
    async with gateway.session.get(path, params=query) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_an_old_key_works_and_is_verified_from_its_first_use(
    old: OldDatabase, bring_over: Import, gateway, scripted_upstream, document
) -> None:
    await old.add("VerificationToken", token=token(KEY), key_name="sk-...0001", key_alias="old", models=["written"])
    report = await bring_over()
    assert report.line("keys").imported == 1
    running = await served(gateway, scripted_upstream, document)
    assert [(await asks(running, KEY))[0] for _ in range(2)] == [200, 200]
    assert (await asks(running, KEY, "other"))[0] in (400, 403)
    assert (await asks(running, KEY + "x"))[0] == 401
    info = await reads(running, "/key/info", key=KEY)
    assert (info["info"]["key_alias"], info["info"]["models"]) == ("old", ["written"])


async def test_limits_and_what_was_spent_come_over_to_the_nano_usd(
    old: OldDatabase, bring_over: Import, gateway, scripted_upstream, document
) -> None:
    await old.add(
        "TeamTable",
        team_id="t",
        team_alias="Team",
        max_budget=50.0,
        budget_duration="30d",
        budget_reset_at=NOW + timedelta(days=10),
        spend=12.345678901,
        models=[],
        metadata={"cost_centre": 7, "guardrails": []},
    )
    await old.add("VerificationToken", token=token(KEY), team_id="t", models=[], rpm_limit=1)
    await bring_over()
    running = await served(gateway, scripted_upstream, document)
    assert [(await asks(running, KEY))[0] for _ in range(2)] == [200, 429]
    (request,) = await reads(running, "/spend/logs", team_id="t")
    team = (await reads(running, "/team/info", team_id="t"))["team_info"]
    assert team["max_budget"] == 50
    assert Decimal(str(team["spend"])) == Decimal("12.345678901") + Decimal(str(request["spend"]))
    assert team["budget_reset_at"].startswith((NOW + timedelta(days=10)).isoformat()[:16])
    assert team["metadata"] == {"cost_centre": 7}


async def test_a_budget_that_was_exhausted_stays_exhausted(
    old: OldDatabase, bring_over: Import, gateway, scripted_upstream, document
) -> None:
    await old.add(
        "VerificationToken",
        token=token(KEY),
        models=[],
        max_budget=1.0,
        spend=1.0,
        budget_duration="1d",
        budget_reset_at=NOW + timedelta(hours=5),
    )
    await bring_over()
    running = await served(gateway, scripted_upstream, document)
    status, body = await asks(running, KEY)
    assert (status, body["error"]["type"]) == (422, "budget_exceeded")


async def test_blocked_and_expired_keys_stay_out(
    old: OldDatabase, bring_over: Import, gateway, scripted_upstream, document
) -> None:
    await old.add("VerificationToken", token=token(KEY), models=[], blocked=True)
    await old.add("VerificationToken", token=token(KEY + "2"), models=[], expires=NOW - timedelta(days=1))
    await old.add("VerificationToken", token=token(KEY + "3"), models=[], expires=NOW + timedelta(days=1))
    await bring_over()
    running = await served(gateway, scripted_upstream, document)
    assert [(await asks(running, KEY + end))[0] for end in ("", "2", "3")] == [401, 401, 200]


async def test_models_and_credentials_are_opened_and_sealed_anew(
    old: OldDatabase, bring_over: Import, gateway, scripted_upstream, document
) -> None:
    base = scripted_upstream.base_url
    await old.add(
        "CredentialsTable",
        credential_name="acme",
        credential_values={"api_key": sealed("sk-canary-credential"), "api_base": sealed_by_gcm(base)},
        credential_info={"custom_llm_provider": "openai"},
    )
    params = {"model": sealed("openai/one"), "litellm_credential_name": sealed("acme"), "rpm": 100}
    await old.add("ProxyModelTable", model_id="m1", model_name="one", litellm_params=params, model_info={"id": "m1"})
    params = {"model": sealed("openai/two"), "api_base": sealed(base), "api_key": sealed("os.environ/OLD_KEY")}
    await old.add("ProxyModelTable", model_id="m2", model_name="two", litellm_params=params, model_info={})
    await bring_over(OLD_KEY="sk-canary-variable")
    running = await served(gateway, scripted_upstream, document)
    for model, key in (("one", "sk-canary-credential"), ("two", "sk-canary-variable")):
        assert (await asks(running, running.key, model))[0] == 200
        assert scripted_upstream.requests[-1].headers["authorization"] == f"Bearer {key}"
    for file in running.folder.parent.rglob("governance.sqlite3*"):
        assert b"canary" not in file.read_bytes()
