"""The gateway's event contracts: versioned, typed, with a JSON Schema each.

A contract only grows: a field is never removed, renamed or given another meaning under the same version.
"""

from routeiq_sdk.events.admin import AdminV1
from routeiq_sdk.events.admission import AdmissionV1
from routeiq_sdk.events.attempt import AttemptV1
from routeiq_sdk.events.connection import ConnectionV1
from routeiq_sdk.events.contract import CONTRACTS, Contract
from routeiq_sdk.events.decision_v1 import RouterDecisionV1
from routeiq_sdk.events.decision_v2 import RouterDecisionV2
from routeiq_sdk.events.guard import GUARD_HOOKS, GuardV1
from routeiq_sdk.events.mcp_skill import McpSkillV1
from routeiq_sdk.events.mcp_tool import McpToolV1
from routeiq_sdk.events.of_record import events_of
from routeiq_sdk.events.sign_in import SignInV1
from routeiq_sdk.events.tool_call import ToolCallV1
from routeiq_sdk.events.tool_session import ToolSessionV1
from routeiq_sdk.events.usage import UsageV1
from routeiq_sdk.events.user import UserV1

__all__ = [
    "CONTRACTS",
    "GUARD_HOOKS",
    "AdminV1",
    "AdmissionV1",
    "AttemptV1",
    "ConnectionV1",
    "Contract",
    "GuardV1",
    "McpSkillV1",
    "McpToolV1",
    "RouterDecisionV1",
    "RouterDecisionV2",
    "SignInV1",
    "ToolCallV1",
    "ToolSessionV1",
    "UsageV1",
    "UserV1",
    "events_of",
]
