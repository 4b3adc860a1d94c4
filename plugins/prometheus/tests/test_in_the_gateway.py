"""The plugin in a whole gateway: who may read, in which format, and that RouteIQ's own metrics tell what happened."""

from __future__ import annotations

import asyncio

import pytest

from routeiq_sdk import ConfigError
from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .conftest import Scrape, Scraped

PRICES = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.002}
WRONG_KEY = "sk-wrong-5f0c7d1e9a2b4836"
GUARD = """
from routeiq_sdk import *

class Fixture(Plugin[PluginConfig]):
    needs = frozenset({Need.READS_BODY})

    @hookimpl
    async def guard_request(self, ctx):
        return Reject(400, "no", type="policy") if "forbidden" in ctx.request.text() else None

    @hookimpl
    async def reserve(self, ctx, ranked):
        return Reject(429, "spent", type="budget_exceeded") if "dear" in ctx.request.text() else None
"""

CALLING = """
from routeiq_sdk import *
from routeiq_sdk.values.http import HttpResponse
from routeiq_sdk.values.tools import ToolCall, ToolResult

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def setup(self, gateway):
        self.gateway = gateway

    @hookimpl
    async def permitted_tools(self, ctx, protocol, server, tools, aliases, groups):
        return [tool for tool in tools if tool != "hidden"]

    @hookimpl
    def register_routes(self, routes):
        routes.add("POST", "/call", self.serve, access="key", summary="Call a tool", action="tool:call")

    async def serve(self, request):
        async def run(call):
            return ToolResult({}, is_error=call.tool == "failing")

        told = request.json()
        call = ToolCall(told.get("protocol", "mcp"), "weather", told["tool"], {}, price=2_000_000)
        await self.gateway.tools.call(request.context, call, run)
        return HttpResponse.json({})
"""


async def call_tool(running: TestGateway, tool: str, **told: str) -> int:
    async with running.session.post("/call", json={"tool": tool, **told}) as response:
        await response.read()
        return response.status


def config(upstream: ScriptedUpstream, **block: object) -> dict[str, object]:
    return {
        "model_list": [
            {**openai_row("fast", upstream.base_url, "good", **PRICES), "model_info": {"id": "fast-1"}},
            {**openai_row("broken", upstream.base_url, "bad", **PRICES), "model_info": {"id": "broken-1"}},
        ],
        "router_settings": {"num_retries": 0, "fallbacks": [{"broken": ["fast"]}]},
        "routeiq": {
            "virtual_models": {"auto": {"models": ["fast", "broken"]}},
            "plugins": {"prometheus": {}},
            **block,
        },
    }


async def status_without_key(running: TestGateway, path: str = "/metrics") -> int:
    async with running.session.get(path, headers={"authorization": ""}) as response:
        await response.read()
        return response.status


async def test_the_metrics_ask_for_a_key_unless_told_otherwise(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(scripted_upstream))
    for path in ("/metrics", "/metrics/"):
        assert await status_without_key(running, path) == 401
        async with running.session.get(path) as response:
            assert response.status == 200
            assert "routeiq_build_info{" in await response.text()


@pytest.mark.parametrize(
    "opened",
    [
        {"routeiq": {"plugins": {"prometheus": {"public": True}}}},
        {
            "routeiq": {"plugins": {"prometheus": {}}},
            "litellm_settings": {"require_auth_for_metrics_endpoint": False},
        },
    ],
    ids=["public", "litellm"],
)
async def test_the_operator_may_open_them(gateway: StartGateway, opened: dict[str, object]) -> None:
    running = await gateway({"model_list": [], **opened})
    assert await status_without_key(running) == 200
    assert await status_without_key(running, "/metrics/") == 200


KEYS = """
from routeiq_sdk import *

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def authenticate(self, ctx):
        told = ctx.credential.reveal() if ctx.credential is not None else ""
        return Principal(told) if told in ("tenant", "auditor") else None

    @hookimpl
    async def authorize_action(self, ctx, action):
        return True if ctx.principal.id == "auditor" and action == "metrics:read" else None
"""


@pytest.mark.parametrize(("said", "tenant"), [({}, 403), ({"any_key": True}, 200)], ids=["default", "any_key"])
async def test_a_tenants_key_does_not_see_what_others_spend(
    gateway: StartGateway, plugin_folder: PluginFolder, said: dict[str, object], tenant: int
) -> None:
    plugin_folder.install("keys", KEYS)
    running = await gateway({"model_list": [], "routeiq": {"plugins": {"prometheus": said, "keys": {}}}})
    for key, expected in (("tenant", tenant), ("auditor", 200), ("nobody", 401)):
        async with running.session.get("/metrics", headers={"authorization": f"Bearer {key}"}) as response:
            assert response.status == expected, key


async def test_opened_and_closed_at_once_is_refused_at_the_start(gateway: StartGateway) -> None:
    said = {
        "model_list": [],
        "routeiq": {"plugins": {"prometheus": {"public": True}}},
        "litellm_settings": {"require_auth_for_metrics_endpoint": True},
    }
    with pytest.raises(ConfigError, match="contradicts"):
        await gateway(said)


