"""Promise: groups, aliases, wildcards, weights and orders of a LiteLLM file mean here what they mean there.
What a listed name answers is the surfaces' business.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import openai_row


async def _listed(gw: Any) -> list[str]:
    async with gw.session.get("/v1/models") as response:
        return [entry["id"] for entry in (await response.json())["data"]]


async def test_an_alias_answers_under_its_own_name(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    aliases = {"gpt-old": "fast", "secret": {"model": "fast", "hidden": True}}
    gw = await gateway(
        {"model_list": [openai_row("fast", up.base_url)], "router_settings": {"model_group_alias": aliases}}
    )
    for name in ("gpt-old", "secret"):
        status, headers, body = await gw.chat(name)
        assert (status, body["model"], headers["x-litellm-model-group"]) == (200, name, "fast")
    assert await _listed(gw) == ["fast", "gpt-old"]


async def test_an_alias_of_litellm_settings_works_too(gateway, scripted_upstream: ScriptedUpstream) -> None:
    rows = [openai_row("fast", scripted_upstream.base_url)]
    gw = await gateway({"model_list": rows, "litellm_settings": {"model_alias_map": {"gpt-old": "fast"}}})
    assert (await gw.chat("gpt-old"))[0] == 200


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("openai/gpt-x", "gpt-x"),
        ("openai/special-7", "the-special-7"),
        ("team-a/any/thing", "any/thing"),
        ("exact", "exact-model"),
        ("whatever", "whatever"),
    ],
)
async def test_the_most_specific_pattern_wins(
    gateway, scripted_upstream: ScriptedUpstream, asked: str, sent: str
) -> None:
    up = scripted_upstream
    rows = [
        openai_row("*", up.base_url, "*"),
        openai_row("openai/*", up.base_url, "*"),
        openai_row("openai/special-*", up.base_url, "the-special-*"),
        openai_row("team-a/*", up.base_url, "*"),
        openai_row("exact", up.base_url, "exact-model"),
    ]
    gw = await gateway({"model_list": rows})
    status, _, body = await gw.chat(asked)
    assert (status, body["model"]) == (200, asked)
    assert up.requests[0].model == sent


async def test_without_a_pattern_that_fits_the_name_is_unknown(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await gateway({"model_list": [openai_row("openai/*", scripted_upstream.base_url, "*")]})
    status, _, body = await gw.chat("anthropic/claude")
    assert (status, body["error"]["param"]) == (400, "model")
    assert "no healthy deployments for this model" in body["error"]["message"]


async def test_each_name_of_a_wildcard_has_its_own_bench(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [openai_row("openai/*", up.base_url, "*")]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0}})
    up.script_for("broken", Reply.error(404))
    assert (await gw.chat("openai/broken"))[0] == 404
    assert (await gw.chat("openai/healthy"))[0] == 200


async def test_weights_share_the_calls_of_a_group(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    weights = {"much": 9, "little": 1, "never": 0}
    rows = [openai_row("fast", up.base_url, name, weight=weight) for name, weight in weights.items()]
    gw = await gateway({"model_list": rows})
    for _ in range(100):
        await gw.chat("fast")
    served = Counter(request.model for request in up.requests)
    assert served["never"] == 0
    assert served["much"] > 70  # five standard deviations below its 90
    assert sum(served.values()) == 100


async def test_without_weights_the_rpm_share_the_calls(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [openai_row("fast", up.base_url, "much", rpm=95), openai_row("fast", up.base_url, "little", rpm=5)]
    block = {"compat": {"accept_unenforced": ["model_list[].litellm_params.rpm"]}}
    gw = await gateway({"model_list": rows, "routeiq": block})
    for _ in range(60):
        await gw.chat("fast")
    served = Counter(request.model for request in up.requests)
    assert served["much"] > served["little"]


async def test_lower_orders_are_called_first(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [openai_row("fast", up.base_url, name, order=order) for name, order in (("c", 3), ("a", 1), ("b", 2))]
    gw = await gateway({"model_list": rows, "router_settings": {"disable_cooldowns": True}})
    for _ in range(5):
        await gw.chat("fast")
    assert {request.model for request in up.requests} == {"a"}
    up.script_for("a", Reply.error(500))
    up.script_for("b", Reply.error(500))
    assert (await gw.chat("fast"))[0] == 200
    assert [request.model for request in up.requests[5:]] == ["a", "b", "c"]


async def test_defaults_and_extras_of_a_row_reach_the_provider(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    row = openai_row(
        "fast",
        up.base_url,
        temperature=0.1,
        top_k=5,
        extra_body={"vendor": {"a": 1}},
        extra_headers={"x-vendor": "yes"},
        organization="org-1",
    )
    gw = await gateway({"model_list": [row]})
    await gw.chat("fast", temperature=0.9, vendor="mine")
    (asked,) = up.requests
    assert (asked.json["temperature"], asked.json["top_k"], asked.json["vendor"]) == (0.9, 5, {"a": 1})
    assert (asked.headers["x-vendor"], asked.headers["openai-organization"]) == ("yes", "org-1")


async def test_a_virtual_model_without_a_strategy_asks_its_default_first(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    rows = [openai_row(name, up.base_url, name) for name in ("a", "b", "c")]
    block = {"virtual_models": {"auto": {"models": ["a", "b", "c"], "default_model": "b"}}}
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0}, "routeiq": block})
    up.script(Reply.error(500), Reply.error(500))
    status, headers, body = await gw.chat("auto")
    assert (status, body["model"], headers["x-routeiq-strategy"]) == (200, "auto", "static")
    assert [request.model for request in up.requests] == ["b", "a", "c"]
    assert "auto" in await _listed(gw)
    (record,) = await gw.recorded()
    assert record.decision.chosen.model == "b"


async def test_the_id_of_a_row_is_stable_and_survives_a_new_key(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    first = await gateway({"model_list": [openai_row("fast", up.base_url)]})
    second = await gateway({"model_list": [openai_row("fast", up.base_url, api_key="sk-rotated")]})
    ids = {(await gw.chat("fast"))[1]["x-litellm-model-id"] for gw in (first, second)}
    assert len(ids) == 1
    assert len(ids.pop()) == 64
