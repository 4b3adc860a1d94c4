"""The OpenAI error shape, shared by all surfaces of that family.

Which error it is was decided before; see `routeiq.errors`.
"""

from __future__ import annotations

from typing import Any

import orjson

from routeiq.errors import OLD
from routeiq_sdk import RequestError


def error_object(error: RequestError, profile: str) -> dict[str, Any]:
    """`{"message", "type", "param", "code"}`; the code is the HTTP status as text, as LiteLLM has it."""
    param = error.param if error.param is not None or profile != OLD else "None"
    body: dict[str, Any] = {"message": error.message, "type": error.type, "param": param, "code": str(error.status)}
    if error.code is not None and error.code != str(error.status):
        body["provider_specific_fields"] = {"code": error.code}
    return body


def error_body(error: RequestError, profile: str) -> bytes:
    """The body of an error answer."""
    if error.code == "flat":
        return orjson.dumps({"error": error.message})
    return orjson.dumps({"error": error_object(error, profile)})


def stream_error(error: RequestError, profile: str) -> bytes:
    """One error event. No `[DONE]` follows, so that clients do not take the answer for complete."""
    return b"data: " + orjson.dumps({"error": error_object(error, profile)}) + b"\n\n"
