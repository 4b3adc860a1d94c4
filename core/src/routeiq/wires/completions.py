"""Legacy text completions: their requests to chat, and chat answers and chunks back to them.

A chat request never becomes a completion: that would take the model's own template.
"""

from __future__ import annotations

from typing import Any

from routeiq.wires.reading import Untranslatable, as_list, as_object, as_text

_SAME = (
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "stream",
    "stream_options",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "seed",
    "user",
)
_FINISH_REASONS = ("stop", "length", "content_filter")


def to_chat(request: dict[str, Any]) -> dict[str, Any]:
    """A chat request with the prompt as its one user message. Raises `Untranslatable`."""
    for name in ("suffix", "echo", "logprobs"):
        # `logprobs: 0` still asks for the chosen token's own.
        if as_object(request, "body").get(name) not in (None, "") and request[name] is not False:
            raise Untranslatable(name, "this has no equivalent on the chat wire")
    if request.get("best_of") not in (None, 1):
        raise Untranslatable("best_of", "only one candidate has an equivalent on the chat wire")
    chat = {name: request[name] for name in _SAME if request.get(name) is not None}
    chat["messages"] = [{"role": "user", "content": _prompt(request.get("prompt"))}]
    return chat


def _prompt(value: object) -> str:
    if isinstance(value, str):
        return value
    prompts = as_list(value, "prompt")
    if len(prompts) != 1 or not isinstance(prompts[0], str):
        raise Untranslatable("prompt", "a string, or an array of one string, is expected; token ids have no equivalent")
    return prompts[0]


def from_chat(completion: dict[str, Any]) -> dict[str, Any]:
    """The text completion for a chat completion."""
    choices = []
    for place, value in enumerate(as_list(as_object(completion, "body").get("choices"), "choices")):
        param = f"choices.{place}"
        choice = as_object(value, param)
        said = as_object(choice.get("message"), f"{param}.message").get("content")
        text = "" if said is None else as_text(said, f"{param}.message.content")
        choices.append(_choice(choice, place, text, _finish(choice) or "stop"))
    return _envelope(completion, choices)


def chunk_from_chat(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """The text completion chunk for a chat chunk, or None when it says nothing on this wire."""
    choices = []
    for place, value in enumerate(as_list(as_object(chunk, "body").get("choices"), "choices")):
        choice = as_object(value, f"choices.{place}")
        delta = choice.get("delta")
        said = None if delta is None else as_object(delta, f"choices.{place}.delta").get("content")
        text = "" if said is None else as_text(said, f"choices.{place}.delta.content")
        finish = _finish(choice)
        if text or finish is not None:
            choices.append(_choice(choice, place, text, finish))
    if not choices and chunk.get("usage") is None:
        return None
    return _envelope(chunk, choices)


def _finish(choice: dict[str, Any]) -> str | None:
    reason = choice.get("finish_reason")
    if reason is None:
        return None
    return reason if reason in _FINISH_REASONS else "stop"


def _choice(choice: dict[str, Any], place: int, text: str, finish: str | None) -> dict[str, Any]:
    index = choice.get("index", place)
    return {
        "index": index if isinstance(index, int) else place,
        "text": text,
        "logprobs": None,
        "finish_reason": finish,
    }


def _envelope(source: dict[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any]:
    created = source.get("created")
    body: dict[str, Any] = {
        "id": as_text(source.get("id", ""), "id"),
        "object": "text_completion",
        "created": created if isinstance(created, int) else 0,
        "model": as_text(source.get("model", ""), "model"),
        "choices": choices,
    }
    if source.get("usage") is not None:
        body["usage"] = source["usage"]
    return body
