"""What the product promises about money, seen from outside: budgets hold, and every figure is the same figure."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from routeiq_testkit import Reply

NANO = Decimal(10) ** 9
CAP = Decimal("0.01")
POLICY = {"scope": {"team": "A"}, "limit": float(CAP), "unit": "usd", "window": "day", "zone": "UTC"}


async def team_key(governed, alias: str = "A") -> tuple[str, str]:
    team = await governed.made("/team/new", team_alias=alias)
    key = await governed.made("/key/generate", team_id=team["team_id"])
    return team["team_id"], key["key"]


def nano(dollars: float | str) -> int:
    """The exact nano-USD of a figure in an answer."""
    return int((Decimal(str(dollars)) * NANO).to_integral_value())


async def spent(governed, team: str) -> int:
    _, answer = await governed.call("GET", "/team/info", team_id=team)
    return nano(answer["team_info"]["spend"])


@pytest.mark.parametrize(("profile", "status"), [("1.109", 422), ("1.80", 400)])
async def test_a_line_of_yaml_bounds_a_team_and_the_refusal_is_the_profiles(govern, profile, status) -> None:
    governed = await govern(POLICY, routeiq={"compat": {"litellm_profile": profile}})
    team, key = await team_key(governed)
    costs, last = [], None
    for _ in range(200):
        got, headers, body = await governed.chat(key, max_tokens=64)
        if got != 200:
            last = (got, body["error"]["type"])
            break
        costs.append(nano(headers["x-litellm-response-cost"]))
    assert last == (status, "budget_exceeded")
    assert costs, "nothing was let through"
    await governed.gateway.app.shared.background.finish(5)
    assert sum(costs) == await spent(governed, team) <= int(CAP * NANO)
    other = await governed.made("/key/generate")
    assert (await governed.chat(other["key"]))[0] == 200, "the budget is team A's alone"


async def test_one_call_of_the_api_bounds_a_team(govern) -> None:
    governed = await govern()
    _, key = await team_key(governed)
    assert (await governed.chat(key, max_tokens=8))[0] == 200
    await governed.made("/routeiq/v1/policies", **{**POLICY, "limit": 0})
    assert (await governed.chat(key, max_tokens=8))[0] == 422


async def test_calls_at_once_never_pass_the_cap_and_all_figures_agree(govern, scripted_upstream) -> None:
    governed = await govern(POLICY)
    team, key = await team_key(governed)
    scripted_upstream.default_for("scripted-model", Reply.chat("x " * 30).delayed(0.02))
    answers = await asyncio.gather(*(governed.chat(key, max_tokens=40) for _ in range(60)))
    statuses = {status for status, _, _ in answers}
    assert statuses == {200, 422}
    await governed.gateway.app.shared.background.finish(5)
    total = sum(nano(headers["x-litellm-response-cost"]) for status, headers, _ in answers if status == 200)
    assert 0 < total <= int(CAP * NANO)
    assert await spent(governed, team) == total
    _, info = await governed.call("GET", "/key/info", key=key)
    assert nano(info["info"]["spend"]) == total
    _, rows = await governed.call("GET", "/spend/logs")
    assert sum(nano(row["spend"]) for row in rows) == total
    assert len({row["request_id"] for row in rows}) == len(rows) >= sum(status == 200 for status, _, _ in answers)


async def test_a_plain_call_without_a_bound_is_clamped_to_what_is_left(govern, scripted_upstream) -> None:
    governed = await govern(POLICY)
    _, key = await team_key(governed)
    assert (await governed.chat(key))[0] == 200
    sent = scripted_upstream.requests[-1].json
    most = sent.get("max_tokens") or sent.get("max_completion_tokens")
    assert most is not None
    assert most * 10_000 <= int(CAP * NANO)


async def test_a_stream_ends_with_a_typed_error_when_the_money_is_gone(govern, scripted_upstream) -> None:
    governed = await govern({**POLICY, "limit": 0.003})
    team, key = await team_key(governed)
    scripted_upstream.script(Reply.stream(["word "] * 2000, gap=0.001))
    status, raw = await governed.stream(key)
    assert status == 200
    events = [json.loads(line[6:]) for line in raw.decode().splitlines() if line.startswith("data: {")]
    assert events[-1]["error"]["type"] == "budget_exceeded"
    assert b"[DONE]" not in raw
    assert sum("choices" in event for event in events) > 10
    await governed.gateway.app.shared.background.finish(5)
    assert 0 < await spent(governed, team) <= 3_000_000


async def test_a_client_that_leaves_pays_for_what_was_written(govern, scripted_upstream) -> None:
    governed = await govern(POLICY)
    team, key = await team_key(governed)
    scripted_upstream.script(Reply.stream(["word "] * 500, gap=0.005))
    body = {"model": "fast", "stream": True, "max_tokens": 500, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {key}"}
    async with governed.gateway.session.post("/v1/chat/completions", json=body, headers=headers) as response:
        for _ in range(20):
            await response.content.readuntil(b"\n\n")
    (record,) = await governed.gateway.recorded()
    await governed.gateway.app.shared.background.finish(5)
    assert record.usage is not None
    assert 20 <= record.usage.output_tokens < 500
    assert await spent(governed, team) == record.cost
