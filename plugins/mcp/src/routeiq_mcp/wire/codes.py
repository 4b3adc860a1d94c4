"""JSON-RPC error codes of both eras, and the HTTP status that goes with each.

Which error is right when is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

REFUSED: Final = -32003
"""The gateway's own: who calls may not, or a guard objects. `data.status` says what it would be over HTTP."""
LIMITED: Final = -32005
"""The gateway's own: a quota, a rate or a budget is used up. `data.retryAfter` is in seconds."""
UNAVAILABLE: Final = -32004
"""The gateway's own: the server behind it is away, late, or not speaking the protocol."""

RESOURCE_NOT_FOUND: Final = -32002
"""Legacy only; the modern era says `INVALID_PARAMS`."""
URL_ELICITATION_REQUIRED: Final = -32042
"""2025-11-25 only."""
REQUEST_CANCELLED: Final = -32800
"""Legacy only: ends a stream whose request was cancelled. A modern client gets no answer then."""

HEADER_MISMATCH: Final = -32020
MISSING_CLIENT_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

HTTP_STATUS: Final[Mapping[int, int]] = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CLIENT_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
"""The HTTP status of an error that answers a modern request; 200 for the rest, and for all that answer a legacy one."""
