"""What an author of a RouteIQ plugin needs. Everything a plugin imports from RouteIQ comes from here.

Hook specifications are in `routeiq_sdk.hooks`, contract tests in `routeiq_sdk.testing`, event contracts
in `routeiq_sdk.events`, what sinks may keep of messages in `routeiq_sdk.messages`, rarer values in
`routeiq_sdk.values`.
"""

from routeiq_sdk.batches import BatchQueue
from routeiq_sdk.context import Context, Request
from routeiq_sdk.errors import (
    ConfigError,
    MetersLost,
    PluginError,
    RequestError,
    RouteIQError,
    SpoolFailed,
    SpoolFull,
    StoreUnavailable,
    WrongPhase,
)
from routeiq_sdk.filters import AsyncStreamFilter, StreamFilter, StreamMeter
from routeiq_sdk.gateway import Embedder, Gateway
from routeiq_sdk.hooks.marks import hookimpl
from routeiq_sdk.plugin import API_VERSION, FromLitellm, Need, Plugin, PluginConfig
from routeiq_sdk.secret import Secret
from routeiq_sdk.values.attempts import Attempt, Outcome
from routeiq_sdk.values.decision import Candidate, Decision
from routeiq_sdk.values.models import Deployment, ModelGroup, Price, Usage
from routeiq_sdk.values.principal import Principal
from routeiq_sdk.values.records import Event, Record
from routeiq_sdk.values.trace import TraceContext
from routeiq_sdk.values.verdict import Reject, Replace, Ruling, Stop
from routeiq_sdk.values.vitals import Vitals

__all__ = [
    "API_VERSION",
    "AsyncStreamFilter",
    "Attempt",
    "BatchQueue",
    "Candidate",
    "ConfigError",
    "Context",
    "Decision",
    "Deployment",
    "Embedder",
    "Event",
    "FromLitellm",
    "Gateway",
    "MetersLost",
    "ModelGroup",
    "Need",
    "Outcome",
    "Plugin",
    "PluginConfig",
    "PluginError",
    "Price",
    "Principal",
    "Record",
    "Reject",
    "Replace",
    "Request",
    "RequestError",
    "RouteIQError",
    "Ruling",
    "Secret",
    "SpoolFailed",
    "SpoolFull",
    "Stop",
    "StoreUnavailable",
    "StreamFilter",
    "StreamMeter",
    "TraceContext",
    "Usage",
    "Vitals",
    "WrongPhase",
    "hookimpl",
]
