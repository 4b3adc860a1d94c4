"""`routeiq.sign_in.v1`: somebody signed in with a browser, signed out, or was not let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class SignInV1(Contract, name="routeiq.sign_in.v1"):
    """One step of a browser session. Told before the browser hears of it."""

    event_id: str
    """Unique: the request id with a suffix."""
    timestamp_utc: str
    """When it happened, ISO 8601."""
    request_id: str
    """The request that carried it."""
    step: Literal["signed_in", "signed_out", "refused"]
    """What happened."""
    principal: str | None
    """The caller's id; null when nobody was let in."""
    user: str | None
    """The user."""
    team: str | None
    """The team that counts now."""
    client: str | None
    """The client's address."""
    reason: str | None = None
    """Why somebody was not let in, as the browser was told."""