async def test_the_accept_header_chooses_the_format(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    running = await gateway(config(scripted_upstream))
    prometheus = (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    )
    text, openmetrics = "text/plain; version=0.0.4; charset=utf-8", "application/openmetrics-text; version=1.0.0; "
    for accept, media in (
        ("*/*", text),
        ("text/plain", text),
        (prometheus, openmetrics + "charset=utf-8"),
        ("application/openmetrics-text", openmetrics + "charset=utf-8"),
        ("application/openmetrics-text; version=7.0.0", text),
    ):
        async with running.session.get("/metrics", headers={"accept": accept}) as response:
            assert response.headers["content-type"] == media
            assert response.headers["content-encoding"] == "gzip"
            read = Scraped.of(await response.text(), openmetrics=media != text)
            assert read.one("routeiq_build_info").value == 1
    async with running.session.get("/metrics", headers={"accept-encoding": "identity"}) as response:
        assert "content-encoding" not in response.headers
        assert "routeiq_build_info{" in await response.text()


async def test_our_own_metrics_tell_what_happened(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, plugin_folder: PluginFolder, scrape: Scrape
) -> None:
    plugin_folder.install("objects", GUARD)
    running = await gateway(config(scripted_upstream, plugins={"prometheus": {}, "objects": {}}))
    usage = Usage(100, 10, cached_tokens=40, reasoning_tokens=4)
    scripted_upstream.default_for("good", Reply.chat("short", usage=usage))
    scripted_upstream.default_for("bad", Reply.error(500))
    assert (await running.chat("auto"))[0] == 200
    assert (await running.chat("broken"))[0] == 200
    scripted_upstream.script_for("good", Reply.stream(["a", "b", "c"], usage=usage))
    assert (await running.stream("fast"))[0] == 200
    assert (await running.chat("fast", "forbidden"))[0] == 400
    assert (await running.chat("fast", "dear"))[0] == 429
    assert (await running.chat("nobody"))[0] == 400
    async with running.session.post(
        "/v1/chat/completions", json={}, headers={"authorization": f"Bearer {WRONG_KEY}"}
    ) as response:
        assert response.status == 401
    await running.recorded(7)
    page = await scrape(running, openmetrics=True)
    async with asyncio.timeout(10):
        while not page.sum("routeiq_events_total"):  # events go their own way
            page = await scrape(running, openmetrics=True)

    asked = {"route": "/v1/chat/completions"}
    assert page.one("routeiq_requests_total", model="fast", status="200", **asked).value == 3
    assert page.sum("routeiq_requests_total", model="") == 4
    assert page.sum("routeiq_request_seconds_count") == 7
    assert page.one("routeiq_request_seconds_count", model="fast", stream="true", **asked).value == 1
    assert page.one("routeiq_time_to_first_token_seconds_count", model="fast", deployment="fast-1").value == 1
    assert page.one("routeiq_time_per_output_token_seconds_count", model="fast").value == 1
    answer = {"model": "fast", "deployment": "fast-1"}
    for kind, count in (("input", 300), ("output", 30), ("cached", 120), ("reasoning", 12)):
        assert page.one("routeiq_tokens_total", kind=kind, **answer).value == count
    assert page.one("routeiq_cost_usd_total", team="", **answer).value == pytest.approx(3 * 0.12)
    assert page.one("routeiq_task_cost_usd_count", model="fast").value == 3
    assert page.one("routeiq_task_cost_usd_sum", model="fast").value == pytest.approx(3 * 0.12)
    assert page.one("routeiq_decisions_total", strategy="static", model="fast").value == 1
    assert page.one("routeiq_routing_seconds_count", strategy="static").value == 1
    assert page.one("routeiq_candidates_sum", strategy="static").value == 2
    assert page.one("routeiq_attempts_total", deployment="fast-1", kind="ok").value == 3
    assert page.one("routeiq_attempts_total", deployment="broken-1", kind="error").value == 1
    refused = "routeiq_admissions_refused_total"
    assert page.one(refused, stage="reserve", status="429", plugin="objects").value == 1
    assert page.one(refused, stage="route", status="400", plugin="routeiq").value == 1
    assert page.one(refused, stage="authenticate", status="401", plugin="routeiq").value == 1
    assert page.one("routeiq_guard_total", guard="objects", stage="guard_request", action="reject").value == 1
    assert page.one("routeiq_events_total", event="routeiq.admission.v1").value == 1
    assert page.one("routeiq_hook_calls_total", plugin="objects", hook="guard_request").value >= 5
    assert page.one("routeiq_hook_errors_total", plugin="objects", hook="guard_request").value == 0
    assert page.one("routeiq_hook_seconds_total", plugin="prometheus", hook="record").value > 0
    assert page.one("routeiq_in_flight").value == 1
    assert page.one("routeiq_in_flight_most").value == 512
    assert page.one("routeiq_shed_total").value == 0
    assert {sample.labels["what"] for sample in page.samples("routeiq_telemetry_lost_total")} == {"events", "records"}
    assert page.one("routeiq_state_up", store="memory").value == 1
    assert page.one("routeiq_workers").value == 1
    assert page.sum("routeiq_label_sets_folded_total") == 0
    exemplars = [s.exemplar for s in page.samples("routeiq_request_seconds_bucket") if s.exemplar is not None]
    traces = {record.trace.trace_id for record in running.records() if record.trace is not None}
    assert {exemplar.labels["trace_id"] for exemplar in exemplars} <= traces
    assert exemplars


async def test_no_key_is_on_the_page(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    running = await gateway(config(scripted_upstream))
    assert (await running.chat("fast"))[0] == 200
    async with running.session.post("/v1/chat/completions", json={}, headers={"authorization": WRONG_KEY}) as response:
        assert response.status == 401
    await running.recorded(2)
    async with running.session.get("/metrics") as response:
        page = await response.text()
    for secret in (running.key, WRONG_KEY, "sk-upstream"):
        assert secret not in page


async def test_a_request_that_is_shed_is_counted(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, scrape: Scrape
) -> None:
    running = await gateway(
        config(scripted_upstream, limits={"in_flight": 1}, plugins={"prometheus": {"public": True}})
    )
    scripted_upstream.script_for("good", Reply.hang(after_events=1, of=Reply.stream(["a", "b"])))
    async with running.session.post(
        "/v1/chat/completions",
        json={"model": "fast", "stream": True, "messages": [{"role": "user", "content": "x"}]},
    ) as response:
        await response.content.readany()
        assert (await running.chat("fast"))[0] == 503
        await running.recorded(1)
        page = await scrape(running)
    assert page.one("routeiq_shed_total").value == 1
    assert page.one("routeiq_in_flight").value == 1
    assert page.one("routeiq_running", deployment="fast-1").value == 1
    assert page.one("routeiq_admissions_refused_total", stage="door", status="503").value == 1


async def test_a_reload_that_leaves_the_plugin_alone_keeps_its_counts(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, scrape: Scrape
) -> None:
    running = await gateway(config(scripted_upstream))
    assert (await running.chat("fast"))[0] == 200
    changed = config(scripted_upstream)
    changed["model_list"] = [{**openai_row("new", scripted_upstream.base_url), "model_info": {"id": "new-1"}}]
    changed["routeiq"] = {"plugins": {"prometheus": {}}}
    changed["router_settings"] = {}
    running.write(changed)
    await running.app.reload()
    assert (await running.chat("new"))[0] == 200
    await running.recorded(2)
    page = await scrape(running)
    assert {s.labels["model"]: s.value for s in page.samples("routeiq_requests_total")} == {"fast": 1, "new": 1}
    assert {s.labels["deployment"] for s in page.samples("routeiq_breaker_open")} == {"new-1"}


async def test_a_reload_with_other_settings_begins_anew_and_serves(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, scrape: Scrape
) -> None:
    running = await gateway(config(scripted_upstream))
    assert (await running.chat("fast"))[0] == 200
    running.write(config(scripted_upstream, plugins={"prometheus": {"most_series": 500}}))
    await running.app.reload()
    assert (await running.chat("fast"))[0] == 200
    await running.recorded(2)
    assert (await scrape(running)).sum("routeiq_requests_total") == 1


async def test_calls_of_tools_are_counted_by_how_they_ended(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, plugin_folder: PluginFolder, scrape: Scrape
) -> None:
    plugin_folder.install("calling", CALLING)
    running = await gateway(config(scripted_upstream, plugins={"prometheus": {}, "calling": {}}))
    for tool in ("forecast", "forecast", "failing"):
        assert await call_tool(running, tool) == 200
    assert await call_tool(running, "hidden") == 403
    assert await call_tool(running, "message", protocol="a2a") == 200
    page = await scrape(running)
    async with asyncio.timeout(10):
        while page.sum("routeiq_tool_calls_total") < 5:  # events go their own way
            page = await scrape(running)
    ours = {"protocol": "mcp", "server": "weather"}
    assert page.one("routeiq_tool_calls_total", tool="forecast", outcome="ok", **ours).value == 2
    assert page.one("routeiq_tool_calls_total", tool="failing", outcome="tool_error", **ours).value == 1
    assert page.one("routeiq_tool_calls_total", tool="hidden", outcome="refused", **ours).value == 1
    assert page.one("routeiq_tool_calls_total", protocol="a2a", tool="message").value == 1
    assert page.one("routeiq_tool_call_seconds_count", tool="forecast").value == 2
    assert page.sum("routeiq_tool_cost_usd_total") == pytest.approx(0.008)
    assert page.sum("routeiq_requests_total") == 0
    theirs = page.one("litellm_mcp_tool_calls_total", mcp_tool_name="forecast")
    assert (theirs.value, theirs.labels) == (
        2,
        {
            "mcp_tool_name": "forecast",
            "mcp_server_name": "weather",
            "hashed_api_key": "master",
            "api_key_alias": "master key",
            **dict.fromkeys(("team", "team_alias", "user", "end_user"), "None"),
        },
    )
    assert not list(page.samples("litellm_mcp_tool_calls_total", mcp_tool_name="hidden"))
    assert page.sum("litellm_mcp_tool_call_spend_metric_total") == pytest.approx(0.006)
