"""What of prompts and answers leaves the gateway: nothing, unless somebody said so; and what clients saw, not more."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_sdk.testing import make_context
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder
from .requests import finished

PROMPT = "my secret plan, mail ada@example.com"


async def told(
    gateway: StartGateway, telling: Any, recorder: Recorder, *, stream: bool = False, **block: Any
) -> dict[str, Any]:
    litellm = block.pop("litellm", None)
    fields = block.pop("fields", {})
    running = await gateway(telling({"kind": "webhook", "url": recorder.url}, litellm=litellm, **block))
    await (running.stream if stream else running.chat)("m", PROMPT, **fields)
    (sent,) = await recorder.until(1)
    (payload,) = sent.json()
    assert isinstance(payload, dict)
    return payload


@pytest.mark.parametrize("stream", [False, True])
async def test_no_text_leaves_by_default(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream, stream: bool
) -> None:
    scripted_upstream.default = Reply.stream("the answer") if stream else Reply.chat("the answer")
    fields = {
        "stop": ["the stop word"],
        "metadata": {"note": "the note"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"title": "the schema"}}},
    }
    payload = await told(gateway, telling, recorder, stream=stream, fields=fields)
    assert (payload["messages"], payload["response"], payload["stream"]) == (None, None, stream)
    everything = recorder.everything()
    for text in ("secret plan", "the answer", "the stop word", "the note", "the schema"):
        assert text not in everything


@pytest.mark.parametrize("stream", [False, True])
async def test_full_tells_prompt_and_answer(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream, stream: bool
) -> None:
    scripted_upstream.default = Reply.stream("the answer") if stream else Reply.chat("the answer")
    fields = {"stop": ["x"], "metadata": {"note": "n"}}
    payload = await told(gateway, telling, recorder, stream=stream, messages={"mode": "full"}, fields=fields)
    assert payload["messages"][0]["content"] == PROMPT
    assert "the answer" in str(payload["response"])
    assert payload["model_parameters"]["stop"] == ["x"]
    assert payload["metadata"]["requester_metadata"] == {"note": "n"}


async def test_masked_hides_addresses_and_keys(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.default = Reply.chat("take sk-abcdefghijklmnop")
    payload = await told(gateway, telling, recorder, messages={"mode": "masked"})
    assert payload["messages"][0]["content"] == "my secret plan, mail [masked]"
    assert payload["response"]["choices"][0]["message"]["content"] == "take [masked]"


async def test_two_targets_are_told_the_same_texts(
    gateway: StartGateway, telling: Any, recorder: Recorder, other_recorder: Recorder
) -> None:
    targets = [{"kind": "webhook", "url": each.url} for each in (recorder, other_recorder)]
    running = await gateway(telling(*targets, messages={"mode": "masked"}))
    await running.chat("m", PROMPT)
    (one,), (other,) = await recorder.until(1), await other_recorder.until(1)
    assert one.json() == other.json()
    assert one.json()[0]["messages"][0]["content"] == "my secret plan, mail [masked]"


async def test_turn_off_message_logging_wins(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    litellm = {"turn_off_message_logging": True}
    payload = await told(gateway, telling, recorder, messages={"mode": "full"}, litellm=litellm)
    assert payload["messages"] is None


async def test_a_caller_may_keep_a_request_to_itself(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    running = await gateway(telling({"kind": "webhook", "url": recorder.url}, messages={"mode": "full"}))
    body = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}
    headers = {"x-litellm-enable-message-redaction": "true"}
    async with running.session.post("/v1/chat/completions", json=body, headers=headers) as answer:
        assert answer.status == 200
    (sent,) = await recorder.until(1)
    assert "secret plan" not in sent.text


async def test_a_stream_that_breaks_is_a_failure_with_the_text_that_came(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.default = Reply.cut(after_events=3, of=Reply.stream("one two three four five six"))
    payload = await told(gateway, telling, recorder, stream=True, messages={"mode": "full"})
    assert (payload["status"], payload["stream"]) == ("failure", True)
    assert payload["error_information"]["error_class"]
    assert "one two three four five six".startswith(payload["response"])
    assert payload["response"]


async def test_messages_of_anthropics_clients_are_told(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.default = Reply.chat("the answer")
    running = await gateway(telling({"kind": "webhook", "url": recorder.url}, messages={"mode": "full"}))
    body = {"model": "m", "max_tokens": 9, "system": "be short", "messages": [{"role": "user", "content": PROMPT}]}
    async with running.session.post("/v1/messages", json=body) as answer:
        assert answer.status == 200
    (payload,) = (await recorder.until(1))[0].json()
    assert payload["call_type"] == "anthropic_messages"
    assert payload["messages"]["system"] == "be short"
    assert payload["response"]["content"][0]["text"] == "the answer"


async def test_vectors_are_no_text(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(telling({"kind": "webhook", "url": recorder.url}, messages={"mode": "full"}))
    async with running.session.post("/v1/embeddings", json={"model": "m", "input": "embed me"}) as answer:
        assert answer.status == 200
    (payload,) = (await recorder.until(1))[0].json()
    assert (payload["call_type"], payload["messages"], payload["response"]) == ("aembedding", "embed me", None)


@pytest.mark.parametrize("place", ["before", "after"])
async def test_what_a_guard_hides_from_the_client_is_not_told(
    gateway: StartGateway,
    telling: Any,
    recorder: Recorder,
    scripted_upstream: ScriptedUpstream,
    plugin_folder: PluginFolder,
    place: str,
) -> None:
    source = """
        from routeiq_sdk import Need, Plugin, PluginConfig, Replace, hookimpl

        class Hide:
            def feed(self, delta):
                return []
            def end(self):
                return ["[name]"]

        class Fixture(Plugin[PluginConfig]):
            needs = frozenset({Need.READS_BODY, Need.MUTATES_REQUEST, Need.READS_RESPONSE, Need.READS_STREAM_TEXT})

            @hookimpl
            async def guard_request(self, ctx):
                body = dict(ctx.request.json())
                return Replace(body | {"messages": [{"role": "user", "content": "[hidden]"}]})

            @hookimpl
            async def guard_response(self, ctx, response):
                message = {"role": "assistant", "content": "[hidden]"}
                return Replace({**response, "choices": [{**response["choices"][0], "message": message}]})

            @hookimpl
            def stream_filter(self, ctx):
                return Hide()
    """
    plugin_folder.install("hider", source, kind="guard")
    config = telling({"kind": "webhook", "url": recorder.url}, messages={"mode": "full"})
    plugins = config["routeiq"]["plugins"]
    config["routeiq"]["plugins"] = {"hider": {}, **plugins} if place == "before" else {**plugins, "hider": {}}
    running = await gateway(config)
    scripted_upstream.script(Reply.chat("Erika Mustermann"), Reply.stream("Mustermann"))
    await running.chat("m", PROMPT)
    _, _, streamed = await running.stream("m", PROMPT)
    assert b"[name]" in streamed
    await recorder.until(lambda sent: sum(len(one.json()) for one in sent) == 2)
    everything = recorder.everything()
    assert "Mustermann" not in everything
    assert "secret plan" not in everything
    assert everything.count("[hidden]") == 3
    assert "[name]" in everything


def test_a_masked_payload_is_made_off_the_loop() -> None:
    assert finished(make_context(PROMPT), mode="masked").masked
    assert not finished(make_context(PROMPT), mode="full").masked


async def test_without_a_target_there_is_nothing_to_do_with_texts(gateway: StartGateway, telling: Any) -> None:
    running = await gateway(telling())
    assert not {call.hook for call in running.runtime.calls()} & {"stream_filter", "guard_response"}


async def test_without_a_target_of_anybody_there_is_nothing_to_do_at_all(gateway: StartGateway, telling: Any) -> None:
    running = await gateway(telling(per_key_targets=False, messages={"mode": "full"}))
    hooks = {call.hook for call in running.runtime.calls() if call.plugin == "callbacks"}
    assert not hooks & {"stream_filter", "guard_response", "record"}
