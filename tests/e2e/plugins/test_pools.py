"""Which members of a virtual model's pool a request leaves, and the choice that is explained without a call."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_testkit.gateway import openai_row

KEYS = """
@hookimpl
async def authenticate(self, ctx: Context) -> Any:
    key = (ctx.headers.get("authorization") or "").removeprefix("Bearer ")
    if key == "narrow":
        return Principal("narrow", models=frozenset({"auto", "strong"}))
    if key == "virtual-only":
        return Principal("virtual-only", models=frozenset({"auto"}))
    if key == "european":
        return Principal("european", attributes={"allowed_model_region": "eu"})
    return None
"""
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]
EVEN = """
@hookimpl
async def filter_deployments(self, ctx: Context, group: Any, deployments: Any) -> Any:
    note(group.name)
    if self.config.tag == "reject":
        return Reject(418, "not today") if group.name == "fast" else None
    if self.config.tag == "none":
        return []
    if self.config.tag == "strangers":
        import dataclasses
        return [dataclasses.replace(deployments[0])]
    return deployments[-1:]
"""


def row(up: Any, name: str, **info: Any) -> dict[str, Any]:
    region = {"region_name": info.pop("region")} if "region" in info else {}
    made = openai_row(name, up.base_url, f"model-{name}")
    return {**made, "litellm_params": {**made["litellm_params"], **region}, "model_info": info}


async def served(bench, rows: list[dict[str, Any]], plugins: dict[str, str] | None = None, **changes: Any) -> Any:
    names = [row["model_name"] for row in rows]
    return await bench.serve(
        plugins or {"keys": KEYS}, model_list=rows, routeiq={"virtual_models": {"auto": {"models": names}}}, **changes
    )


async def explained(gateway: Any, key: str | None = None, **body: Any) -> tuple[int, dict[str, Any]]:
    fields = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **body}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with gateway.session.post("/routeiq/v1/route", json=fields, headers=headers) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("facts", "body", "ranked"),
    [
        ({"supports_function_calling": False}, {"tools": [TOOL]}, ["strong"]),
        ({"supports_vision": False}, {"messages": PICTURE}, ["strong"]),
        ({"supports_response_schema": False}, {"response_format": {"type": "json_object"}}, ["strong"]),
        ({"max_input_tokens": 10}, {"messages": [{"role": "user", "content": "word " * 400}]}, ["strong"]),
        ({"max_input_tokens": 10}, {}, ["fast", "strong"]),
    ],
)
async def test_a_model_that_lacks_what_a_request_needs_is_no_candidate(bench, facts, body, ranked) -> None:
    gateway = await served(bench, [row(bench.up, "fast", **facts), row(bench.up, "strong")])
    status, told = await explained(gateway, **body)
    assert (status, told["ranked"]) == (200, ranked)
    if len(ranked) == 1:
        assert told["decision"]["attributes"]["filtered"].keys() == {"fast"}
    assert bench.up.requests == []


async def test_a_model_known_to_be_able_goes_before_one_of_which_nothing_is_known(bench) -> None:
    gateway = await served(bench, [row(bench.up, "fast"), row(bench.up, "strong", supports_vision=True)])
    assert (await explained(gateway, messages=PICTURE))[1]["ranked"] == ["strong"]


async def test_a_need_that_nobody_is_known_to_meet_drops_nobody(bench) -> None:
    rows = [row(bench.up, name, supports_vision=False) for name in ("fast", "strong")]
    gateway = await served(bench, rows)
    assert (await explained(gateway, messages=PICTURE))[1]["ranked"] == ["fast", "strong"]


@pytest.mark.parametrize(("key", "ranked"), [("narrow", ["strong"]), ("virtual-only", ["fast", "strong"])])
async def test_a_key_that_names_members_of_the_pool_gets_these_alone(bench, key, ranked) -> None:
    gateway = await served(bench, [row(bench.up, "fast"), row(bench.up, "strong")])
    assert (await explained(gateway, key))[1]["ranked"] == ranked


async def test_a_region_is_never_left(bench) -> None:
    rows = [row(bench.up, "fast", region="us-east-1"), row(bench.up, "strong", region="eu-west-1"), row(bench.up, "no")]
    gateway = await served(bench, rows)
    assert (await explained(gateway, "european"))[1]["ranked"] == ["strong"]
    assert (await explained(gateway, routeiq={"region": "us"}))[1]["ranked"] == ["fast"]
    assert (await explained(gateway, "european", routeiq={"region": "us"}))[0] == 403
    assert (await explained(gateway, routeiq={"region": "asia"}))[0] == 403
    assert (await explained(gateway, routeiq={"region": 7}))[0] == 400
    headers = {"authorization": "Bearer european"}
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
    async with gateway.session.post("/v1/chat/completions", json=body, headers=headers) as response:
        assert response.status == 403
    assert bench.up.requests == []


async def test_a_benched_model_is_no_candidate_while_another_is_well(bench) -> None:
    twins = [row(bench.up, "fast", id="one"), row(bench.up, "fast", id="two")]
    gateway = await bench.serve({}, model_list=[*twins, row(bench.up, "strong")])
    for deployment in gateway.runtime.catalog.groups["fast"].deployments:
        gateway.app.shared.cooldowns.failed(
            deployment, "AuthenticationError", 401, alone=False, retry_after=None, cooldown=60
        )
    _, told = await explained(gateway)
    assert told["ranked"] == ["strong"]
    assert "benched" in told["decision"]["attributes"]["filtered"]["fast"]


async def test_the_explained_decision_is_found_by_its_id(bench) -> None:
    gateway = await served(bench, [row(bench.up, "fast"), row(bench.up, "strong")])
    _, told = await explained(gateway)
    async with gateway.session.get(f"/routeiq/v1/decisions/{told['decision_id']}") as response:
        record = await response.json()
    assert (record["route"], record["attempts"], record["decision"]["strategy"]) == ("/routeiq/v1/route", [], "static")
    assert bench.up.requests == []


async def test_a_concrete_model_is_honoured_and_the_explanation_says_so(bench) -> None:
    gateway = await served(bench, [row(bench.up, "fast"), row(bench.up, "strong")])
    _, told = await explained(gateway, model="strong")
    assert (told["ranked"], told["decision"], told["reason"]) == (["strong"], None, "a concrete model is honoured")


async def test_an_explanation_needs_a_key_and_a_sound_body(bench) -> None:
    gateway = await served(bench, [row(bench.up, "fast")])
    assert (await explained(gateway, "nobody"))[0] == 401
    assert (await explained(gateway, messages=7))[0] == 400
    assert (await explained(gateway, model="missing"))[0] == 400


@pytest.mark.parametrize(
    ("tag", "status", "left"),
    [("", 200, ["fast", "strong"]), ("reject", 200, ["strong"]), ("none", 403, None), ("strangers", 503, None)],
)
async def test_plugins_narrow_the_deployments_and_a_broken_one_closes_the_group(bench, tag, status, left) -> None:
    rows = [row(bench.up, "fast"), row(bench.up, "strong")]
    block = {"virtual_models": {"auto": {"models": ["fast", "strong"]}}, "plugins": {"even": {"tag": tag}}}
    gateway = await bench.serve({"even": EVEN}, model_list=rows, routeiq=block)
    answered, told = await explained(gateway)
    assert answered == status
    if left is not None:
        assert told["ranked"] == left
