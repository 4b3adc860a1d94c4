"""What the failure of a plugin does at each gate: the table of the hooks, held over HTTP."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from routeiq.request import gates
from routeiq_testkit import Reply
from routeiq_testkit.gateway import openai_row

SECRET_TEXT = "the inner reason"
BROKEN = """
@hookimpl
async def {hook}(self, {parameters}) -> Any:
    note("broken")
    raise RuntimeError("the inner reason")
"""
BROKEN_SYNC = BROKEN.replace("async def", "def")


def broken(hook: str, parameters: str = "ctx") -> str:
    return BROKEN.format(hook=hook, parameters=parameters)


def broken_sync(hook: str, parameters: str) -> str:
    return BROKEN_SYNC.format(hook=hook, parameters=parameters)


def stats(gateway, plugin: str, hook: str):
    return next(call.stats for call in gateway.runtime.calls() if (call.plugin, call.hook) == (plugin, hook))


async def test_a_failing_admit_lets_the_request_pass(bench) -> None:
    gateway = await bench.serve({"faulty": broken("admit")})
    assert (await gateway.chat("fast"))[0] == 200
    assert bench.journal == ["broken"]
    assert stats(gateway, "faulty", "admit").errors == 1


@pytest.mark.parametrize(
    ("hook", "parameters"),
    [
        ("authenticate", "ctx"),
        ("authorize", "ctx"),
        ("guard_request", "ctx"),
        ("reserve", "ctx, ranked"),
        ("guard_during", "ctx"),
        ("guard_response", "ctx, response"),
    ],
)
async def test_a_closed_gate_that_fails_refuses_and_names_its_plugin_alone(bench, hook: str, parameters: str) -> None:
    gateway = await bench.serve({"faulty": broken(hook, parameters)})
    status, headers, body = await gateway.chat("fast")
    assert status == 503
    assert headers["retry-after"] == "1"
    assert "'faulty'" in body["error"]["message"]
    assert hook in body["error"]["message"]
    assert SECRET_TEXT not in json.dumps(body)
    (record,) = await gateway.recorded()
    assert record.status == 503
    assert not gateway.runtime.services.attempts._choice.running


async def test_an_anthropic_client_is_told_in_its_own_shape(bench) -> None:
    gateway = await bench.serve({"faulty": broken("authorize")})
    body = {"model": "fast", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    async with gateway.session.post("/v1/messages", json=body) as response:
        assert response.status == 503
        told = await response.json()
    assert told["type"] == "error"
    assert told["error"]["type"] == "overloaded_error"


async def test_a_target_about_which_a_plugin_cannot_answer_is_left_out(bench) -> None:
    picky = """
    @hookimpl
    def authorize_target(self, ctx: Context, deployment: Deployment) -> Any:
        if deployment.model == "model-1":
            raise RuntimeError("the inner reason")
    """
    rows = [openai_row("twin", bench.up.base_url, f"model-{n}") for n in (1, 2)]
    gateway = await bench.serve({"picky": picky}, model_list=rows, routeiq={"virtual_models": {}})
    for _ in range(4):
        assert (await gateway.chat("twin"))[0] == 200
    assert {request.model for request in bench.up.requests} == {"model-2"}


async def test_when_no_target_is_left_the_request_is_refused(bench) -> None:
    gateway = await bench.serve({"faulty": broken_sync("authorize_target", "ctx, deployment")})
    status, _, body = await gateway.chat("fast")
    assert status == 503
    assert "'faulty'" in body["error"]["message"]
    assert SECRET_TEXT not in json.dumps(body)
    assert bench.up.requests == []


async def test_a_refused_target_is_refused_as_a_fallback_too(bench) -> None:
    only_fast = """
    @hookimpl
    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        return None if deployment.group == "fast" else Reject(403, "only fast")
    """
    router = {"num_retries": 0, "fallbacks": [{"fast": ["strong"]}]}
    gateway = await bench.serve({"picky": only_fast}, router_settings=router)
    bench.up.script(Reply.error(500))
    assert (await gateway.chat("fast"))[0] == 403
    assert [request.model for request in bench.up.requests] == ["model-fast"]


DECIDES = """
@hookimpl
async def select_model(self, ctx: Context, groups: Any) -> Decision:
    return Decision("{name}", (Candidate("{model}", 1.0),))
