"""Contract tests to inherit, one class a kind of plugin, and the fakes they run on. Needs pytest.

A running gateway is `routeiq-testkit`'s; nothing here opens a socket.
"""

from routeiq_sdk.testing.auth import AuthContract
from routeiq_sdk.testing.embedder import EmbedderContract
from routeiq_sdk.testing.fakes import (
    FakeGateway,
    FakeRequest,
    make_context,
    make_groups,
    make_record,
    make_request,
)
from routeiq_sdk.testing.guard import GuardContract
from routeiq_sdk.testing.plugin import PluginContract, call_hook, running
from routeiq_sdk.testing.services import FakeClock, FakeEgress, FakeSpool, FakeState
from routeiq_sdk.testing.sink import SinkContract
from routeiq_sdk.testing.strategy import StrategyContract

__all__ = [
    "AuthContract",
    "EmbedderContract",
    "FakeClock",
    "FakeEgress",
    "FakeGateway",
    "FakeRequest",
    "FakeSpool",
    "FakeState",
    "GuardContract",
    "PluginContract",
    "SinkContract",
    "StrategyContract",
    "call_hook",
    "make_context",
    "make_groups",
    "make_record",
    "make_request",
    "running",
]
