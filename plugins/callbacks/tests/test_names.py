"""LiteLLM's callback names and environment variables lead to the same targets."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_callbacks.config import CallbacksConfig
from routeiq_callbacks.wanted import wanted
from routeiq_sdk import PluginError
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


@pytest.mark.parametrize(
    ("name", "missing"),
    [("langfuse", "LANGFUSE_PUBLIC_KEY"), ("datadog", "DD_API_KEY"), ("gcs_bucket", "GCS_BUCKET_NAME")],
)
def test_what_is_missing_is_named(name: str, missing: str) -> None:
    with pytest.raises(PluginError, match=missing):
        wanted(CallbacksConfig(callbacks=(name,)), {})


def test_s3_without_a_bucket_is_told() -> None:
    with pytest.raises(PluginError, match="s3_bucket_name"):
        wanted(CallbacksConfig(callbacks=("s3",)), {})


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


async def test_without_a_target_there_is_nothing_to_do_with_texts(gateway: StartGateway, telling: Any) -> None:
    running = await gateway(telling())
    assert not {call.hook for call in running.runtime.calls()} & {"stream_filter", "guard_response"}
