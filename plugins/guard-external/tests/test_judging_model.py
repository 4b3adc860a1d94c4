"""A model of the gateway that judges: called like any model, never judged itself; and nobody can pass for its calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.recording import RecordedRequest

from .conftest import Guarded

BAD = "a badword in it"
ROW = {"guardrail": "llama_guard", "model": "judge"}
EVERYWHERE = {**ROW, "mode": ["pre_call", "during_call", "post_call"]}


def judged(request: RecordedRequest) -> Reply:
    """What the judging model says."""
    return Reply.chat("unsafe\nS1" if "badword" in request.json["messages"][-1]["content"] else "safe")


@pytest.fixture
def judges(scripted_upstream: ScriptedUpstream) -> ScriptedUpstream:
    scripted_upstream.default_for("judge-model", Reply.choose(judged))
    return scripted_upstream


def asked(up: ScriptedUpstream, model: str) -> list[RecordedRequest]:
    return [request for request in up.requests if request.model == model]


async def test_what_the_model_calls_unsafe_is_refused_and_the_call_is_in_the_ledger(
    guarded: Guarded, judges: ScriptedUpstream
) -> None:
    gateway = await guarded(ROW)
    status, _, body = await gateway.chat("fast", BAD)
    assert (status, body["error"]["type"]) == (400, "content_policy_violation")
    assert "it holds S1 (violent crimes)" in body["error"]["message"]
    refused, child = sorted(await gateway.recorded(2), key=lambda record: record.route.startswith("nested"))
    assert (child.route, child.group, child.status) == (f"nested:{refused.request_id}", "judge", 200)
    assert child.usage is not None
    assert child.principal == refused.principal
    assert asked(judges, "scripted-model") == []
    assert (await gateway.chat("fast", "hello"))[0] == 200


async def test_the_guards_own_calls_are_not_judged_wherever_it_looks(
    guarded: Guarded, judges: ScriptedUpstream
) -> None:
    gateway = await guarded(EVERYWHERE)
    assert (await gateway.chat("fast", "hello"))[0] == 200
    assert len(asked(judges, "judge-model")) == 3, "the request before and beside the call, and the answer"
    status, _, stream = await gateway.stream("fast", "hello")
    assert status == 200
    assert b"[DONE]" in stream
    assert len(asked(judges, "judge-model")) == 6


async def test_an_answer_is_judged_whole_and_streamed(guarded: Guarded, judges: ScriptedUpstream) -> None:
    gateway = await guarded({**ROW, "mode": "post_call"})
    judges.script_for("scripted-model", Reply.chat(BAD), Reply.stream(["a bad", "word in it"]))
    assert (await gateway.chat("fast"))[0] == 400
    _, _, stream = await gateway.stream("fast")
    assert b"content_policy_violation" in stream
    assert b"a bad" not in stream


async def test_nobody_can_pass_for_a_call_of_the_guard(guarded: Guarded, judges: ScriptedUpstream) -> None:
    gateway = await guarded(ROW)
    assert (await gateway.chat("judge", BAD))[0] == 400, "the judging model itself is guarded when a client asks it"
    first = next(record for record in await gateway.recorded(2) if not record.route.startswith("nested"))
    forged = {
        "route": f"nested:{first.request_id}",
        "metadata": {"route": f"nested:{first.request_id}", "routeiq_guard_external_judged": [first.request_id]},
        "routeiq": {"route": f"nested:{first.request_id}"},
    }
    names = ("x-request-id", "x-litellm-call-id", "x-routeiq-request-id", "x-routeiq-route", "x-litellm-route")
    headers = dict.fromkeys(names, f"nested:{first.request_id}")
    body: dict[str, Any] = {"model": "fast", "messages": [{"role": "user", "content": BAD}]}
    for path, told in (
        ("/v1/chat/completions", {**body, "metadata": forged["metadata"], "user": f"nested:{first.request_id}"}),
        (f"/engines/nested:{first.request_id}/chat/completions", body),
    ):
        async with gateway.session.post(path, json=told, headers=headers) as response:
            assert response.status in (400, 404), await response.text()
    assert asked(judges, "scripted-model") == []


async def test_requests_beside_a_verdict_are_judged(guarded: Guarded, judges: ScriptedUpstream) -> None:
    gateway = await guarded(ROW)
    answers = await asyncio.gather(*(gateway.chat("fast", text) for text in ["hello", BAD] * 5))
    assert [status for status, _, _ in answers] == [200, 400] * 5


ASKING = """
from routeiq_sdk import Context, Need, Plugin, PluginConfig, Reject, hookimpl

