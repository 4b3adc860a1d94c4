"""Langfuse, through its ingestion API: a trace and a generation for each request.

Ids follow from the request's own, so a batch that is told twice leaves one trace.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from routeiq_callbacks.config import LangfuseTarget
from routeiq_callbacks.payload import Finished, iso
from routeiq_callbacks.targets.base import NotTaken, send
from routeiq_sdk import Gateway

_INGESTION = "/api/public/ingestion"
_PARTLY = 207
_WISHES = ("trace_name", "trace_user_id", "session_id", "generation_name")


class Langfuse:
    """One project."""

    def __init__(self, config: LangfuseTarget, *, operators: bool = True) -> None:
        self._url = config.host.rstrip("/") + _INGESTION
        self._tags = config.tags
        self._operators = operators
        pair = f"{config.public_key.reveal()}:{config.secret_key.reveal()}"
        self._headers = {
            "authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "content-type": "application/json",
        }
        self.name = f"langfuse:{config.host}"

    @property
    def origins(self) -> tuple[str, ...]:
        """The operator's own host; that of a tenant is not the operator's."""
        return (self._url,) if self._operators else ()

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> None:
        """Post a batch of events. Raises `NotTaken` when Langfuse refuses one of them for a reason that may pass."""
        events = [event for finished in batch for event in self._events(finished)]
        told = await send(gateway, "POST", self._url, self._headers, orjson.dumps({"batch": events}), (_PARTLY,))
        try:
            errors = orjson.loads(told).get("errors") or []
        except (orjson.JSONDecodeError, AttributeError):
            return
        if any(int(error.get("status", 0)) >= 500 for error in errors):
            raise NotTaken(f"{self._url} did not take {len(errors)} events")

    def _events(self, finished: Finished) -> Iterator[dict[str, Any]]:
        told, record = finished.payload, finished.record
        start, end = iso(told["startTime"]), iso(told["endTime"])
        wishes = _wishes(finished)
        metadata = {**told.get("metadata", {}), "routeiq": told.get("routeiq"), "call_type": told.get("call_type")}
        yield {
            "id": f"{record.request_id}-trace",
            "type": "trace-create",
            "timestamp": start,
            "body": {
                "id": told.get("trace_id"),
                "timestamp": start,
                "name": wishes.get("trace_name") or f"routeiq-{told.get('call_type')}",
                "userId": wishes.get("trace_user_id")
                or told.get("end_user")
                or told.get("metadata", {}).get("user_api_key_user_id"),
                "sessionId": wishes.get("session_id"),
                "tags": [*self._tags, *told.get("request_tags", ())],
                "input": told.get("messages"),
                "output": told.get("response"),
                "metadata": metadata,
            },
        }
        failed = told["status"] == "failure"
        first = told.get("completionStartTime")
        yield {
            "id": f"{record.request_id}-generation",
            "type": "generation-create",
            "timestamp": end,
            "body": {
                "id": record.request_id,
                "traceId": told.get("trace_id"),
                "name": wishes.get("generation_name") or f"routeiq-{told.get('call_type')}",
                "startTime": start,
                "endTime": end,
                "completionStartTime": iso(first) if first is not None else None,
                "model": told.get("model"),
                "modelParameters": {
                    name: value if isinstance(value, str | int | float | bool) else orjson.dumps(value).decode()
                    for name, value in (told.get("model_parameters") or {}).items()
                },
                "input": told.get("messages"),
                "output": told.get("response"),
                "usageDetails": {
                    "input": told.get("prompt_tokens", 0),
                    "output": told.get("completion_tokens", 0),
                    "total": told.get("total_tokens", 0),
                },
                "costDetails": {"total": told["response_cost"]} if told.get("response_cost") is not None else None,
                "level": "ERROR" if failed else "DEFAULT",
                "statusMessage": told.get("error_str") if failed else None,
                "metadata": metadata,
            },
        }


def _wishes(finished: Finished) -> dict[str, str]:
    """What the client wrote into its request's metadata about the trace, as LiteLLM's clients do."""
    asked = finished.ctx.asked
    told = asked.param("metadata") if asked is not None else None
    if not isinstance(told, Mapping):
        return {}
    return {name: value[:200] for name in _WISHES if isinstance(value := told.get(name), str)}
