"""Names of spans, attributes, events and metrics: the GenAI and HTTP conventions' words and RouteIQ's own.

A test compares the conventions' words with the package that publishes them. How values are found is not known here.
"""

from __future__ import annotations

from typing import Final

ERROR_TYPE: Final = "error.type"
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
CLIENT_ADDRESS: Final = "client.address"
USER_HASH: Final = "user.hash"
END_USER: Final = "enduser.pseudo.id"

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE: Final = "service.instance.id"
HOST_NAME: Final = "host.name"
PROCESS_PID: Final = "process.pid"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_CHOICES: Final = "gen_ai.request.choice.count"
REQUEST_STOP: Final = "gen_ai.request.stop_sequences"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOOL_NAME: Final = "gen_ai.tool.name"
PROMPT_NAME: Final = "gen_ai.prompt.name"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_VERSION: Final = "gen_ai.agent.version"
CONVERSATION: Final = "gen_ai.conversation.id"
MCP_METHOD: Final = "mcp.method.name"
MCP_VERSION: Final = "mcp.protocol.version"
MCP_SESSION: Final = "mcp.session.id"
MCP_RESOURCE: Final = "mcp.resource.uri"
JSONRPC_ID: Final = "jsonrpc.request.id"
RPC_STATUS: Final = "rpc.response.status_code"
NETWORK_TRANSPORT: Final = "network.transport"
NETWORK_PROTOCOL: Final = "network.protocol.name"
A2A_METHOD: Final = "a2a.method"
A2A_VERSION: Final = "a2a.protocol.version"
A2A_TASK: Final = "a2a.task.id"
A2A_TASK_STATE: Final = "a2a.task.state"

TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105
OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
TIME_TO_FIRST_TOKEN: Final = "gen_ai.server.time_to_first_token"  # noqa: S105
TIME_PER_OUTPUT_TOKEN: Final = "gen_ai.server.time_per_output_token"  # noqa: S105
TOKENS_PER_SECOND: Final = "gen_ai.client.tokens_per_second"
MCP_SERVER_DURATION: Final = "mcp.server.operation.duration"
MCP_CLIENT_DURATION: Final = "mcp.client.operation.duration"
MCP_SERVER_SESSION: Final = "mcp.server.session.duration"
MCP_CLIENT_SESSION: Final = "mcp.client.session.duration"

REQUEST_ID: Final = "routeiq.request_id"
ACTION: Final = "routeiq.action"
SURFACE: Final = "routeiq.surface"
STAGE: Final = "routeiq.stage"
GROUP: Final = "routeiq.model_group"
DEPLOYMENT: Final = "routeiq.deployment"
PRINCIPAL: Final = "routeiq.principal.hash"
KEY_ALIAS: Final = "routeiq.key_alias"
TEAM: Final = "routeiq.team"
ORGANIZATION: Final = "routeiq.organization"
TAGS: Final = "routeiq.tags"
CONFIG: Final = "routeiq.config"
COST: Final = "routeiq.cost_usd"
OVERHEAD: Final = "routeiq.overhead_ms"
LATENCY: Final = "routeiq.latency_ms"
ERROR_MESSAGE: Final = "routeiq.error"
STORE: Final = "routeiq.store"
FALLBACK: Final = "routeiq.fallback"
ATTEMPTS: Final = "routeiq.attempts"
ATTEMPT_NUMBER: Final = "routeiq.attempt.number"
ATTEMPT_KIND: Final = "routeiq.attempt.kind"
ESTIMATED: Final = "routeiq.usage.estimated"
PLUGIN: Final = "routeiq.plugin"
HOOK: Final = "routeiq.hook"
RULING_ACTION: Final = "routeiq.ruling.action"
RULING_REASON: Final = "routeiq.ruling.reason"
STATUS: Final = "routeiq.status"
STRATEGY: Final = "routeiq.strategy"
WORKER: Final = "routeiq.worker"
WHAT: Final = "routeiq.what"
UPSTREAM: Final = "routeiq.upstream"
UPSTREAM_ERA: Final = "routeiq.upstream_era"
VIRTUAL_SERVER: Final = "routeiq.virtual_server"
AUTH_MODE: Final = "routeiq.auth_mode"
TOOL_OUTCOME: Final = "routeiq.tool.outcome"

ROUTER_STRATEGY: Final = "router.strategy"
ROUTER_VERSION: Final = "router.strategy_version"
ROUTER_MODEL: Final = "router.model_selected"
ROUTER_SCORE: Final = "router.score"
ROUTER_CANDIDATES: Final = "router.candidates_evaluated"
ROUTER_LATENCY: Final = "router.latency_ms"
ROUTER_OUTCOME: Final = "router.decision_outcome"
ROUTER_REASON: Final = "router.decision_reason"
ROUTER_ERROR_TYPE: Final = "router.error_type"
ROUTER_ERROR_MESSAGE: Final = "router.error_message"
ROUTER_FALLBACK: Final = "router.fallback_triggered"

DECISION_EVENT: Final = "routeiq.router_decision.v1"
DECISION_PAYLOAD: Final = "routeiq.router_decision.payload"
GUARD_EVENT: Final = "routeiq.guard.v1"
ADMISSION_EVENT: Final = "routeiq.admission.v1"
REQUEST_EVENT: Final = "routeiq.request"

OPERATIONS: Final = {
    "chat:create": "chat",
    "completion:create": "text_completion",
    "embedding:create": "embeddings",
}
"""What a route's action is in the conventions."""

TOOL_OPERATIONS: Final = {"mcp": "execute_tool", "a2a": "invoke_agent"}
"""What a call by each protocol is in the conventions."""

PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "sagemaker": "aws.sagemaker",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "watsonx": "ibm.watsonx.ai",
    "text-completion-openai": "openai",
    "cohere_chat": "cohere",
}
"""Providers whose name in the conventions is another one than LiteLLM's."""


def operation(action: str) -> str:
    """What a request does, in the conventions' word."""
    return OPERATIONS.get(action, "chat")


def provider(name: str | None) -> str | None:
    """The provider's name in the conventions; nothing of none."""
    return None if name is None else PROVIDERS.get(name, name)
