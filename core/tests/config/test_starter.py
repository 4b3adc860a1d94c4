"""The first configuration: it loads, notices provider keys, and copies none."""

from __future__ import annotations

import pytest

from routeiq.config import loads
from routeiq.config.starter import MASTER_KEY_VARIABLE, PROVIDERS, starter_yaml


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize("names", [(), ("OPENAI_API_KEY",), tuple(row[0] for row in PROVIDERS)])
def test_it_loads_in_strict_mode_with_its_own_env_file(names: tuple[str, ...]) -> None:
    env = dict.fromkeys(names, "canary")
    starter = starter_yaml(env)
    found = loads(starter.yaml, "routeiq.yaml", {**env, **variables(starter.env_file)}, strict=True)
    assert [row.litellm_params.api_key for row in found.models if row.litellm_params.api_key] == [
        row.litellm_params.api_key for row in found.models
    ]
    assert len(found.models) == len(names)
    assert (found.notices, found.protective) == ((), ())


def test_secrets_are_in_the_env_file_alone_and_provider_keys_nowhere() -> None:
    starter = starter_yaml({"GROQ_API_KEY": "canary"})
    key = variables(starter.env_file)[MASTER_KEY_VARIABLE]
    assert "canary" not in starter.yaml + starter.env_file
    assert key not in starter.yaml
    assert key not in repr(starter)
    assert "os.environ/GROQ_API_KEY" in starter.yaml


def test_every_master_key_is_fresh() -> None:
    assert starter_yaml({}).env_file != starter_yaml({}).env_file


def test_its_commented_rows_work_when_the_marks_are_removed() -> None:
    starter = starter_yaml({})
    text = starter.yaml.replace("\n  # - model_name", "\n  - model_name").replace("\n  #   ", "\n    ")
    env = {row[0]: "key" for row in PROVIDERS}
    found = loads(text, "routeiq.yaml", {**env, **variables(starter.env_file)})
    assert [row.model_name for row in found.models] == ["openai/*", "anthropic/*", "gemini/*", "local"]
