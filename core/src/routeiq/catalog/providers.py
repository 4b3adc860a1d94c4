"""The providers that speak a native wire, as a table: one row a provider. The rest go through litellm.

A provider with an OpenAI-compatible API is added here, by one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider is reached. `base_url` is `None` where the operator has to write `api_base`.

    `auth` is the header that carries the key: `bearer` (Authorization), `x-api-key`, or `api-key`.
    """

    wire: str
    base_url: str | None
    key_variable: str | None
    auth: str = "bearer"


FOREIGN = "plugin:"
"""What the wire of a provider that a plugin brings begins with; the provider's name follows."""

_OPENAI = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "text-completion-openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openai_like": (None, None),
    "custom_openai": (None, None),
    "hosted_vllm": (None, "HOSTED_VLLM_API_KEY"),
    "vllm": (None, None),
    "llamafile": ("http://127.0.0.1:8080/v1", None),
    "lm_studio": ("http://127.0.0.1:1234/v1", "LM_STUDIO_API_KEY"),
    "ollama_chat": ("http://127.0.0.1:11434/v1", None),
    "ollama": ("http://127.0.0.1:11434/v1", None),
    "xinference": ("http://127.0.0.1:9997/v1", None),
    "litellm_proxy": (None, "LITELLM_PROXY_API_KEY"),
    "cerebras": ("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "deepinfra": ("https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    "deepseek": ("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "fireworks_ai": ("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "hyperbolic": ("https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "moonshot": ("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "nebius": ("https://api.studio.nebius.ai/v1", "NEBIUS_API_KEY"),
    "novita": ("https://api.novita.ai/v3/openai", "NOVITA_API_KEY"),
    "nvidia_nim": ("https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "perplexity": ("https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    "sambanova": ("https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    "together_ai": ("https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    "volcengine": ("https://ark.cn-beijing.volces.com/api/v3", "VOLCENGINE_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
}

NATIVE = MappingProxyType(
    {name: Provider("openai", url, key) for name, (url, key) in _OPENAI.items()}
    | {
        "azure": Provider("openai", None, "AZURE_API_KEY", auth="api-key"),
        "anthropic": Provider("anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY", auth="x-api-key"),
    }
)
"""Provider name (the part before the first `/` of `litellm_params.model`) to how it is reached."""


def split_model(model: str, custom_provider: str | None) -> tuple[str, str]:
    """Provider and provider's model name of a `litellm_params.model`. A bare name is OpenAI's, `claude-...`
    Anthropic's."""
    if custom_provider:
        prefix = custom_provider + "/"
        return custom_provider, model.removeprefix(prefix)
    provider, slash, rest = model.partition("/")
    if slash:
        return provider, rest
    return ("anthropic" if model.startswith("claude") else "openai"), model
