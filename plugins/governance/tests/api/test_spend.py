"""What was spent shows in every view, to the nano-USD, and stays in the ledger when an entity goes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from routeiq_testkit import Reply, ScriptedUpstream, Usage

from .conftest import Open
from .world import Client, build

PRICES = {"input_cost_per_token": 0.000001, "output_cost_per_token": 0.0000025}
COST = 35_000  # nano-USD: 10 tokens in, 10 out


def nano(dollars: float) -> int:
    """The nano-USD of a figure in an answer."""
    return int((Decimal(str(dollars)) * 10**9).to_integral_value())


async def _spend(client: Client, **fields: Any) -> None:
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10, **fields}
    answer = await client.ask("POST", "/v1/chat/completions", body)
    assert answer.status == 200, answer


async def test_all_views_agree(open_gateway: Open, scripted_upstream: ScriptedUpstream) -> None:
    scripted_upstream.default = Reply.chat("ok", usage=Usage(10, 10))
    row = {
        "model_name": "fast",
        "litellm_params": {
            "model": "openai/scripted-model",
            "api_base": scripted_upstream.base_url,
            "api_key": "sk-upstream",
            **PRICES,
        },
    }
    master = await open_gateway(model_list=[row])
    await build(master.gateway)
    await master.post("/tag/new", name="research")
    await master.post("/customer/new", user_id="c1")
    made = await master.post("/key/generate", team_id="blue", user_id="uma", organization_id="acme")
    key = Client(master.gateway, made["key"])
    for _ in range(3):
        await _spend(key, user="c1", metadata={"tags": ["research"]})
    spent = 3 * COST
    team = await master.get("/team/info", team_id="blue")
    assert nano(team["team_info"]["spend"]) == spent
    assert nano(team["keys"][0]["spend"]) == spent
    (membership,) = [row for row in team["team_memberships"] if row["user_id"] == "uma"]
    assert nano(membership["spend"]) == spent
    assert nano((await master.get("/organization/info", organization_id="acme"))["spend"]) == spent
    assert nano((await master.get("/v2/user/info", user_id="uma"))["spend"]) == spent
    assert nano((await master.get("/customer/info", end_user_id="c1"))["spend"]) == spent
    assert nano((await master.post("/tag/info", names=["research"]))["research"]["spend"]) == spent


async def test_the_ledger_outlives_a_deleted_team(open_gateway: Open, scripted_upstream: ScriptedUpstream) -> None:
    scripted_upstream.default = Reply.chat("ok", usage=Usage(10, 10))
    master = await open_gateway()
    await master.post("/team/new", team_id="core")
    made = await master.post("/key/generate", team_id="core")
    await _spend(Client(master.gateway, made["key"]))
    await master.gateway.recorded(1)
    await master.post("/team/delete", team_ids=["core"])
    rows = await master.get("/spend/logs")
    assert "core" in {row["team_id"] for row in rows}
