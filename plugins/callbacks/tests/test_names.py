"""LiteLLM's callback names and environment variables lead to the same targets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from routeiq_callbacks.config import CallbacksConfig, DatadogTarget, LangfuseTarget, WebhookTarget
from routeiq_callbacks.wanted import wanted, without_effect
from routeiq_sdk import PluginError, Secret
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder

ENVIRONMENT = {
    "LANGFUSE_PUBLIC_KEY": "pk",
    "LANGFUSE_SECRET_KEY": "sk",
    "LANGFUSE_HOST": "https://langfuse.example.com",
    "GENERIC_LOGGER_ENDPOINT": "https://logs.example.com/in",
    "GENERIC_LOGGER_HEADERS": "authorization=Bearer x,x-team=a",
    "DD_API_KEY": "dd",
    "DD_SITE": "datadoghq.eu",
}


def kinds(**block: Any) -> list[tuple[str, str]]:
    return [(target.kind, target.on) for target in wanted(CallbacksConfig(**block), ENVIRONMENT)]


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ({}, []),
        ({"success_callback": ("langfuse",)}, [("langfuse", "success")]),
        ({"failure_callback": ("langfuse",)}, [("langfuse", "failure")]),
        ({"success_callback": ("langfuse",), "failure_callback": ("langfuse",)}, [("langfuse", "all")]),
        ({"callbacks": ("datadog", "otel", "prometheus", "nobody")}, [("datadog", "all")]),
        ({"callbacks": "generic_api"}, [("webhook", "all")]),
        ({"callbacks": ("webhook", "generic_api")}, [("webhook", "all")]),
        (
            {"success_callback": ("s3",), "s3_callback_params": {"s3_bucket_name": "bbb", "s3_path": "p"}},
            [("s3", "success")],
        ),
    ],
)
def test_names_lead_to_targets(block: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert kinds(**block) == found


def test_headers_of_the_generic_logger_are_read() -> None:
    (target,) = wanted(CallbacksConfig(callbacks=("webhook",)), ENVIRONMENT)
    assert target.kind == "webhook"
    assert {name: value.reveal() for name, value in target.headers.items()} == {
        "authorization": "Bearer x",
        "x-team": "a",
    }


def test_a_webhook_may_have_a_name_of_the_operators_own() -> None:
    settings = {
        "callback_type": "generic_api",
        "endpoint": "https://mine.example.com/in",
        "headers": {"Authorization": Secret("Bearer y")},
        "event_types": ["llm_api_failure"],
        "log_format": "ndjson",
    }
    config = CallbacksConfig(callbacks=("mine", "otel"), callback_settings={"mine": settings, "otel": {"x": 1}})
    (target,) = wanted(config, {})
    assert isinstance(target, WebhookTarget)
    assert (target.url, target.on, target.log_format) == ("https://mine.example.com/in", "failure", "ndjson")
    assert target.headers["Authorization"].reveal() == "Bearer y"


def test_langfuse_is_found_where_litellm_finds_it() -> None:
    keys = {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"}
    config = CallbacksConfig(callbacks=("langfuse",), langfuse_default_tags=("cache_hit",))
    (cloud,) = wanted(config, keys)
    (own,) = wanted(config, {**keys, "LANGFUSE_BASE_URL": "https://lf.example.com", "LANGFUSE_RELEASE": "v1"})
    assert isinstance(cloud, LangfuseTarget)
    assert isinstance(own, LangfuseTarget)
    assert (cloud.host, cloud.default_tags) == ("https://cloud.langfuse.com", ("cache_hit",))
    assert (own.host, own.release) == ("https://lf.example.com", "v1")


def test_datadog_may_be_told_through_an_agent_without_a_key() -> None:
    (target,) = wanted(CallbacksConfig(callbacks=("datadog",)), {"LITELLM_DD_AGENT_HOST": "agent", "DD_ENV": "prod"})
    assert isinstance(target, DatadogTarget)
    assert (target.url, target.api_key, target.tags) == ("http://agent:10518", None, ("env:prod",))


@pytest.mark.parametrize(
    ("name", "missing"),
    [("langfuse", "LANGFUSE_PUBLIC_KEY"), ("datadog", "DD_API_KEY"), ("gcs_bucket", "GCS_BUCKET_NAME")],
)
def test_what_is_missing_is_named(name: str, missing: str) -> None:
    with pytest.raises(PluginError, match=missing):
        wanted(CallbacksConfig(callbacks=(name,)), {})


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"callbacks": ("s3",)}, "s3_bucket_name"),
        (
            {"callbacks": ("s3",), "s3_callback_params": {"s3_bucket_name": "bbb", "s3_endpoint_url": "minio"}},
            "endpoint_url: .* begins with https",
        ),
        ({"callbacks": ("mine",), "callback_settings": {"mine": {"callback_type": "generic_api"}}}, "no endpoint"),
        ({"default_team_settings": ({"success_callback": ["langfuse"]},)}, r"settings\[0\] names no team"),
        ({"default_team_settings": ({"team_id": "t", "success_callback": ["langfuse"]},)}, "lacks a Langfuse key"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(block: dict[str, Any], told: str) -> None:
    with pytest.raises(PluginError, match=told):
        wanted(CallbacksConfig(**block), {})


def test_a_broken_list_of_headers_is_told_without_its_words() -> None:
    environment = {"GENERIC_LOGGER_ENDPOINT": "https://logs.example.com", "GENERIC_LOGGER_HEADERS": "{secret"}
    with pytest.raises(PluginError, match="GENERIC_LOGGER_HEADERS") as failed:
        wanted(CallbacksConfig(callbacks=("webhook",)), environment)
    assert "secret" not in str(failed.value)


def test_settings_without_effect_are_known() -> None:
    params = {"s3_bucket_name": "bbb", "s3_verify": False, "s3_batch_size": 7}
    assert without_effect(CallbacksConfig(s3_callback_params=params)) == [
        "s3_callback_params.s3_verify",
        "s3_callback_params.s3_batch_size",
    ]


@pytest.mark.parametrize(
    "url", ["logs.example.com", "ftp://logs.example.com", "https://u:p@logs.example.com", "https://"]
)
def test_an_address_is_a_whole_one_without_credentials(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookTarget(url=url)


async def test_success_and_failure_are_told_apart(
    gateway: StartGateway,
    telling: Any,
    recorder: Recorder,
    scripted_upstream: ScriptedUpstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GENERIC_LOGGER_ENDPOINT", recorder.url)
    running = await gateway(telling(litellm={"failure_callback": ["generic_api"], "success_callback": ["otel"]}))
    await running.chat("m")
    scripted_upstream.script(Reply.error(500, "no"))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    assert [payload["status"] for payload in sent.json()] == ["failure"]


async def test_names_that_nobody_serves_do_not_stop_the_start(gateway: StartGateway, telling: Any) -> None:
    names = ["otel", "prometheus", "datadog_llm_observability", "nobody"]
    litellm = {"callbacks": names, "success_callback": names, "failure_callback": names}
    running = await gateway(telling(litellm=litellm))
    assert (await running.chat("m"))[0] == 200


async def test_a_callback_without_its_variables_is_told_and_stops_nothing(
    gateway: StartGateway, telling: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGFUSE_PUBLIC_KEY", raising=False)
    running = await gateway(telling(litellm={"success_callback": ["langfuse"]}))
    assert (await running.chat("m"))[0] == 200
    async with running.session.get("/health/readiness") as answer:
        assert "LANGFUSE_PUBLIC_KEY" in str(await answer.json())
