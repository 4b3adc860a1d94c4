"""LiteLLM's guardrail names: which contract serves each, and which nobody serves here.

Names only.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Contract(StrEnum):
    """Whom a row asks, and how."""

    OPENAI = "openai_moderation"
    """OpenAI's moderation models, or who speaks their protocol."""
    GENERIC = "generic_guardrail_api"
    """A service that speaks LiteLLM's generic contract."""
    HTTP = "http"
    """A service that speaks the contract of this plugin."""
    LAKERA = "lakera_v2"
    """Lakera Guard."""
    APORIA = "aporia"
    """Aporia."""
    MODEL = "llama_guard"
    """A model of this gateway that judges as Llama Guard does."""


SERVED: Mapping[str, Contract] = {
    "openai_moderation": Contract.OPENAI,
    "generic_guardrail_api": Contract.GENERIC,
    "http": Contract.HTTP,
    "guard-external": Contract.HTTP,
    "lakera_v2": Contract.LAKERA,
    "aporia": Contract.APORIA,
    "llama_guard": Contract.MODEL,
    "llamaguard": Contract.MODEL,
}
"""`guard-external` with a `model` and without an `api_base` is `llama_guard`."""

NOT_SERVED = frozenset(
    {
        "aim",
        "akto",
        "azure/prompt_shield",
        "azure/text_moderations",
        "bedrock",
        "crowdstrike_aidr",
        "deepset_prompt_injection",
        "dynamoai",
        "enkryptai",
        "google_model_armor",
        "gray_swan",
        "grayswan",
        "guardrails_ai",
        "hiddenlayer",
        "ibm_guardrails",
        "javelin",
        "lakera",
        "lasso",
        "llm_judge",
        "model_armor",
        "noma",
        "noma_v2",
        "onyx",
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
"""Services whose rows are refused at start: a row that nobody enforces must not look as if somebody did."""
