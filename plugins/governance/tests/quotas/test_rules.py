"""Rules of rows, of entities and of defaults; what one process lets through alone; what is told and to whom."""

from __future__ import annotations

import asyncio

from routeiq_governance.identity.caller import Caller, Entity
from routeiq_governance.identity.limits import BudgetWindow, Limits
from routeiq_governance.quotas.ending import Ending
from routeiq_governance.quotas.entity_rules import rules_of
from routeiq_governance.quotas.expecting import Expectation
from routeiq_governance.quotas.hold import Hold
from routeiq_governance.quotas.local import Local
from routeiq_governance.quotas.model_rules import rules_of_deployment, rules_of_keys
from routeiq_governance.quotas.refusals import refused
from routeiq_governance.quotas.rule import Demand, Rule, Used
from routeiq_governance.quotas.windows import Forever, Rolling
from routeiq_sdk import Deployment, ModelGroup

NOW = 1_800_000_000 * 10**9


def deployment(**info: int) -> Deployment:
    return Deployment(id="d1", group="fast", provider="openai", model="m", wire="openai", info=info)


def test_a_row_bounds_its_deployment_by_tokens_and_requests() -> None:
    rules = rules_of_deployment(deployment(itpm=10, otpm=20, tpd=30, rpd=40), "closed")
    assert {(rule.unit, rule.limit, rule.checked) for rule in rules} == {
        ("input_tokens", 10, True),
        ("output_tokens", 20, True),
        ("total_tokens", 30, True),
        ("requests", 40, False),
    }
    assert {rule.deployment for rule in rules} == {"d1"}
    assert rules_of_deployment(deployment(), "closed") == []
    (daily,) = [rule for rule in rules if rule.unit == "requests"]
    assert daily.amount(Used(calls=3)) == 3, "a deployment is called once an attempt"


def test_a_key_without_a_limit_for_the_model_has_the_rows() -> None:
    group = ModelGroup("fast", (deployment(default_api_key_rpm_limit=9, default_api_key_tpm_limit=99), deployment()))
    plain = Caller("key", "k", entities=(Entity("key", "k"),))
    assert [(rule.id, rule.limit) for rule in rules_of_keys(plain, group, "closed")] == [
        ("key:k:rpm:fast", 9),
        ("key:k:tpm:fast", 99),
    ]
    own = Limits(model_requests_a_minute={"fast": 5}, tokens_a_minute=7)
    limited = Caller("key", "k", entities=(Entity("key", "k", limits=own),))
    assert list(rules_of_keys(limited, group, "closed")) == []
    assert list(rules_of_keys(Caller("admin"), group, "closed")) == []


def test_every_limit_of_an_entity_makes_its_rule() -> None:
    limits = Limits(
        budget=100,
        extra_budget=11,
        extra_until=NOW + 1,
        soft_budget=50,
        budget_duration="1d",
        budget_since=NOW,
        budget_windows=(BudgetWindow("1h", 7),),
        model_budgets={"fast": BudgetWindow("30d", 8)},
        requests_a_minute=1,
        tokens_a_minute=2,
        tokens_a_day=3,
        concurrent=4,
        model_requests_a_minute={"fast": 5},
        model_tokens_a_minute={"fast": 6},
        tag_requests_a_minute={"a": 9, "b": 10},
    )
    found = {rule.id: rule for rule in rules_of(Entity("team", "t", limits=limits), "fast", ("a",), NOW, "open")}
    assert {id.removeprefix("team:t:"): rule.limit for id, rule in found.items()} == {
        "budget": 111,
        "soft-budget": 50,
        "budget-1h": 7,
        "rpm": 1,
        "tpm": 2,
        "tpd": 3,
        "parallel": 4,
        "budget:fast": 8,
        "rpm:fast": 5,
        "tpm:fast": 6,
        "rpm:tag:a": 9,
    }
    assert not found["team:t:soft-budget"].enforced
    assert all(rule.on_store_failure == ("closed" if rule.is_money else "open") for rule in found.values())
    later = {rule.id: rule.limit for rule in rules_of(Entity("team", "t", limits=limits), None, (), NOW + 1)}
    assert later["team:t:budget"] == 100, "the increase is over"


def test_of_two_rules_on_one_meter_the_tighter_one_is_asked() -> None:
    rules = [Rule("r", "team", "t", "usd", limit, Forever()) for limit in (9, 3, 5)]
    ((rule, charge),) = Hold("h", Demand()).charge(rules, NOW).values()
    assert (rule.limit, charge.limit) == (3, 3)


def test_a_rule_that_only_looks_takes_one_until_it_is_settled() -> None:
    rule = Rule("r", "team", "t", "total_tokens", 5, Rolling(60), checked=True)
    charge = rule.charge(Demand(100, 100, 100), NOW)
    assert (charge.base, charge.rate, charge.limit) == (1, 0, 5)


def test_one_process_lets_half_of_its_share_through_alone() -> None:
    local = Local(workers=2)
    requests = Rule("r", "api_key", "k", "requests", 8, Rolling(60))
    assert [local.take(requests, 0, NOW) for _ in range(3)] == [True, True, False]
    assert local.take(requests, 0, NOW + 61 * 10**9), "the next window"
    nothing = Rule("n", "api_key", "k", "requests", 0, Rolling(60))
    assert not local.take(nothing, 0, NOW)
    tokens = Rule("t", "api_key", "k", "total_tokens", 400, Rolling(60))
    assert [local.take(tokens, 90, NOW) for _ in range(3)] == [True, True, False]
    at_once = Rule("c", "api_key", "k", "concurrent", 4, Forever())
    assert [local.take(at_once, 0, NOW) for _ in range(2)] == [True, False]
    local.give_back(["c"])
    assert local.take(at_once, 0, NOW)


def test_a_refusal_tells_limit_use_and_reset() -> None:
    rule = Rule("team:t:tpm", "team", "t", "total_tokens", 100, Rolling(60))
    told = refused(rule, 130, NOW + 20 * 10**9, "1.109", None)
    assert (told.status, told.retry_after) == (429, 40)
    assert told.headers["reset_at"] == str(NOW // 10**9 + 60)
    assert told.headers["x-ratelimit-remaining-tokens"] == "0"
    money = refused(Rule("b", "key", "k", "usd", 1_500_000_000, Forever()), 2_000_000_001, NOW, "1.80", None)
    assert (money.status, money.type) == (400, "budget_exceeded")
    assert "Current cost: 2.000000001, Max budget: 1.5" in money.message
    assert money.retry_after is None


def test_the_expected_output_is_the_95th_percentile_of_the_newest() -> None:
    expected, caller = Expectation(), Caller("key", "k")
    assert expected.output(caller, "m", 5000) == 1024, "nobody knows yet"
    for tokens in range(1, 201):
        expected.learn(caller, "m", tokens)
    assert 190 <= expected.output(caller, "m", 5000) <= 200
    assert expected.output(caller, "m", 50) == 50
    assert expected.output(Caller("key", "other"), "m", 50) == 50


async def test_who_asks_for_figures_waits_for_what_is_answered_already() -> None:
    ending = Ending()
    await ending.wait()
    ending.begun("a")
    waiting = asyncio.ensure_future(ending.wait())
    await asyncio.sleep(0)
    ending.begun("later")
    assert not waiting.done()
    ending.over("a")
    await waiting
    assert ending.any, "one that came later is not waited for"
