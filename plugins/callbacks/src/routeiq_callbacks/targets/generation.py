"""A request in Langfuse's terms: its trace, and the generation in it.

How these go over the wire is told in `langfuse_events` and `langfuse_spans`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from routeiq_callbacks.config import LangfuseTarget
from routeiq_callbacks.finished import Finished
from routeiq_callbacks.payload import MASKED, Payload, first_byte, session_of, without_keys

_MOST_TAGS = 50


class Generation:
    """What Langfuse is told of one request. Ids follow from the request's own, so what is told twice is there once."""

    def __init__(self, finished: Finished, config: LangfuseTarget, *, texts: bool) -> None:
        record, payload = finished.record, finished.payload
        self._finished = finished
        self._config = config
        self.request_id = record.request_id
        self.start = record.at / 1e9
        self.end = self.start + record.latency_ms / 1000
        self.first = first_byte(record)
        wish = finished.wishes.get
        told = wish("existing_trace_id")
        self.continues = told is not None
        """Whether the client began the trace itself, so that nothing of it is to be set."""
        own = record.trace.trace_id if record.trace is not None else record.request_id
        self.trace_id = told or wish("trace_id") or own
        self.id = wish("generation_id") or record.request_id
        self.parent_id = wish("parent_observation_id")
        called = f"routeiq-{record.surface}"
        self.trace_name = wish("trace_name") or called
        self.name = wish("generation_name") or called
        self.session = session_of(finished)
        self.user = wish("trace_user_id") or record.end_user or _unless_masked(payload, "user_api_key_user_id")
        self.environment = config.environment
        self.release = wish("trace_release") or config.release
        self.trace_version = wish("trace_version") or wish("version")
        self.version = wish("version")
        self.tags = list(self._tags())
        self.model = payload.get("model") or record.model
        self.parameters = {name: _plain(value) for name, value in finished.parameters.items()}
        self.failed = not finished.ok
        self.status_message = without_keys(record.error) if self.failed else None
        self.input = payload.get("messages") if texts else None
        self.output = _said(payload.get("response")) if texts else None
        self.usage = _usage(finished)
        self.cost = {"total": record.cost / 1e9} if record.cost is not None else None
        self.metadata: Payload = {
            **{name: value for name, value in payload.get("metadata", {}).items() if value is not None},
            **{name: payload[name] for name in ("call_type", "model_group", "model_id", "routeiq") if name in payload},
            "litellm_call_id": record.request_id,
        }

    def _tags(self) -> Iterator[str]:
        yield from self._config.tags
        yield from self._finished.record.tags[:_MOST_TAGS]
        metadata = self._finished.payload.get("metadata", {})
        for name in self._config.default_tags:
            if name == "cache_hit":
                yield "cache_hit:False"
            elif name == "proxy_base_url":
                if os.environ.get("PROXY_BASE_URL"):
                    yield f"proxy_base_url:{os.environ['PROXY_BASE_URL']}"
            elif isinstance(value := metadata.get(name), str | int | float) and value != MASKED:
                yield f"{name}:{value}"


def _usage(finished: Finished) -> dict[str, int]:
    """Tokens, each counted once: Langfuse prices every kind on its own."""
    usage = finished.record.usage
    if usage is None:
        return {}
    told = {
        "input": max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens),
        "output": max(0, usage.output_tokens - usage.reasoning_tokens),
        "total": usage.total_tokens,
    }
    parts = {
        "input_cached_tokens": usage.cached_tokens,
        "input_cache_creation": usage.cache_write_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
    }
    return told | {name: count for name, count in parts.items() if count}


def _said(answer: Any) -> Any:
    """The message in a chat completion; other answers as they are."""
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    if isinstance(choices, list) and len(choices) == 1 and isinstance(choices[0], Mapping):
        return choices[0].get("message") or choices[0].get("text") or answer
    return answer


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _unless_masked(payload: Payload, name: str) -> str | None:
    told = payload.get("metadata", {}).get(name)
    return told if told != MASKED else None
