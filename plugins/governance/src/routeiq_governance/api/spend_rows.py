"""Spend as LiteLLM's clients read it: rows of logs, sums by day, and the same as CSV.

Which rows a caller sees is decided by the handlers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from routeiq_governance.api.shapes import dollars, iso, timestamp, wrong
from routeiq_governance.ledger.reports import DAY, Within
from routeiq_sdk.values.http import HttpRequest, HttpResponse


def log_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """One request. `spend` is in dollars and exact to the nano-USD; `request_id` is the provider's id of its answer, as
    in LiteLLM, and the gateway's own where there was none."""
    ok = row["outcome"] == "ok"
    detail = row["detail"]
    first_byte = detail.get("first_byte_ms")
    return {
        "request_id": row["response_id"] or row["request_id"],
        "litellm_call_id": row["request_id"],
        "call_type": detail.get("surface"),
        "api_key": row["key_id"],
        "spend": dollars(row["cost"]),
        "spend_nano_usd": row["cost"],
        "overrun_nano_usd": row["overrun"],
        "total_tokens": row["input_tokens"] + row["output_tokens"],
        "prompt_tokens": row["input_tokens"],
        "completion_tokens": row["output_tokens"],
        "startTime": iso(row["at"]),
        "endTime": iso(row["ended_at"]),
        "completionStartTime": iso(row["at"] + int(first_byte * 1_000_000)) if first_byte is not None else None,
        "model": row["model"],
        "model_id": row["deployment_id"],
        "model_group": row["model_group"],
        "custom_llm_provider": row["provider"],
        "mcp_namespaced_tool_name": detail.get("tool") if row["provider"] == "mcp" else None,
        "user": row["user_id"] or "",
        "end_user": row["customer_id"] or "",
        "team_id": row["team_id"],
        "organization_id": row["organization_id"],
        "metadata": {
            "user_api_key": row["key_id"],
            "user_api_key_user_id": row["user_id"],
            "user_api_key_team_id": row["team_id"],
            "user_api_key_org_id": row["organization_id"],
            "status": "success" if ok else "failure",
            "attempts": row["attempts"],
            "estimated": row["estimated"],
            "price_version": row["price_version"],
            "error_information": None if ok else {"error_class": detail.get("error"), "error_code": row["status"]},
        },
        "cache_hit": "False",
        "cache_key": "",
        "session_id": None,
        "api_base": "",
        "request_tags": row["tags"],
        "requester_ip_address": detail.get("client"),
        "messages": {},
        "response": {},
        "status": "success" if ok else "failure",
    }


def day_row(sums: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One day from its sums by model."""
    return {
        "startTime": date_of(sums[0]["day"]),
        "spend": dollars(sum(row["cost"] for row in sums)),
        "models": {str(row["model"]): dollars(row["cost"]) for row in sums},
        "users": {},
    }


def metrics(row: Mapping[str, Any]) -> dict[str, Any]:
    """LiteLLM's metrics of a sum."""
    return {
        "spend": dollars(row["cost"]),
        "prompt_tokens": row["input_tokens"],
        "completion_tokens": row["output_tokens"],
        "total_tokens": row["input_tokens"] + row["output_tokens"],
        "api_requests": row["requests"],
        "successful_requests": row["succeeded"],
        "failed_requests": row["failed"],
    }


def date_of(day: int) -> str:
    """A day as `2026-01-31`."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(day))).date().isoformat()


def span_of(query: Mapping[str, str]) -> Within:
    """`start_date` and `end_date` (a day counts to its end), ISO dates or times. Raises `RequestError(400)`."""
    start = end = None
    if query.get("start_date"):
        start = timestamp("start_date", query["start_date"])
    if query.get("end_date"):
        text = query["end_date"]
        end = timestamp("end_date", text) + (DAY if len(text) == len("2026-01-31") else 1)
    if start is not None and end is not None and end < start:
        raise wrong("end_date", "is before start_date")
    return Within(start, end)


def tabular(request: HttpRequest, rows: Sequence[Mapping[str, Any]]) -> HttpResponse | None:
    """The rows as CSV, when the client asks for it (`format=csv`, or `accept: text/csv`)."""
    accepts = request.headers.get("accept") or ""
    if request.query.get("format") != "csv" and not accepts.startswith("text/csv"):
        return None
    out = io.StringIO()
    flat = [{name: value for name, value in row.items() if not isinstance(value, dict | list)} for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in row.items()} for row in flat)
    headers = {"content-disposition": 'attachment; filename="spend.csv"'}
    return HttpResponse(200, out.getvalue().encode(), headers, media_type="text/csv; charset=utf-8")


def _safe(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets a quote in front (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
