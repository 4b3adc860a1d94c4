"""The commented file that `routeiq init` writes, with a fresh master key beside it.

Provider keys are noticed by name and never copied.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

MASTER_KEY_VARIABLE = "ROUTEIQ_MASTER_KEY"

PROVIDERS: tuple[tuple[str, str, str], ...] = (
    ("OPENAI_API_KEY", "openai", "OpenAI"),
    ("ANTHROPIC_API_KEY", "anthropic", "Anthropic"),
    ("GEMINI_API_KEY", "gemini", "Google Gemini"),
    ("MISTRAL_API_KEY", "mistral", "Mistral"),
    ("GROQ_API_KEY", "groq", "Groq"),
    ("DEEPSEEK_API_KEY", "deepseek", "DeepSeek"),
    ("XAI_API_KEY", "xai", "xAI"),
    ("COHERE_API_KEY", "cohere", "Cohere"),
    ("OPENROUTER_API_KEY", "openrouter", "OpenRouter"),
    ("TOGETHERAI_API_KEY", "together_ai", "Together AI"),
    ("FIREWORKS_AI_API_KEY", "fireworks_ai", "Fireworks AI"),
    ("PERPLEXITYAI_API_KEY", "perplexity", "Perplexity"),
    ("CEREBRAS_API_KEY", "cerebras", "Cerebras"),
    ("NVIDIA_NIM_API_KEY", "nvidia_nim", "NVIDIA NIM"),
)
"""The variable that holds a provider's key, the provider's prefix in model names, and its name for people."""

_HEAD = """\
# The configuration of the RouteIQ gateway. LiteLLM's config.yaml is the dialect; our own keys are under `routeiq:`.
#   routeiq check --config THIS_FILE     tells what is wrong, with file and line
#   routeiq serve --config THIS_FILE     starts the gateway
# A value `os.environ/NAME` is taken from the environment. Keys belong there, not here.

# One row a deployment. Clients ask for `model_name`; rows that share a name share its load.
model_list:
"""

_LOCAL = """\
  # A server of your own that speaks OpenAI's protocol (vLLM, Ollama, ...):
  # - model_name: local
  #   litellm_params:
  #     model: openai/NAME-OF-THE-MODEL
  #     api_base: http://127.0.0.1:11434/v1
  #     api_key: none
"""

_TAIL = """\

# What happens when a call fails. The values shown are the defaults.
router_settings:
  num_retries: 2        # within the group
  cooldown_time: 5      # seconds a failing deployment rests
  # fallbacks: [{fast: [strong]}]      # groups to try when a group fails

general_settings:
  # Clients send this key as `Authorization: Bearer ...`. The start stops without it.
  master_key: os.environ/ROUTEIQ_MASTER_KEY

routeiq:
  # profile: standard   # our set of plugins; `minimal` runs none
  # data_dir: .routeiq  # embedded stores
  server:
    host: 127.0.0.1     # 0.0.0.0 to serve other machines
    port: 4000
    workers: 1
  # plugins:            # name -> its own configuration; `routeiq plugins list` shows what is installed
"""


@dataclass(frozen=True, slots=True)
class Starter:
    """A first configuration, and the lines of the `.env` file that holds its master key."""

    yaml: str
    env_file: str = field(repr=False)


def starter_yaml(env: Mapping[str, str]) -> Starter:
    """A commented configuration with one active row for each provider whose key is in `env`."""
    present = [row for row in PROVIDERS if env.get(row[0])]
    absent = [row for row in PROVIDERS if not env.get(row[0])][:3]
    rows = [_row(*row) for row in present] + [_commented(_row(*row)) for row in absent]
    key = f"{MASTER_KEY_VARIABLE}=sk-{secrets.token_urlsafe(32)}\n"
    return Starter(_HEAD + "".join(rows) + _LOCAL + _TAIL, key)


def _row(variable: str, prefix: str, name: str) -> str:
    return (
        f"  # Every model of {name}, asked for as {prefix}/NAME.\n"
        f'  - model_name: "{prefix}/*"\n'
        f"    litellm_params:\n"
        f'      model: "{prefix}/*"\n'
        f"      api_key: os.environ/{variable}\n"
    )


def _commented(row: str) -> str:
    first, *rest = row.splitlines()
    return "\n".join([first, *(f"  # {line[2:]}" for line in rest)]) + "\n"
