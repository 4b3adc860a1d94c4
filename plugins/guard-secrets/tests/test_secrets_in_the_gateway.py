"""The guard in a whole gateway: what providers get and what clients get, on both wires, whole and streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream, ToolCall
from routeiq_testkit.gateway import anthropic_row, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .secrets_made import PASSWORD, SHAPES, pem

KEY = SHAPES["openai_key"][0]


def config(up: ScriptedUpstream, *rails: dict[str, Any], **model: Any) -> dict[str, Any]:
    rows = [
        {
            "guardrail_name": f"secrets-{number}",
            "litellm_params": {"guardrail": "hide-secrets", "default_on": True, **rail},
        }
        for number, rail in enumerate(rails)
    ]
    models = [openai_row("fast", up.base_url, **model), anthropic_row("claude", up.origin)]
    return {
        "model_list": [*models, openai_row("plain", up.base_url)],
        "router_settings": {"num_retries": 0},
        "guardrails": rows,
        "routeiq": {"plugins": {"guard-secrets": {}}},
    }


def texts(raw: bytes) -> str:
    """The text and arguments of a stream, put together."""
    out = ""
    for line in raw.decode().splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            for choice in event.get("choices", ()):
                out += choice["delta"].get("content") or ""
                for call in choice["delta"].get("tool_calls") or ():
                    out += call["function"].get("arguments") or ""
            out += (event.get("delta") or {}).get("text") or ""
    return out


async def test_a_provider_never_sees_a_credential_in_a_text_an_argument_or_a_result(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "pre_call"}))
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"password": PASSWORD})}}
    said = [
        {"role": "system", "content": f"Key: {KEY}"},
        {"role": "user", "content": [{"type": "text", "text": f"Mine:\n{pem()}\nSee?"}]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": f"DB_PASSWORD={PASSWORD}"},
    ]
    assert (await running.chat("fast", messages=said))[0] == 200
    body = {
        "model": "claude",
        "max_tokens": 50,
        "system": f"Key: {KEY}",
        "messages": [{"role": "user", "content": "x"}],
    }
    async with running.session.post("/v1/messages", json=body) as response:
        assert response.status == 200
    first, second = scripted_upstream.requests
    sent = json.dumps([first.json, second.json])
    assert KEY not in sent
    assert "BEGIN" not in sent
    assert first.json["messages"][1]["content"][0]["text"] == "Mine:\n[REDACTED]\nSee?"
    assert first.json["messages"][3]["content"] == "DB_PASSWORD=[REDACTED]"


async def test_answers_are_masked_whole_streamed_and_in_arguments(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "post_call"}))
    said = f"Use {KEY} with password = {PASSWORD}:\n{pem()}\nDone."
    shown = "Use [REDACTED] with password = [REDACTED]:\n[REDACTED]\nDone."
    call = ToolCall("f", {"line": f"export TOKEN={PASSWORD}", "key": KEY}, id="c")
    scripted_upstream.script(
        Reply.chat(said),
        Reply.stream(list(said)),
        Reply.stream([said]).chopped(7),
        Reply.stream(["ok"], tool_calls=(call,)),
        Reply.message_stream(list(said)),
    )
    assert (await running.chat("fast"))[2]["choices"][0]["message"]["content"] == shown
    assert texts((await running.stream("fast"))[2]) == shown
    assert texts((await running.stream("fast"))[2]) == shown
    arguments = json.loads(texts((await running.stream("fast"))[2]).removeprefix("ok"))
    assert arguments == {"line": "export TOKEN=[REDACTED]", "key": "[REDACTED]"}
    body = {"model": "claude", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with running.session.post("/v1/messages", json=body) as response:
        assert texts(await response.read()) == shown


@pytest.mark.parametrize("mode", ["pre_call", "during_call"])
async def test_a_row_that_blocks_refuses_and_repeats_nothing(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, mode: str
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": mode, "action": "block"}))
    for answer in (await running.chat("fast", KEY), await running.chat("fast", KEY, stream=True)):
        status, _, body = answer
        assert (status, body["error"]["type"]) == (400, "content_policy_violation")
        assert "openai_key" in body["error"]["message"]
        assert KEY not in json.dumps(body)


async def test_a_stream_that_is_refused_ends_before_the_credential(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "post_call", "action": "block"}))
    scripted_upstream.script(Reply.stream(list(f"Here it is:\n{pem()}\nDone.")))
    _, _, raw = await running.stream("fast")
    assert texts(raw) == "Here it is:\n"
    assert b"private_key" in raw
    assert b"[DONE]" not in raw


async def test_looking_on_changes_nothing_and_a_model_that_names_the_row_has_it(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    on, off = {"mode": "logging_only"}, {"mode": "pre_call", "default_on": False}
    running = await gateway(config(scripted_upstream, on, off, guardrails=["secrets-1"]))
    await running.chat("plain", KEY)
    await running.chat("fast", KEY)
    await running.chat("plain", KEY, guardrails=["secrets-1"])
    seen = [request.json["messages"][0]["content"] for request in scripted_upstream.requests]
    assert seen == [KEY, "[REDACTED]", "[REDACTED]"]