"""


async def test_a_failing_strategy_is_passed_over_for_the_next(bench) -> None:
    faulty = broken("select_model", "ctx, groups")
    gateway = await bench.serve({"faulty": faulty, "next": DECIDES.format(name="next", model="strong")})
    status, headers, _ = await gateway.chat("auto")
    assert (status, headers["x-routeiq-strategy"], headers["x-routeiq-model"]) == (200, "next", "strong")


@pytest.mark.parametrize(
    "source",
    [
        broken("select_model", "ctx, groups"),
        DECIDES.format(name="wrong", model="nobody"),
        "@hookimpl\nasync def select_model(self, ctx: Context, groups: Any) -> Any:\n    return None",
        "@hookimpl\nasync def select_model(self, ctx: Context, groups: Any) -> Any:\n    return 'nonsense'",
    ],
    ids=["fails", "names a model outside the pool", "abstains", "answers nonsense"],
)
async def test_at_last_a_static_choice_is_made(bench, source: str) -> None:
    gateway = await bench.serve({"faulty": source})
    status, headers, _ = await gateway.chat("auto")
    assert (status, headers["x-routeiq-strategy"], headers["x-routeiq-model"]) == (200, "static", "fast")


@pytest.mark.parametrize("how", ["raise RuntimeError('x')", "return Reject(403, 'not there')"])
async def test_a_failure_or_a_veto_before_an_attempt_skips_the_target(bench, how: str) -> None:
    picky = f"""
    @hookimpl
    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Any:
        if attempt.deployment.model == "model-1":
            {how}
    """
    rows = [openai_row("twin", bench.up.base_url, f"model-{n}") for n in (1, 2)]
    gateway = await bench.serve({"picky": picky}, model_list=rows, routeiq={"virtual_models": {}})
    for _ in range(8):
        assert (await gateway.chat("twin"))[0] == 200
    assert {request.model for request in bench.up.requests} == {"model-2"}
    kinds = [outcome.kind for record in await gateway.recorded(8) for outcome in record.attempts]
    assert "vetoed" in kinds
    vetoed = [o for record in gateway.records() for o in record.attempts if o.kind == "vetoed"]
    assert not any(outcome.dispatched for outcome in vetoed)


async def test_a_skipped_group_falls_back(bench) -> None:
    picky = """
    @hookimpl
    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        return Reject(403, "not there") if attempt.deployment.group == "fast" else None
    """
    router = {"num_retries": 0, "fallbacks": [{"fast": ["strong"]}]}
    gateway = await bench.serve({"picky": picky}, router_settings=router)
    status, headers, _ = await gateway.chat("fast")
    assert (status, headers["x-litellm-attempted-fallbacks"]) == (200, "1")


@pytest.mark.parametrize(
    ("source", "hook"),
    [
        (broken("after_attempt", "ctx, outcome"), "after_attempt"),
        (broken_sync("record", "ctx, record"), "record"),
        (broken_sync("select_deployment", "ctx, group, deployments"), "select_deployment"),
    ],
)
async def test_failures_behind_the_request_are_counted_and_never_felt(bench, source: str, hook: str) -> None:
    rows = [openai_row("twin", bench.up.base_url, f"model-{n}") for n in (1, 2)]
    gateway = await bench.serve({"faulty": source}, model_list=rows, routeiq={"virtual_models": {}})
    assert (await gateway.chat("twin"))[0] == 200
    await gateway.recorded()
    assert bench.journal == ["broken"]
    assert stats(gateway, "faulty", hook).errors == 1


LEDGER = """
@hookimpl
async def reserve(self, ctx: Context, ranked: Any) -> Any:
    note("reserve " + " ".join(group.name for group in ranked))
    return Reject(429, "broke", type="budget_exceeded") if self.config.tag == "broke" else None

@hookimpl
async def settle(self, ctx: Context, usage: Any) -> None:
    note(f"settle {usage.output_tokens if usage is not None else None}")
    if self.config.tag == "faulty" and len([x for x in self.tries()]) < 3:
        raise RuntimeError("the inner reason")

def tries(self):
    self.tried = [*getattr(self, "tried", []), 1]
    return self.tried
