"""LiteLLM's named groups of routes, as path templates: what `allowed_routes` may name beside paths.

Facts only; matching is in `routes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType


def _forms(*paths: str) -> tuple[str, ...]:
    """Each path bare and under `/v1`."""
    return tuple(form for path in paths for form in (path, f"/v1{path}"))


def _for_models(*paths: str) -> tuple[str, ...]:
    """Each path bare, under `/v1`, and in the engine and Azure forms."""
    engines = tuple(f"{base}{path}" for path in paths for base in ("/engines/{model:path}", _AZURE))
    return _forms(*paths) + engines


_AZURE = "/openai/deployments/{model:path}"
_MODELS = _forms("/models", "/models/{model:path}")
_OPENAI = (
    *_for_models("/chat/completions", "/completions", "/embeddings"),
    *_forms("/images/generations", "/images/edits", "/audio/transcriptions", "/audio/speech", "/moderations"),
    *_forms("/batches", "/batches/{id}", "/batches/{id}/cancel", "/files", "/files/{id}", "/files/{id}/content"),
    *_forms("/fine_tuning/jobs", "/fine_tuning/jobs/{id}", "/fine_tuning/jobs/{id}/cancel"),
    *_forms("/assistants", "/assistants/{id}", "/threads", "/threads/{id}", "/threads/{id}/messages"),
    *_forms("/threads/{id}/runs", "/videos", "/videos/{id}", "/videos/{id}/content", "/videos/{id}/remix"),
    *_forms("/responses", "/responses/{id}", "/responses/{id}/input_items", "/responses/{id}/cancel"),
    *_forms("/responses/input_tokens", "/responses/compact", "/realtime", "/realtime/{what:path}", "/rerank"),
    *_forms("/vector_stores", "/vector_stores/{rest:path}", "/containers", "/containers/{rest:path}", "/ocr"),
    *_forms("/search", "/search/{tool}"),
    *(f"/openai/v1{path}" for path in ("/responses", "/responses/{rest:path}", "/realtime", "/realtime/{rest:path}")),
    "/v2/rerank",
    *_MODELS,
    "/utils/token_counter",
    "/utils/model_info",
    "/utils/transform_request",
)
_ANTHROPIC = ("/v1/messages", "/v1/messages/count_tokens", "/v1/skills", "/v1/skills/{id}", "/api/event_logging/batch")
_GOOGLE = tuple(
    f"{base}/{{model:path}}:{verb}"
    for base in ("/v1beta/models", "/models")
    for verb in ("generateContent", "streamGenerateContent", "countTokens")
)
_RELAYED = (
    *("/anthropic", "/assemblyai", "/azure", "/azure_ai", "/bedrock", "/cohere", "/cursor", "/deepgram", "/fal_ai"),
    *("/gemini", "/langfuse", "/milvus", "/mistral", "/nvidia_nim", "/openai", "/openai_passthrough", "/openrouter"),
    *("/vertex-ai", "/vertex_ai", "/vllm", "/watsonx"),
)
_PASSED_THROUGH = tuple(form for name in _RELAYED for form in (name, f"{name}/{{rest:path}}"))
_MCP_CALLS = (
    "/mcp",
    "/mcp/{rest:path}",
    "/{server}/mcp",
    "/toolset/{name}/mcp",
    "/mcp-rest/tools/list",
    "/mcp-rest/tools/call",
    "/v1/mcp/tools",
)
_MCP_MANAGEMENT = ("/v1/mcp/server", "/v1/mcp/server/{rest:path}")
_AGENT_CALLS = ("/a2a/{agent}", "/a2a/{agent}/{rest:path}", "/v1/a2a/{agent}/{rest:path}")
_AGENT_MANAGEMENT = ("/v1/agents", "/v1/agents/{rest:path}")
_OWN_CALLS = ("/routeiq/v1/route", "/routeiq/v1/feedback")
_LLM_WITHOUT_MCP = (
    *_OPENAI,
    *_ANTHROPIC,
    *_GOOGLE,
    *_PASSED_THROUGH,
    "/guardrails/apply_guardrail",
    *_AGENT_CALLS,
    "/model/info",
    "/v1/model/info",
    "/model_group/info",
    *_OWN_CALLS,
)
_INFO = (
    "/key/info",
    "/v2/key/info",
    "/key/list",
    "/key/aliases",
    "/key/health",
    "/team/info",
    "/team/list",
    "/v2/team/list",
    "/team/available",
    "/organization/list",
    "/user/info",
    "/v2/user/info",
    "/model/info",
    "/v1/model/info",
    "/v2/model/info",
    "/model_group/info",
    "/health",
    "/health/services",
    *_MODELS,
    "/routeiq/v1/me",
)
_KEYS = (
    "/key/generate",
    "/key/service-account/generate",
    "/key/update",
    "/key/bulk_update",
    "/key/delete",
    "/key/info",
    "/v2/key/info",
    "/key/list",
    "/key/aliases",
    "/key/block",
    "/key/unblock",
    "/key/regenerate",
    "/key/{key}/regenerate",
    "/key/{key}/reset_spend",
    "/team/daily/activity",
    "/spend/logs",
    "/spend/logs/v2",
)
_MANAGEMENT = (
    *_KEYS,
    *(f"/user/{what}" for what in ("new", "update", "bulk_update", "delete", "info", "list", "daily/activity")),
    "/v2/user/info",
    "/user/available_roles",
    *(f"/team/{what}" for what in ("new", "update", "delete", "info", "list", "block", "unblock", "available")),
    *(f"/team/{what}" for what in ("permissions_list", "permissions_update", "model/add", "model/delete")),
    *(f"/team/{what}" for what in ("member_add", "member_delete", "member_update", "bulk_member_add")),
    "/team/{team:path}/callback",
    "/v2/team/list",
    *(f"/organization/{what}" for what in ("new", "update", "delete", "info", "list")),
    *(f"/organization/{what}" for what in ("member_add", "member_update", "member_delete")),
    *(f"/model/{what}" for what in ("new", "update", "delete", "info", "block", "unblock", "{id}/update")),
    "/v1/model/info",
    "/v2/model/info",
    *(f"/{kind}/{{rest:path}}" for kind in ("budget", "customer", "end_user", "tag", "access_group")),
    "/v1/access_group",
    "/v1/access_group/{rest:path}",
    "/credentials",
    "/credentials/{rest:path}",
    *_MCP_MANAGEMENT,
    *_AGENT_MANAGEMENT,
    *(f"/routeiq/v1/{what}{rest}" for what in ("policies", "roles", "bindings") for rest in ("", "/{rest:path}")),
    "/routeiq/v1/me",
)
_SPEND = ("/spend/{rest:path}",)
_GLOBAL_SPEND = ("/global/spend", "/global/spend/{rest:path}", "/global/activity", "/global/activity/{rest:path}")
_ORGANIZATION_ADMIN_ONLY = tuple(path for path in _MANAGEMENT if path.startswith("/organization/"))


def _groups() -> Iterable[tuple[str, tuple[str, ...]]]:
    llm = (*_LLM_WITHOUT_MCP, *_MCP_CALLS)
    yield "openai_routes", _OPENAI
    yield "anthropic_routes", _ANTHROPIC
    yield "google_routes", _GOOGLE
    yield "mapped_pass_through_routes", _PASSED_THROUGH
    yield "passthrough_routes_wildcard", _PASSED_THROUGH
    yield "apply_guardrail_routes", ("/guardrails/apply_guardrail",)
    yield "mcp_inference_routes", _MCP_CALLS
    yield "mcp_management_routes", _MCP_MANAGEMENT
    yield "mcp_routes", (*_MCP_CALLS, *_MCP_MANAGEMENT)
    yield "agent_inference_routes", _AGENT_CALLS
    yield "agent_management_routes", _AGENT_MANAGEMENT
    yield "agent_routes", (*_AGENT_CALLS, *_AGENT_MANAGEMENT)
    yield "model_info_routes", ("/model/info", "/v1/model/info", "/model_group/info")
    yield "llm_api_routes", llm
    yield "llm_api_routes_without_mcp", _LLM_WITHOUT_MCP
    yield "info_routes", _INFO
    yield "key_management_routes", _KEYS
    yield "management_routes", _MANAGEMENT
    yield "spend_tracking_routes", _SPEND
    yield "global_spend_tracking_routes", _GLOBAL_SPEND
    yield "org_admin_only_routes", _ORGANIZATION_ADMIN_ONLY
    yield "org_admin_allowed_routes", (*_MANAGEMENT, *_INFO, *_SPEND)
    yield "internal_user_routes", (*_KEYS, *_SPEND, *_GLOBAL_SPEND, "/tag/list")
    yield "internal_user_view_only_routes", (*_SPEND, "/tag/list")
    yield "master_key_only_routes", ("/global/spend/reset",)
    yield "public_routes", ("/routes", "/", "/health/liveliness", "/health/liveness", "/test")


GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(dict(_groups()))
KEY_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "llm_api": ("llm_api_routes",),
        "management": ("management_routes",),
        "read_only": ("info_routes",),
        "default": (),
    }
)
"""What a key of a type may call; an empty tuple does not narrow it."""
