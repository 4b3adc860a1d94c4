"""`routeiq.user.v1`: a user was shut out: blocked or deleted by an administrator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from routeiq_sdk.events.contract import Contract


@dataclass(slots=True, kw_only=True)
class UserV1(Contract, name="routeiq.user.v1"):
    """One user who was shut out, told once that is written: whoever keeps something for users lets go of it.

    What provisioning does with users is told by `routeiq.scim.v1`.
    """

    event_id: str
    """Unique."""
    timestamp_utc: str
    """When it was written, ISO 8601."""
    what: Literal["blocked", "deleted"]
    """What was done."""
    user: str
    """The user's id."""
    by: str
    """Who did it: a user, else a credential's id."""
