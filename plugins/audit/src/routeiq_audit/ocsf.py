"""Audit lines as events of the Open Cybersecurity Schema Framework (OCSF 1.5): what SIEMs read.

Classes: API Activity (6003), Authentication (3002), Account Change (3001), Authorize Session (3003). The facts that the
schema has no word for stand under `unmapped`, unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from routeiq_audit.ocsf_classes import Classified, classified
from routeiq_audit.who import team_of, user_of

VERSION = "1.5.0"
_PRODUCT = {"name": "RouteIQ", "vendor_name": "RouteIQ"}
_CATEGORIES = {3: "Identity & Access Management", 6: "Application Activity"}
_CLASSES = {3001: "Account Change", 3002: "Authentication", 3003: "Authorize Session", 6003: "API Activity"}
_SEVERITIES = {1: "Informational", 2: "Low", 3: "Medium", 4: "High"}
_STATUSES = {0: "Unknown", 1: "Success", 2: "Failure"}
_USER_TYPES = {"user": (1, "User"), "admin": (2, "Admin"), "service": (4, "Service"), "key": (99, "Key")}
_UNKNOWN = "unknown"


def to_ocsf(line: Mapping[str, Any]) -> dict[str, Any]:
    """One OCSF event of one audit line (see `chain`). Its id is the audit event's, so that a receiver can drop what
    arrives twice."""
    event: Mapping[str, Any] = line["event"]
    kind = classified(str(line["name"]), event)
    told: dict[str, Any] = {
        "category_uid": kind.class_uid // 1000,
        "category_name": _CATEGORIES[kind.class_uid // 1000],
        "class_uid": kind.class_uid,
        "class_name": _CLASSES[kind.class_uid],
        "activity_id": kind.activity_id,
        "activity_name": kind.activity,
        "type_uid": kind.class_uid * 100 + kind.activity_id,
        "type_name": f"{_CLASSES[kind.class_uid]}: {kind.activity}",
        "time": _milliseconds(str(line["time"])),
        "severity_id": kind.severity_id,
        "severity": _SEVERITIES[kind.severity_id],
        "status_id": kind.status_id,
        "status": _STATUSES[kind.status_id],
        "message": kind.message,
        "metadata": _metadata(line, event),
        "src_endpoint": _endpoint(event),
        "unmapped": {
            "event": event,
            "class": line["class"],
            "stream": line["stream"],
            "hash": line["hash"],
            "prev": line["prev"],
        },
    }
    status = _status(event)
    if status:
        told["status_code"] = str(status)
    if kind.detail:
        told["status_detail"] = kind.detail
    caller = _caller(event)
    _WRITERS[kind.class_uid](told, event, kind, caller, status)
    return told


def _api_activity(told: dict[str, Any], event: Mapping[str, Any], kind: Classified, caller: Any, status: int) -> None:
    told["actor"] = {"user": caller, **_session(event)}
    api: dict[str, Any] = {
        "operation": kind.operation,
        "service": _service(),
        "request": {"uid": str(event.get("request_id") or event.get("event_id") or _UNKNOWN)},
    }
    if status:
        api["response"] = {"code": status}
        if kind.detail:
            api["response"]["error_message"] = kind.detail
    told["api"] = api
    told |= _http_request(event)
    if kind.resources:
        told["resources"] = [{"type": type, "name": name, "uid": name} for type, name in kind.resources]
    latency = event.get("reward", {}).get("latency_ms") if isinstance(event.get("reward"), Mapping) else None
    if isinstance(latency, int | float):
        told["duration"] = round(latency)


def _authentication(told: dict[str, Any], event: Mapping[str, Any], kind: Classified, caller: Any, status: int) -> None:
    told["user"] = caller
    told["service"] = _service()
    told["is_remote"] = True


def _account_change(told: dict[str, Any], event: Mapping[str, Any], kind: Classified, caller: Any, status: int) -> None:
    told["actor"] = {"user": caller, **_session(event)}
    type, name = kind.resources[0] if kind.resources else (_UNKNOWN, _UNKNOWN)
    told["user"] = _user(name, type)
    told |= _http_request(event)


def _authorize_session(
    told: dict[str, Any], event: Mapping[str, Any], kind: Classified, caller: Any, status: int
) -> None:
    told["actor"] = {"user": caller, **_session(event)}
    told["user"] = caller
    if kind.resources:
        told["privileges"] = [name for _, name in kind.resources]


_WRITERS = {3001: _account_change, 3002: _authentication, 3003: _authorize_session, 6003: _api_activity}


def _metadata(line: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "version": VERSION,
        "product": {**_PRODUCT, "version": _version()},
        "uid": line["id"],
        "event_code": line["name"],
        "log_name": "audit",
        "log_provider": "routeiq-audit",
        "original_time": line["time"],
        "sequence": line["seq"],
        "tenant_uid": line["tenant"],
        "labels": [f"class:{line['class']}"],
    }
    if event.get("request_id"):
        told["correlation_uid"] = event["request_id"]
    return told


def _caller(event: Mapping[str, Any]) -> dict[str, Any]:
    credential, team = event.get("principal"), team_of(event)
    told = _user(user_of(event) or credential or _UNKNOWN, event.get("principal_kind"))
    if credential:
        told["credential_uid"] = str(credential)
    if team:
        told["groups"] = [{"uid": str(team), "name": str(team), "type": "team"}]
    return told


def _user(name: Any, kind: Any) -> dict[str, Any]:
    type_id, type = _USER_TYPES.get(str(kind), (0, "Unknown") if kind in (None, _UNKNOWN) else (99, str(kind)))
    return {
        "name": str(name),
        "uid": str(name),
        "type_id": type_id,
        "type": type,
        "account": {"name": str(name), "uid": str(name), "type_id": 99, "type": "RouteIQ"},
    }


def _session(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"session": {"uid": event["trace_id"]}} if event.get("trace_id") else {}


def _service() -> dict[str, Any]:
    return {"name": "RouteIQ", "uid": "routeiq", "version": _version()}


def _http_request(event: Mapping[str, Any]) -> dict[str, Any]:
    method, route = event.get("method"), event.get("route")
    return {"http_request": {"http_method": method, "url": {"path": route}}} if method and route else {}


def _endpoint(event: Mapping[str, Any]) -> dict[str, Any]:
    client = event.get("client")
    return {"ip": str(client)} if client else {"name": _UNKNOWN}


def _status(event: Mapping[str, Any]) -> int:
    found = event.get("http_status", event.get("status"))
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


@cache
def _version() -> str:
    try:
        return version("routeiq-audit")
    except PackageNotFoundError:
        return _UNKNOWN
