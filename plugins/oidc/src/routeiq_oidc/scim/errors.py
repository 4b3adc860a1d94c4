"""SCIM's errors (RFC 7644, section 3.12) and its media type.

What goes wrong is found elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from routeiq_sdk.values.http import HttpResponse

MEDIA_TYPE = "application/scim+json"
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimError(Exception):
    """An operation that cannot be done. `kind` is a `scimType` of RFC 7644, table 9."""

    def __init__(self, status: int, detail: str, kind: str | None = None) -> None:
        self.status = status
        self.detail = detail
        self.kind = kind
        super().__init__(detail)


def invalid(detail: str, kind: str = "invalidValue") -> ScimError:
    """A request that cannot be meant."""
    return ScimError(400, detail, kind)


def missing(what: str, id: str) -> ScimError:
    """Nothing there, or nothing that the caller may see."""
    return ScimError(404, f"{what} {id!r} does not exist")


def taken(what: str) -> ScimError:
    """Somebody else has it."""
    return ScimError(409, f"{what} is taken", "uniqueness")


def answer(value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A resource or a message."""
    return HttpResponse(status, json.dumps(value, separators=(",", ":")).encode(), headers or {}, MEDIA_TYPE)


def answer_error(error: ScimError, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An error in SCIM's shape."""
    body: dict[str, Any] = {"schemas": [_ERROR], "status": str(error.status), "detail": error.detail}
    if error.kind is not None:
        body["scimType"] = error.kind
    return answer(body, error.status, headers)
