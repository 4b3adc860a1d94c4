"""The environment that the example files refer to, and the folder of these files."""

from __future__ import annotations

from pathlib import Path

import pytest

MASTER_KEY = "sk-Zq8vT3xW9pLm2RkY7nBd"


@pytest.fixture
def data() -> Path:
    return Path(__file__).parent / "data"


@pytest.fixture
def master_key() -> str:
    return MASTER_KEY


@pytest.fixture
def env() -> dict[str, str]:
    return {
        "MASTER_KEY": MASTER_KEY,
        "OPENAI_API_KEY": "canary-openai",
        "ANTHROPIC_API_KEY": "canary-anthropic",
        "AZURE_EU_KEY": "canary-azure",
        "AWS_ACCESS_KEY_ID": "canary-aws-id",
        "AWS_SECRET_ACCESS_KEY": "canary-aws-secret",
        "REDIS_PASSWORD": "canary-redis",
        "DATABASE_URL": "postgresql://user:canary-database@db.example.com/litellm",
        "SLACK_HOOK": "https://hooks.example.com/canary-slack",
        "LAKERA_KEY": "canary-lakera",
        "GITHUB_TOKEN": "canary-github",
        "FILES_ROOT": "canary-files",
        "AUDIT_TOKEN": "canary-audit",
        "PORT": "8443",
    }
