"""Promises of the legacy completions wire."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import Completion

from routeiq.wires import completions
from routeiq.wires.reading import Untranslatable


@pytest.mark.parametrize("prompt", ["Once", ["Once"]])
def test_a_prompt_becomes_the_one_user_message(prompt: object) -> None:
    request = {
        "model": "m",
        "prompt": prompt,
        "max_tokens": 9,
        "stop": ["."],
        "temperature": None,
        "stream": True,
        "echo": False,
        "best_of": 1,
        "suffix": "",
    }
    assert completions.to_chat(request) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Once"}],
        "max_tokens": 9,
        "stop": ["."],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"echo": True}, "echo"),
        ({"suffix": "end"}, "suffix"),
        ({"logprobs": 0}, "logprobs"),
        ({"best_of": 2}, "best_of"),
    ],
)
def test_what_chat_cannot_say_is_refused_by_name(change: dict[str, Any], param: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        completions.to_chat({"model": "m", "prompt": "p"} | change)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_an_answer_keeps_every_choice_and_the_usage() -> None:
    chat = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "one"}, "finish_reason": "length"},
            {"index": 1, "message": {"role": "assistant", "content": None}, "finish_reason": "tool_calls"},
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    answer = Completion.model_validate(completions.from_chat(chat), strict=True)
    assert [(choice.text, choice.finish_reason) for choice in answer.choices] == [("one", "length"), ("", "stop")]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 3


def test_a_chunk_that_says_nothing_here_is_left_out() -> None:
    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return {"id": "c", "created": 5, "model": "m", "choices": choices, **more}

    assert completions.chunk_from_chat(chunk({"role": "assistant", "content": ""})) is None
    assert completions.chunk_from_chat(chunk({"tool_calls": []})) is None
    said = completions.chunk_from_chat(chunk({"content": "hi"}))
    assert said is not None
    assert said["object"] == "text_completion"
    assert said["choices"] == [{"index": 0, "text": "hi", "logprobs": None, "finish_reason": None}]
    ended = completions.chunk_from_chat(chunk({}, "stop"))
    assert ended is not None
    assert ended["choices"][0]["finish_reason"] == "stop"
    counted = completions.chunk_from_chat(
        {"id": "c", "created": 5, "model": "m", "choices": [], "usage": {"prompt_tokens": 1}}
    )
    assert counted is not None
    assert counted["usage"] == {"prompt_tokens": 1}
