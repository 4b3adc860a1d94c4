"""Promises about the words that guards and strategies read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from routeiq.wires import text

CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "sys"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "ask"}, {"type": "image_url", "image_url": {"url": "u"}}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "fn", "arguments": '{"q":"arg"}'}}],
        },
        {"role": "tool", "content": "result"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]},
    ],
    "tools": [{"function": {"name": "fn", "description": "desc", "parameters": {"d": "schema"}}}],
}
ANTHROPIC: dict[str, Any] = {
    "system": [{"type": "text", "text": "sys"}],
    "messages": [
        {"role": "user", "content": "ask"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "thought"},
                {"type": "tool_use", "name": "fn", "input": {"q": "arg"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "content": [
                        {"type": "text", "text": "result"},
                        {"type": "document", "title": "title", "source": {"type": "text", "data": "deep"}},
                        {"type": "search_result", "title": "hit", "content": [{"type": "text", "text": "found"}]},
                    ],
                },
                {"type": "tool_result", "content": "plain result"},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "in doc"}]}},
                {"type": "document", "source": {"type": "base64", "data": "bm90IHRleHQ="}},
            ],
        },
    ],
    "tools": [{"name": "fn", "description": "desc", "input_schema": {"d": "schema"}}],
}


def test_all_a_model_sees_of_a_chat_request_is_there() -> None:
    assert text.chat_text(CHAT).split("\n") == [
        "sys",
        "ask",
        "fn",
        '{"q":"arg"}',
        "result",
        "fn",
        "desc",
        '{"d":"schema"}',
    ]


def test_all_a_model_sees_of_an_anthropic_request_is_there() -> None:
    assert text.anthropic_text(ANTHROPIC).split("\n") == [
        "sys",
        "ask",
        "thought",
        "fn",
        '{"q":"arg"}',
        "result",
        "title",
        "deep",
        "hit",
        "found",
        "plain result",
        "in doc",
        "fn",
        "desc",
        '{"d":"schema"}',
    ]


def test_prompts_and_inputs_are_joined_and_token_ids_are_not_text() -> None:
    assert text.completion_text({"prompt": ["a", "b"], "suffix": "c"}) == "a\nb\nc"
    assert text.embedding_text({"input": "a"}) == "a"
    assert text.embedding_text({"input": ["a", "b"]}) == "a\nb"
    assert text.embedding_text({"input": [[1, 2], [3]]}) == ""


def test_the_last_words_of_the_user_are_found_behind_tool_results_and_images() -> None:
    assert text.chat_last_user_text(CHAT) == "ask"
    assert text.anthropic_last_user_text(ANTHROPIC) == "ask"
    assert text.completion_last_user_text({"prompt": ["a", "b"]}) == "b"
    assert text.embedding_last_user_text({"input": ["a", "b"]}) == "b"
    assert text.chat_last_user_text({"messages": []}) == ""


def test_a_chunks_answer_and_all_it_says() -> None:
    delta = {
        "content": "answer",
        "reasoning_content": "thought",
        "tool_calls": [{"index": 0, "function": {"name": "fn", "arguments": "{}"}}],
    }
    chunk = {"choices": [{"index": 0, "delta": delta}]}
    assert text.delta_text(chunk) == "answer"
    assert text.delta_output(chunk) == "answerthoughtfn{}"
    assert text.delta_text({"choices": [], "usage": {}}) == ""


FIELDS = ("messages", "content", "role", "text", "system", "tools", "function", "tool_calls", "source", "type", "delta")
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=15,
)


@given(body=st.dictionaries(st.sampled_from(["messages", "system", "tools", "prompt", "input", "choices"]), ANYTHING))
def test_reading_passes_over_what_is_not_text(body: dict[str, Any]) -> None:
    for name in (
        "chat_text",
        "anthropic_text",
        "completion_text",
        "embedding_text",
        "chat_last_user_text",
        "anthropic_last_user_text",
        "completion_last_user_text",
        "embedding_last_user_text",
        "delta_text",
        "delta_output",
    ):
        assert isinstance(getattr(text, name)(body), str)


def test_the_estimate_is_above_what_tokenizers_say_of_ordinary_text() -> None:
    english = "The quick walk along the river takes about an hour, and then the path turns uphill again."
    assert 19 <= text.estimate_tokens(english) <= 40  # a common tokenizer says 19, and below as noted
    assert 16 <= text.estimate_tokens("天気がいいから散歩しましょう") <= 32  # 16
    assert 120 <= text.estimate_tokens('{"a":[1,2,{"b":"c"}]}' * 10) <= 240  # 120
    assert 85 <= text.estimate_tokens("def f(x):\n    return [y**2 for y in x if y]\n" * 5) <= 170  # 85
    assert text.estimate_tokens("") == 0
    assert text.estimate_tokens("a") == 1
    assert text.estimate_tokens("\ud800") > 0


@given(said=st.text())
def test_text_and_its_bytes_have_one_estimate(said: str) -> None:
    assert text.estimate_tokens(said) == text.estimate_tokens(said.encode("utf-8", "surrogatepass"))
