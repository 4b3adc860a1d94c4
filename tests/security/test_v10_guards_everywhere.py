"""V10: a guard looks at every surface, in every place of a body, whole or streamed. One path without it is a bypass.

CVE-2026-12797 was such a path: the guardrail was called for one call type and HTTP used another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from routeiq_testkit import Reply, ToolCall
from routeiq_testkit.gateway import openai_row

from .guard_field import Field
from .guard_table import GUARDS

CHAT, COMPLETION, EMBEDDING = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
MESSAGES, COUNT, ROUTE = "/v1/messages", "/v1/messages/count_tokens", "/routeiq/v1/route"
USER = {"role": "user", "content": "Hello."}
MARK = "@bad@"


class Cell(NamedTuple):
    """A path and a body in which `@bad@` stands for the text that a guard refuses."""

    path: str
    body: Mapping[str, Any]
    streams: bool = True


def chat(*messages: Mapping[str, Any], path: str = CHAT, **fields: Any) -> Cell:
    return Cell(path, {"messages": [USER, *messages], **fields})


def message(*content: Mapping[str, Any], path: str = MESSAGES, **fields: Any) -> Cell:
    said = [{"role": "user", "content": list(content)}] if content else [USER]
    return Cell(path, {"max_tokens": 50, "messages": said, **fields}, streams=path == MESSAGES)


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"q": MARK})}}
REQUESTS = {
    "chat, user": chat({"role": "user", "content": MARK}),
    "chat, a part": chat({"role": "user", "content": [{"type": "text", "text": MARK}]}),
    "chat, a tool's result": chat(
        {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": MARK},
    ),
    "chat, arguments": chat(
        {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "c", "content": "ok"}
    ),
    "chat, bare path": chat({"role": "user", "content": MARK}, path="/chat/completions"),
    "chat, engine path": chat({"role": "user", "content": MARK}, path="/engines/fast/chat/completions"),
    "chat, Azure's path": chat({"role": "user", "content": MARK}, path="/openai/deployments/fast/chat/completions"),
    "chat, unknown field": chat(a_field_of_tomorrow={"deep": [MARK]}),
    "completion": Cell(COMPLETION, {"prompt": MARK}),
    "completion, several": Cell(COMPLETION, {"prompt": ["Hello.", MARK]}),
    "embedding": Cell(EMBEDDING, {"input": ["Hello.", MARK]}, streams=False),
    "messages, user": message({"type": "text", "text": MARK}),
    "messages, a tool's result": message(
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": MARK}]}
    ),
    "messages, document": message(
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": MARK}}
    ),
    "messages, count": message({"type": "text", "text": MARK}, path=COUNT),
    "the choice of a model": Cell(ROUTE, {"messages": [{"role": "user", "content": MARK}]}, streams=False),
}
STREAMS = [(name, stream) for name, cell in REQUESTS.items() for stream in (False, True) if cell.streams or not stream]


def filled(cell: Cell, bad: str, **fields: Any) -> bytes:
    """The body with the text in its place; inside arguments it stands in JSON within JSON."""
    text = json.dumps({"model": "fast", **cell.body, **fields})
    inner = json.dumps(json.dumps(bad)[1:-1])[1:-1]
    nested = json.dumps(json.dumps({"q": MARK}))[1:-1]
    text = text.replace(nested, nested.replace(MARK, inner))
    return text.replace(MARK, json.dumps(bad)[1:-1]).encode()


@pytest.mark.parametrize("name", GUARDS)
async def test_no_request_carries_it_past_a_guard_before_the_call(attacked: Field, name: str) -> None:
    guarded = GUARDS[name]
    running = await attacked.guarded(guarded, "pre_call")
    passed: list[str] = []
    for cell, stream in STREAMS:
        body = filled(REQUESTS[cell], guarded.bad, **({"stream": True} if stream else {}))
        async with running.session.post(REQUESTS[cell].path, data=body) as response:
            told = await response.text()
        if response.status != 400 or "under-test" not in told or guarded.bad in told:
            passed.append(f"{cell}{', streamed' if stream else ''}: {response.status} {told[:200]}")
    assert passed == []
    assert attacked.up.requests == [], "the provider was called"


@pytest.mark.parametrize("name", GUARDS)
async def test_no_answer_reaches_the_client_while_a_guard_beside_the_call_objects(attacked: Field, name: str) -> None:
    guarded = GUARDS[name]
    running = await attacked.guarded(guarded, "during_call")
    passed: list[str] = []
    for cell, stream in STREAMS:
        if REQUESTS[cell].path == ROUTE:
            continue  # nobody is called there
        body = filled(REQUESTS[cell], guarded.bad, **({"stream": True} if stream else {}))
        async with running.session.post(REQUESTS[cell].path, data=body) as response:
            told = await response.text()
        if response.status != 400 or "under-test" not in told:
            passed.append(f"{cell}{', streamed' if stream else ''}: {response.status} {told[:200]}")
    assert passed == []


class Said(NamedTuple):
    """A client's path and the provider's reply, in which the text to refuse stands."""

    path: str
    model: str
    reply: Reply
    stream: bool


def answers(bad: str) -> dict[str, Said]:
    pieces = list(bad)
    call = ToolCall("f", {"q": f"line\n{bad}"}, id="c")
    ok = ToolCall("f", {"q": "fine"}, id="c")
    found: dict[str, Said] = {}
    for client, path in (("chat", CHAT), ("messages", MESSAGES)):
        for model, whole, streamed in (
            ("fast", Reply.chat, Reply.stream),
            ("claude", Reply.message, Reply.message_stream),
        ):
            calls: Any = {"tool_calls": (call,)} if model == "fast" else {"tool_use": (ok, call)}
            found[f"{client} from {model}, text"] = Said(path, model, whole(bad), False)
            found[f"{client} from {model}, text, streamed"] = Said(path, model, streamed(pieces), True)
            found[f"{client} from {model}, text, cut anywhere"] = Said(path, model, streamed([bad]).chopped(7), True)
            found[f"{client} from {model}, arguments"] = Said(path, model, whole("ok", **calls), False)
            found[f"{client} from {model}, arguments, streamed"] = Said(path, model, streamed(["ok"], **calls), True)
        found[f"{client} from claude, thoughts"] = Said(path, "claude", Reply.message("ok", thinking=bad), False)
        found[f"{client} from claude, thoughts, streamed"] = Said(
            path, "claude", Reply.message_stream(["ok"], thinking=bad), True
        )
    found["completion"] = Said(COMPLETION, "fast", Reply.completion(bad), False)
    found["completion, streamed"] = Said(COMPLETION, "fast", Reply.completion_stream(pieces), True)
    return found


@pytest.mark.parametrize("name", GUARDS)
async def test_no_answer_carries_it_to_the_client(attacked: Field, name: str) -> None:
    guarded = GUARDS[name]
    bad = guarded.bad_answer
    running = await attacked.guarded(guarded, "post_call")
    passed: list[str] = []
    for cell, said in answers(bad).items():
        attacked.up.script(said.reply)
        body: dict[str, Any] = {"model": said.model, "stream": said.stream, "max_tokens": 50}
        body |= {"prompt": "Hello."} if said.path == COMPLETION else {"messages": [USER]}
        async with running.session.post(said.path, json=body) as response:
            told = await response.text()
        stopped = "under-test" in told and (response.status == 400 or said.stream)
        if not stopped or bad in unwrapped(told):
            passed.append(f"{cell}: {response.status} {told[:300]}")
    assert passed == []


def unwrapped(told: str) -> str:
    """All strings of an answer or a stream, one after the other: what a client would have put together."""
    texts: list[str] = []
    for line in told.splitlines():
        raw = line.removeprefix("data: ")
        try:
            document = json.loads(raw)
        except ValueError:
            continue
        texts += strings(document)
    return "".join(texts)


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        told = [entry for key, entry in value.items() if key in TEXT_KEYS or not isinstance(entry, str)]
        return [text for entry in told for text in strings(entry)]
    return [text for entry in value for text in strings(entry)] if isinstance(value, list) else []


TEXT_KEYS = {"content", "text", "arguments", "partial_json", "thinking", "reasoning_content", "refusal", "message"}


@pytest.mark.parametrize("name", GUARDS)
async def test_what_it_does_not_refuse_passes_on_every_surface(attacked: Field, name: str) -> None:
    """A guard that refuses everything would pass the other tests."""
    running = await attacked.guarded(GUARDS[name], "pre_call")
    for cell, stream in STREAMS:
        if REQUESTS[cell].path == COUNT:
            continue  # the scripted provider counts for its own wire alone
        body = filled(REQUESTS[cell], "a quiet evening", **({"stream": True} if stream else {}))
        async with running.session.post(REQUESTS[cell].path, data=body) as response:
            assert response.status == 200, f"{cell}: {await response.text()}"


async def test_only_looking_on_lets_all_pass_and_tells_the_record(attacked: Field) -> None:
    running = await attacked.guarded(GUARDS["sample"], "logging_only")
    status, _, _ = await running.chat("fast", GUARDS["sample"].bad)
    assert status == 200
    (record,) = await running.recorded()
    (ruling,) = record.rulings
    assert (ruling.hook, ruling.plugin, ruling.action) == ("guard_request", "sample", "observe")
    assert ruling.reason == "FORBIDDEN"


async def test_asking_for_a_guardrail_that_does_not_exist_is_refused(attacked: Field) -> None:
    running = await attacked.guarded(GUARDS["sample"], "pre_call")
    wrong: list[dict[str, Any]] = [
        {"guardrails": ["other"]},
        {"guardrails": [{"other": {}}]},
        {"guardrails": [["under-test"]]},
        {"metadata": {"guardrails": ["other"]}},
    ]
    for how in wrong:
        status, _, body = await running.chat("fast", "hello", **how)
        assert status == 400, how
        assert "guardrail" in body["error"]["message"]
    assert (await running.chat("fast", "hello", guardrails=["under-test"]))[0] == 200
    assert (await running.chat("fast", "hello"))[1]["x-litellm-applied-guardrails"] == "under-test"


async def test_the_guardrails_are_listed_without_their_options_and_can_be_tried(attacked: Field) -> None:
    running = await attacked.guarded(GUARDS["sample"], "pre_call")
    async with running.session.get("/guardrails/list") as response:
        params = {"guardrail": "sample", "mode": "pre_call", "default_on": True}
        assert await response.json() == {
            "guardrails": [{"guardrail_name": "under-test", "litellm_params": params, "guardrail_info": None}]
        }
    for text, status in (("fine", 200), (GUARDS["sample"].bad, 400)):
        body = {"guardrail_name": "under-test", "text": text}
        async with running.session.post("/guardrails/apply_guardrail", json=body) as response:
            assert response.status == status
            told = await response.json()
    assert "under-test" in told["error"]["message"]
    for body in ({"guardrail_name": "other", "text": "x"}, {"guardrail_name": "under-test"}, {"text": 1}):
        async with running.session.post("/guardrails/apply_guardrail", json=body) as response:
            assert response.status in (400, 404)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"litellm_params": {"guardrail": "sample", "mode": "pre_call"}}], "guardrail_name"),
        ([{"guardrail_name": "g", "litellm_params": {"guardrail": "sample", "mode": "sometimes"}}], "mode"),
        ([{"guardrail_name": "g", "litellm_params": {"guardrail": "absent", "mode": "pre_call"}}], "absent"),
    ],
)
async def test_a_row_that_nobody_can_keep_stops_the_start(attacked: Field, rows: Any, said: str) -> None:
    config = {"model_list": [], "guardrails": rows, "routeiq": {"plugins": {"sample": {}}}}
    with pytest.raises(Exception, match=said):
        await attacked.start(config)


async def test_a_model_that_names_a_guardrail_that_does_not_exist_stops_the_start(attacked: Field) -> None:
    row = openai_row("fast", attacked.up.base_url, guardrails=["ghost"])
    with pytest.raises(Exception, match="ghost"):
        await attacked.start({"model_list": [row]})