"""


async def settled(bench, gateway) -> list[str]:
    await gateway.recorded()
    await gateway.app.shared.background.finish(5.0)
    return bench.journal


async def test_a_settlement_that_fails_is_tried_again(bench) -> None:
    gateway = await bench.serve({"ledger": LEDGER}, routeiq={"plugins": {"ledger": {"tag": "faulty"}}})
    assert (await gateway.chat("fast"))[0] == 200
    assert await settled(bench, gateway) == ["reserve fast", "settle 5", "settle 5", "settle 5"]


async def test_a_request_that_reserve_refused_is_settled_with_nothing(bench) -> None:
    gateway = await bench.serve({"ledger": LEDGER}, routeiq={"plugins": {"ledger": {"tag": "broke"}}})
    status, _, body = await gateway.chat("fast")
    assert (status, body["error"]["type"]) == (429, "budget_exceeded")
    assert await settled(bench, gateway) == ["reserve fast", "settle None"]
    assert bench.up.requests == []


async def test_a_fallback_that_was_not_ranked_is_reserved_before_it_is_called(bench) -> None:
    router = {"num_retries": 0, "fallbacks": [{"fast": ["strong"]}]}
    gateway = await bench.serve({"ledger": LEDGER}, router_settings=router)
    bench.up.script(Reply.error(500))
    assert (await gateway.chat("fast"))[0] == 200
    assert (await settled(bench, gateway))[:2] == ["reserve fast", "reserve strong"]


async def test_a_request_whose_client_left_is_settled_all_the_same(bench) -> None:
    gateway = await bench.serve({"ledger": LEDGER})
    bench.up.script(Reply.hang(after_events=2))
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with aiohttp.ClientSession(gateway.url, headers={"authorization": f"Bearer {gateway.key}"}) as leaving:
        response = await leaving.post("/v1/chat/completions", json=body)
        await response.content.readuntil(b"\n\n")
        response.close()
    async with asyncio.timeout(5):
        (record,) = await gateway.recorded()
    assert record.status == 499
    journal = await settled(bench, gateway)
    assert journal[0] == "reserve fast"
    assert journal[1].startswith("settle ")
    await bench.up.until_idle()


async def test_a_plugin_that_is_down_makes_the_gateway_unready(bench) -> None:
    down = """
    @hookimpl
    async def health_check(self) -> Health:
        if self.config.tag == "raise":
            raise RuntimeError("the inner reason")
        return Health("down", "no disk")
    """
    gateway = await bench.serve({"down": down, "faulty": down}, routeiq={"plugins": {"faulty": {"tag": "raise"}}})
    async with gateway.session.get("/health/readiness") as response:
        assert response.status == 503
        body = await response.json()
    assert body["status"] == "unhealthy"
    assert SECRET_TEXT not in json.dumps(body)
    async with gateway.session.get("/health/liveliness") as response:
        assert response.status == 200


STUCK = """
@hookimpl
async def {hook}(self, {parameters}) -> Any:
    await asyncio.Event().wait()
"""


@pytest.mark.parametrize("hook", ["authenticate", "authorize", "guard_request", "guard_during"])
async def test_a_closed_gate_that_does_not_answer_in_time_refuses(
    bench, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.05)
    gateway = await bench.serve({"stuck": STUCK.format(hook=hook, parameters="ctx")})
    status, _, body = await gateway.chat("fast")
    assert status == 503
    assert "stuck" in body["error"]["message"]
    assert stats(gateway, "stuck", hook).errors == 1


async def test_the_plugins_of_a_gate_share_one_deadline(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.4)
    slow = """
    @hookimpl
    async def guard_request(self, ctx: Context) -> None:
        note(self.config.tag)
        await asyncio.sleep(0.15)
    """
    names = [f"slow-{n}" for n in range(5)]
    tags = {name: {"tag": name} for name in names}
    gateway = await bench.serve(dict.fromkeys(names, slow), routeiq={"plugins": tags})
    status, _, _ = await gateway.chat("fast")
    assert status == 503
    assert bench.journal == names[:3]


async def test_an_admit_that_does_not_answer_in_time_lets_pass(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.05)
    gateway = await bench.serve({"stuck": STUCK.format(hook="admit", parameters="ctx")})
    assert (await gateway.chat("fast"))[0] == 200


async def test_a_strategy_that_does_not_answer_in_time_is_passed_over(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.05)
    gateway = await bench.serve({"stuck": STUCK.format(hook="select_model", parameters="ctx, groups")})
    status, headers, _ = await gateway.chat("auto")
    assert (status, headers["x-routeiq-strategy"]) == (200, "static")


async def test_a_plugin_stuck_before_an_attempt_skips_the_target(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.05)
    gateway = await bench.serve({"stuck": STUCK.format(hook="before_attempt", parameters="ctx, attempt")})
    async with asyncio.timeout(5):
        assert (await gateway.chat("fast"))[0] == 403
    assert bench.up.requests == []


async def test_a_plugin_stuck_after_an_attempt_does_not_hold_the_answer_back(
    bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.05)
    gateway = await bench.serve({"stuck": STUCK.format(hook="after_attempt", parameters="ctx, outcome")})
    async with asyncio.timeout(5):
        assert (await gateway.chat("fast"))[0] == 200


async def test_a_settlement_that_hangs_is_tried_again(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.05)
    once = """
    @hookimpl
    async def reserve(self, ctx: Context, ranked: Any) -> None: ...

    @hookimpl
    async def settle(self, ctx: Context, usage: Any) -> None:
        if not hasattr(self, "tried"):
            self.tried = True
            await asyncio.Event().wait()
        note("settled")
    """
    gateway = await bench.serve({"once": once})
    assert (await gateway.chat("fast"))[0] == 200
    assert await settled(bench, gateway) == ["settled"]
