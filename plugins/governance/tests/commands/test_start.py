"""Commands start at once: none loads what only the gateway needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "pydantic", "msgspec", "cryptography", "aiohttp", "asyncpg", "alembic", "litellm", "rich.table")


@pytest.mark.parametrize("name", ["keys", "teams", "users", "budgets", "policies", "spend", "importing"])
def test_a_command_loads_nothing_heavy(name: str) -> None:
    code = f"import sys, routeiq_governance.commands.{name}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
