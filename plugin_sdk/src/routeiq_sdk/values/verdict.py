"""What a gate may answer: reject, replace, stop. `None` always means "go on".

How a verdict looks on a client's wire is the surface's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_NOTED = 1_000
"""Rulings of one request after which those that refuse nothing are left out of its record."""


@dataclass(frozen=True, slots=True)
class Reject:
    """End the request with this status. The message reaches the client; keep secrets out of it.

    `retry_after` is in seconds and becomes the `retry-after` header.
    """

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replace:
    """Go on with this JSON body instead: of the request in `guard_request`, of the answer in `guard_response`.

    `reason` names the kinds of what was changed, for the record; it holds no text.
    """

    body: Mapping[str, Any]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """End a running stream with a typed error event. The text already sent stays sent."""

    reason: str
    type: str = "content_policy_violation"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a plugin objected at a gate, for the record. `action` is `reject`, `replace`, `stop`, `fail`, or `observe`
    (it found something and let it pass).

    `status` is the HTTP status of a refusal (0 otherwise), `reason` the type of its error: no text of prompts.
    """

    hook: str
    plugin: str
    action: str
    status: int = 0
    reason: str = ""
