"""Skills on the disk, and gateways that serve them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway

from .writing import MODEL, write_skill

Serve = Callable[..., Awaitable[TestGateway]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source with two skills: `pdf` of several files, `one` of one."""
    source = tmp_path / "skills"
    write_skill(source, "one")
    write_skill(source, "pdf", {"templates/a b.md": b"# T\n", "scripts/run.py": b"print()\n", "logo.png": b"\x89PNG\0"})
    return source


@pytest.fixture
def serve(gateway: StartGateway, folder: Path) -> Serve:
    """A function that starts a gateway with this skills block; without `sources` it serves `folder`."""

    async def start(plugins: Mapping[str, Any] | None = None, **skills: Any) -> TestGateway:
        skills.setdefault("sources", [{"kind": "folder", "path": str(folder)}])
        skills.setdefault("refresh_seconds", 0.1)
        return await gateway(
            {"model_list": [MODEL], "routeiq": {"plugins": {"skills": skills, **(plugins or {})}}},
        )

    return start
