"""Rows that cannot work stop the start, and say what to write."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from routeiq.config.key_tables.guardrails import SERVICES
from routeiq_guard_external.config import Config
from routeiq_guard_external.served import NOT_SERVED, SERVED, Contract
from routeiq_sdk import ConfigError

from .conftest import Guarded

AT = "https://guard.example.com"
SOUND: dict[str, dict[str, Any]] = {
    "openai_moderation": {"api_key": "k"},
    "generic_guardrail_api": {"api_base": AT},
    "http": {"api_base": AT},
    "guard-external": {"api_base": AT},
    "lakera_v2": {"api_key": "k"},
    "aporia": {"api_base": AT, "api_key": "k"},
    "llama_guard": {"model": "judge"},
    "llamaguard": {"model": "judge"},
}


def config(guardrail: str, **params: Any) -> Config:
    row = {"guardrail_name": "r", "litellm_params": {"guardrail": guardrail, "mode": "pre_call", **params}}
    return Config.model_validate({"guardrails": [row]})


def test_every_service_that_litellm_names_is_served_or_refused_by_name() -> None:
    assert SERVED.keys() | NOT_SERVED == SERVICES | {"guard-external"}
    assert not SERVED.keys() & NOT_SERVED


@pytest.mark.parametrize("name", sorted(SERVED))
def test_what_a_service_needs_is_enough(name: str) -> None:
    (row,) = config(name, **SOUND[name]).guardrails
    assert row is not None
    assert row.litellm_params.contract is SERVED[name]


def test_the_plugins_own_name_asks_a_model_when_one_is_named() -> None:
    (row,) = config("guard-external", model="judge").guardrails
    assert row is not None
    assert row.litellm_params.contract is Contract.MODEL


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("lasso", {"api_base": AT}, "'lasso' is not served; served are aporia, .*guardrail: generic_guardrail_api"),
        ("bedrock", {"guardrailIdentifier": "x"}, "'bedrock' is not served"),
        ("openai_moderation", {}, "api_key is missing: https://api.openai.com/v1 wants one"),
        ("lakera_v2", {}, "api_key is missing"),
        ("aporia", {"api_base": AT}, "api_key is missing"),
        ("aporia", {"api_key": "k"}, "api_base is missing"),
        ("generic_guardrail_api", {}, "api_base is missing"),
        ("http", {}, "api_base is missing"),
        ("guard-external", {}, "api_base is missing"),
        ("guard-external", {"model": "m", "api_base": AT}, "write one of them"),
        ("llama_guard", {}, "model is missing: the model_name of this gateway"),
        ("llama_guard", {"model": "m", "api_base": AT}, "api_base is no option of 'llama_guard'"),
        ("llama_guard", {"model": "m", "api_key": "k"}, "api_key is no option of 'llama_guard'"),
        ("http", {"api_base": AT, "model": "m"}, "model is no option of 'http'; it is one of llama_guard, llamaguard"),
        ("http", {"api_base": AT, "categories": {"hate": 0.5}}, "categories is no option of 'http'"),
        ("openai_moderation", {"api_key": "k", "categories": {"hats": 0.5}}, "'hats' is no category of OpenAI"),
        ("openai_moderation", {"api_key": "k", "categories": {"hate": 0}}, "greater than 0"),
        ("openai_moderation", {"api_key": "k", "categories": {"hate": 1.5}}, "less than or equal to 1"),
        ("http", {"api_base": "guard.example.com"}, "not an absolute http"),
        ("http", {"api_base": "ftp://guard.example.com"}, "not an absolute http"),
        ("http", {"api_base": "https://me:pw@guard.example.com"}, "credentials do not stand in an address"),
        ("http", {"api_base": AT + "/?key=1"}, "neither \\? nor #"),
        ("http", {"api_base": AT, "timeout": 0}, "greater than 0"),
        ("http", {"api_base": AT, "timeout": 60}, "less than or equal to 25"),
        ("http", {"api_base": AT, "unreachable_fallback": "open"}, "fail_closed"),
        ("http", {"api_base": AT, "headers": {"Host": "other"}}, "'Host' is the gateway's own"),
        ("http", {"api_base": AT, "headers": {"x y": "v"}}, "letters, digits"),
        ("http", {"api_base": AT, "headers": {"x-y": "a\r\nb"}}, "no header can hold"),
        ("http", {"api_base": AT, "api_key": "a\nb"}, "no header can hold"),
        ("http", {"api_base": AT, "stream_window": 5}, "greater than or equal to 40"),
        ("http", {"api_base": AT, "breaker_failures": 0}, "greater than or equal to 1"),
        ("llama_guard", {"model": "m", "policy": {"S 1": "x"}}, "1 to 16 letters and digits"),
        ("llama_guard", {"model": "m", "policy": {"S1": " "}}, "S1 has no meaning"),
        ("llama_guard", {"model": "m", "additional_provider_specific_params": {"stream": True}}, "may not hold stream"),
        ("http", {"api_base": AT, "surprise": 1}, "Extra inputs are not permitted"),
        ("http", {"api_base": AT, "mode": "sometimes"}, "pre_call"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_work_is_refused_with_the_mend(name: str, params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(name, **params)


def test_no_error_of_a_row_repeats_its_secrets() -> None:
    with pytest.raises(ValidationError) as error:
        config("http", api_base=AT, api_key="sk-41\n", headers={"x": "sk-42\n"})
    assert "sk-4" not in str(error.value)


async def test_a_start_says_which_row_nobody_serves_and_what_to_write(guarded: Guarded) -> None:
    with pytest.raises(ConfigError) as error:
        await guarded({"guardrail": "lasso"})
    assert "guardrails[0].litellm_params.guardrail" in str(error.value)
    assert "generic_guardrail_api" in str(error.value)


async def test_a_start_refuses_an_address_that_may_never_be_called(guarded: Guarded) -> None:
    with pytest.raises(Exception, match=r"guard-external.*169\.254\.169\.254"):
        await guarded({"guardrail": "http", "api_base": "http://169.254.169.254/latest"})
