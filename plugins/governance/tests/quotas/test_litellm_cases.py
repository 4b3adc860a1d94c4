"""Holes that users of other gateways reported, by the number of the issue or pull request at BerriAI/litellm."""

from __future__ import annotations

import asyncio

from routeiq_governance.quotas.counting import Prompt
from routeiq_governance.quotas.estimate import demand
from routeiq_sdk import Price
from routeiq_sdk.testing import make_request
from routeiq_testkit import Reply, ScriptedUpstream, Usage

from .conftest import Govern
from .world import INPUT, OUTPUT, Governed

ONE = 10 * INPUT + 50 * OUTPUT
"""What one call costs that uses 10 tokens of input and all of its 50."""


async def at_once(governed: Governed, key: str | None, calls: int, **fields: object) -> list[int]:
    """The costs of those calls that were served."""
    answers = await asyncio.gather(*(governed.chat(key, max_tokens=50, **fields) for _ in range(calls)))
    assert {answer.status for answer in answers} <= {200, 422}
    return [answer.cost for answer in answers if answer.status == 200]


def slow(upstream: ScriptedUpstream) -> None:
    upstream.default = Reply.chat("x", usage=Usage(10, 50)).delayed(0.05)


async def test_34732_a_budget_is_held_and_not_only_looked_at(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    slow(scripted_upstream)
    governed = await govern()
    key = await governed.key(max_budget=5 * ONE / 1e9)
    costs = await at_once(governed, key, 30)
    assert 0 < sum(costs) <= 5 * ONE
    assert await governed.agree() == sum(costs)


async def test_35567_the_budget_of_all_loses_no_cent_of_calls_at_once(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    slow(scripted_upstream)
    governed = await govern(litellm_settings={"max_budget": 1})
    keys = [await governed.key() for _ in range(3)]
    served = await asyncio.gather(*(at_once(governed, key, 10) for key in keys))
    total = sum(sum(costs) for costs in served)
    assert total == 30 * ONE
    assert await governed.agree() == total
    told = await governed.get("/global/spend")
    assert told == {"spend": total / 1e9, "max_budget": 1.0}


async def test_40095_the_first_calls_of_an_unknown_end_user_have_the_default_budget(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    slow(scripted_upstream)
    governed = await govern(litellm_settings={"max_end_user_budget": 2 * ONE / 1e9})
    assert sum(await at_once(governed, None, 12, user="nobody-knows")) <= 2 * ONE
    assert len(await at_once(governed, None, 1, user="somebody-else")) == 1
    await governed.agree()


async def test_40095_end_users_may_have_a_budget_by_name(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    slow(scripted_upstream)
    governed = await govern(litellm_settings={"max_end_user_budget_id": "free-tier"})
    await governed.made("/budget/new", budget_id="free-tier", max_budget=ONE / 1e9 * 1.5)
    assert sum(await at_once(governed, None, 12, user="nobody-knows")) <= 1.5 * ONE
    await governed.agree()


async def test_27381_every_limit_of_every_entity_is_enforced(govern: Govern) -> None:
    governed = await govern()
    team = (await governed.made("/team/new", rpm_limit=1))["team_id"]
    await governed.made("/user/new", user_id="u", rpm_limit=1)
    await governed.made("/organization/new", organization_id="o", organization_alias="o", rpm_limit=1)
    await governed.made("/customer/new", user_id="c", rpm_limit=1)
    held = {
        "api_key": (await governed.key(rpm_limit=1), {}),
        "team": (await governed.key(team_id=team), {}),
        "user": (await governed.key(user_id="u"), {}),
        "organization": (await governed.key(organization_id="o"), {}),
        "end_user": (await governed.key(), {"user": "c"}),
    }
    for subject, (key, fields) in held.items():
        answers = [await governed.chat(key, **fields) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 429], subject
        assert f"Rate limit exceeded for {subject}" in answers[1].error["message"]


async def test_40020_a_new_window_begins_at_nothing(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    slow(scripted_upstream)
    governed = await govern({"scope": {}, "limit": 1.5 * ONE / 1e9, "unit": "usd", "window": "day"})
    clock = governed.parts.quotas._opened.clock
    start, moved = clock.now_ns, [0]
    clock.now_ns = lambda: start() + moved[0]  # type: ignore[method-assign]
    assert len(await at_once(governed, None, 3)) == 1
    await governed.agree()
    moved[0] = 25 * 3600 * 10**9
    assert len(await at_once(governed, None, 1)) == 1
    moved[0] = -25 * 3600 * 10**9  # a clock that is set back finds its window again, not a new one
    assert len(await at_once(governed, None, 3)) == 1
    await governed.settled()


async def test_26672_a_call_that_cannot_be_paid_is_never_sent(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    governed = await govern()
    key = await governed.key(max_budget=0.0001)
    assert (await governed.chat(key, "word " * 2000)).status == 422
    assert not scripted_upstream.requests
    assert await governed.agree() == 0


async def test_38647_the_worst_case_of_one_call_does_not_shut_out_the_others(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    governed = await govern()
    key = await governed.key(max_budget=0.05)
    scripted_upstream.script(Reply.hang())
    hanging = asyncio.ensure_future(governed.chat(key, max_tokens=4000))
    await scripted_upstream.until_requests(1)
    assert (await governed.chat(key)).status == 200, "clamped to what the call under way leaves"
    assert scripted_upstream.requests[-1].json["max_completion_tokens"] < 1000
    hanging.cancel()
    await governed.until(0)
    for _ in range(3):
        assert (await governed.chat(key, max_tokens=4000)).status == 200, "a call that is given up gives all back"
    await governed.agree()


def test_40002_the_dearest_rate_of_input_is_held() -> None:
    price = Price(input=10, output=50, cached=1, cache_write=25)
    assert demand(100, [price]).input_cost == 2500


async def test_27509_a_model_without_a_price_does_not_pass_under_a_budget(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    governed = await govern()
    key = await governed.key(max_budget=10)
    assert (await governed.chat(key, model="unpriced")).status == 400
    assert (await governed.chat(await governed.key(), model="unpriced")).status == 200, "no budget, no question"
    assert len(scripted_upstream.requests) == 1


def test_37056_sound_has_a_bound_of_its_own() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 100_000, "format": "wav"}}
    body = make_request(messages=[{"role": "user", "content": [sound]}]).json()
    assert 16_384 < Prompt(body).bound() < 17_000
