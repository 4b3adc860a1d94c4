"""The answer of a health check.

Probes and their routes belong to the core.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """`status` is `ok`, `degraded` (serves, with less) or `down` (readiness fails); `reason` says why in one
    sentence."""

    status: str = "ok"
    reason: str = ""
