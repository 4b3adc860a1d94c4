"""What went wrong, as an error of the client's era.

Texts come from whoever raised the error; nothing unexpected is told in detail.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from routeiq_mcp.door import consent
from routeiq_mcp.seams import Era, McpError
from routeiq_mcp.wire import codes, messages
from routeiq_sdk import RequestError, RouteIQError, StoreUnavailable

log = logging.getLogger(__name__)

_OVER_HTTP = (401, 403)


def refusal(error: BaseException) -> RequestError | None:
    """The error that is told by the HTTP status, as long as nothing was sent: who calls may not, or not yet."""
    return error if isinstance(error, RequestError) and error.status in _OVER_HTTP else None


def answer(id: messages.Id | None, error: BaseException, era: Era, method: str) -> dict[str, Any]:
    """The JSON-RPC error that answers request `id`."""
    fault = known(error)
    code = _translated(fault, era, method)
    return messages.error(id, code, fault.message, fault.data)


def known(error: BaseException) -> McpError:
    """Any error as one of the protocol."""
    if isinstance(error, McpError):
        return error
    if isinstance(error, RequestError):
        return _refused(error)
    if isinstance(error, StoreUnavailable):
        return McpError(codes.UNAVAILABLE, "the gateway's store is away; try again", {"retryAfter": 1})
    wanted = consent.pages(error)
    if wanted:
        links = ", ".join(page.url for page in wanted)
        asked = {"elicitations": [page.asked() for page in wanted]}
        return McpError(codes.REFUSED, f"the user has to agree first, at {links}", asked)
    if isinstance(error, RouteIQError):
        # Texts of these are for operators.
        log.error("an MCP request failed: %s", error)
    else:
        log.error("an MCP request failed unexpectedly: %s at %s", type(error).__name__, _place(error))
    return McpError(codes.INTERNAL_ERROR, "internal error")


def _place(error: BaseException) -> str:
    """Where it was raised. Its text is not told: it may hold what a client or a server sent."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return ", in ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)) or "no place"


def _refused(error: RequestError) -> McpError:
    data: dict[str, Any] = {"status": error.status, "type": error.type}
    if error.code is not None:
        data["code"] = error.code
    if error.param is not None:
        data["param"] = error.param
    retry = next((value for name, value in error.headers.items() if name.lower() == "retry-after"), None)
    if retry is not None:
        data["retryAfter"] = int(retry) if retry.isdigit() else retry
    if error.status == 429:
        code = codes.LIMITED
    elif error.status >= 500:
        code = codes.UNAVAILABLE
    else:
        code = codes.REFUSED
    return McpError(code, error.message, data)


def _translated(fault: McpError, era: Era, method: str) -> int:
    if era == "modern":
        if fault.code in (codes.RESOURCE_NOT_FOUND, codes.URL_ELICITATION_REQUIRED):
            return codes.INVALID_PARAMS if fault.code == codes.RESOURCE_NOT_FOUND else codes.REFUSED
        return fault.code
    if fault.code == codes.INVALID_PARAMS and method == "resources/read":
        gone = isinstance(fault.data, Mapping) and "uri" in fault.data
        return codes.RESOURCE_NOT_FOUND if gone else fault.code
    if codes.UNSUPPORTED_VERSION <= fault.code <= codes.HEADER_MISMATCH:
        return codes.INVALID_REQUEST
    return fault.code
