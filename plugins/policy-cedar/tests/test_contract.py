"""What every plugin promises, inherited from the SDK."""

from __future__ import annotations

from routeiq_policy_cedar.plugin import PolicyCedar
from routeiq_sdk.testing import PluginContract


class TestPolicyCedar(PluginContract):
    plugin = PolicyCedar
    name = "policy-cedar"
    config = {"default": "deny", "actions": ["report:create"]}
