"""The guard in a whole gateway: both surfaces, whole and streamed, in every mode, for those that a row is meant for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from routeiq.config.errors import ConfigErrors
from routeiq_testkit import Reply, ScriptedUpstream, ToolCall
from routeiq_testkit.gateway import TestGateway, anthropic_row, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

WORDS = {"blocked_words": [{"keyword": "apollo"}, {"keyword": "titan", "action": "MASK"}]}
SSN = {"pattern_type": "prebuilt", "pattern_name": "us_ssn", "action": "MASK"}
KEYWORD, TAG = "[KEYWORD_REDACTED]", "[US_SSN_REDACTED]"


def config(up: ScriptedUpstream, *rows: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    made = [
        {
            "guardrail_name": f"rules-{number}" if number else "rules",
            "litellm_params": {"guardrail": "litellm_content_filter", "default_on": True, **row},
        }
        for number, row in enumerate(rows)
    ]
    return {
        "model_list": [openai_row("fast", up.base_url), anthropic_row("claude", up.origin)],
        "router_settings": {"num_retries": 0},
        **({"guardrails": made} if made else {}),
        "routeiq": {"plugins": {"guard-content": {}}},
        **more,
    }


async def message(running: TestGateway, model: str, text: str, **fields: Any) -> tuple[int, bytes]:
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}], **fields}
    async with running.session.post("/v1/messages", json=body) as response:
        return response.status, await response.read()


def events(stream: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data: ") for line in stream.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def text_of(stream: bytes) -> str:
    out = ""
    for event in events(stream):
        out += "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))
        out += event.get("delta", {}).get("text", "") if event.get("type") == "content_block_delta" else ""
    return out


async def test_a_request_is_masked_or_refused_on_both_surfaces(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "pre_call", **WORDS, "patterns": [SSN]}))
    status, headers, _ = await running.chat("fast", "Titan is 123-45-6789")
    assert (status, headers["x-litellm-applied-guardrails"]) == (200, "rules")
    assert (await message(running, "claude", "Titan is 123-45-6789"))[0] == 200
    for sent in scripted_upstream.requests:
        assert f"{KEYWORD} is {TAG}" in json.dumps(sent.json)
        assert "123-45" not in json.dumps(sent.json)
    for stream in (False, True):
        status, _, told = await running.stream("fast", "Apollo") if stream else await running.chat("fast", "Apollo")
        said = json.loads(told) if isinstance(told, bytes) else told
        assert (status, said["error"]["type"]) == (400, "content_policy_violation")
        assert "'rules'" in said["error"]["message"]
        assert "apollo" not in json.dumps(said).lower()
        status, raw = await message(running, "claude", "Ap\u200bollo", stream=stream)
        assert status == 400
        assert b"'rules'" in raw
    assert len(scripted_upstream.requests) == 2, "a refused request reaches nobody"


@pytest.mark.parametrize("model", ["fast", "claude"])
@pytest.mark.parametrize("surface", ["chat", "messages"])
async def test_an_answer_is_masked_or_refused_whole_and_streamed(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, surface: str, model: str
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "post_call", **WORDS, "patterns": [SSN]}))
    whole, streamed = (Reply.chat, Reply.stream) if model == "fast" else (Reply.message, Reply.message_stream)

    async def asked(stream: bool) -> tuple[int, bytes]:
        if surface == "messages":
            return await message(running, model, "hello", stream=stream)
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": stream}
        async with running.session.post("/v1/chat/completions", json=body) as response:
            return response.status, await response.read()

    scripted_upstream.script(whole("TITAN is 123-45-6789."))
    status, raw = await asked(False)
    assert status == 200
    assert f"{KEYWORD} is {TAG}.".encode() in raw
    scripted_upstream.script(streamed(list("TITAN is 123-45-6789.")))
    status, raw = await asked(True)
    assert (status, text_of(raw)) == (200, f"{KEYWORD} is {TAG}.")
    scripted_upstream.script(whole("see Apollo"))
    status, raw = await asked(False)
    assert status == 400
    assert b"'rules'" in raw
    scripted_upstream.script(streamed(list("It is told that they see Apollo and more")))
    status, raw = await asked(True)
    assert status == 200
    assert "It is told" in text_of(raw)
    assert "It is told that they see ".startswith(text_of(raw))
    assert (
        events(raw)[-1]["error"]["message"] == "The answer was refused by the guardrail 'rules': it holds blocked_word."
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_the_arguments_of_calls_are_judged(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, stream: bool
) -> None:
    running = await gateway(config(scripted_upstream, {"mode": "post_call", **WORDS}))
    reply = Reply.stream if stream else Reply.chat
    for word, expected in (("titan", KEYWORD), ("apollo", None)):
        call = ToolCall("f", {"q": f"line\n{word}"}, id="c")
        scripted_upstream.script(reply(["ok"] if stream else "ok", tool_calls=(call,)))
        ask = running.stream if stream else running.chat
        status, _, told = await ask("fast")
        text = told.decode() if isinstance(told, bytes) else json.dumps(told)
        assert word not in text
        assert (expected or "'rules'") in text
        assert status == (200 if expected or stream else 400)


async def test_beside_the_call_it_refuses(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    row = {"mode": "during_call", "blocked_words": [{"keyword": "apollo"}], "max_messages": 1}
    running = await gateway(config(scripted_upstream, row))
    assert (await running.chat("fast", "hello"))[0] == 200
    assert (await running.chat("fast", "apollo"))[0] == 400
    status, _, told = await running.chat("fast", messages=[{"role": "user", "content": "hello"}] * 2)
    assert status == 400
    assert "more than 1 messages" in told["error"]["message"]


async def test_only_looking_on_changes_nothing_and_tells_the_record(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    row = {"mode": "logging_only", **WORDS, "json_schema": {"type": "object"}, "max_request_chars": 10}
    running = await gateway(config(scripted_upstream, row))
    scripted_upstream.script(Reply.stream(list("Apollo said")))
    status, _, raw = await running.stream("fast", "Titan said a lot")
    assert (status, text_of(raw)) == (200, "Apollo said")
    (record,) = await running.recorded()
    seen = {(ruling.hook, ruling.action, ruling.reason) for ruling in record.rulings}
    assert ("guard_request", "observe", "more than 10 characters") in seen
    assert ("stream_filter", "observe", "blocked_word") in seen
    assert ("stream_filter", "observe", "text that is not JSON") in seen


async def test_a_row_looks_where_it_is_named(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    rows = config(scripted_upstream, {"mode": "pre_call", "default_on": False, **WORDS})
    rows["model_list"].append(openai_row("strict", scripted_upstream.base_url, guardrails=["rules"]))
    running = await gateway(rows)
    assert (await running.chat("fast", "apollo"))[0] == 200
    assert (await running.chat("fast", "apollo", guardrails=["rules"]))[0] == 400
    assert (await running.chat("strict", "apollo"))[0] == 400
    assert (await running.chat("strict", "hello"))[0] == 200


async def test_an_answer_that_is_not_what_the_schema_asks_for_is_refused_with_its_place(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    running = await gateway(config(scripted_upstream, {"mode": "post_call", "json_schema": schema}))
    good, bad = '{"age": 40}', '{"age": "forty"}'
    scripted_upstream.script(Reply.chat(good), Reply.stream(list(good)), Reply.chat(bad), Reply.stream(list(bad)))
    assert (await running.chat("fast"))[2]["choices"][0]["message"]["content"] == good
    assert text_of((await running.stream("fast"))[2]) == good
    status, _, told = await running.chat("fast")
    assert status == 400
    assert told["error"]["message"].endswith(
        "it holds JSON that is not valid under the schema, at properties.age.type."
    )
    _, _, raw = await running.stream("fast")
    assert text_of(raw) == ""
    assert events(raw)[-1]["error"]["message"] == told["error"]["message"]
    call = ToolCall("f", {"q": 1}, id="c")
    scripted_upstream.script(Reply.chat("", tool_calls=(call,)))
    assert (await running.chat("fast"))[0] == 200, "a call is no answer yet"


async def test_sizes_of_requests_and_answers_are_exact(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    row = {
        "mode": ["pre_call", "post_call"],
        "max_request_chars": 5,
        "max_answer_chars": 6,
        "max_tools": 1,
        "max_messages": 1,
    }
    running = await gateway(config(scripted_upstream, row))
    fitting, longer = "123456", "1234567"
    scripted_upstream.script(Reply.chat(fitting), Reply.chat(longer))
    scripted_upstream.script(Reply.stream(list(fitting)), Reply.stream(list(longer)))
    assert (await running.chat("fast", "12345"))[0] == 200
    assert (await running.chat("fast", "12345"))[0] == 400
    assert text_of((await running.stream("fast", "12345"))[2]) == "123456"
    _, _, raw = await running.stream("fast", "12345")
    assert text_of(raw) == "123456"
    assert "more than 6 characters" in events(raw)[-1]["error"]["message"]
    for what in (
        {"text": "123456"},
        {"messages": [{"role": "user", "content": "1"}] * 2},
        {"tools": [{"type": "x"}] * 2},
    ):
        assert (await running.chat("fast", **{"text": "1", **what}))[0] == 400
    assert len(scripted_upstream.requests) == 4


async def test_code_is_kept_out_of_answers(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    row = {"guardrail": "block_code_execution", "mode": "post_call", "blocked_languages": ["bash"], "action": "mask"}
    running = await gateway(config(scripted_upstream, row))
    scripted_upstream.script(Reply.stream(list("Do:\n```sh\nrm -rf /\n```\nDone.")))
    assert text_of((await running.stream("fast"))[2]) == "Do:\n[CODE_BLOCK_REDACTED]\nDone."


async def test_litellms_older_way_to_ban_words_is_served(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    settings = {"callbacks": ["banned_keywords"], "banned_keywords_list": ["apollo"]}
    running = await gateway(config(scripted_upstream, litellm_settings=settings))
    status, _, told = await running.chat("fast", "Apollo")
    assert status == 400
    assert "'banned_keywords'" in told["error"]["message"]
    scripted_upstream.script(Reply.stream(list("see Apollo")))
    assert text_of((await running.stream("fast"))[2]) == "see "


async def test_a_mistake_stops_the_start_at_its_line(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    row = {"mode": "pre_call", "patterns": [{"pattern_type": "regex", "pattern": r"(a)\1", "name": "twice"}]}
    with pytest.raises(ConfigErrors) as caught:
        await gateway(config(scripted_upstream, row))
    said = str(caught.value)
    assert "routeiq.yaml:" in said
    assert "guardrails[0].litellm_params.patterns[0]" in said
    assert "no back-references" in said


async def test_a_file_stands_beside_the_configuration_and_is_read_again_at_a_reload(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    words = tmp_path / "words.yaml"
    words.write_text("blocked_words: [{keyword: apollo}]")
    written = config(scripted_upstream, {"mode": "pre_call", "blocked_words_file": "../words.yaml"})
    running = await gateway(written)
    assert (await running.chat("fast", "apollo"))[0] == 400
    assert (await running.chat("fast", "zeus"))[0] == 200
    words.write_text("blocked_words: [{keyword: zeus}]")
    await running.app.reload()
    assert (await running.chat("fast", "apollo"))[0] == 200
    assert (await running.chat("fast", "zeus"))[0] == 400


async def test_what_is_too_many_without_any_text_is_refused_all_the_same(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [{"role": "user", "content": [image]}] * 2
    running = await gateway(config(scripted_upstream, {"mode": "pre_call", "max_messages": 1}))
    status, _, body = await running.chat("fast", messages=messages)
    assert status == 400
    assert "more than 1 messages" in body["error"]["message"]
    looking_on = await gateway(config(scripted_upstream, {"mode": "logging_only", "max_messages": 1}))
    assert (await looking_on.chat("fast", messages=messages))[0] == 200
    (record,) = await looking_on.recorded()
    assert [(each.action, each.reason) for each in record.rulings] == [("observe", "more than 1 messages")]
