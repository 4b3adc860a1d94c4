"""Which rule holds for which question, what is chosen then, and which configurations are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from routeiq_routing_rules import RoutingRules, RulesConfig
from routeiq_routing_rules.conditions import MOST_SEARCHED
from routeiq_sdk import Decision, Deployment, ModelGroup, PluginError
from routeiq_sdk.testing import FakeGateway, call_hook, make_context, make_groups, running

POOL = ("small", "medium", "large")


def make(*rules: dict[str, Any], default: str | None = None) -> RoutingRules:
    return RoutingRules(RulesConfig.model_validate({"rules": rules, "default": default}))


def rule(model: str, reason: str = "", **when: Any) -> dict[str, Any]:
    return {"when": when, "model": model, "reason": reason}


def ask(plugin: RoutingRules, text: str, pool: Sequence[ModelGroup] = make_groups(*POOL)) -> Decision | None:
    answer: Decision | None = asyncio.run(call_hook(plugin, "select_model", make_context(text), pool))
    return answer


def chosen(plugin: RoutingRules, text: str) -> str | None:
    decision = ask(plugin, text)
    return decision.chosen.model if decision is not None else None


@pytest.mark.parametrize(
    ("when", "holds", "fails"),
    [
        ({"any_words": ["python", "sql"]}, "Is this SQL?", "He sqlled a pythonic poem."),
        ({"any_words": ["stack trace"]}, "a stack\n  Trace, see below", "a stack, no trace"),
        ({"any_words": ["c++"]}, "Why C++?", "Why C?"),
        ({"pattern": r"^Prove\b"}, "Prove it.", "prove it."),
        ({"pattern": r"(?i)^prove\b"}, "prove it.", "Please prove it."),
        ({"longer_than": 5}, "123456", "12345"),
        ({"shorter_than": 5}, "1234", "12345"),
        ({"any_words": ["hello"], "shorter_than": 12}, "Hello there", "Hello there, my friend"),
        ({"any_words": ["straße"]}, "In welcher Straße?", "In welchen Straßen?"),
    ],
)
def test_a_rule_holds_when_all_its_conditions_do(when: dict[str, Any], holds: str, fails: str) -> None:
    plugin = make(rule("large", **when), default="small")
    assert chosen(plugin, holds) == "large"
    assert chosen(plugin, fails) == "small"


def test_the_first_rule_that_holds_chooses() -> None:
    plugin = make(rule("medium", any_words=["sql"]), rule("large", longer_than=1), default="small")
    assert chosen(plugin, "sql and more") == "medium"
    assert chosen(plugin, "and more") == "large"
    assert chosen(plugin, "") == "small"


def test_without_a_default_it_abstains_when_no_rule_holds() -> None:
    assert ask(make(rule("large", longer_than=10)), "short") is None


def test_the_chosen_model_leads_and_the_others_follow_by_price_unpriced_last() -> None:
    unpriced = ModelGroup("a-mystery", (Deployment("m", "a-mystery", "openai", "m", "openai"),))
    cheap, middle, dear = make_groups(*POOL)
    decision = ask(make(default="medium"), "Hello.", (unpriced, dear, middle, cheap))
    assert decision is not None
    assert [candidate.model for candidate in decision.candidates] == ["medium", "small", "large", "a-mystery"]
    assert decision.propensity == 1.0


def test_a_rule_whose_model_is_no_candidate_is_passed_over() -> None:
    plugin = make(rule("large", any_words=["sql"]), rule("medium", longer_than=0), default="small")
    small, medium, _ = make_groups(*POOL)
    decision = ask(plugin, "sql", (small, medium))
    assert decision is not None
    assert decision.chosen.model == "medium"
    assert ask(make(default="large"), "sql", (small, medium)) is None


def test_the_reason_is_the_rules_own_or_tells_the_condition() -> None:
    plugin = make(
        rule("medium", any_words=["sql"], reason="a question about code"),
        rule("large", any_words=["Step by  step"], shorter_than=99),
        default="small",
    )
    reasons = [decision.reason for text in ("sql?", "Go step by STEP.", "Hi") if (decision := ask(plugin, text))]
    assert reasons == [
        "a question about code",
        "rule 2: shorter than 99 characters, the word 'step by step'",
        "no rule holds: the default model",
    ]


def test_only_the_beginning_of_a_text_is_searched() -> None:
    plugin = make(rule("large", any_words=["needle"]), rule("large", pattern="needle"), default="small")
    assert chosen(plugin, "x " * (MOST_SEARCHED // 2 - 10) + "needle") == "large"
    assert chosen(plugin, "x " * (MOST_SEARCHED // 2) + "needle") == "small"


def test_the_version_tells_rules_apart() -> None:
    one, same, other = (make(rule("large", longer_than=n), default="small") for n in (1, 1, 2))
    versions = [decision.version for plugin in (one, same, other) if (decision := ask(plugin, "Hi"))]
    assert versions[0] == versions[1] != versions[2]


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=10).filter(str.strip), min_size=1, max_size=4))
def test_any_words_and_any_text_are_taken_literally(text: str, words: list[str]) -> None:
    plugin = make(rule("large", any_words=words), default="small")
    assert chosen(plugin, text) in {"small", "large"}
    assert chosen(plugin, f"{text} {words[0]} {text}") == "large"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "neither rules nor default"),
        ({"rules": [{"when": {}, "model": "m"}]}, "without a condition"),
        ({"rules": [{"when": {"pattern": "(unclosed"}, "model": "m"}]}, "not a regular expression"),
        ({"rules": [{"when": {"any_words": []}, "model": "m"}]}, "any_words"),
        ({"rules": [{"when": {"any_words": ["  "]}, "model": "m"}]}, "any_words"),
        ({"rules": [{"when": {"longer_than": 9, "shorter_than": 10}, "model": "m"}]}, "no text is longer than 9"),
        ({"rules": [{"when": {"longer_then": 9}, "model": "m"}]}, "longer_then"),
        ({"rules": [{"when": {"longer_than": 9}}]}, "model"),
        ({"default": ""}, "default"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(config: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        RulesConfig.model_validate(config)


async def test_names_that_are_no_models_stop_the_start() -> None:
    plugin = make(rule("lage", longer_than=1), default="small")
    with pytest.raises(PluginError, match=r"do not exist: lage\..*choose among: large, medium, small"):
        async with running(plugin, FakeGateway("routing-rules")):
            pass
