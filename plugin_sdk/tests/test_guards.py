"""The base of guards: what it reads, what it changes, which rows look, and that streams are judged like whole texts."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from routeiq_sdk import Context, Principal, Reject, Replace, Stop
from routeiq_sdk.guards import (
    Chain,
    Finding,
    GuardConfig,
    Inspector,
    Rail,
    RailOptions,
    TextGuard,
    Window,
    last_separator,
    put,
    read_answer,
    read_request,
)
from routeiq_sdk.guards.passages import Inside, read_result
from routeiq_sdk.testing.fakes import FakeGateway, FakeRequest, make_context, make_groups
from routeiq_sdk.values.tools import ToolCall, ToolResult
from routeiq_sdk.values.verdict import MOST_NOTED

SECRET = re.compile(r"\bsecret\w*")


class Options(RailOptions):
    mask: bool = Field(False, description="Whether it is masked.")


class Config(GuardConfig[Options]):
    kinds = frozenset({"words"})


class Words:
    def __init__(self, mask: bool) -> None:
        self.replacement = "[word]" if mask else None

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        return [Finding(*match.span(), "WORD", self.replacement) for match in SECRET.finditer(text)]

    def settled(self, text: str) -> int:
        return last_separator(text)


class WordGuard(TextGuard[Config, Options]):
    Config = Config

    def inspector(self, ctx: Context, rail: Rail[Options]) -> Inspector:
        return Words(rail.options.mask)


def row(name: str = "words", **params: Any) -> dict[str, Any]:
    filled = {"guardrail": "words", "mode": "pre_call", "default_on": True, **params}
    return {"guardrail_name": name, "litellm_params": filled}


def guard(*rows: Mapping[str, Any], gateway: FakeGateway | None = None) -> WordGuard:
    made = WordGuard(Config.model_validate({"guardrails": list(rows)}))
    asyncio.run(made.setup(gateway or FakeGateway()))
    return made


CHAT: dict[str, Any] = {
    "model": "small",
    "messages": [
        {"role": "system", "content": "secret1"},
        {"role": "user", "content": [{"type": "text", "text": "secret2"}, {"type": "input_audio", "input_audio": {"data": "secret"}}]},
        {"role": "assistant", "tool_calls": [{"id": "secret", "function": {"name": "f", "arguments": '{"a":"\\u0073ecret3"}'}}]},
        {"role": "tool", "tool_call_id": "secret", "content": "secret4"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,secret"}}]},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "secret5", "parameters": {"properties": {"p": {"description": "secret6"}}}}}],
    "response_format": {"json_schema": {"description": "secret7"}},
    "a_field_of_tomorrow": {"deep": ["secret8"]},
    "metadata": {"note": "secret"},
}  # fmt: skip
MESSAGES: dict[str, Any] = {
    "model": "small",
    "system": [{"type": "text", "text": "secret1", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "secret2"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "secret3", "signature": "secret"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": ["secret4"]}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "secret5"}]}]},
        {"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": "secret6"}, "title": "secret7"}, {"type": "image", "source": {"type": "base64", "data": "secret"}}]},
    ],
    "tools": [{"name": "f", "description": "secret8", "input_schema": {"type": "object"}}],
}  # fmt: skip
REQUESTS = {
    "chat": (CHAT, 8),
    "messages": (MESSAGES, 8),
    "completion": ({"model": "small", "prompt": ["secret1", "secret2"], "suffix": "secret3"}, 3),
    "embedding": ({"model": "small", "input": ["secret1", "secret2"]}, 2),
}
ANSWERS = {
    "chat": (
        {"id": "secret", "object": "chat.completion", "model": "secret", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "secret1", "refusal": "secret2", "reasoning_content": "secret3",
             "tool_calls": [{"id": "secret", "function": {"name": "f", "arguments": '{"a": "secret4"}'}}]}, "logprobs": {"content": [{"token": "secret"}]}},
            {"index": 1, "message": {"role": "assistant", "content": "secret5"}}]}, 5),
    "messages": (
        {"id": "secret", "type": "message", "content": [{"type": "text", "text": "secret1"}, {"type": "thinking", "thinking": "secret2", "signature": "secret"},
         {"type": "tool_use", "id": "secret", "name": "f", "input": {"a": "secret3"}}]}, 3),
    "completion": ({"object": "text_completion", "choices": [{"index": 0, "text": "secret1", "logprobs": {"tokens": ["secret"]}}]}, 1),
}  # fmt: skip


@pytest.mark.parametrize("wire", REQUESTS)
def test_every_text_of_a_request_is_read_and_can_be_replaced_and_nothing_else_is(wire: str) -> None:
    body, count = REQUESTS[wire]
    found = [passage for passage in read_request(body) if "secret" in passage.text]
    assert sorted(passage.text for passage in found) == [f"secret{number}" for number in range(1, count + 1)]
    masked = put(body, [(passage.path, "[word]") for passage in found])
    assert json.dumps(masked).count("[word]") == count
    assert not [passage for passage in read_request(masked) if "secret" in passage.text]
    assert body == REQUESTS[wire][0], "the old body stays"


@pytest.mark.parametrize("wire", ANSWERS)
def test_every_text_of_an_answer_is_read_and_its_probabilities_go_when_it_changes(wire: str) -> None:
    body, count = ANSWERS[wire]
    found = [passage for passage in read_answer(body) if "secret" in passage.text]
    assert sorted(passage.text for passage in found) == [f"secret{number}" for number in range(1, count + 1)]
    masked = put(body, [(passage.path, "[word]") for passage in found])
    assert json.dumps(masked).count("[word]") == count
    assert masked.get("choices", [{}])[0].get("logprobs") is None


def test_vectors_are_no_texts() -> None:
    assert read_answer({"object": "list", "data": [{"embedding": [0.1], "index": 0}]}) == []


@pytest.mark.parametrize(
    ("role", "part"), [("system", "system"), ("developer", "system"), ("user", "user"), ("tool", "tool_result")]
)
def test_a_passage_says_whose_words_it_holds(role: str, part: str) -> None:
    (passage,) = read_request({"messages": [{"role": role, "content": "words"}]})
    assert (passage.text, passage.part) == ("words", part)


def test_the_names_of_a_calls_fields_are_read_and_refused_since_they_cannot_be_masked() -> None:
    body = {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": '{"secret": 1}'}}]}]}
    (passage,) = read_request(body)
    assert passage.fixed
    assert Inside.KEYS in passage.path
    verdict = asyncio.run(guard(row(mask=True)).guard_request(make_context(request=FakeRequest(body))))
    assert isinstance(verdict, Reject)


@pytest.mark.parametrize("wire", REQUESTS)
@pytest.mark.parametrize("mask", [False, True])
def test_a_request_is_refused_or_masked_on_every_wire(wire: str, mask: bool) -> None:
    body, count = REQUESTS[wire]
    verdict = asyncio.run(guard(row(mask=mask)).guard_request(make_context(request=FakeRequest(body))))
    if mask:
        assert isinstance(verdict, Replace)
        assert json.dumps(verdict.body).count("[word]") == count
        assert verdict.reason == "WORD"
    else:
        assert isinstance(verdict, Reject)
        assert (verdict.status, "secret1" in verdict.message) == (400, False)
        assert "'words'" in verdict.message
        assert "WORD" in verdict.message


@pytest.mark.parametrize("wire", ANSWERS)
@pytest.mark.parametrize("mask", [False, True])
def test_an_answer_is_refused_or_masked_on_every_wire(wire: str, mask: bool) -> None:
    body, count = ANSWERS[wire]
    made = guard(row(mode="post_call", mask=mask))
    verdict = asyncio.run(made.guard_response(make_context(), body))
    if mask:
        assert isinstance(verdict, Replace)
        assert json.dumps(verdict.body).count("[word]") == count
    else:
        assert isinstance(verdict, Reject)


def test_beside_the_call_nothing_can_be_changed_so_it_is_refused() -> None:
    made = guard(row(mode="during_call", mask=True))
    assert isinstance(asyncio.run(made.guard_during(make_context("a secret"))), Reject)
    assert asyncio.run(made.guard_during(make_context("nothing"))) is None


def test_a_tool_call_is_guarded_like_a_request() -> None:
    call = ToolCall("mcp", "s", "t", {"q": "a secretive question"})
    masked = asyncio.run(guard(row(mask=True)).guard_tool_call(make_context(), call))
    assert isinstance(masked, Replace)
    assert masked.body == {"q": "a [word] question"}
    assert isinstance(asyncio.run(guard(row()).guard_tool_call(make_context(), call)), Reject)


def streamed(made: WordGuard, pieces: Sequence[str], part: str = "text", ctx: Context | None = None) -> str | Stop:
    ctx = ctx or make_context()
    item: Any = made.stream_filter(ctx) if part == "text" else made.stream_part_filter(ctx, part)
    out = ""
    for step in [*(lambda piece=piece: item.feed(piece) for piece in pieces), item.end]:
        answer = step()
        if isinstance(answer, Stop):
            return answer
        out += "".join(answer)
    return out


TEXTS = st.lists(st.sampled_from(["secret", "sec", "ret", "s ", " ", "xsecret", "\n", "é", "ly", '"']), max_size=12)


@settings(max_examples=150, deadline=None)
@given(words=TEXTS, cuts=st.lists(st.integers(0, 80), max_size=8))
def test_a_stream_is_masked_like_the_whole_text_however_it_is_cut(words: list[str], cuts: list[int]) -> None:
    text = "".join(words)
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    assert streamed(guard(row(mode="post_call", mask=True)), pieces) == SECRET.sub("[word]", text)
    stopped = streamed(guard(row(mode="post_call")), pieces)
    assert isinstance(stopped, Stop) == bool(SECRET.search(text))


def test_the_arguments_of_a_streamed_call_are_judged_whole_with_their_escapes_read() -> None:
    pieces = list('{"a": "line\\nsecret", "b": "\\u0073ecret"}')
    out = streamed(guard(row(mode="post_call", mask=True)), pieces, "arguments")
    assert isinstance(out, str)
    assert json.loads(out) == {"a": "line\n[word]", "b": "[word]"}
    assert isinstance(streamed(guard(row(mode="post_call")), pieces, "arguments"), Stop)
    assert isinstance(streamed(guard(row(mode="post_call")), ['{"a": secret'], "arguments"), Stop), "no JSON at all"


def test_arguments_without_an_end_are_stopped() -> None:
    assert isinstance(streamed(guard(row(mode="post_call")), ["x" * 600_000] * 2, "arguments"), Stop)


def test_a_text_that_never_settles_still_flows() -> None:
    window = Window(lambda text: text, last_separator)
    out = "".join(
        "".join(answer) for answer in (window.feed("x" * 1000) for _ in range(40)) if isinstance(answer, list)
    )
    assert len(out) > 20_000


def test_only_looking_on_changes_nothing_and_tells_what_it_saw_and_masks_what_sinks_keep() -> None:
    made = guard(row(mode="logging_only"))
    ctx = make_context("a secret")
    assert asyncio.run(made.guard_request(ctx)) is None
    assert asyncio.run(made.guard_response(ctx, ANSWERS["chat"][0])) is None
    assert streamed(made, ["a sec", "ret"], ctx=ctx) == "a secret"
    assert [(each.hook, each.action, each.reason) for each in ctx.rulings] == [
        ("guard_request", "observe", "WORD"),
        ("guard_response", "observe", "WORD"),
        ("stream_filter", "observe", "WORD"),
    ]
    (redact,) = ctx.redactors
    assert redact("a secret") == "a [masked]"
    assert "x-litellm-applied-guardrails" not in ctx.answer_headers


def asked(made: WordGuard, **how: Any) -> bool:
    """Whether the row looked at a request with a secret in it."""
    return asyncio.run(made.guard_request(make_context("a secret", **how))) is not None


def caller(**attributes: Any) -> Principal:
    return Principal("k", attributes=attributes)


def test_a_row_that_is_off_looks_where_it_is_named() -> None:
    made = guard(row(default_on=False))
    assert not asked(made)
    assert asked(made, guardrails=["words"])
    assert asked(made, guardrails=[{"words": {"extra_body": {}}}])
    assert asked(made, metadata={"guardrails": ["words"]})
    assert asked(made, principal=caller(metadata={"guardrails": ["words"]}))
    assert asked(made, principal=caller(team_metadata={"guardrails": ["words"]}))
    assert not asked(made, principal=caller(metadata={"guardrails": ["others"]}))


def test_only_a_key_or_a_team_can_be_spared_what_looks_at_everything() -> None:
    made = guard(row())
    assert not asked(made, principal=caller(metadata={"disable_global_guardrails": True}))
    assert asked(made, metadata={"disable_global_guardrails": True})
    assert asked(made, principal=caller(metadata={"disable_global_guardrails": "yes"}))


def test_a_model_that_names_a_row_is_guarded_by_it_and_no_request_reaches_it_otherwise() -> None:
    plain, strict = make_groups("plain", "strict")
    (deployment,) = strict.deployments
    deployment = type(deployment)(**{**_fields(deployment), "guardrails": frozenset({"words"})})
    groups = [plain, type(strict)("strict", (deployment,))]
    made = guard(row(default_on=False), gateway=FakeGateway(groups=groups))
    assert not asked(made, model="plain")
    assert asked(made, model="strict")
    assert asked(made, model="auto"), "a virtual model may become any of them"
    refused = made.authorize_target(make_context("x", model="plain"), deployment)
    assert isinstance(refused, Reject)
    assert made.authorize_target(make_context("x", model="strict"), deployment) is None


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def test_who_looked_is_told_in_the_answers_head() -> None:
    ctx = make_context("nothing")
    asyncio.run(guard(row("one"), row("two")).guard_request(ctx))
    asyncio.run(guard(row("three")).guard_request(ctx))
    assert ctx.answer_headers["x-litellm-applied-guardrails"] == "one,two,three"


def test_a_text_outside_any_request_is_judged_by_the_row_that_is_named() -> None:
    made = guard(row("block"), row("mask", mask=True))
    assert asyncio.run(made.apply_guard(make_context(), "mask", "a secret")) == "a [word]"
    assert isinstance(asyncio.run(made.apply_guard(make_context(), "block", "a secret")), Reject)
    assert asyncio.run(made.apply_guard(make_context(), "other", "a secret")) is None


def test_the_message_of_a_row_is_said_and_nothing_in_it_is_evaluated() -> None:
    template = "{guardrail_name}: {0} {7*7} {{x}} %s"
    verdict = asyncio.run(guard(row(violation_message_template=template)).guard_request(make_context("a secret")))
    assert isinstance(verdict, Reject)
    assert verdict.message == "words: {0} {7*7} {{x}} %s"


def test_rows_of_other_guards_are_left_out_and_mistakes_in_its_own_are_named_by_their_place() -> None:
    other = {"guardrail_name": "o", "litellm_params": {"guardrail": "other", "mode": "anything", "x": 1}}
    assert [rail.name for rail in guard(other, row("mine")).rails] == ["mine"]
    with pytest.raises(ValidationError) as error:
        guard(other, row(mask="perhaps", surprise=1))
    assert {detail["loc"] for detail in error.value.errors()} == {
        ("guardrails", 1, "litellm_params", "mask"),
        ("guardrails", 1, "litellm_params", "surprise"),
    }


def test_without_rows_no_hook_is_at_work() -> None:
    assert guard().idle_hooks >= {"guard_request", "guard_response", "stream_filter", "guard_during", "apply_guard"}
    assert "guard_request" not in guard(row()).idle_hooks
    assert guard(row()).idle_hooks >= {"guard_response", "stream_filter", "stream_part_filter", "guard_during"}


class Slowly:
    """A filter that waits, and turns every letter into a capital."""

    def __init__(self) -> None:
        self.held = ""

    async def feed(self, delta: str) -> list[str] | Stop:
        await asyncio.sleep(0)
        out, self.held = self.held, self.held + delta
        self.held = self.held[len(out) :]
        return [out.upper()]

    async def end(self) -> list[str] | Stop:
        await asyncio.sleep(0)
        return [self.held.upper()]


class Waiting(WordGuard):
    """Its row `slow` waits, the others do not."""

    def watch(self, ctx: Context, rail: Rail[Options], part: str) -> Any:
        return Slowly() if rail.name == "slow" else super().watch(ctx, rail, part)


@pytest.mark.parametrize("names", [("slow", "words"), ("words", "slow"), ("slow", "words", "slow")])
def test_rows_that_wait_and_rows_that_do_not_watch_one_stream_in_their_order(names: Sequence[str]) -> None:
    async def run(text: str) -> str | Stop:
        rows = [row(name, mode="post_call", mask=True) for name in names]
        made = Waiting(Config.model_validate({"guardrails": rows}))
        item = made.stream_filter(make_context())
        assert isinstance(item, Chain)
        out = ""
        for piece in text:
            answer = await item.feed(piece)
            assert isinstance(answer, list)
            out += "".join(answer)
        answer = await item.end()
        return answer if isinstance(answer, Stop) else out + "".join(answer)

    out = asyncio.run(run("a secret thing"))
    # The capital letters of the first row hide the word from the second.
    assert out == ("A SECRET THING" if names[0] == "slow" else "A [WORD] THING")


def test_a_row_that_does_not_wait_stops_a_stream_behind_one_that_does() -> None:
    async def run() -> list[str] | Stop:
        chain = Chain([Slowly(), Window(lambda text: Stop("no") if "SECRET" in text else text, last_separator)])
        for piece in ("a sec", "ret "):
            assert await chain.feed(piece) in ([], ["A "], ["A SEC"])
        return await chain.end()

    assert asyncio.run(run()) == Stop("no")


PHRASE = re.compile(r"give\s+it\s+away")


class PhraseGuard(WordGuard):
    """Refuses (or masks) three words in a row."""

    def inspector(self, ctx: Context, rail: Rail[Options]) -> Inspector:
        replacement = "[phrase]" if rail.options.mask else None

        class Phrases(Words):
            def inspect(self, text: str, part: str) -> Sequence[Finding]:
                return [Finding(*match.span(), "PHRASE", replacement) for match in PHRASE.finditer(text)]

        return Phrases(False)


@pytest.mark.parametrize(
    "content",
    [
        {"content": [{"type": "text", "text": "please give"}, {"type": "text", "text": "it away"}]},
        {
            "content": [
                {"type": "text", "text": "give"},
                {"type": "text", "text": "it"},
                {"type": "text", "text": "away"},
            ]
        },
        {
            "content": [
                {"type": "text", "text": "give it"},
                {"type": "image", "data": "aGk=", "mimeType": "image/png"},
                {"type": "resource", "resource": {"uri": "x://y", "text": "away"}},
            ]
        },
        {"messages": [{"content": {"type": "text", "text": "give"}}, {"content": {"type": "text", "text": "it away"}}]},
        {"contents": [{"uri": "x://1", "text": "give it"}, {"uri": "x://2", "text": "away"}]},
    ],
)
async def test_what_is_refused_is_refused_when_it_is_spread_over_the_blocks_of_a_result(content: Any) -> None:
    call = ToolCall("mcp", "s", "t", {})
    refusing = PhraseGuard(Config.model_validate({"guardrails": [row("a", mode="post_mcp_call")]}))
    verdict = await refusing.guard_tool_result(make_context(), call, ToolResult(content))
    assert isinstance(verdict, Reject)
    assert "PHRASE" in verdict.message
    masking = PhraseGuard(Config.model_validate({"guardrails": [row("a", mode="post_mcp_call", mask=True)]}))
    assert await masking.guard_tool_result(make_context(), call, ToolResult(content)) is None


async def test_blocks_are_masked_one_by_one_and_told_apart() -> None:
    call = ToolCall("mcp", "s", "t", {})
    masking = PhraseGuard(Config.model_validate({"guardrails": [row("a", mode="post_mcp_call", mask=True)]}))
    content = {"content": [{"type": "text", "text": "a give it away"}, {"type": "text", "text": "b"}]}
    verdict = await masking.guard_tool_result(make_context(), call, ToolResult(content))
    assert isinstance(verdict, Replace)
    assert [block["text"] for block in verdict.body["content"]] == ["a [phrase]", "b"]


@pytest.mark.parametrize(
    "content",
    [
        {"inputRequests": {"q": {"method": "elicitation/create", "params": {"message": "secret"}}}},
        {"inputRequests": {"secret": {}}},
        {"inputRequests": {"q": {"params": {"requestedSchema": {"properties": {"secret": {}}}}}}},
        {"method": "notifications/message", "params": {"data": {"secret": 1}}},
        {"method": "notifications/message", "params": {"data": {"blob": "a secret"}}},
        {"error": {"message": "x", "data": {"secret": 1}}},
        {"structuredContent": {"blob": "the secret plan"}},
        {"content": [{"type": "image", "data": "no picture but a secret"}]},
        {"contents": [{"uri": "x://y", "blob": "the secret plan"}]},
        {"content": [{"type": "text", "text": "data:a;base64,the secret plan"}]},
        {"content": [{"type": "text", "text": "data:the secret plan;base64,aGk="}]},
    ],
)
def test_whatever_a_server_says_is_read(content: Any) -> None:
    assert any("secret" in passage.text for passage in read_result(content))


@pytest.mark.parametrize(
    "content",
    [
        {"content": [{"type": "image", "data": "secretAAAA==", "mimeType": "image/png"}]},
        {"contents": [{"uri": "x://y", "blob": "secret" * 20 + "\n" + "secret=="}]},
        {"content": [{"type": "text", "text": "data:image/png;base64,secretAAAA"}]},
    ],
)
def test_binary_data_is_not_read(content: Any) -> None:
    assert not any("secret" in passage.text for passage in read_result(content))


async def test_a_record_is_not_filled_by_what_a_row_only_notes() -> None:
    ctx = make_context()
    noting = WordGuard(Config.model_validate({"guardrails": [row("a", mode="logging_only")]}))
    for _ in range(MOST_NOTED + 10):
        noting._observed(ctx, "stream_filter", [Finding(0, 1, "WORD")])
    assert len(ctx.rulings) == MOST_NOTED
