"""The gates that governance needs: actions of routes, aliases, added models, metered streams, one directory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from routeiq_sdk import ConfigError, PluginError
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import openai_row

ACTIONS = """
@hookimpl
async def authenticate(self, ctx: Context) -> Any:
    told = ctx.credential.reveal() if ctx.credential is not None else ""
    return Principal(told, kind="user") if told.startswith("user-") else None

@hookimpl
async def authorize_action(self, ctx: Context, action: str) -> Any:
    note(f"{ctx.principal.id} {action}")
    verdict = {"user-allowed": True, "user-refused": Reject(403, "not you"), "user-nobody": None}
    return verdict.get(ctx.principal.id)
"""


@pytest.mark.parametrize(
    ("caller", "admin", "key"), [("user-allowed", 200, 200), ("user-refused", 403, 403), ("user-nobody", 403, 200)]
)
async def test_an_action_is_refused_allowed_or_left_to_the_routes_access(bench, caller, admin, key) -> None:
    gateway = await bench.serve({"actions": ACTIONS})
    headers = {"authorization": f"Bearer {caller}"}
    async with gateway.session.get("/routeiq/v1/status", headers=headers) as response:
        assert response.status == admin
    async with gateway.session.get("/v1/models", headers=headers) as response:
        assert response.status == key
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}]}
    async with gateway.session.post("/v1/chat/completions", headers=headers, json=body) as response:
        assert response.status == key
    assert bench.journal == [f"{caller} gateway:read", f"{caller} model:list", f"{caller} chat:create"]


async def test_an_opinion_about_actions_that_fails_refuses(bench) -> None:
    broken = """
    @hookimpl
    async def authorize_action(self, ctx: Context, action: str) -> Any:
        raise RuntimeError("the inner reason")
    """
    gateway = await bench.serve({"broken": broken})
    async with gateway.session.get("/routeiq/v1/status") as response:
        assert response.status == 503
        assert "inner reason" not in await response.text()


async def test_every_route_of_a_gateway_declares_an_action_or_is_public(bench) -> None:
    gateway = await bench.serve({})
    assert len(gateway.runtime.table.routes) > 20
    for route in gateway.runtime.table.routes:
        assert (route.access == "public") is (route.action == ""), route.path


ALIASES = """
@hookimpl
async def authenticate(self, ctx: Context) -> Any:
    return Principal("aliased", models=frozenset({"stro*"}), aliases={"mine": "strong"})
"""


async def test_a_callers_own_name_is_looked_up_and_shown_again_in_the_answer(bench) -> None:
    gateway = await bench.serve({"aliases": ALIASES})
    status, _, body = await gateway.chat("mine")
    assert (status, body["model"]) == (200, "mine")
    assert bench.up.requests[-1].json["model"] == "model-strong"
    assert (await gateway.chat("fast"))[0] == 403
    _, _, raw = await gateway.stream("mine")
    first = json.loads(raw.split(b"\n\n")[0].removeprefix(b"data: "))
    assert first["model"] == "mine"


ROWS = """
rows: Any = []

@hookimpl
async def setup(self, gateway: Gateway) -> None:
    self.gateway = gateway

@hookimpl
async def model_rows(self) -> Any:
    return list(self.rows)
"""


@pytest.fixture
async def elsewhere() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


async def test_added_rows_are_served_after_a_reload_and_never_shadow_the_yaml(bench, the_plugin, elsewhere) -> None:
    gateway = await bench.serve({"rows": ROWS})
    plugin = the_plugin(gateway, "rows")
    before = gateway.runtime.config.revision
    assert (await gateway.chat("added"))[0] == 400
    row = openai_row("added", elsewhere.base_url, "model-added")
    type(plugin).rows = [{**row, "model_info": {"id": "added-1"}}]
    await plugin.gateway.reload()
    assert "added" in plugin.gateway.groups
    assert gateway.runtime.config.revision != before
    # An address that did not come from the operator's file is no exception to the address rules.
    assert (await gateway.chat("added"))[0] >= 400
    assert not elsewhere.requests

    for wrong, said in (
        ({**row, "model_name": "fast", "model_info": {"id": "x"}}, "written in the YAML"),
        (row, "no model_info.id"),
        ({"model_name": "bad", "litellm_params": {"model": 7}, "model_info": {"id": "x"}}, "litellm_params.model"),
    ):
        type(plugin).rows = [wrong]
        with pytest.raises(ConfigError, match=said):
            await plugin.gateway.reload()
    assert "added" in plugin.gateway.groups, "a refused reload leaves the old runtime"


async def test_two_directories_stop_the_start(bench) -> None:
    offers = """
    @hookimpl
    def offer_directory(self) -> Any:
        return self
    """
    with pytest.raises((ConfigError, PluginError), match="directory"):
        await bench.serve({"one": offers, "two": offers})


METER = """
@hookimpl
def meter_stream(self, ctx: Context) -> Any:
    how = self.config.tag
    if how == "make":
        raise RuntimeError("the inner reason")

    class Meter:
        def passed(self, tokens: int, text_bytes: int) -> bool:
            note((tokens, text_bytes))
            return tokens >= 3 and how != "count"
        async def more(self) -> Any:
            if how == "fail":
                raise RuntimeError("the inner reason")
            return Stop("the money is gone", type="budget_exceeded") if how == "stop" else None
    return Meter()
"""


def metered(how: str) -> dict:
    return {"plugins": {"meter": {"tag": how}}}


async def test_a_meter_sees_what_passes_and_may_let_it_on(bench) -> None:
    gateway = await bench.serve({"meter": METER}, routeiq=metered("count"))
    bench.up.script(Reply.stream(["one ", "two ", "€"]))
    status, _, raw = await gateway.stream("fast")
    assert status == 200
    assert raw.endswith(b"data: [DONE]\n\n")
    assert bench.journal[-1] == (3, 11)


async def test_a_meter_ends_a_stream_before_the_block_that_was_not_paid(bench) -> None:
    gateway = await bench.serve({"meter": METER}, routeiq=metered("stop"))
    bench.up.script(Reply.stream(["one ", "two ", "three ", "four "], usage=False, gap=0.03))
    status, _, raw = await gateway.stream("fast")
    assert status == 200
    assert b"two " in raw
    assert b"three" not in raw
    assert b"budget_exceeded" in raw
    assert b"[DONE]" not in raw
    (record,) = await gateway.recorded()
    assert record.usage is not None
    assert record.usage.estimated
    assert record.usage.output_tokens == 4, "13 bytes had come when it was stopped: about four tokens"


@pytest.mark.parametrize("how", ["fail", "make"])
async def test_a_meter_that_fails_ends_the_stream_and_tells_no_inner_reason(bench, how) -> None:
    gateway = await bench.serve({"meter": METER}, routeiq=metered(how))
    _, _, raw = await gateway.stream("fast")
    assert b"'meter'" in raw
    assert b"inner reason" not in raw
