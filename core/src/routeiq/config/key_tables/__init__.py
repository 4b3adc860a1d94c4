"""The tables of all LiteLLM keys that the gateway knows, one module a section.

Data only: what a key means to the start is `routeiq.config.classify`'s.
"""

from __future__ import annotations

from routeiq.config.key_tables.general_settings import GENERAL_SETTINGS
from routeiq.config.key_tables.guardrails import GUARDRAIL_PARAMS, GUARDRAIL_ROW
from routeiq.config.key_tables.litellm_settings import LITELLM_SETTINGS
from routeiq.config.key_tables.mcp import MCP_SERVER
from routeiq.config.key_tables.model_list import LITELLM_PARAMS, MODEL_INFO
from routeiq.config.key_tables.router_settings import ROUTER_SETTINGS
from routeiq.config.key_tables.top import CREDENTIAL_ROW, MODEL_ROW, TOP

TABLES = {
    table.section: table
    for table in (
        TOP,
        MODEL_ROW,
        LITELLM_PARAMS,
        MODEL_INFO,
        ROUTER_SETTINGS,
        LITELLM_SETTINGS,
        GENERAL_SETTINGS,
        GUARDRAIL_ROW,
        GUARDRAIL_PARAMS,
        MCP_SERVER,
        CREDENTIAL_ROW,
    )
}
"""Every table by the path of its section; `[]` stands for any row, `*` for any name."""

__all__ = [
    "CREDENTIAL_ROW",
    "GENERAL_SETTINGS",
    "GUARDRAIL_PARAMS",
    "GUARDRAIL_ROW",
    "LITELLM_PARAMS",
    "LITELLM_SETTINGS",
    "MCP_SERVER",
    "MODEL_INFO",
    "MODEL_ROW",
    "ROUTER_SETTINGS",
    "TABLES",
    "TOP",
]
