"""The top-level keys of the document, and the rows of small sections.

Key names and facts only.
"""

from __future__ import annotations

from routeiq.config.keys import KeyTable, neutral, protective, served

TOP = KeyTable(
    "",
    (
        served("model_list", "Deployments; rows with one `model_name` form a model group."),
        served("router_settings", "How deployments are chosen, retried and benched."),
        served("litellm_settings", "Settings of calls to providers."),
        served("general_settings", "Settings of the gateway: master key, sizes, routes."),
        served("environment_variables", "Variables that references in this document may name."),
        served("include", "Other files, merged into this one."),
        served("credential_list", "Named credentials that rows take by `litellm_credential_name`."),
        served("routeiq", "What LiteLLM has no word for."),
        protective("guardrails", "guard-external", "Checks on requests and answers; each row names its guard."),
        protective("policies", "guard-external", "Sets of guardrails with conditions."),
        protective("policy_attachments", "guard-external", "Which policies hold where.", part_of="policies"),
        neutral("prompts", "Prompt templates kept by the gateway."),
        neutral("mcp_servers", "MCP servers behind the gateway.", "mcp"),
        neutral("mcp_tools", "Local functions offered as MCP tools.", "mcp"),
        neutral("mcp_aliases", "Other names of MCP servers.", "mcp"),
        neutral("agents", "A2A agents behind the gateway.", "a2a"),
        neutral("agent_list", "A2A agents behind the gateway.", "a2a"),
        neutral("callback_settings", "Options of callbacks, by callback.", "callbacks"),
        neutral("vector_store_registry", "Vector stores known to the gateway."),
        neutral("search_tools", "Search providers known to the gateway."),
        neutral("files_settings", "Credentials of the files routes."),
        neutral("finetune_settings", "Credentials of the fine-tuning routes."),
        neutral("assistant_settings", "Credentials of the assistants routes."),
        neutral("default_vertex_config", "Credentials of the Vertex pass-through."),
        neutral("pass_through_endpoints", "Paths that are relayed to other servers."),
        neutral("worker_registry", "Other gateways of a control plane."),
        neutral("plugins", "LiteLLM's plugin rows; ours are in `routeiq.plugins`."),
        neutral("sandbox_tools", "Sandboxes for code execution."),
    ),
)

MODEL_ROW = KeyTable(
    "model_list[]",
    (
        served("model_name", "The name clients ask for; may hold a `*` wildcard."),
        served("litellm_params", "Where and how the deployment is called."),
        served("model_info", "Facts about the deployment; extras are kept and echoed."),
    ),
)

CREDENTIAL_ROW = KeyTable(
    "credential_list[]",
    (
        served("credential_name", "The name that rows give in `litellm_credential_name`."),
        served("credential_values", "Parameters that such a row takes unless it has its own."),
        served("credential_info", "Facts about the credential, kept."),
    ),
)
