"""Hook specifications, grouped by subject. pluggy holds them; the core compiles them once into the pipeline.

Each docstring says when a hook fires, what may be returned, and what a failure does.
"""

from __future__ import annotations

from routeiq_sdk.hooks.admission import AdmissionHooks
from routeiq_sdk.hooks.attempts import AttemptHooks
from routeiq_sdk.hooks.guards import GuardHooks
from routeiq_sdk.hooks.ledger import LedgerHooks
from routeiq_sdk.hooks.lifecycle import LifecycleHooks
from routeiq_sdk.hooks.marks import HookSpec, hookimpl, specs_of
from routeiq_sdk.hooks.routing import RoutingHooks
from routeiq_sdk.hooks.telemetry import TelemetryHooks
from routeiq_sdk.hooks.tools import ToolHooks

ALL = (
    LifecycleHooks,
    AdmissionHooks,
    GuardHooks,
    RoutingHooks,
    LedgerHooks,
    AttemptHooks,
    TelemetryHooks,
    ToolHooks,
)
SPECS: dict[str, HookSpec] = {spec.name: spec for group in ALL for spec in specs_of(group)}

__all__ = ["ALL", "SPECS", "HookSpec", "hookimpl"]