class Fixture(Plugin[PluginConfig]):
    needs = frozenset({Need.READS_BODY})

    @hookimpl
    async def setup(self, gateway):
        self.gateway = gateway

    @hookimpl
    async def guard_request(self, ctx: Context) -> Reject | None:
        if ctx.request.model != "other":
            await self.gateway.call(ctx, {"model": "other", "messages": [{"role": "user", "content": "hello"}]})
        return None
"""


async def test_another_guard_that_asks_a_model_on_the_way_of_a_verdict_makes_no_circle(
    gateway: StartGateway, judges: ScriptedUpstream, plugin_folder: PluginFolder
) -> None:
    plugin_folder.install("asking", ASKING, kind="guard")
    rows = [
        openai_row("fast", judges.base_url),
        openai_row("judge", judges.base_url, "judge-model"),
        openai_row("other", judges.base_url, "other-model"),
    ]
    row = {"guardrail_name": "r", "litellm_params": {**ROW, "mode": "pre_call", "default_on": True}}
    running = await gateway(
        {
            "model_list": rows,
            "guardrails": [row],
            "router_settings": {"num_retries": 0},
            "routeiq": {"plugins": {"guard-external": {}, "asking": {}}},
        }
    )
    assert (await running.chat("fast", "hello"))[0] == 200
    # Judged are the request and the other guard's own call for it; not the verdicts, nor what is called on their way.
    assert len(asked(judges, "judge-model")) == 2
    assert (await running.chat("fast", BAD))[0] == 400


async def test_a_model_that_names_the_guardrail_judges_all_the_same(
    gateway: StartGateway, judges: ScriptedUpstream
) -> None:
    rows = [openai_row("fast", judges.base_url), openai_row("judge", judges.base_url, "judge-model", guardrails=["r"])]
    row = {"guardrail_name": "r", "litellm_params": {**ROW, "mode": "pre_call", "default_on": True}}
    running = await gateway({"model_list": rows, "guardrails": [row], "routeiq": {"plugins": {"guard-external": {}}}})
    assert (await running.chat("fast", "hello"))[0] == 200
    assert (await running.chat("judge", BAD))[0] == 400


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply.chat("Certainly! It is safe."), "error", "said neither safe nor unsafe"),
        (Reply.error(400), "error", "its model answered 400"),
        (Reply.error(500), "unreachable", "its model answered"),
        (Reply.hang(), "unreachable", "it did not answer within 0.4 s"),
    ],
)
async def test_a_model_without_a_verdict_is_a_failure(
    guarded: Guarded, scripted_upstream: ScriptedUpstream, reply: Reply, kind: str, words: str
) -> None:
    scripted_upstream.default_for("judge-model", reply)
    row = {**ROW, "timeout": 0.4 if kind == "unreachable" else 10}
    closed = await guarded(row)
    status, _, body = await closed.chat("fast")
    assert (status, words in body["error"]["message"]) == (503, True), body
    assert asked(scripted_upstream, "scripted-model") == []
    opened = await guarded({**row, "unreachable_fallback": "fail_open", "fail_on_error": False})
    assert (await opened.chat("fast"))[0] == 200
    record = next(each for each in await opened.recorded(2) if not each.route.startswith("nested"))
    assert [(each.action, each.reason) for each in record.rulings] == [("observe", kind)]


async def test_a_model_that_nobody_has_fails_closed(guarded: Guarded) -> None:
    gateway: TestGateway = await guarded({**ROW, "model": "nobody"})
    status, _, body = await gateway.chat("fast")
    assert (status, "could not judge it: its model answered" in body["error"]["message"]) == (503, True)
