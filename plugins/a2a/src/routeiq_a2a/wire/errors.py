"""Errors in the words of each binding and version.

What is an error, and what its text says, is decided where it happens.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from a2a.utils.errors import (
    A2A_ERROR_MAPPING,
    JSON_RPC_ERROR_CODE_MAP,
    A2AError,
    InternalError,
    InvalidParamsError,
    JSONParseError,
)
from google.protobuf.json_format import ParseError
from pydantic import ValidationError

from routeiq_a2a.upstream.failures import AgentRefuses, AgentTimeout, AgentUnreachable
from routeiq_a2a.wire.versions import V0_3
from routeiq_sdk import RequestError, StoreUnavailable
from routeiq_sdk.values.delegation import ConsentNeeded

log = logging.getLogger(__name__)
_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_PROTOCOL, _GATEWAY = "a2a-protocol.org", "routeiq"
_INTERNAL, _REFUSED = -32603, -32000
_PATH = re.compile(r"Failed to parse (\w+) field|(?: at )\w+\.([\w.\[\]]*\w\]?)")
_LAST_OF_0_3 = -32007  # later codes came with 1.0
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of any kind. `code` is JSON-RPC's, `http` and `status` are those of HTTP+JSON."""

    code: int
    http: int
    status: str
    reason: str
    message: str
    domain: str = _PROTOCOL
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Mapping[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def details(self) -> list[Mapping[str, Any]]:
        """`google.rpc` details."""
        info = {"@type": _INFO, "reason": self.reason, "domain": self.domain, "metadata": dict(self.metadata)}
        details: list[Mapping[str, Any]] = [info]
        if self.violations:
            details.append({"@type": _BAD_REQUEST, "fieldViolations": list(self.violations)})
        return details

    def rpc(self, id: Any, version: str) -> Mapping[str, Any]:
        """A JSON-RPC answer."""
        if version == V0_3:
            code = self.code if self.code >= _LAST_OF_0_3 or self.code <= -32600 else _INTERNAL
            error: dict[str, Any] = {"code": code, "message": self.message}
            if self.metadata:
                error["data"] = dict(self.metadata)
        else:
            error = {"code": self.code, "message": self.message, "data": self.details}
        return {"jsonrpc": "2.0", "id": id, "error": error}

    def rest(self) -> Mapping[str, Any]:
        """A `google.rpc.Status` as HTTP+JSON has it."""
        return {"error": {"code": self.http, "status": self.status, "message": self.message, "details": self.details}}


def invalid(field: str, message: str) -> InvalidParamsError:
    """A parameter, by its name in JSON, that cannot be taken, and why."""
    return InvalidParamsError(message, {"errors": [{"field": field, "message": message}]} if field else None)


def problem(error: BaseException) -> Problem:
    """The error to tell a client. What nobody foresaw is told without its text."""
    if isinstance(error, ConsentNeeded):
        return Problem(
            _REFUSED,
            403,
            _STATUSES[403],
            "CONSENT_REQUIRED",
            f"{error} Open {error.url}, agree, and try again.",
            _GATEWAY,
            {"url": error.url},
        )
    if isinstance(error, RequestError):
        status = _STATUSES.get(error.status, "INTERNAL" if error.status >= 500 else "FAILED_PRECONDITION")
        reason = str(error.code or error.type or "refused").upper().replace("-", "_").replace(".", "_")
        return Problem(_REFUSED, error.status, status, reason, error.message, _GATEWAY, headers=error.headers)
    if isinstance(error, StoreUnavailable):
        return Problem(_INTERNAL, 503, _STATUSES[503], "STORE_UNAVAILABLE", "Try again in a moment.", _GATEWAY)
    if isinstance(error, (ParseError, ValidationError)):
        return _of_a2a(invalid(_field(error), f"The request does not fit: {_short(error)}"))
    if isinstance(error, A2AError):
        return _of_a2a(error)
    log.error("unexpected failure: %s", type(error).__name__, exc_info=error)
    return _of_a2a(InternalError())


def _of_a2a(error: A2AError) -> Problem:
    message = str(error.message)
    for ours, http, reason in _OURS:
        if isinstance(error, ours):
            return Problem(_INTERNAL, http, _STATUSES[http], reason, message, _GATEWAY)
    if isinstance(error, JSONParseError):
        return Problem(-32700, 400, _STATUSES[400], "INVALID_REQUEST", message)
    kind = next((each for each in type(error).__mro__ if each in A2A_ERROR_MAPPING), InternalError)
    mapping = A2A_ERROR_MAPPING[kind]
    data = error.data if isinstance(error.data, dict) else {}
    told = data.get("errors")
    violations = tuple(
        {"field": _camel(str(each.get("field", ""))), "description": str(each.get("message", ""))}
        for each in (told if isinstance(told, list) else ())
        if isinstance(each, dict)
    )
    metadata = {name: str(value) for name, value in data.items() if name != "errors"}
    return Problem(
        JSON_RPC_ERROR_CODE_MAP.get(kind, _INTERNAL),
        mapping.http_code,
        mapping.grpc_status,
        mapping.reason,
        message,
        metadata=metadata,
        violations=violations,
    )


def _camel(field: str) -> str:
    """A field of the protocol's messages by its name in JSON, which is what clients wrote."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), field)


def _field(error: BaseException) -> str:
    """The parameter of which the library's parser complains, as far as it says."""
    if isinstance(error, ValidationError):
        return ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])
    told = _PATH.findall(str(error))
    outer = ".".join(name for name, _ in told if name)
    return outer or next((path for _, path in told if path), "")


def _short(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)[:200]


_OURS = (
    (AgentUnreachable, 503, "AGENT_UNREACHABLE"),
    (AgentTimeout, 504, "AGENT_TIMEOUT"),
    (AgentRefuses, 502, "AGENT_REFUSES_CREDENTIALS"),
)
