"""One promise: whatever stands anywhere in a body, the one thing a translation raises is `Untranslatable`."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from routeiq.wires import anthropic_answers, anthropic_requests, completions
from routeiq.wires.anthropic_streams import AnthropicToChat, ChatToAnthropic
from routeiq.wires.extensions import without_extensions
from routeiq.wires.reading import Untranslatable

_FILES = Path(__file__).parent / "transcripts"
GIVEN = {file.stem: orjson.loads(file.read_bytes())["given"] for file in _FILES.glob("*.json")}
GIVEN["completion"] = {"model": "m", "prompt": ["p"], "stop": "x", "logprobs": None, "best_of": 1, "stream": True}

JUNK: list[Any] = [
    *[None, True, 0, -1, 10**30, 0.5, float("inf"), "", "x", "\ud800", "{", '{"a":' * 300],
    *[[], [[]], [None], {}, {"type": "text"}, {"type": ["text"]}, {"type": {}}],
    *[[{"type": "tool_use"}], ["x"], [{"index": 0}], [1, 2], {"role": "user", "content": [{}]}],
]


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [at, *(path for key, below in inner for path in paths(below, (*at, key)))]


def put(body: Any, path: tuple[Any, ...], junk: Any, *, remove: bool = False) -> Any:
    """A copy of `body` with something else at `path`. Only what lies on the path is copied."""
    if not path:
        return junk
    key, *rest = path
    changed = copy.copy(body)
    if remove and not rest:
        del changed[key]
    else:
        changed[key] = put(body[key], tuple(rest), junk, remove=remove)
    return changed


def stream_to_chat(events: Any) -> None:
    stream = AnthropicToChat()
    for event in events if isinstance(events, list) else [events]:
        stream.feed(event)


def stream_to_anthropic(chunks: Any) -> None:
    stream = ChatToAnthropic("m")
    for chunk in chunks if isinstance(chunks, list) else [chunks]:
        stream.feed(chunk)
    stream.end()


def completion_chunks(chunks: Any) -> None:
    for chunk in chunks if isinstance(chunks, list) else [chunks]:
        completions.chunk_from_chat(chunk)


def to_adaptive(body: Any) -> None:
    anthropic_requests.from_chat(body, adaptive_thinking=True)


CASES: list[tuple[Callable[[Any], Any], str]] = [
    (anthropic_requests.to_chat, "anthropic_request_to_chat"),
    (anthropic_requests.from_chat, "chat_request_to_anthropic"),
    (to_adaptive, "chat_request_to_anthropic"),
    (anthropic_answers.to_chat, "anthropic_answer_to_chat"),
    (lambda body: anthropic_answers.from_chat(body, "m"), "chat_answer_to_anthropic"),
    (stream_to_chat, "anthropic_stream_to_chat"),
    (stream_to_anthropic, "chat_stream_to_anthropic"),
    (completions.to_chat, "completion"),
    (completions.from_chat, "chat_answer_to_anthropic"),
    (completion_chunks, "chat_stream_to_anthropic"),
]


@pytest.mark.parametrize(("translate", "name"), CASES)
def test_a_wrong_type_anywhere_is_untranslatable_or_harmless(translate: Callable[[Any], Any], name: str) -> None:
    for path in paths(GIVEN[name]):
        for junk in JUNK:
            with contextlib.suppress(Untranslatable):
                translate(put(GIVEN[name], path, junk))
        with contextlib.suppress(Untranslatable):
            translate(put(GIVEN[name], path, junk=None, remove=True))


def test_leaving_extensions_out_never_fails() -> None:
    for path in paths(GIVEN["chat_request_to_anthropic"])[1:]:
        for junk in JUNK:
            without_extensions(put(GIVEN["chat_request_to_anthropic"], path, junk))


def test_the_error_names_the_field_and_is_the_clients() -> None:
    with pytest.raises(Untranslatable) as caught:
        anthropic_requests.to_chat({"messages": [{"role": "user", "content": [{"type": "x" * 10_000}]}]})
    assert (caught.value.status, caught.value.param) == (400, "messages.0.content.0.type")
    assert len(str(caught.value)) < 200
