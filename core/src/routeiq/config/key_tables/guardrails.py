"""Keys of `guardrails` rows, and which plugin does the work of each LiteLLM guardrail.

Key names and facts only.
"""

from __future__ import annotations

from routeiq.config.keys import Key, KeyTable, protective


def _part(name: str, description: str) -> Key:
    return protective(name, "guard-external", description, part_of="guardrail")


GUARDRAIL_ROW = KeyTable(
    "guardrails[]",
    (
        _part("guardrail_name", "The name of the guardrail."),
        _part("guardrail_id", "The id of the guardrail."),
        _part("litellm_params", "Which guard, when it runs, and its options."),
        _part("guardrail_info", "Facts about the guardrail, kept."),
        _part("policy_template", "The policy it belongs to."),
    ),
    open=True,
)

GUARDRAIL_PARAMS = KeyTable(
    "guardrails[].litellm_params",
    (
        _part("guardrail", "The guard: a known name."),
        _part("mode", "pre_call, during_call, post_call or logging_only; or a list of them."),
        _part("default_on", "Whether it runs on every request."),
        _part("api_key", "The key of the guard's service."),
        _part("api_base", "The address of the guard's service."),
        _part("model", "The model that judges."),
        _part("headers", "Headers sent to the guard's service."),
        _part("extra_headers", "Client headers handed to the guard's service."),
        _part("timeout", "Seconds the guard may take."),
        _part("mask_request_content", "Whether findings in requests are masked."),
        _part("mask_response_content", "Whether findings in answers are masked."),
        _part("fail_on_error", "Whether a guard that fails refuses the request."),
        _part("unreachable_fallback", "What happens when the guard's service is away."),
        _part("violation_message_template", "The text a refused client sees."),
        _part("categories", "What a content guard looks for."),
        _part("patterns", "Patterns of a content guard."),
        _part("blocked_words", "Words of a content guard."),
        _part("pii_entities_config", "What is done with each kind of personal data."),
        _part("presidio_*", "Options of the Presidio guard."),
        _part("additional_provider_specific_params", "Options of the guard's service."),
    ),
    open=True,
)

CUSTOM_CODE_PLUGIN = "litellm-hooks"
"""The adapter that would import `module.object` names. The core never does."""

GUARD_PLUGINS = {
    "presidio": "guard-pii",
    "hide-secrets": "guard-secrets",
    "hide_secrets": "guard-secrets",
    "detect_prompt_injection": "guard-injection",
    "lakera_prompt_injection": "guard-injection",
    "litellm_content_filter": "guard-content",
    "banned_keywords": "guard-content",
    "block_code_execution": "guard-content",
    "semantic_guard": "guard-content",
    "tool_permission": "mcp",
    "mcp_security": "mcp",
    "mcp_end_user_permission": "mcp",
    "mcp_jwt_signer": "mcp",
    "custom_code": CUSTOM_CODE_PLUGIN,
}
"""LiteLLM's guardrail names that a plugin's own code serves."""

SERVICES = frozenset(
    {
        "aim",
        "akto",
        "aporia",
        "azure/prompt_shield",
        "azure/text_moderations",
        "bedrock",
        "crowdstrike_aidr",
        "deepset_prompt_injection",
        "dynamoai",
        "enkryptai",
        "generic_guardrail_api",
        "google_model_armor",
        "gray_swan",
        "grayswan",
        "guardrails_ai",
        "hiddenlayer",
        "http",
        "ibm_guardrails",
        "javelin",
        "lakera",
        "lakera_v2",
        "lasso",
        "llama_guard",
        "llamaguard",
        "llm_judge",
        "model_armor",
        "noma",
        "noma_v2",
        "onyx",
        "openai_moderation",
        "pangea",
        "panw_prisma_airs",
        "pillar",
        "pointguardai",
        "prompt_security",
        "promptguard",
        "qualifire",
        "unified_guardrail",
        "xecguard",
        "zscaler_ai_guard",
    }
)
"""LiteLLM's guardrail names that call a service: `guard-external` does. Any other name is that of a plugin."""

PROTECTIVE_CALLBACKS = {
    "presidio": "guard-pii",
    "hide_secrets": "guard-secrets",
    "detect_prompt_injection": "guard-injection",
    "lakera_prompt_injection": "guard-injection",
    "banned_keywords": "guard-content",
    "blocked_user_check": "governance",
    "llamaguard_moderations": "guard-external",
    "llmguard_moderations": "guard-external",
    "google_text_moderation": "guard-external",
    "openai_moderations": "guard-external",
    "aporia_prompt_injection": "guard-external",
    "azure_content_safety": "guard-external",
    "dynamic_rate_limiter": "governance",
    "dynamic_rate_limiter_v3": "governance",
    "batch_rate_limiter": "governance",
    "max_budget_limiter": "governance",
    "parallel_request_limiter": "governance",
    "cache_control_check": "governance",
}
"""Callback names that check or limit requests; the others observe."""
