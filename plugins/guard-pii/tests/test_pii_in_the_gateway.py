"""The guard in a whole gateway: what providers get, what clients get back, on both wires, whole and streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream, ToolCall
from routeiq_testkit.gateway import TestGateway, anthropic_row, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

EMAIL, PHONE, CARD = "jane@example.com", "+1 415 555 2671", "4111 1111 1111 1111"


def config(up: ScriptedUpstream, *rails: dict[str, Any], **model: Any) -> dict[str, Any]:
    return {
        "model_list": [
            openai_row("fast", up.base_url, **model),
            openai_row("plain", up.base_url),
            anthropic_row("claude", up.origin),
        ],
        "router_settings": {"num_retries": 0},
        "guardrails": [
            {"guardrail_name": f"pii-{number}", "litellm_params": {"guardrail": "presidio", "default_on": True, **rail}}
            for number, rail in enumerate(rails)
        ],
        "routeiq": {"plugins": {"guard-pii": {}}},
    }


def texts(raw: bytes) -> str:
    """The text and arguments of a stream of either wire, put together."""
    out = ""
    for line in raw.decode().splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            for choice in event.get("choices", ()):
                delta = choice["delta"]
                out += delta.get("content") or ""
                out += "".join(call["function"].get("arguments") or "" for call in delta.get("tool_calls") or ())
            delta = event.get("delta") or {}
            out += delta.get("text") or delta.get("partial_json") or ""
    return out


async def messages(running: TestGateway, model: str, text: str, *, stream: bool = False) -> tuple[int, Any]:
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}], "stream": stream}
    async with running.session.post("/v1/messages", json=body) as response:
        return response.status, await (response.read() if stream else response.json())


async def test_a_provider_never_sees_what_a_row_masks_and_the_client_is_told_who_looked(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "pre_call"}))
    status, headers, _ = await running.chat("fast", f"Write to {EMAIL} or {PHONE}")
    assert (status, headers["x-litellm-applied-guardrails"]) == (200, "pii-0")
    assert (await messages(running, "claude", f"My card is {CARD}"))[0] == 200
    first, second = scripted_upstream.requests
    assert first.json["messages"][0]["content"] == "Write to <EMAIL_ADDRESS> or <PHONE_NUMBER>"
    assert "<CREDIT_CARD>" in json.dumps(second.json)
    assert CARD not in json.dumps(second.json)


@pytest.mark.parametrize("model", ["fast", "claude"])
async def test_values_are_put_back_on_both_wires_whole_streamed_and_in_arguments(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, model: str
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "pre_call", "output_parse_pii": True}))
    said = "I wrote to <EMAIL_ADDRESS_1>, not to <EMAIL_ADDRESS_2>."
    expected = said.replace("<EMAIL_ADDRESS_1>", EMAIL)
    call = ToolCall("send", {"to": "<EMAIL_ADDRESS_1>", "text": 'a "quoted" <PHONE_NUMBER_1>'}, id="c")
    sent = {"to": EMAIL, "text": f'a "quoted" {PHONE}'}
    whole, streamed = (Reply.chat, Reply.stream) if model == "fast" else (Reply.message, Reply.message_stream)
    calls: Any = {"tool_calls": (call,)} if model == "fast" else {"tool_use": call}
    asked = f"Write to {EMAIL}, my number is {PHONE}"

    scripted_upstream.script(whole(said), whole(said), streamed(list(said)), streamed(list(said)))
    _, _, body = await running.chat(model, asked)
    assert body["choices"][0]["message"]["content"] == expected
    assert (await messages(running, model, asked))[1]["content"][0]["text"] == expected
    assert texts((await running.stream(model, asked))[2]) == expected
    assert texts((await messages(running, model, asked, stream=True))[1]) == expected

    scripted_upstream.script(whole(None if model == "fast" else "ok", **calls), streamed(["ok"], **calls))
    _, _, body = await running.chat(model, asked)
    assert json.loads(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]) == sent
    assert json.loads(texts((await running.stream(model, asked))[2]).removeprefix("ok")) == sent
    for request in scripted_upstream.requests:
        assert EMAIL not in json.dumps(request.json)
        assert PHONE not in json.dumps(request.json)


async def test_a_placeholder_that_the_client_types_comes_back_as_it_was(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "pre_call", "output_parse_pii": True}))
    scripted_upstream.script(Reply.chat("<EMAIL_ADDRESS_1> is not <EMAIL_ADDRESS_2>"))
    system = {"role": "system", "content": f"The boss is {EMAIL}"}
    asked = {"role": "user", "content": "Say <EMAIL_ADDRESS_1>"}
    _, _, body = await running.chat("fast", messages=[system, asked])
    assert body["choices"][0]["message"]["content"] == f"<EMAIL_ADDRESS_1> is not {EMAIL}"


async def test_answers_are_masked_and_refused_whole_and_as_streams(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    actions = {"EMAIL_ADDRESS": "MASK", "CREDIT_CARD": "BLOCK"}
    running = await gateway(config(scripted_upstream, {"mode": "post_call", "pii_entities_config": actions}))
    scripted_upstream.script(
        Reply.chat(f"It is {EMAIL}."),
        Reply.stream(list(f"It is {EMAIL}.")),
        Reply.chat(CARD),
        Reply.stream(list(f"It is {CARD}, I think.")),
    )
    _, _, body = await running.chat("fast")
    assert body["choices"][0]["message"]["content"] == "It is <EMAIL_ADDRESS>."
    assert texts((await running.stream("fast"))[2]) == "It is <EMAIL_ADDRESS>."
    status, _, body = await running.chat("fast")
    assert (status, body["error"]["type"]) == (400, "content_policy_violation")
    assert "CREDIT_CARD" in body["error"]["message"]
    assert "'pii-0'" in body["error"]["message"]
    _, _, raw = await running.stream("fast")
    assert texts(raw) == "It is "
    assert b"CREDIT_CARD" in raw
    assert b"[DONE]" not in raw


async def test_beside_the_call_a_row_refuses_and_where_it_only_looks_on_nothing_changes(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    beside = {"mode": "during_call", "pii_entities_config": {"CREDIT_CARD": "BLOCK"}}
    running = await gateway(config(scripted_upstream, beside, {"mode": "logging_only"}))
    assert (await running.chat("fast", CARD))[0] == 400
    scripted_upstream.script(Reply.stream(list(EMAIL)))
    status, _, raw = await running.stream("fast", f"Write to {EMAIL}")
    assert (status, texts(raw)) == (200, EMAIL)
    assert EMAIL in json.dumps(scripted_upstream.requests[-1].json)


async def test_a_row_that_is_off_looks_where_the_request_or_the_model_names_it(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    rail = {"mode": "pre_call", "default_on": False}
    running = await gateway(config(scripted_upstream, rail, guardrails=["pii-0"]))
    await running.chat("plain", EMAIL)
    await running.chat("plain", EMAIL, guardrails=["pii-0"])
    await running.chat("fast", EMAIL)
    seen = [request.json["messages"][0]["content"] for request in scripted_upstream.requests]
    assert seen == [EMAIL, "<EMAIL_ADDRESS>", "<EMAIL_ADDRESS>"]


async def test_a_row_that_cannot_work_stops_the_start_and_names_its_place(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    with pytest.raises(Exception, match=r"guardrails.*hash_key") as error:
        await gateway(config(scripted_upstream, {"mode": "pre_call", "pii_entities_config": {"US_SSN": "HASH"}}))
    assert "guardrails" in str(error.value)
